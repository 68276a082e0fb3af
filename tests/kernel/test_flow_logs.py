"""Flow logs from real packets: what is accepted, what is refused and by whom, what a gateway translates."""

import asyncio
import socket
import time
from datetime import UTC, datetime

import pytest

from atoll.control.flow_files import FlowFiles
from atoll.control.flow_logs import FlowLogs
from atoll.host.linux import tallies
from atoll.host.linux.tallies import Taker
from atoll.model.flow_log import FlowLog
from atoll.network.flow_format import VERSIONS
from atoll.network.flow_records import as_dict
from tests.kernel.ground import alive, lay_ground
from tests.network.lab import EVERYWHERE, EVERYWHERE6, OPEN_ACL
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
SERVER, EIP = "198.51.100.27", "203.0.113.5"
EVERY_FIELD = " ".join(f"${{{field}}}" for fields in VERSIONS.values() for field in fields)
WHO = ("interface-id", "flow-direction", "action", "srcaddr", "dstaddr")


@pytest.fixture
def ground():
    yield from lay_ground()


class Logs:
    """The loop of flow logs over a piece of ground, looked at when a test says so."""

    def __init__(self, ground, lab, directory):
        self.ground, self.lab, self.notes = ground, lab, []
        self.taker = Taker(ground.namespaces)
        self.files = FlowFiles(directory / "flow-logs")
        self.loop = FlowLogs(
            lambda: lab.world,
            lambda: ground.plan,
            self.take,
            self.files,
            note=lambda _, why: self.notes.append(why),
            forget=self.notes.extend,
        )

    async def take(self, containers):
        return self.taker.take(containers)

    def flush(self, log="all"):
        """End all windows; return the new records of a log, by field."""
        before = max((shown.sequence for shown in self.loop.records([f"fl-{log}"], 0)), default=0)
        asyncio.run(self.loop.look(flush=True))
        format = next(log_.format for log_ in self.logs() if log_.id == f"fl-{log}")
        return [as_dict(format, shown.line) for shown in self.loop.records([f"fl-{log}"], before)]

    def logs(self):
        return list(self.lab.world.all(FlowLog))


def flows(records):
    """Return the records that tell of traffic, as who and where."""
    return {tuple(r[field] for field in WHO) for r in records if r["log-status"] == "OK"}


