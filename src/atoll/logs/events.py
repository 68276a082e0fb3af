"""Log streams and their events: DescribeLogStreams, GetLogEvents, FilterLogEvents."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from atoll.aws.operation import Moment, Shape, operation
from atoll.logs.errors import BAD_LIMIT, BAD_TOKEN, NO_STREAM, PREFIX_BY_TIME, TWO_STREAMS
from atoll.logs.groups import PAGE, find, group_arn, where
from atoll.logs.pattern import matcher
from atoll.logs.retention import kept_since
from atoll.logs.shelf import Stream, shelf
from atoll.logs.times import time_of
from atoll.model.names import digest
from atoll.model.world import World

EVENTS_MAX = 10_000
ANSWER_BYTES_MAX = 1 << 20
EVENT_BYTES = 26  # that AWS adds to each
_PLACE = re.compile(r"[fb]/(\d+)")


class Event(NamedTuple):
    """An event of a stream."""

    timestamp: int  # milliseconds of Unix time
    stream: str
    message: str
    arrived: int  # likewise; of the stream's newest event, as the files do not keep each one's


@operation("logs", "DescribeLogStreams")
def describe_log_streams(
    moment: Moment,
    *,
    log_group_name: str | None = None,
    log_group_identifier: str | None = None,
    log_stream_name_prefix: str | None = None,
    order_by: str | None = None,
    descending: bool = False,
    next_token: str | None = None,
    limit: int | None = None,
) -> Shape:
    """List the streams of a group."""
    group = find(moment.world, log_group_name, log_group_identifier)
    if order_by == "LastEventTime" and log_stream_name_prefix:
        raise PREFIX_BY_TIME()
    _check_limit(limit, PAGE)
    streams = _streams(moment.world, group, log_stream_name_prefix or "")
    key = (lambda s: (s.written, s.name)) if order_by == "LastEventTime" else (lambda s: (0.0, s.name))
    streams.sort(key=key, reverse=descending)
    begin, end = _cut(len(streams), limit or PAGE, next_token)
    shown = [_render(moment, group, stream) for stream in streams[begin:end]]
    return {"logStreams": shown, "nextToken": f"f/{end}" if end < len(streams) else None}


@operation("logs", "GetLogEvents")
def get_log_events(
    moment: Moment,
    *,
    log_stream_name: str,
    log_group_name: str | None = None,
    log_group_identifier: str | None = None,
    start_time: int | None = None,
    end_time: int | None = None,
    next_token: str | None = None,
    limit: int | None = None,
    start_from_head: bool = False,
) -> Shape:
    """Return events of a stream, the oldest of them first: the newest, or from the head, or from a token on."""
    group = find(moment.world, log_group_name, log_group_identifier)
    _check_limit(limit, EVENTS_MAX)
    stream = _find_stream(moment.world, group, log_stream_name)
    events = [e for e in _events(moment, group, stream) if _is_within(e, start_time, end_time)]
    size = limit or EVENTS_MAX
    if next_token is None:
        begin = 0 if start_from_head else max(0, len(events) - size)
        end = begin + size
    elif found := _PLACE.fullmatch(next_token):
        place = min(int(found[1]), len(events))
        begin, end = (place, place + size) if next_token[0] == "f" else (max(0, place - size), place)
    else:
        raise BAD_TOKEN()
    shown = _within_answer(events[begin:end])
    return {
        "events": [_event(e) for e in shown],
        "nextForwardToken": f"f/{begin + len(shown)}",
        "nextBackwardToken": f"b/{begin}",
    }


@operation("logs", "FilterLogEvents")
def filter_log_events(
    moment: Moment,
    *,
    log_group_name: str | None = None,
    log_group_identifier: str | None = None,
    log_stream_names: Sequence[str] = (),
    log_stream_name_prefix: str | None = None,
    start_time: int | None = None,
    end_time: int | None = None,
    filter_pattern: str | None = None,
    next_token: str | None = None,
    limit: int | None = None,
    interleaved: bool = True,
) -> Shape:
    """Return the events of a group's streams that match, in the order of their times."""
    del interleaved  # AWS's words: it is ignored, and always as if it were true
    group = find(moment.world, log_group_name, log_group_identifier)
    if log_stream_names and log_stream_name_prefix:
        raise TWO_STREAMS()
    _check_limit(limit, EVENTS_MAX)
    streams = _streams(moment.world, group, log_stream_name_prefix or "")
    if log_stream_names:
        streams = [_find_stream(moment.world, group, name) for name in dict.fromkeys(log_stream_names)]
    matches = matcher(filter_pattern or "")
    found, twins = [], Counter[tuple[int, str, str]]()
    for stream in streams:
        for event in _events(moment, group, stream):
            twins[event[:3]] += 1
            if _is_within(event, start_time, end_time) and matches(event.message):
                found.append((event, twins[event[:3]]))
    found.sort(key=lambda one: one[0].timestamp)
    begin, end = _cut(len(found), limit or EVENTS_MAX, next_token)
    shown = found[begin:end]
    events = [_event(e) | {"logStreamName": e.stream, "eventId": _id(e, twin)} for e, twin in shown]
    return {
        "events": events,
        "searchedLogStreams": [],
        "nextToken": f"f/{end}" if end < len(found) else None,
    }


