"""Zones that are parted, instances that are cut off and hardware that is down, on real packets and open flows."""

import pytest

from tests.kernel.ground import NEVER_SECONDS, alive, lay_ground
from tests.network.lab import Lab

pytestmark = pytest.mark.kernel
A, B = "us-east-1a", "us-east-1b"


@pytest.fixture
def ground():
    yield from lay_ground()


@pytest.fixture
def lab():
    """A client and a neighbour in one zone, a server in another, and a peer with an instance in each."""
    lab = Lab()
    for name, n in (("near", 0), ("far", 1)):
        lab.vpc(name, f"10.{n}.0.0/16")
        lab.group(f"{name}-open", vpc=name, ingress=["tcp 6379 0.0.0.0/0"])
        for i, zone in enumerate((A, B)):
            lab.subnet(f"{name}{zone[-1]}", f"10.{n}.{i}.0/24", vpc=name, zone=zone)
    lab.peering("nf", "near", "far")
    lab.route("near", "10.1.0.0/16", "pcx-nf")
    lab.route("far", "10.0.0.0/16", "pcx-nf")
    lab.instance("client", "neara", groups=["near-open"], ip="10.0.0.10")
    lab.instance("neighbour", "neara", groups=["near-open"], ip="10.0.0.11")
    lab.instance("server", "nearb", groups=["near-open"], ip="10.0.1.10")
    lab.instance("fara", "fara", groups=["far-open"], ip="10.1.0.10")
    lab.instance("farb", "farb", groups=["far-open"], ip="10.1.1.10")
    return lab


def end(lab, fault):
    lab.tx.delete(fault)


def reaches(ground, place, address):
    near = ground.open(place)
    near.settimeout(NEVER_SECONDS)
    try:
        near.connect((address, 6379))
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    ("act", "target"), [("partition-zone", A), ("partition-zone", B), ("partition-instance", "i-client")]
)
def test_a_cut_stops_open_flows_and_its_end_lets_them_go_on(ground, lab, act, target):
    ground.apply(lab.world)
    listener = ground.listen("server", 6379)
    near = ground.open("client")
    near.connect(("10.0.1.10", 6379))
    far, _ = listener.accept()
    ground.sockets.append(far)
    assert alive(near, far)

    fault = lab.fault(act, target)
    ground.apply(lab.world)
    near.sendall(b"lost?")
    far.settimeout(NEVER_SECONDS)
    with pytest.raises(TimeoutError):
        far.recv(100)

    end(lab, fault)
    ground.apply(lab.world)
    far.settimeout(10)
    assert far.recv(100) == b"lost?", "TCP sends again what was lost"


def test_a_parted_zone_is_parted_from_the_other_zones_of_its_peers_too(ground, lab):
    lab.fault("partition-zone", A)
    ground.apply(lab.world)
    for place in ("neighbour", "server", "fara", "farb"):
        ground.listen(place, 6379)

    assert reaches(ground, "client", "10.0.0.11")
    assert reaches(ground, "client", "10.1.0.10")
    assert not reaches(ground, "client", "10.0.1.10")
    assert not reaches(ground, "client", "10.1.1.10")
    assert not reaches(ground, "farb", "10.0.0.11")
    assert reaches(ground, "farb", "10.0.1.10")


def test_hardware_that_is_down_neither_answers_nor_refuses(ground, lab):
    ground.apply(lab.world)
    ground.listen("server", 6379)
    assert reaches(ground, "client", "10.0.1.10")
    fault = lab.fault("kill-zone", B)

    ground.apply(lab.world)

    assert not reaches(ground, "client", "10.0.1.10")
    end(lab, fault)
    ground.apply(lab.world)
    assert reaches(ground, "client", "10.0.1.10")
    assert ground.fabric.verify() == []