def two_subnets():
    """Return an application and, in another subnet, a cache: it admits tcp 6379-6390, and its ACL denies 6380."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16"), lab.gateway("v")
    lab.acl("inner", ingress=["90 deny tcp 6380 0.0.0.0/0", *OPEN_ACL])
    lab.subnet("app", "10.0.1.0/24"), lab.subnet("inner", "10.0.2.0/24", acl="inner")
    lab.group("app"), lab.group("cache", ingress=["tcp 6379-6390 sg-app"]), lab.group("shut", egress=[])
    lab.instance("app", "app", groups=["app"], ip="10.0.1.10")
    lab.instance("shut", "app", groups=["shut"], ip="10.0.1.11")
    lab.instance("cache", "inner", groups=["cache"], ip="10.0.2.10")
    lab.flow_log("all", "vpc-v", format=EVERY_FIELD)
    return lab


def test_an_accepted_flow_is_two_records_at_each_end_with_what_passed(ground, tmp_path):
    logs = Logs(ground, two_subnets(), tmp_path)
    ground.apply(logs.lab.world)
    near, far = ground.flow("app", "cache", "10.0.2.10", 6379)
    near.send(b"x" * 100)
    assert far.recv(100) == b"x" * 100
    port = str(near.getsockname()[1])
    near.close(), far.close()
    time.sleep(0.05)  # the last packets of the flow
    records = [r for r in logs.flush() if r["log-status"] == "OK"]
    there = ("10.0.1.10", "10.0.2.10")
    back = there[::-1]
    assert flows(records) == {
        ("eni-app", "egress", "ACCEPT", *there),
        ("eni-cache", "ingress", "ACCEPT", *there),
        ("eni-cache", "egress", "ACCEPT", *back),
        ("eni-app", "ingress", "ACCEPT", *back),
    }
    request = next(r for r in records if (r["interface-id"], r["flow-direction"]) == ("eni-app", "egress"))
    answer = next(r for r in records if (r["interface-id"], r["flow-direction"]) == ("eni-app", "ingress"))
    assert (request["srcport"], request["dstport"], request["protocol"]) == (port, "6379", "6")
    assert int(request["packets"]) >= 4
    assert int(request["bytes"]) >= 100 + 40 * int(request["packets"])
    assert (request["tcp-flags"], answer["tcp-flags"]) == ("3", "19")  # SYN and FIN; SYN-ACK and FIN
    assert (request["traffic-path"], answer["traffic-path"]) == ("1", "-")
    assert request["version"] == "5"
    assert (request["instance-id"], request["subnet-id"], request["vpc-id"]) == ("i-app", "subnet-app", "vpc-v")
    assert (request["region"], request["az-id"], request["type"]) == ("us-east-1", "use1-az1", "IPv4")
    assert abs(int(request["start"]) - time.time()) < 10
    assert int(request["end"]) >= int(request["start"])


def test_what_was_counted_is_told_once_and_an_interface_without_traffic_says_so(ground, tmp_path):
    logs = Logs(ground, two_subnets(), tmp_path)
    ground.apply(logs.lab.world)
    near, far = ground.flow("app", "cache", "10.0.2.10", 6379)
    assert {r["log-status"] for r in logs.flush() if r["interface-id"] == "eni-shut"} == {"NODATA"}
    assert all(r["log-status"] == "NODATA" for r in logs.flush())
    assert alive(near, far)
    later = [r for r in logs.flush() if r["log-status"] == "OK"]
    assert len(later) == 4
    assert {r["tcp-flags"] for r in later} == {"0"}, "no packet of these began or ended anything"


@pytest.mark.parametrize(
    ("place", "port", "kind", "expected"),
    [
        ("app", 22, socket.SOCK_STREAM, {("eni-app", "egress", "ACCEPT"), ("eni-cache", "ingress", "REJECT")}),
        ("app", 6380, socket.SOCK_STREAM, {("eni-app", "egress", "ACCEPT"), ("eni-cache", "ingress", "REJECT")}),
        ("shut", 6379, socket.SOCK_STREAM, {("eni-shut", "egress", "REJECT")}),
        ("app", 53, socket.SOCK_DGRAM, {("eni-app", "egress", "ACCEPT"), ("eni-cache", "ingress", "REJECT")}),
    ],
    ids=["receiver's groups", "receiver's ACL", "sender's groups", "a datagram"],
)
def test_a_refusal_is_a_record_at_the_interface_whose_side_refused(ground, tmp_path, place, port, kind, expected):
    logs = Logs(ground, two_subnets(), tmp_path)
    ground.apply(logs.lab.world)
    sock = ground.open(place, kind)
    sock.settimeout(0.2)
    sock.connect_ex(("10.0.2.10", port))
    if kind == socket.SOCK_DGRAM:
        sock.send(b"x")
        time.sleep(0.05)
    assert {who[:3] for who in flows(logs.flush())} == expected


def test_an_answer_that_an_acl_refuses_is_refused_where_it_leaves(ground, tmp_path):
    lab = two_subnets()
    lab.acl("oneway", ingress=OPEN_ACL, egress=["100 deny tcp 1024-65535 0.0.0.0/0"])
    lab.use_acl("inner", "oneway")
    logs = Logs(ground, lab, tmp_path)
    ground.apply(lab.world)
    ground.listen("cache", 6379)
    assert not ground.connects("app", "10.0.2.10", 6379)
    found = {who[:3] for who in flows(logs.flush())}
    assert found == {
        ("eni-app", "egress", "ACCEPT"),
        ("eni-cache", "ingress", "ACCEPT"),
        ("eni-cache", "egress", "REJECT"),
    }


def test_the_traffic_of_a_nat_gateway_is_told_as_the_guide_shows_it(ground, tmp_path):
    """VPC User Guide, "Flow log record examples", traffic through a NAT gateway; its own address stands first."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16"), lab.gateway("v")
    lab.subnet("public", "10.0.0.0/24"), lab.subnet("private", "10.0.1.0/24")
    lab.nat_gateway("nat", "public", ips=("10.0.0.220",), publics=(EIP,))
    lab.table("public", {"0.0.0.0/0": "igw-v"}, subnets=["public"])
    lab.table("private", {"0.0.0.0/0": "nat-nat"}, subnets=["private"])
    lab.group("client")
    lab.instance("app", "private", groups=["client"], ip="10.0.1.5")
    lab.outside(SERVER)
    fields = ("interface-id", "srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr", "log-status")
    lab.flow_log("all", "vpc-v", format=" ".join(f"${{{field}}}" for field in fields))
    logs = Logs(ground, lab, tmp_path)
    ground.apply(lab.world)
    ground.flow("app", SERVER, SERVER, 8080)
    assert not ground.connects(SERVER, EIP, 22)
    found = {tuple(r.values())[:5] for r in logs.flush()}
    assert found == {
        ("eni-nat", "10.0.1.5", "10.0.0.220", "10.0.1.5", SERVER),
        ("eni-nat", "10.0.0.220", SERVER, "10.0.0.220", SERVER),
        ("eni-nat", SERVER, "10.0.0.220", SERVER, "10.0.0.220"),
        ("eni-nat", "10.0.0.220", "10.0.1.5", SERVER, "10.0.1.5"),
        ("eni-app", "10.0.1.5", SERVER, "10.0.1.5", SERVER),
        ("eni-app", SERVER, "10.0.1.5", SERVER, "10.0.1.5"),
    }


