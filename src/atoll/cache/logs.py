"""Records of caches' logs in AWS's form.

Source: ElastiCache User Guide, "Log delivery", "Contents of a slow log entry" and "Contents of an engine log entry".
"""

import json
import re
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

_LINE = re.compile(r"^\d+:([A-Z]) (\d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2}\.\d{3}) ([-.*#]) (.*)$")
_MORE = re.compile(r"^\.\.\. \((\d+) more arguments\)$")
_LEVELS = {".": "DEBUG", "-": "VERBOSE", "*": "NOTICE", "#": "WARNING"}


class SlowCommand(NamedTuple):
    """An entry of SLOWLOG."""

    id: int
    at: int  # Unix time
    microseconds: int
    words: tuple[str, ...]
    client: str  # address and port
    client_name: str


SlowPlace = tuple[str, int]  # in a slow log: a run of the engine, and an id


def slow_record(entry: SlowCommand, cluster: str, node: str, format: str) -> str:
    """Return an entry of the slow log as it is delivered: as on AWS, without the arguments' values."""
    command = _without_arguments(entry.words)
    if format == "text":
        fields = (cluster, node, entry.at, entry.microseconds, command, entry.client, entry.client_name)
        return ",".join(map(str, fields))
    return json.dumps({
        "CacheClusterId": cluster,
        "CacheNodeId": node,
        "Id": entry.id,
        "Timestamp": entry.at,
        "Duration (us)": entry.microseconds,
        "Command": command,
        "ClientAddress": entry.client,
        "ClientName": entry.client_name,
    })  # fmt: skip


def engine_record(line: str, cluster: str, node: str, format: str, zone: tzinfo | None = None) -> str | None:
    """Return a line of an engine's log as it is delivered; None for one that is no record (its banner)."""
    if not (found := _LINE.match(line)):
        return None
    role, _, level, message = found.groups()
    at = engine_time(line, zone)
    assert at, "a line that matches has a time"
    milliseconds = f"{at.microsecond // 1000:03}"
    if format == "text":
        return f"{cluster}/{node}:{role} {at:%d %b %Y %H:%M:%S}.{milliseconds} UTC {level} {message}"
    return json.dumps({
        "CacheClusterId": cluster,
        "CacheNodeId": node,
        "LogLevel": _LEVELS[level],
        "Role": role,
        "Time": f"{at:%d-%m-%Y %H:%M:%S}.{milliseconds} UTC",
        "Message": message,
    })  # fmt: skip


def engine_time(line: str, zone: tzinfo | None = None) -> datetime | None:
    """Return when an engine said a line; it says local time (`zone`, None: this machine's)."""
    if not (found := _LINE.match(line)):
        return None
    naive = datetime.strptime(found[2], "%d %b %Y %H:%M:%S.%f")  # noqa: DTZ007  (the zone follows)
    return (naive.replace(tzinfo=zone) if zone else naive).astimezone(UTC)


def stream_name(engine: str, cluster: str, node: str, log_type: str) -> str:
    """Return the log stream of a node."""
    return f"elasticache/{engine}/{cluster}/{node}/{log_type}"


def _without_arguments(words: tuple[str, ...]) -> str:
    """Return a command as AWS shows it: `GET ... (1 more arguments)`."""
    first, *rest = words or ("",)
    count = len(rest)
    if rest and (cut := _MORE.match(rest[-1])):
        count += int(cut[1]) - 1
    return f"{first} ... ({count} more arguments)" if count else first
