"""VPC peering on real packets: made, used, changed and deleted while flows are open, in any order."""

import socket
import subprocess

import pytest

from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface
from atoll.model.peering import Peering
from atoll.model.vpc import Vpc
from tests.kernel.ground import NEVER_SECONDS, alive, lay_ground
from tests.network.lab import Lab

pytestmark = pytest.mark.kernel


@pytest.fixture
def ground():
    yield from lay_ground()


@pytest.fixture
def lab():
    """Three VPCs in a row, a - b - c, each with one instance."""
    lab = Lab()
    for n, name in enumerate("abc"):
        lab.vpc(name, f"10.{n}.0.0/16")
        lab.group(f"{name}-open", vpc=name, ingress=["tcp 6379 0.0.0.0/0", "icmp 0.0.0.0/0"])
        lab.subnet(name, f"10.{n}.0.0/24", vpc=name)
        lab.instance(name, name, groups=[f"{name}-open"], ip=f"10.{n}.0.10")
    lab.route("a", "10.1.0.0/16", "pcx-ab")
    lab.route("b", "10.0.0.0/16", "pcx-ab")
    return lab


def is_silent(ground, place, address):
    near = ground.open(place)
    near.settimeout(NEVER_SECONDS)
    with pytest.raises(TimeoutError):
        near.connect((address, 6379))
    return True


def test_a_connection_comes_works_and_goes(ground, lab):
    ground.apply(lab.world)
    listener = ground.listen("b", 6379)
    assert is_silent(ground, "a", "10.1.0.10")

    lab.peering("ab", "a", "b")
    ground.apply(lab.world)
    near = ground.open("a")
    near.connect(("10.1.0.10", 6379))
    far, seen = listener.accept()
    ground.sockets.append(far)
    assert seen[0] == "10.0.0.10"
    assert alive(near, far)

    lab.put(lab.world[Peering, "pcx-ab"], status="deleting")
    ground.apply(lab.world)
    assert not alive(near, far)
    assert is_silent(ground, "a", "10.1.0.10")
    assert ground.fabric.verify() == []

    lab.put(lab.world[Peering, "pcx-ab"], status="active")
    ground.apply(lab.world)
    assert alive(near, far)
    assert ground.fabric.verify() == []


def test_neither_a_third_vpc_nor_a_service_is_reached(ground, lab):
    lab.peering("ab", "b", "a")
    lab.peering("bc", "b", "c")
    lab.route("a", "10.2.0.0/16", "pcx-ab")
    lab.route("b", "10.2.0.0/16", "pcx-bc")
    lab.route("c", "10.0.0.0/8", "pcx-bc")
    ground.apply(lab.world)
    ground.listen("c", 6379)
    assert is_silent(ground, "a", "10.2.0.10")
    for service in ("10.1.0.1", "10.1.0.2"):
        asker = ground.open("a", socket.SOCK_DGRAM)
        asker.settimeout(NEVER_SECONDS)
        asker.connect((service, 53))
        asker.send(b"?")
        with pytest.raises(TimeoutError):  # a router that took it would say that nobody listens there
            asker.recv(100)


def test_a_member_that_comes_or_goes_is_known_to_the_peer_at_once(ground, lab):
    lab.peering("ab", "a", "b")
    group = lab.world[SecurityGroup, "sg-b-open"]
    lab.put(group, rules=(lab._rule("tcp 6379 vpc-a/sg-a-open", egress=False),))
    ground.apply(lab.world)
    listener = ground.listen("b", 6379)
    near = ground.open("a")
    near.connect(("10.1.0.10", 6379))
    ground.sockets.append(listener.accept()[0])

    lab.put(lab.world[Interface, "eni-a"], group_ids=("sg-a",))
    ground.apply(lab.world)
    assert is_silent(ground, "a", "10.1.0.10")


def test_a_peer_that_leaves_the_kernel_and_comes_back_is_connected_again(ground, lab):
    for requester, accepter in (("a", "b"), ("b", "a")):
        lab.tx.put(lab.peering("ab", requester, accepter))
        ground.apply(lab.world)
        interface = lab.world[Interface, "eni-b"]
        lab.tx.delete(interface)
        ground.apply(lab.world)
        assert ground.fabric.verify() == []
        lab.tx.put(interface)
        ground.apply(lab.world)
        listener = ground.listen("b", 6379)
        near = ground.open("a")
        near.connect(("10.1.0.10", 6379))
        ground.sockets.append(listener.accept()[0])
        assert ground.fabric.verify() == []
        listener.close()


def test_damage_to_the_link_is_mended(ground, lab):
    lab.peering("ab", "a", "b")
    ground.apply(lab.world)
    listener = ground.listen("b", 6379)
    for router in ("vpc-a", "vpc-b"):
        link = next(n for n in ground.fabric._spaces[router].links if n.startswith("p"))
        with ground.namespaces.inside(router):
            subprocess.run(["ip", "link", "delete", link], check=True)
        assert ground.fabric.verify()
        assert ground.fabric.verify() == []
        near = ground.open("a")
        near.connect(("10.1.0.10", 6379))
        ground.sockets.append(listener.accept()[0])


def test_between_regions_packets_are_smaller(ground, lab):
    lab.peering("ab", "a", "b")
    lab.put(lab.world[Vpc, "vpc-b"], region="eu-west-1")
    ground.apply(lab.world)
    listener = ground.listen("b", 6379)
    near = ground.open("a")
    near.connect(("10.1.0.10", 6379))
    far, _ = listener.accept()
    ground.sockets.append(far)
    near.send(b"x" * 20000)
    got = 0
    far.settimeout(2)
    while got < 20000:
        got += len(far.recv(65536))
    assert got == 20000
