"""The windows of flow logs, by a clock of the test's own and with counts that it makes up."""

import asyncio
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest

from atoll.control.flow_files import FlowFiles
from atoll.control.flow_logs import FlowLogs
from atoll.host.contract import HostError, Tallied
from atoll.model.flow_log import FlowLog
from atoll.model.interface import Interface
from atoll.network.compile.flow_logs import FLOWS, RECEIVED, REFUSED_THERE
from atoll.network.flow_records import as_dict
from atoll.network.plan import compile
from tests.network.worlds import Lab

BEGIN = datetime(2026, 11, 26, 17, 0, 0, tzinfo=UTC).timestamp()
NEAR, FAR = IPv4Address("10.0.0.10"), IPv4Address("10.0.0.11")


class Made:
    """The loop, its clock, and what the kernel would count."""

    def __init__(self, directory, **log):
        self.lab = Lab()
        self.lab.vpc("v", "10.0.0.0/16")
        self.lab.subnet("s", "10.0.0.0/24")
        self.lab.instance("a", "s", groups=["v"], ip=str(NEAR))
        self.lab.instance("b", "s", groups=["v"], ip=str(FAR))
        self.lab.flow_log("f", "eni-a")
        self.change(**({"created": datetime.fromtimestamp(BEGIN, UTC)} | log))
        self.now, self.counts, self.notes, self.files = BEGIN, [], [], FlowFiles(directory)
        self.loop = self.another()
        asyncio.run(self.loop.look())  # as every daemon does when it starts

    def another(self):
        def note(_, trouble):
            self.notes.append(trouble)
            if "fl-f" in {log.id for log in self.lab.world.all(FlowLog)}:
                self.change(trouble=trouble)

        plan = compile(self.lab.world)
        return FlowLogs(
            lambda: self.lab.world, lambda: plan, self.take, self.files, note, self.forget, clock=lambda: self.now
        )

    def forget(self, logs):
        for log in logs:
            self.lab.tx.delete(log)

    def change(self, **fields):
        self.lab.put(self.lab.world[FlowLog, "fl-f"], **fields)

    async def take(self, containers):
        if not containers:
            return []
        assert {c.name for c in containers} == {"flows", "plain_flows"}
        flows = next(c for c in containers if c.name == FLOWS)
        counts, self.counts = self.counts, []
        return [Tallied(flows, key, *packets_and_bytes, idle) for key, packets_and_bytes, idle in counts]

    def count(self, packets=1, *, what=0, source=NEAR, target=FAR, ports=(40000, 80), idle=0.0):
        self.counts.append(((1 | what, source, target, *ports), (packets, packets * 60), idle))

    def at(self, seconds, *, flush=False):
        """Look at a time after the begin; return the new records."""
        self.now = BEGIN + seconds
        before = max((s.sequence for s in self.loop.records(["fl-f"], 0)), default=0)
        asyncio.run(self.loop.look(flush=flush))
        return [as_dict(self.lab.world[FlowLog, "fl-f"].format, s.line) for s in self.loop.records(["fl-f"], before)]


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path / "flow-logs")


def test_a_window_is_delivered_when_it_is_over_and_not_before(made):
    made.count(3, idle=10.0)
    assert made.at(30) == []
    made.count(2)
    (record,) = made.at(60)

    assert (record["packets"], record["bytes"], record["log-status"]) == ("5", "300", "OK")
    assert (record["start"], record["end"]) == (str(int(BEGIN)), str(int(BEGIN) + 60))
    (nothing,) = made.at(120)
    assert (nothing["log-status"], nothing["start"], nothing["end"]) == (
        "NODATA", str(int(BEGIN) + 60), str(int(BEGIN) + 120),
    )  # fmt: skip


def test_ten_minutes_are_one_record(tmp_path):
    made = Made(tmp_path, interval_seconds=600)
    for minute in range(1, 10):
        made.count()
        assert made.at(60 * minute) == []
    made.count()
    (record,) = made.at(600)

    assert record["packets"] == "10"


def test_a_log_that_begins_within_a_minute_ends_its_window_with_the_minute(tmp_path):
    made = Made(tmp_path, created=datetime.fromtimestamp(BEGIN + 50, UTC))
    assert made.at(55) == []

    assert [r["start"] for r in made.at(60)] == [str(int(BEGIN) + 50)]


def test_flushing_ends_a_window_at_once(made):
    made.count()
    (record,) = made.at(5, flush=True)

    assert record["end"] == str(int(BEGIN) + 5)
    assert len(made.at(60)) == 1


