"""The figures of a drill, from what its clients wrote down."""

from atoll.admin.drill_report import report, time_line

AT = 1000.0
STEPS = [
    {"at": AT + 0.002, "act": "choose", "id": "rg-002", "because": "rg-001: its process has ended"},
    {"at": AT + 0.003, "act": "promote", "id": "rg-002", "because": "rg-001: its process has ended"},
    {"at": AT + 0.006, "act": "follow", "id": "rg-003", "leader_id": "rg-002", "because": "rg-002 leads"},
]


def said(acks, errors=(), names=(), lost=()):
    return {"acks": acks, "errors": list(errors), "names": list(names), "lost": list(lost)}


def steady(first, last, client, every=0.01):
    return [(first + n * every, client, n) for n in range(round((last - first) / every))]


def test_the_outage_ends_with_the_first_write_that_was_accepted_after_the_promotion():
    acks = [*steady(AT - 1, AT + 0.001, 0), *steady(AT + 0.010, AT + 2, 0), *steady(AT - 1, AT, 1),
            *steady(AT + 0.025, AT + 2, 1)]  # fmt: skip

    found = report(said(sorted(acks)), STEPS, AT)

    assert (found.resumed_ms, found.slowest_ms) == (10.0, 25.0)
    assert found.outage_ms == 10.0
    assert found.before == 200
    assert 190 <= found.after <= 210


def test_without_a_promotion_it_ends_with_the_longest_pause():
    acks = [*steady(AT - 1, AT + 0.1, 0), *steady(AT + 0.5, AT + 1, 0)]

    assert report(said(acks), [], AT).resumed_ms == 500.0


def test_a_planned_change_counts_from_the_last_write_that_was_still_accepted():
    acks = [*steady(AT - 1, AT + 0.025, 0, 0.001), *steady(AT + 0.040, AT + 1, 0, 0.001)]
    steps = [{"at": AT + 0.030, "act": "promote", "id": "rg-002", "because": "x"}]

    found = report(said(acks), steps, AT)

    assert found.resumed_ms == 40.0
    assert 15.0 <= found.outage_ms <= 16.0


def test_a_client_that_never_writes_again_is_not_overlooked():
    acks = [*steady(AT - 1, AT + 1, 0), *steady(AT - 1, AT, 1)]

    found = report(said(sorted(acks)), STEPS, AT)

    assert found.slowest_ms is None
    assert report(said(steady(AT - 1, AT, 0)), STEPS, AT).outage_ms is None


def test_errors_names_and_losses_are_told():
    errors = [
        (AT - 0.5, 0, "TimeoutError: before"),
        (AT + 0.004, 0, "ConnectionResetError: closed"),
        (AT + 0.005, 0, "Refused: READONLY You can't write"),
        (AT + 0.008, 1, "Refused: READONLY You"),
    ]
    names = [(AT - 1, "10.0.1.4"), (AT + 0.0065, "10.0.1.5")]

    found = report(said(steady(AT - 1, AT + 1, 0), errors, names, ["drill:x:0:7"]), STEPS, AT)

    assert found.errors == {"ConnectionResetError": 1, "READONLY": 2}
    assert found.readonly_ms == (5.0, 8.0)
    assert found.name_ms == 6.5
    assert found.lost == ("drill:x:0:7",)
    assert found.to_json()["lost"] == ["drill:x:0:7"]
    assert sum(errors for _, _, errors in found.buckets) == 3


def test_the_time_line_is_in_order():
    found = report(said(steady(AT - 1, AT + 1, 0), names=[(AT + 0.0065, "10.0.1.5")]), STEPS, AT)

    lines = [line.split(maxsplit=1)[1] for line in time_line(found, STEPS, AT, "kill")]

    assert [line.split()[0] for line in lines] == ["fault:", "choose", "promote", "follow", "the", "the"]
    assert "choose rg-002: rg-001: its process has ended" in lines