def test_both_sides_of_a_peering_are_told_and_services_of_the_vpc_are_not(ground, tmp_path):
    lab = Lab()
    for name, cidr in (("a", "10.1.0.0/16"), ("b", "10.2.0.0/16")):
        lab.vpc(name, cidr)
        lab.subnet(name, cidr.replace("/16", "/24"), vpc=name)
        lab.group(f"open-{name}", ingress=EVERYWHERE, vpc=name)
        lab.instance(name, name, groups=[f"open-{name}"], ip=cidr.replace("0.0/16", "0.10"))
    lab.peering("p", "a", "b")
    lab.route("a", "10.2.0.0/16", "pcx-p"), lab.route("b", "10.1.0.0/16", "pcx-p")
    lab.flow_log("all", "vpc-a", format=EVERY_FIELD, vpc="a")
    lab.flow_log("other", "eni-b", format=EVERY_FIELD, vpc="b", traffic="REJECT")
    logs = Logs(ground, lab, tmp_path)
    ground.apply(lab.world)
    ground.flow("a", "b", "10.2.0.10", 80)
    resolver = ground.open("a", socket.SOCK_DGRAM)
    for service in (("10.1.0.2", 53), ("169.254.169.254", 80), ("169.254.169.123", 123), ("10.1.0.1", 9)):
        resolver.sendto(b"x", service)
    records = [r for r in logs.flush() if r["log-status"] == "OK"]
    assert {r["pkt-dstaddr"] for r in records if r["flow-direction"] == "egress"} == {"10.2.0.10"}
    assert {r["traffic-path"] for r in records if r["flow-direction"] == "egress"} == {"4"}
    assert {r["log-status"] for r in logs.flush("other")} == {"NODATA"}, "it keeps what is refused only"


def test_a_log_is_in_force_with_its_world_and_what_is_not_logged_costs_no_rule(ground, tmp_path):
    lab = two_subnets()
    logs = Logs(ground, lab, tmp_path)
    ground.apply(lab.world)
    assert "flow_log" in ground.run("vpc-v", "nft", "list", "chains")
    near, far = ground.flow("app", "cache", "10.0.2.10", 6379)
    lab.tx.delete(logs.logs()[0])
    ground.apply(lab.world)
    assert "flow_log" not in ground.run("vpc-v", "nft", "list", "ruleset")
    assert alive(near, far)
    assert not ground.connects("app", "10.0.2.10", 22)
    lab.flow_log("all", "eni-cache", format=EVERY_FIELD)
    ground.apply(lab.world)
    assert alive(near, far)
    assert {r["interface-id"] for r in logs.flush()} == {"eni-cache"}


def test_a_full_set_is_told_as_skipped(ground, tmp_path, monkeypatch):
    for module in ("atoll.network.compile.flow_logs", "atoll.control.flow_logs"):
        monkeypatch.setattr(f"{module}.FLOWS_MAX", 8)
    logs = Logs(ground, two_subnets(), tmp_path)
    ground.apply(logs.lab.world)
    sock = ground.open("app", socket.SOCK_DGRAM)
    for port in range(20):
        sock.sendto(b"x", ("10.0.2.10", 100 + port))
    time.sleep(0.05)
    records = logs.flush()
    assert "SKIPDATA" in {r["log-status"] for r in records if r["interface-id"] == "eni-cache"}
    assert "REJECT" in {r["action"] for r in records}