@pytest.mark.parametrize(
    ("traffic", "actions"), [("ACCEPT", ["ACCEPT"]), ("REJECT", ["REJECT"]), ("ALL", ["ACCEPT", "REJECT"])]
)
def test_a_log_keeps_the_traffic_that_it_is_for(tmp_path, traffic, actions):
    made = Made(tmp_path, traffic=traffic)
    made.count()
    made.count(what=RECEIVED | REFUSED_THERE, source=FAR, target=NEAR)

    assert sorted(r["action"] for r in made.at(60)) == actions


def test_more_flows_than_a_window_holds_are_told_as_skipped(made, monkeypatch):
    monkeypatch.setattr("atoll.control.flow_logs.WINDOW_FLOWS_MAX", 3)
    for port in range(5):
        made.count(ports=(40000, port))
    assert made.at(30) == []
    made.count(ports=(40000, 1))
    records = made.at(60)

    assert sorted(r["log-status"] for r in records) == ["OK", "OK", "OK", "SKIPDATA"]
    assert {r["packets"] for r in records if r["dstport"] == "1"} == {"2"}
    assert [r["log-status"] for r in made.at(120)] == ["NODATA"]


def test_a_packet_alone_says_when_it_passed(made):
    made.count(1, idle=20.0, what=0x40000)
    (record,) = made.at(60)

    assert (record["protocol"], record["start"], record["end"]) == ("17", str(int(BEGIN) + 40), str(int(BEGIN) + 40))


def test_what_cannot_be_written_is_told_by_the_log_until_it_can(made):
    made.files.clear()
    made.files.directory.write_text("in the way")
    assert made.at(60) == []
    assert made.notes == ["Unknown error"]
    assert made.lab.world[FlowLog, "fl-f"].status == "FAILED"
    made.files.directory.unlink()

    assert len(made.at(120)) == 1
    assert made.lab.world[FlowLog, "fl-f"].status == "SUCCESS"


def test_another_daemon_goes_on_and_says_what_it_may_have_missed(made):
    made.at(60)
    made.now = BEGIN + 120
    made.loop = made.another()
    assert [r["log-status"] for r in made.at(120)] == ["NODATA"]
    made.now = BEGIN + 1000
    made.loop = made.another()

    assert [r["log-status"] for r in made.at(1020)] == ["SKIPDATA"]
    assert [r["log-status"] for r in made.at(1080)] == ["NODATA"]


def test_a_deleted_log_delivers_what_it_has_and_an_interface_that_went_is_told_of_once_more(made):
    made.count(7)
    made.at(30)
    made.lab.tx.delete(made.lab.world[FlowLog, "fl-f"])
    made.now = BEGIN + 40
    asyncio.run(made.loop.look())

    (stream,) = made.files.directory.rglob("eni-a-all.log")
    assert " 7 420 " in stream.read_text()
    assert list(made.files.directory.glob("recent/*")) == []


def test_a_log_of_what_is_no_more_is_forgotten(made):
    made.lab.tx.delete(made.lab.world[Interface, "eni-a"])
    made.now = BEGIN + 60
    asyncio.run(made.loop.look())

    assert list(made.lab.world.all(FlowLog)) == []


def test_who_follows_sees_each_record_once_also_across_daemons(made):
    made.at(60)
    first = made.loop.records(["fl-f"], 0)
    made.now = BEGIN + 61
    made.loop = made.another()

    assert [shown.line for shown in made.loop.records(["fl-f"], 0)] == [shown.line for shown in first]
    assert made.loop.records(["fl-f"], first[-1].sequence) == []
    made.at(120)
    assert len(made.loop.records(["fl-f"], first[-1].sequence)) == 1
    assert len(made.loop.records(["fl-f"], 0)) == 2


def test_counters_that_cannot_be_read_are_tried_again(made):
    async def refuse(_):
        raise HostError("no such set", step="read set flows")

    take, made.loop._take = made.loop._take, refuse
    with pytest.raises(HostError):
        made.at(60)
    made.loop._take = take
    made.count()
    assert [r["packets"] for r in made.at(120)] == ["1"]


def test_a_log_that_the_network_does_not_know_yet_is_counted_when_it_does(made):
    """`tests.simulation.longrun --level real --seed 2`: a look between the call and the network loop's next plan."""
    newest, lab = made.loop._plan, Lab()
    lab.vpc("v", "10.0.0.0/16")
    lab.subnet("s", "10.0.0.0/24")
    lab.instance("a", "s", groups=["v"], ip=str(NEAR))
    older = compile(lab.world)
    made.loop._plan = lambda: older

    assert made.at(30) == []
    made.loop._plan = newest
    made.count()

    assert [r["packets"] for r in made.at(60)] == ["1"]
