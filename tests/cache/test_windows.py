"""Maintenance and snapshot windows."""

from datetime import UTC, datetime

import pytest

from atoll.cache import windows

DAY = 24 * 60


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("mon:00:00-mon:01:00", (0, 60)),
        ("sun:23:30-mon:00:30", (6 * DAY + 1410, 60)),
        ("SAT:13:00-sat:14:00", (5 * DAY + 780, 60)),
        ("mon:00:00-tue:00:00", (0, DAY)),
        ("mon:24:00-tue:00:00", None),
        ("mon:00:60-tue:00:00", None),
        ("day:00:00-tue:00:00", None),
        ("05:00-06:00", None),
        ("", None),
    ],
)
def test_a_maintenance_window_is_a_minute_of_the_week_and_a_length(text, parsed):
    assert windows.maintenance(text) == parsed


@pytest.mark.parametrize(
    ("text", "parsed"),
    [("05:00-06:00", (300, 60)), ("23:30-00:30", (1410, 60)), ("5:00-6:00", None), ("24:00-01:00", None)],
)
def test_a_snapshot_window_is_a_minute_of_the_day_and_a_length(text, parsed):
    assert windows.snapshot(text) == parsed


@pytest.mark.parametrize(
    ("weekly", "daily", "meet"),
    [
        ("mon:05:00-mon:06:00", "05:30-06:30", True),
        ("mon:05:00-mon:06:00", "04:30-05:30", True),
        ("mon:05:00-mon:06:00", "06:00-07:00", False),
        ("mon:05:00-mon:06:00", "04:00-05:00", False),
        ("sun:23:30-mon:00:30", "00:00-01:00", True),
        ("wed:00:00-wed:01:00", "23:30-00:30", True),
        ("mon:00:00-tue:00:00", "12:00-13:00", True),
    ],
)
def test_a_snapshot_window_meets_a_maintenance_window_on_any_day(weekly, daily, meet):
    assert windows.overlap(weekly, daily) is meet


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-11-22T05:00", True),
        ("2026-11-22T05:59", True),
        ("2026-11-22T06:00", False),
        ("2026-11-21T05:30", False),
    ],
)
def test_a_window_is_open_from_its_first_minute_to_before_its_end(now, is_open):
    assert windows.is_open("sun:05:00-sun:06:00", datetime.fromisoformat(now).replace(tzinfo=UTC)) is is_open


@pytest.mark.parametrize("region", ["us-east-1", "ap-northeast-2", "eu-west-1", "eu-north-1"])
@pytest.mark.parametrize("dice", [0, 1, 6, 97, 2**31, 2**32 - 1])
def test_whatever_the_dice_say_both_windows_are_good(region, dice):
    weekly = windows.pick_maintenance(region, dice)
    daily = windows.pick_snapshot(weekly, dice)

    assert windows.maintenance(weekly)[1] == 60
    assert windows.snapshot(daily)[1] == 60
    assert not windows.overlap(weekly, daily)