def test_a_kernel_that_cannot_take_is_read_by_difference(ground, tmp_path, monkeypatch):
    monkeypatch.setattr(tallies, "_TAKE", (10 << 8) | 250)  # a message that no kernel knows
    logs = Logs(ground, two_subnets(), tmp_path)
    ground.apply(logs.lab.world)
    logs.flush()  # the first reading may be an earlier daemon's
    near, far = ground.flow("app", "cache", "10.0.2.10", 6379)
    first = next(r for r in logs.flush() if r["interface-id"] == "eni-app" and r["flow-direction"] == "egress")
    assert alive(near, far)
    later = next(r for r in logs.flush() if r["interface-id"] == "eni-app" and r["flow-direction"] == "egress")
    assert (first["tcp-flags"], first["packets"]) == ("2", "2")
    assert (later["tcp-flags"], later["packets"]) == ("0", "2")


def test_files_stand_where_they_are_said_to_be_and_outlive_the_loop(ground, tmp_path):
    lab = two_subnets()
    logs = Logs(ground, lab, tmp_path)
    ground.apply(lab.world)
    ground.flow("app", "cache", "10.0.2.10", 6379)
    told = logs.flush()
    stream = logs.files.place(logs.logs()[0]) / "eni-app-all.log"
    assert len(stream.read_text().splitlines()) == len([r for r in told if r["interface-id"] == "eni-app"])
    ground.flow("app", "cache", "10.0.2.10", 6390)
    ground.fabric.close()
    ground.fabric = ground.another()  # another daemon, which loads all rules anew
    ground.apply(lab.world)
    again = Logs(ground, lab, tmp_path)
    assert len(again.loop.records(["fl-all"], 0)) == len(told)
    assert "6390" in {r["dstport"] for r in again.flush()}, "what was counted before it began"
    assert datetime.fromtimestamp(again.files.looked(), UTC).year >= 2026


def test_ipv6_is_told_beside_ipv4(ground, tmp_path):
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", ipv6="2600:1f18:0:100::/56")
    lab.subnet("s", "10.0.1.0/24", ipv6="2600:1f18:0:100::/64")
    lab.group("open", ingress=["tcp 6379 ::/0", "tcp 6379 0.0.0.0/0"], egress=EVERYWHERE6)
    for name, last in (("a", 10), ("b", 11)):
        lab.instance(name, "s", groups=["open"], ip=f"10.0.1.{last}", ipv6=[f"2600:1f18:0:100::{last}"])
    lab.flow_log("all", "vpc-v", format=EVERY_FIELD)
    logs = Logs(ground, lab, tmp_path)
    ground.apply(lab.world)
    ends = {}
    for name in ("a", "b"):
        ends[name] = ground.fabric.socket_in(f"eni-{name}", socket.AF_INET6, socket.SOCK_STREAM)
        ends[name].settimeout(2)
        ground.sockets.append(ends[name])
    ends["b"].bind(("::", 6379))
    ends["b"].listen()
    ends["a"].connect(("2600:1f18:0:100::11", 6379))
    refused = ground.fabric.socket_in("eni-a", socket.AF_INET6, socket.SOCK_STREAM)
    ground.sockets.append(refused)
    refused.settimeout(0.2)
    with pytest.raises(TimeoutError):
        refused.connect(("2600:1f18:0:100::11", 22))
    told = [r for r in logs.flush() if r["log-status"] == "OK" and r["protocol"] == "6"]
    there = ("2600:1f18:0:100::10", "2600:1f18:0:100::11")
    assert flows(told) == {
        ("eni-a", "egress", "ACCEPT", *there),
        ("eni-b", "ingress", "ACCEPT", *there),
        ("eni-b", "egress", "ACCEPT", *there[::-1]),
        ("eni-a", "ingress", "ACCEPT", *there[::-1]),
        ("eni-b", "ingress", "REJECT", *there),
    }
    assert {r["type"] for r in told} == {"IPv6"}
    assert {r["dstport"] for r in told if r["action"] == "REJECT"} == {"22"}
