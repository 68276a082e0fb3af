"""Usage counters: what a NAT gateway translated, what it could not, and what machines sent and received."""

import socket
import struct
import time

import pytest

from atoll.admin import usage
from atoll.host.linux.tallies import read_tallies
from atoll.host.linux.traffic import link_counts, tracked
from atoll.network.flow import NAT_PORTS
from tests.kernel.ground import NEVER_SECONDS, alive, lay_ground, soon
from tests.kernel.test_nat_gateway import EIP, SERVER, from_port, private_lab
from tests.network.lab import CALLER, NOW

pytestmark = pytest.mark.kernel


@pytest.fixture
def ground():
    yield from lay_ground()


def used(ground, lab):
    """Return what everybody used, as the private API tells it."""
    world = lab.world.seen_by(CALLER)
    spaces = usage.gateways(world).keys()
    tallies = read_tallies(ground.namespaces, usage.counting(ground.plan, spaces))
    links = link_counts(ground.namespaces, usage.vpc_ids(world))
    return usage.usage(world, NOW, tallies, tracked(ground.namespaces, spaces), links)


def gateway(ground, lab):
    (only,) = used(ground, lab)["nat_gateways"]
    assert only["id"] == "nat-nat"
    return only["metrics"]


def machine(ground, lab, id):
    return next(i["metrics"] for i in used(ground, lab)["instances"] if i["id"] == id)


def test_a_gateway_counts_bytes_packets_and_connections_on_both_sides(ground):
    lab = private_lab()
    ground.apply(lab.world)
    assert set(gateway(ground, lab).values()) == {0}
    near, far, _ = from_port(ground, "one", 40001)
    near.send(bytes(1000))
    assert soon(lambda: gateway(ground, lab)["BytesOutToDestination"] > 1000)
    seen = gateway(ground, lab)
    for metric in ("ConnectionAttemptCount", "ConnectionEstablishedCount", "ActiveConnectionCount"):
        assert seen[metric] == 1
    for one, other in (("FromSource", "ToDestination"), ("FromDestination", "ToSource")):
        for unit in ("Bytes", "Packets"):
            assert seen[f"{unit}In{one}"] == seen[f"{unit}Out{other}"] > 0
    assert seen["BytesInFromSource"] > seen["BytesInFromDestination"]
    near.close(), far.close()
    assert soon(lambda: gateway(ground, lab)["ActiveConnectionCount"] == 0)


def test_a_connection_that_nobody_accepts_is_attempted_and_not_established(ground):
    lab = private_lab()
    ground.apply(lab.world)
    with pytest.raises(ConnectionRefusedError):
        ground.open("one").connect((SERVER, 9))
    assert not ground.connects(SERVER, EIP, 22)
    seen = gateway(ground, lab)
    assert (seen["ConnectionAttemptCount"], seen["ConnectionEstablishedCount"], seen["PacketsDropCount"]) == (1, 0, 1)


def test_a_flow_for_which_there_is_no_port_is_an_error(ground):
    lab = private_lab()
    ground.apply(lab.world)
    raw = ground.open("one", socket.SOCK_RAW, socket.IPPROTO_UDP)
    other = ground.open("two", socket.SOCK_RAW, socket.IPPROTO_UDP)
    for sock, ports in ((raw, NAT_PORTS), (other, range(NAT_PORTS.start, NAT_PORTS.start + 500))):
        for port in ports:
            sock.sendto(struct.pack(">HHHH", port, 7001, 9, 0) + b"x", (SERVER, 0))
    assert soon(lambda: gateway(ground, lab)["ErrorPortAllocation"] > 0)
    seen = gateway(ground, lab)
    assert seen["PacketsInFromSource"] > len(NAT_PORTS)
    assert seen["ErrorPortAllocation"] <= 500


def test_who_continues_after_the_idle_timeout_is_counted(ground):
    lab = private_lab()
    ground.apply(lab.world)
    ground.set("eni-nat", "net.netfilter.nf_conntrack_tcp_timeout_established", 1)
    near, far, _ = from_port(ground, "one", 40001)
    assert alive(near, far)
    time.sleep(1.3)  # for as long as it remembers
    near.settimeout(NEVER_SECONDS)
    near.send(b"again")
    with pytest.raises(ConnectionResetError):
        near.recv(9)
    assert gateway(ground, lab)["IdleTimeoutCount"] == 1


def test_a_machine_has_its_bytes_in_and_out(ground):
    lab = private_lab()
    ground.apply(lab.world)
    before = machine(ground, lab, "i-one")
    sock = ground.open("one", socket.SOCK_DGRAM)
    sock.sendto(bytes(1000), ("10.40.2.201", 9))
    assert soon(lambda: machine(ground, lab, "i-one")["NetworkOut"] >= before["NetworkOut"] + 1000)
    after = machine(ground, lab, "i-one")
    assert after["NetworkPacketsOut"] > before["NetworkPacketsOut"]
    assert after["NetworkIn"] - before["NetworkIn"] < 500, "what the groups refuse does not reach it"
    assert machine(ground, lab, "i-two")["NetworkIn"] < 1000
