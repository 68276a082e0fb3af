"""Records of caches' logs, in the forms of AWS's documentation."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from atoll.cache.logs import SlowCommand, engine_record, engine_time, slow_record
from atoll.logs.times import time_of

ENTRY = SlowCommand(296, 1605631822, 30, ("GET", "secret"), "192.168.12.104:55452", "app")
LINE = "7:M 29 Oct 2020 20:12:20.499 * A slow-running Lua script detected"


def test_a_slow_command_has_the_documented_form_and_hides_its_arguments():
    text = slow_record(ENTRY, "slow", "0001", "text")
    assert text == "slow,0001,1605631822,30,GET ... (1 more arguments),192.168.12.104:55452,app"
    assert json.loads(slow_record(ENTRY, "slow", "0001", "json")) == {
        "CacheClusterId": "slow",
        "CacheNodeId": "0001",
        "Id": 296,
        "Timestamp": 1605631822,
        "Duration (us)": 30,
        "Command": "GET ... (1 more arguments)",
        "ClientAddress": "192.168.12.104:55452",
        "ClientName": "app",
    }


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("PING",), "PING"),
        (("MSET", *"abcdef"), "MSET ... (6 more arguments)"),
        (("MSET", *"ab", "... (98 more arguments)"), "MSET ... (100 more arguments)"),
    ],
)
def test_arguments_are_counted_also_those_that_the_engine_has_cut_off(words, shown):
    entry = ENTRY._replace(words=words)
    assert json.loads(slow_record(entry, "c", "0001", "json"))["Command"] == shown


def test_an_engines_line_has_the_documented_form():
    text = engine_record(LINE, "cache", "0001", "text", UTC)
    assert text == "cache/0001:M 29 Oct 2020 20:12:20.499 UTC * A slow-running Lua script detected"
    assert json.loads(engine_record(LINE, "cache", "0001", "json", UTC)) == {
        "CacheClusterId": "cache",
        "CacheNodeId": "0001",
        "LogLevel": "NOTICE",
        "Role": "M",
        "Time": "29-10-2020 20:12:20.499 UTC",
        "Message": "A slow-running Lua script detected",
    }
    assert engine_record("      _._      ", "cache", "0001", "text") is None, "of the banner"


def test_an_engine_says_local_time():
    east = timezone(timedelta(hours=9))
    assert engine_time(LINE, east) == datetime(2020, 10, 29, 11, 12, 20, 499_000, tzinfo=UTC)
    assert "29 Oct 2020 11:12:20.499 UTC" in engine_record(LINE, "cache", "0001", "text", east)


@pytest.mark.parametrize("format", ["text", "json"])
def test_every_record_says_when_it_was(format):
    assert time_of(slow_record(ENTRY, "slow", "0001", format)) == 1605631822000
    assert time_of(engine_record(LINE, "cache", "0001", format, UTC)) == 1604002340499
    flow = "2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"
    assert time_of(flow) == 1418530010000
    much = flow.replace(" 4249 ", " 1294967296 ").replace(" 20 ", " 4294967296 ")
    assert time_of(much) == 1418530010000, "a flow of gigabytes counts in as many digits"
    assert time_of("443 1418530070 1418530010") == 1418530010000
    assert time_of("eni-1 1418530070 OK") == 1418530070000
    assert time_of("whatever") == 0
