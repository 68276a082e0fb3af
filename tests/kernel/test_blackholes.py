"""A route whose target has gone swallows what it leads to, whatever a wider route could do; it comes back with it."""

from collections.abc import Callable

import pytest

from atoll.model.address import ElasticIp
from atoll.model.gateway import InternetGateway
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import Peering
from atoll.network.flow import Verdict
from tests.kernel.ground import lay_ground
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
SERVER, FAR = "198.51.100.27", "10.1.0.20"


@pytest.fixture
def ground():
    yield from lay_ground()


def lab_with(target: str) -> Lab:
    """Return a client whose route to the server (for peering: to the far VPC) leads to a target, past another way."""
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16"), lab.gateway("v"), lab.vpc("w", "10.1.0.0/16")
    lab.subnet("a", "10.0.0.0/24", vpc="v"), lab.subnet("b", "10.0.1.0/24", vpc="v")
    lab.subnet("w", "10.1.0.0/24", vpc="w")
    lab.group("open", ingress=["all 0.0.0.0/0"], vpc="v"), lab.group("far", ingress=["all 0.0.0.0/0"], vpc="w")
    lab.instance("box", "b", groups=["open"], ip="10.0.1.5", check=False)
    lab.elastic_ip("203.0.113.5", "box")
    lab.nat_gateway("nat", "b", ips=["10.0.1.9"], publics=["203.0.113.9"])
    lab.peering("vw", "v", "w")
    lab.instance("client", "a", groups=["open"], ip="10.0.0.10")
    if target == "igw-v":
        lab.elastic_ip("203.0.113.10", "client")
    lab.instance("far", "w", groups=["far"], ip=FAR)
    lab.table("b", {"0.0.0.0/0": "igw-v"}, subnets=["b"], vpc="v")
    wider = "i-box" if target == "igw-v" else "igw-v"
    lab.table("a", {"0.0.0.0/0": wider, f"{destination(target)}/32": target}, subnets=["a"], vpc="v")
    lab.table("far", {"10.0.0.0/16": "pcx-vw"}, subnets=["w"], vpc="w")
    lab.outside(SERVER)
    return lab


def destination(target: str) -> str:
    return FAR if target == "pcx-vw" else SERVER


def detach_gateway(lab: Lab) -> None:
    for eip in list(lab.world.all(ElasticIp)):
        lab.put(eip, interface_id=None, private_ip=None, association_id=None, instance_id=None)
    lab.put(lab.world[InternetGateway, "igw-v"], vpc_id=None)


def delete_nat(lab: Lab) -> None:
    lab.put(lab.world[NatGateway, "nat-nat"], state="deleted", interface_id=None)
    for eip in list(lab.world.bucket(ElasticIp, "interface_id", "eni-nat").values()):
        lab.put(eip, interface_id=None, private_ip=None)
    lab.tx.delete(lab.world[Interface, "eni-nat"])


def detach_interface(lab: Lab) -> None:
    lab.put(lab.world[Interface, "eni-box"], attachment=None)


def delete_interface(lab: Lab) -> None:
    for eip in list(lab.world.bucket(ElasticIp, "interface_id", "eni-box").values()):
        lab.put(eip, interface_id=None, private_ip=None)
    lab.tx.delete(lab.world[Interface, "eni-box"])


def stop(lab: Lab) -> None:
    lab.set_state("box", "stopped")


def terminate(lab: Lab) -> None:
    lab.put(lab.world[Instance, "i-box"], state="terminated")
    delete_interface(lab)


def delete_peering(lab: Lab) -> None:
    lab.put(lab.world[Peering, "pcx-vw"], status="deleted")


@pytest.mark.parametrize(
    ("target", "go"),
    [
        ("igw-v", detach_gateway),
        ("nat-nat", delete_nat),
        ("eni-box", detach_interface),
        ("eni-box", delete_interface),
        ("i-box", stop),
        ("i-box", terminate),
        ("pcx-vw", delete_peering),
    ],
    ids=[
        "an internet gateway is detached", "a NAT gateway is deleted", "an interface is detached",
        "an interface is deleted", "an instance stops", "an instance is terminated", "a peering is deleted",
    ],
)  # fmt: skip
def test_a_route_is_a_blackhole_when_its_target_goes_and_a_way_again_when_it_comes_back(
    ground, target: str, go: Callable[[Lab], None]
):
    lab = lab_with(target)
    before, there = lab.world, destination(target)
    ground.apply(before)
    ground.set("box", "net.ipv4.ip_forward", 1)
    ground.run("box", "iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "eth0", "-j", "MASQUERADE")
    with ground.listen("far" if target == "pcx-vw" else SERVER, 8080):
        assert ground.connects("client", there, 8080)
        go(lab)
        ground.apply(lab.world)
        assert lab.trace("client", there, "tcp", 8080).verdict is Verdict.BLACKHOLE
        assert not ground.connects("client", there, 8080)
        ground.apply(before)
        if go not in (delete_interface, terminate):  # another machine would have to be told to forward
            assert ground.connects("client", there, 8080)
