"""The attacker in a VPC with IPv6: nobody answers neighbour discovery for others, and no router advertises."""

import struct
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from atoll.model.interface import Interface
from atoll.network.compile.marks import GATEWAY_MAC
from tests.kernel import frames as f
from tests.kernel.ground import Ground, lay_ground
from tests.network.worlds import Lab

pytestmark = pytest.mark.kernel
PREFIX = "2001:db8:1234:1a00::"
FRIEND, EVIL, VICTIM = (f"{PREFIX}{n}" for n in ("10", "66", "20"))
GATEWAY, EVERYBODY = "fe80::1", "ff02::1"
ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, SOLICITATION, ADVERTISEMENT, REDIRECT = 133, 134, 135, 136, 137
ECHO, HOP_BY_HOP = 128, 0


@pytest.fixture
def ground() -> Iterator[Ground]:
    yield from lay_ground()


def dual_lab() -> Lab:
    lab = Lab()
    lab.vpc("v", "10.0.0.0/16", ipv6="2001:db8:1234:1a00::/56")
    lab.subnet("a", "10.0.0.0/24", ipv6=f"{PREFIX}/64")
    lab.group("open", ingress=["all ::/0", "all 0.0.0.0/0"], egress=["all ::/0", "all 0.0.0.0/0"])
    for name, last, address in (("friend", 10, FRIEND), ("evil", 66, EVIL), ("victim", 20, VICTIM)):
        lab.instance(name, "a", groups=["open"], ip=f"10.0.0.{last}", ipv6=[address])
    return lab


def packet(source: str, to: str, kind: int, body: bytes, *, hops: int = 255) -> bytes:
    """Return an ICMPv6 message in its packet."""
    ends = IPv6Address(source).packed + IPv6Address(to).packed
    message = struct.pack(">BBH", kind, 0, 0) + body
    check = f.checksum(ends + struct.pack(">LL", len(message), 58) + message)
    message = message[:2] + struct.pack(">H", check) + message[4:]
    return struct.pack(">LHBB", 6 << 28, len(message), 58, hops) + ends + message


def lies(mac: str) -> Iterator[tuple[int, bytes]]:
    """Yield the bodies of what says that somebody else's address, or the way out, is at this MAC address."""
    mine = b"\2\1" + f.mac(mac)
    for address in (VICTIM, FRIEND, GATEWAY, f"{PREFIX}1"):
        whose = IPv6Address(address).packed
        yield ADVERTISEMENT, struct.pack(">L", 0x60000000) + whose + mine
        yield SOLICITATION, bytes(4) + whose + b"\1\1" + f.mac(mac)
        yield REDIRECT, bytes(4) + whose + IPv6Address(VICTIM).packed + mine
    yield ROUTER_ADVERTISEMENT, struct.pack(">BBHLL", 64, 0, 1800, 0, 0) + mine
    yield ROUTER_SOLICITATION, bytes(4)


def test_nobody_is_taken_for_another_or_for_a_router(ground: Ground) -> None:
    lab = dual_lab()
    ground.apply(lab.world)
    mac = {name: lab.world[Interface, f"eni-{name}"].mac for name in ("friend", "evil", "victim")}
    places = ("vpc-v", "victim", "friend")

    def known() -> list[set[str]]:
        tables = [ground.run(place, "ip", "-6", "neigh") + ground.run(place, "ip", "-6", "route") for place in places]
        return [{line.partition(" proto")[0].strip() for line in table.splitlines()} for table in tables]

    before = known()
    with f.wire(ground, "victim") as victim, f.wire(ground, "friend") as friend, f.wire(ground, "evil") as own:
        for kind, body in lies(mac["evil"]):
            for source in (EVIL, FRIEND, GATEWAY, "fe80::66", "::"):
                for to in (VICTIM, FRIEND, EVERYBODY, "ff02::1:ff00:20", GATEWAY):
                    for frame_to in (GATEWAY_MAC, mac["victim"], mac["friend"], "33:33:00:00:00:01"):
                        own.send(f.ethernet(frame_to, mac["evil"], packet(source, to, kind, body), f.IPV6))
        came = [x for tap in (victim, friend) for x in f.received(tap)]
        own.send(f.ethernet(GATEWAY_MAC, mac["evil"], packet(EVIL, VICTIM, ECHO, b"\0\1\0\1hello"), f.IPV6))
        assert any(b"hello" in x for x in f.received(victim)), "what is admitted arrives"
    # Its own address may send ICMPv6 to an open group; one hop on its way takes from it what neighbours must have.
    came = [x for x in came if x[12:14] != b"\x86\xdd" or x[20] != HOP_BY_HOP]  # the router's own multicast reports
    strange = [x for x in came if x[12:14] != b"\x86\xdd" or x[21] == 255 or x[22:38] != IPv6Address(EVIL).packed]
    assert strange == []
    assert known() == before
