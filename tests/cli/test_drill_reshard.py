"""The figures of a resharding drill, from what its clients and the daemon said."""

from atoll.cli.drill_reshard import p99, report

AT = 1000.0
SEEN = [
    {"at": AT, "status": "asked", "progress": None, "slots": {}},
    {"at": AT + 0.5, "status": "modifying", "progress": 0.0, "slots": {}},
    {"at": AT + 1.0, "status": "modifying", "progress": 50.0, "slots": {}},
    {"at": AT + 2.4, "status": "available", "progress": None, "slots": {"0001": "0-16383"}},
]


def said(errors=(), lost=()):
    acks = [(AT - 2 + n * 0.01, 0.001 if n < 200 else 0.002) for n in range(500)]
    return {"acks": acks, "errors": list(errors), "lost": list(lost)}


def test_the_rates_and_the_slowness_before_and_during_stand_beside_each_other():
    found = report(said(), SEEN)

    assert found["seconds"] == 2.4
    assert found["moving_seconds"] == 0.5
    assert found["writes_per_second"]["before"] == 100
    assert 99 <= found["writes_per_second"]["during"] <= 101
    assert found["p99_ms"] == {"before": 1.0, "during": 2.0}
    assert found["slots"]["after"] == {"0001": "0-16383"}


def test_the_time_line_tells_how_much_had_moved_and_what_went_wrong_when():
    found = report(said(errors=[(AT + 1.1, "ConnectionError: x")], lost=["drill:1"]), SEEN)

    line = found["time_line"]
    assert [one["progress"] for one in line[:6]] == [0.0, 0.0, 0.0, 0.0, 0.0, 50.0]
    assert line[-1]["progress"] == 100.0, "it was over then"
    assert [one["ms"] for one in line if one["errors"]] == [1000]
    assert found["errors"] == {"ConnectionError: x": 1}
    assert found["lost"] == ["drill:1"]


def test_of_no_writes_nothing_is_said():
    assert p99([]) is None
