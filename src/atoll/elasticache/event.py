"""DescribeEvents: what happened to the caller's caches in the last 14 days."""

from datetime import datetime, timedelta

from atoll.aws.errors import Err
from atoll.aws.operation import Moment, Shape, operation
from atoll.aws.page import page_query
from atoll.cache.history import KEPT
from atoll.elasticache import errors
from atoll.model.event import Event

DEFAULT_MINUTES = 60
MINUTES_MAX = int(KEPT.total_seconds()) // 60

NO_SOURCE_TYPE = Err("InvalidParameterCombination", "SourceType must be provided when SourceIdentifier is provided.")
DURATION_WITH_TIMES = Err("InvalidParameterCombination", "Duration cannot be used with StartTime or EndTime.")
BACKWARDS = Err("InvalidParameterCombination", "StartTime must be before EndTime.")


@operation("elasticache", "DescribeEvents")
def describe_events(
    moment: Moment,
    *,
    source_identifier: str | None = None,
    source_type: str | None = None,
    start_time: datetime | None = None,
    end_time: datetime | None = None,
    duration: int | None = None,
    max_records: int | None = None,
    marker: str | None = None,
) -> Shape:
    """List events, oldest first: those of the last hour, unless other times are asked for."""
    if source_identifier and not source_type:
        raise NO_SOURCE_TYPE()
    events = [
        event
        for event in moment.world.all(Event)
        if source_type in (None, event.source_type)
        and (not source_identifier or event.source == source_identifier.lower())
    ]
    first, last = _span(moment.now, start_time, end_time, duration)
    rows = [event for event in events if first <= event.at <= last]
    page, marker = page_query(rows, lambda event: event.id, max_records, marker)
    return {"Events": [render(event) for event in page], "Marker": marker}


def render(event: Event) -> Shape:
    """Return an event as AWS's Event."""
    return {
        "SourceIdentifier": event.source,
        "SourceType": event.source_type,
        "Message": event.message,
        "Date": event.at,
    }


def _span(
    now: datetime, start: datetime | None, end: datetime | None, duration: int | None
) -> tuple[datetime, datetime]:
    """Return the first and the last moment that are asked for.  A start before all history means all of it."""
    if duration is not None:
        if start or end:
            raise DURATION_WITH_TIMES()
        if not 0 <= duration <= MINUTES_MAX:
            raise errors.BAD_VALUE(got=duration, name="Duration", why=f"Must be between 0 and {MINUTES_MAX}.")
        return now - timedelta(minutes=duration), now
    last = end or now
    first = start or last - timedelta(minutes=DEFAULT_MINUTES)
    if first > last:
        raise BACKWARDS()
    return max(first, now - KEPT), last
