"""What is written by rtnetlink is read back as the same facts."""

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from atoll.host.contract import HostError
from atoll.host.linux.netlink import LOOPBACK, Neighbour, Netlink, Route, Rule

pytestmark = pytest.mark.kernel
MAC, PEER_MAC = bytes.fromhex("020a00000001"), bytes.fromhex("020a00000002")


@pytest.fixture
def pair(nameless):
    here, there = nameless.new(), nameless.new()
    with Netlink(here) as near, Netlink(there) as far:
        near.add_veth("e1", peer="eth0", peer_namespace=there, mac=MAC, peer_mac=PEER_MAC, index=1000)
        near.set_up(LOOPBACK)
        near.commit()
        far.set_up("eth0")
        far.set_up(LOOPBACK)
        far.commit()
        yield near, far


def test_a_veth_joins_two_namespaces(pair):
    near, far = pair
    link, peer = near.link("e1"), far.link("eth0")
    assert (link.index, link.up, link.mac, link.mtu, link.kind) == (1000, True, MAC, 9001, "veth")
    assert (peer.up, peer.mac, peer.kind) == (True, PEER_MAC, "veth")
    assert far.link("lo").up


def test_deleting_a_link_takes_its_peer_and_may_be_repeated(pair):
    near, far = pair
    for _ in range(2):
        near.delete_link("e1")
        near.commit()
    assert [link.name for link in far.links()] == ["lo"]
    with pytest.raises(HostError, match="no such link"):
        far.link("eth0")


@pytest.mark.parametrize(
    "route",
    [
        Route(ip_network("10.0.0.10/32"), link=1000),
        Route(ip_network("0.0.0.0/0"), link=1000, via=ip_address("169.254.0.1"), onlink=True, table=1001),
        Route(ip_network("10.0.0.0/16"), kind="throw", table=5000),
        Route(ip_network("0.0.0.0/0"), kind="blackhole", metric=1 << 30),
        Route(ip_network("10.9.0.0/24"), kind="unreachable", table=7),
    ],
    ids=["host", "onlink default", "throw", "blackhole with metric", "unreachable"],
)
def test_a_route_is_read_back_and_deleted(pair, route):
    near, _ = pair
    for _ in range(2):
        near.add_route(route)
        near.commit()
    assert route in near.routes()
    assert near.routes(route.table) == {route}
    for _ in range(2):
        near.delete_route(route)
        near.commit()
    assert near.routes() == frozenset()


@pytest.mark.parametrize(
    "rule",
    [
        Rule(100, 1001, mark=1, mask=0xFFFF),
        Rule(50, 200, incoming="e1"),
        Rule(60, 254, mark=0x8001, mask=0xBFFF, incoming="e1"),
    ],
    ids=["mark", "link", "both"],
)
def test_a_rule_is_read_back_and_deleted(pair, rule):
    near, _ = pair
    for _ in range(2):
        near.add_rule(rule)
        near.commit()
    assert near.rules() == {rule}
    for _ in range(2):
        near.delete_rule(rule)
        near.commit()
    assert near.rules() == frozenset()


def test_addresses_and_permanent_neighbours_are_read_back(pair):
    near, far = pair
    eth0 = far.link("eth0").index
    gateway = Neighbour(eth0, ip_address("10.0.0.1"), MAC)
    far.add_address(eth0, ip_interface("10.0.0.10/24"))
    far.add_neighbour(gateway)
    near.add_address(LOOPBACK, ip_interface("169.254.169.254/32"))
    far.commit(), near.commit()
    assert (eth0, ip_interface("10.0.0.10/24")) in far.addresses()
    assert (LOOPBACK, ip_interface("169.254.169.254/32")) in near.addresses()
    assert gateway in far.neighbours()
    far.delete_neighbour(gateway)
    far.delete_address(eth0, ip_interface("10.0.0.10/24"))
    far.commit()
    assert gateway not in far.neighbours()
    assert (eth0, ip_interface("10.0.0.10/24")) not in far.addresses()


def test_a_batch_names_its_first_failure_and_does_the_rest(pair):
    near, _ = pair
    good = Route(ip_network("10.0.0.11/32"), link=1000)
    near.add_route(Route(ip_network("10.0.0.10/32"), link=4242))
    near.add_route(good)
    near.add_route(Route(ip_network("10.0.0.12/32"), link=4242))
    with pytest.raises(HostError, match=r"add route 10.0.0.10/32 of table 254: ENODEV .*1 more failed"):
        near.commit()
    assert near.routes() == {good}


def test_thousands_of_messages_are_sent_in_batches(pair):
    near, _ = pair
    routes = {Route(ip_network((0x0A000000 + n, 32)), link=1000) for n in range(5000)}
    for route in routes:
        near.add_route(route)
    near.commit()
    assert near.routes() == routes
