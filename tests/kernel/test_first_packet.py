"""The first packet counts: what an answered call has made carries at once, though the kernel is slower."""

import socket

import pytest

from atoll.model.gateway import InternetGateway
from tests.kernel.ground import lay_ground
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
SERVER, PUBLIC, TIMES = "198.51.100.27", "203.0.113.20", 25


@pytest.fixture
def ground():
    yield from lay_ground()


def public_lab():
    lab = Lab()
    lab.vpc("v"), lab.gateway("v")
    lab.subnet("a", "10.0.0.0/24")
    lab.table("a", {"0.0.0.0/0": "igw-v"}, subnets=["a"])
    lab.group("open", ingress=["all 0.0.0.0/0"])
    lab.instance("web", "a", groups=["open"], ip="10.0.0.20", public=PUBLIC)
    lab.outside(SERVER)
    return lab


@pytest.mark.parametrize("way", ["out", "in"])
def test_a_gateway_that_was_just_attached_loses_no_packet(ground, way):
    lab = public_lab()
    attached = lab.world
    lab.put(lab.world[InternetGateway, "igw-v"], vpc_id=None)
    detached = lab.world
    here, there, address = ("web", SERVER, SERVER) if way == "out" else (SERVER, "web", PUBLIC)
    ground.apply(attached)
    heard, asker = ground.open(there, socket.SOCK_DGRAM), ground.open(here, socket.SOCK_DGRAM)
    heard.bind(("0.0.0.0", 7001))
    heard.settimeout(0.2)
    lost = 0
    for n in range(TIMES):
        ground.apply(detached)
        ground.apply(attached)
        asker.sendto(str(n).encode(), (address, 7001))
        try:
            assert heard.recv(10) == str(n).encode()
        except TimeoutError:
            lost += 1
    assert lost == 0, f"{lost} of {TIMES} first packets were lost"


def test_a_machine_that_was_just_plugged_in_is_reached_by_the_first_packet(ground):
    lab = public_lab()
    ground.apply(lab.world)
    asker, lost = ground.open("web", socket.SOCK_DGRAM), 0
    for n in range(TIMES):
        lab.instance(f"m{n}", "a", groups=["open"], ip=f"10.0.0.{100 + n}")
        ground.apply(lab.world)
        heard = ground.open(f"m{n}", socket.SOCK_DGRAM)
        heard.bind(("0.0.0.0", 7001))
        heard.settimeout(0.2)
        asker.sendto(b"first", (f"10.0.0.{100 + n}", 7001))
        try:
            heard.recv(10)
        except TimeoutError:
            lost += 1
    assert lost == 0, f"{lost} of {TIMES} first packets were lost"
