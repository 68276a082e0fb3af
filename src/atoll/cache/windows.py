"""Weekly maintenance windows and daily snapshot windows, in UTC as AWS writes them.

Source: ElastiCache API Reference, CreateCacheCluster, and User Guide, "Managing maintenance".
"""

import re
from datetime import datetime

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES, WEEK_MINUTES = 24 * 60, 7 * 24 * 60
MINUTES_MIN, MAINTENANCE_MINUTES_MAX = 60, DAY_MINUTES

# The hour (UTC) at which a region's eight hours for maintenance begin; elsewhere, the night of us-east-1.
_BLOCK_START = {
    "us-east-1": 3, "us-east-2": 3, "us-west-1": 6, "us-west-2": 6, "ap-northeast-1": 13, "ap-northeast-2": 12,
    "ap-south-1": 17, "ap-southeast-1": 14, "ap-southeast-2": 12, "ca-central-1": 3, "eu-central-1": 23,
    "eu-west-1": 22, "eu-west-2": 23, "eu-west-3": 23, "sa-east-1": 1,
}  # fmt: skip
_BLOCK_MINUTES = 8 * 60

_MAINTENANCE = re.compile(r"([a-z]{3}):(\d\d):(\d\d)-([a-z]{3}):(\d\d):(\d\d)")
_SNAPSHOT = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def maintenance(text: str) -> tuple[int, int] | None:
    """Return a window's first minute of the week (from Monday) and its length in minutes; None if malformed."""
    match = _MAINTENANCE.fullmatch(text.lower())
    if match is None or match[1] not in DAYS or match[4] not in DAYS:
        return None
    start, end = _minute(match[2], match[3]), _minute(match[5], match[6])
    if start is None or end is None:
        return None
    first = DAYS.index(match[1]) * DAY_MINUTES + start
    last = DAYS.index(match[4]) * DAY_MINUTES + end
    return first, (last - first) % WEEK_MINUTES


def snapshot(text: str) -> tuple[int, int] | None:
    """Return a window's first minute of the day and its length in minutes; None if malformed."""
    match = _SNAPSHOT.fullmatch(text)
    if match is None:
        return None
    start, end = _minute(match[1], match[2]), _minute(match[3], match[4])
    return None if start is None or end is None else (start, (end - start) % DAY_MINUTES)


def overlap(maintenance_text: str, snapshot_text: str) -> bool:
    """Tell whether a maintenance window and a snapshot window, ever meet; a malformed one meets nothing."""
    week, day = maintenance(maintenance_text), snapshot(snapshot_text)
    if week is None or day is None:
        return False
    starts = (n * DAY_MINUTES + day[0] for n in range(7))
    return any(
        (start - week[0]) % WEEK_MINUTES < week[1] or (week[0] - start) % WEEK_MINUTES < day[1] for start in starts
    )


def is_open(maintenance_text: str, now: datetime) -> bool:
    """Tell whether a maintenance window is open."""
    week = maintenance(maintenance_text)
    assert week, "it was checked when it was set"
    minute = now.weekday() * DAY_MINUTES + now.hour * 60 + now.minute
    return (minute - week[0]) % WEEK_MINUTES < week[1]


def pick_maintenance(region: str, dice: int) -> str:
    """Return an hour inside the region's block on some day, from a random number of at least 32 bits."""
    day, offset = dice % 7, dice // 7 % ((_BLOCK_MINUTES - MINUTES_MIN) // 30 + 1) * 30
    start = day * DAY_MINUTES + _BLOCK_START.get(region, 3) * 60 + offset
    return f"{_weekly(start)}-{_weekly(start + MINUTES_MIN)}"


def pick_snapshot(maintenance_text: str, dice: int) -> str:
    """Return an hour of the day that does not meet the maintenance window, from a random number."""
    for step in range(48):
        start = (dice + step) % 48 * 30
        text = f"{_daily(start)}-{_daily(start + MINUTES_MIN)}"
        if not overlap(maintenance_text, text):
            return text
    return "00:00-01:00"  # the maintenance window fills the whole day: AWS allows 24 hours


def _minute(hours: str, minutes: str) -> int | None:
    return int(hours) * 60 + int(minutes) if int(hours) < 24 and int(minutes) < 60 else None


def _daily(minute: int) -> str:
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def _weekly(minute: int) -> str:
    return f"{DAYS[minute // DAY_MINUTES % 7]}:{_daily(minute % DAY_MINUTES)}"