def _streams(world: World, group: str, prefix: str) -> list[Stream]:
    return [stream for stream in shelf().streams(*where(world), group) if stream.name.startswith(prefix)]


def _find_stream(world: World, group: str, name: str) -> Stream:
    stream = next((s for s in shelf().streams(*where(world), group) if s.name == name), None)
    if stream is None:
        raise NO_STREAM()
    return stream


def _events(moment: Moment, group: str, stream: Stream) -> list[Event]:
    """Return a stream's events that are kept, the oldest first.

    One that does not say when it was is as old as the one before; where none does, none is known to be too old.
    """
    world, since = moment.world, kept_since(moment, group)
    found, last, arrived = [], 0, int(stream.written * 1000)
    for line in shelf().lines(*where(world), group, stream.name):
        last = time_of(line) or last
        found.append(Event(last, stream.name, line, arrived))
    kept = (event for event in found if event.timestamp >= since or not event.timestamp)
    return sorted(kept, key=lambda event: event.timestamp)


def _is_within(event: Event, start: int | None, end: int | None) -> bool:
    """Tell whether an event is not before `start` and before `end`, as AWS has it."""
    return (start is None or event.timestamp >= start) and (end is None or event.timestamp < end)


def _within_answer(events: Sequence[Event]) -> list[Event]:
    kept, size = [], 0
    for event in events:
        size += len(event.message.encode()) + EVENT_BYTES
        if size > ANSWER_BYTES_MAX:
            break
        kept.append(event)
    return kept


def _event(event: Event) -> Shape:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.arrived}


def _id(event: Event, twin: int) -> str:
    """Return an event's id: the same each time, and another for each event."""
    return str(int(digest(f"{event.stream} {event.timestamp} {event.message} {twin}", 40), 16)).zfill(56)[-56:]


def _render(moment: Moment, group: str, stream: Stream) -> Shape:
    times = [event.timestamp for event in _events(moment, group, stream) if event.timestamp]
    return {
        "logStreamName": stream.name,
        "creationTime": times[0] if times else int(stream.written * 1000),
        "firstEventTimestamp": times[0] if times else None,
        "lastEventTimestamp": times[-1] if times else None,
        "lastIngestionTime": int(stream.written * 1000),
        "uploadSequenceToken": digest(stream.name, 40),
        "arn": f"{group_arn(moment.world, group)}:log-stream:{stream.name}",
        "storedBytes": 0,  # as AWS says since 2019
    }


def _check_limit(limit: int | None, most: int) -> None:
    if limit is not None and not 1 <= limit <= most:
        raise BAD_LIMIT(got=limit, most=most)


def _cut(count: int, size: int, token: str | None) -> tuple[int, int]:
    """Return where a page begins and ends."""
    if token is None:
        return 0, min(size, count)
    found = _PLACE.fullmatch(token)
    if found is None:
        raise BAD_TOKEN()
    begin = min(int(found[1]), count)
    return begin, min(begin + size, count)
