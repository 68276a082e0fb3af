"""The logs of a cache: where they go, and the newest lines that came."""

from datetime import UTC, datetime
from typing import Any

from atoll.aws.errors import AwsError
from atoll.console.ask import Answered, Ask
from atoll.console.caches.change import modify
from atoll.console.caches.subject import Cache, cache_of
from atoll.console.caches.tabs import tabs_of
from atoll.console.site import act, page

AT = "/cache/caches/{kind}/{name}/logs"
TYPES = ("slow-log", "engine-log")
LINES_MAX = 200  # of all streams, the newest
STREAMS_MAX = 40
EVERY_SECONDS = 5


@page(AT)
async def logs(ask: Ask) -> Answered:
    """Show a cache's logs."""
    cache = await cache_of(ask, members=False)
    asked = cache.said.get("LogDeliveryConfigurations", [])
    delivered = {one["LogType"]: one for one in asked}
    kind = ask.query.get("log") if ask.query.get("log") in TYPES else next(iter(delivered), TYPES[0])
    lines, error = await _lines(ask, cache, kind, delivered)
    return ask.view(
        "cache/logs.html",
        cache=cache,
        tabs=tabs_of(ask, cache),
        delivered=delivered,
        kinds=[(name, ask.t(f"cache.log_{name.replace('-', '_')}"), ask.url(ask.path, log=name)) for name in TYPES],
        kind=kind,
        lines=lines,
        error=error,
        every=EVERY_SECONDS,
    )


@act(f"{AT}/deliver", back=AT)
async def deliver(ask: Ask) -> Answered:
    """Have a log delivered, elsewhere or no more."""
    cache = await cache_of(ask, members=False)
    form, kind = ask.form, ask.form.get("type")
    one: dict[str, Any] = {"LogType": kind, "Enabled": False}
    if "off" not in form:
        one = {
            "LogType": kind,
            "DestinationType": "cloudwatch-logs",
            "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": form.get("group")}},
            "LogFormat": form.get("format", "json"),
        }
    await modify(ask, cache, LogDeliveryConfigurations=[one])
    return ask.go(f"{cache.path}/logs", "cache.done_logs", log=kind, id=kind)


async def _lines(
    ask: Ask, cache: Cache, kind: str, delivered: dict[str, Any]
) -> tuple[list[dict[str, Any]], AwsError | None]:
    """Return the newest lines of a log, newest first, and why there are none if the API says so."""
    if kind not in delivered:
        return [], None
    group = delivered[kind]["DestinationDetails"]["CloudWatchLogsDetails"]["LogGroup"]
    names = set(cache.member_names)
    prefix = f"elasticache/{cache.engine}/"
    found: list[dict[str, Any]] = []
    try:
        streams = await ask.aws_all(
            "logs", "DescribeLogStreams", "logStreams", logGroupName=group, logStreamNamePrefix=prefix
        )
        mine = [
            stream["logStreamName"]
            for stream in streams
            if stream["logStreamName"].endswith(f"/{kind}") and stream["logStreamName"].split("/")[2] in names
        ]
        for stream in mine[:STREAMS_MAX]:
            said = await ask.aws(
                "logs", "GetLogEvents", logGroupName=group, logStreamName=stream, limit=LINES_MAX, startFromHead=False
            )
            found += [_line(event, stream) for event in said["events"]]
    except AwsError as error:  # such as a group that is not there yet
        return [], error
    return sorted(found, key=lambda line: line["at"], reverse=True)[:LINES_MAX], None


def _line(event: dict[str, Any], stream: str) -> dict[str, Any]:
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return {"at": at, "node": stream.split("/")[2], "text": event["message"]}
