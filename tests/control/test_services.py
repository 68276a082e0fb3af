"""Which services each VPC has, and where they listen."""

import asyncio
from ipaddress import IPv4Address

from atoll.control.services import Services, doors, offers
from atoll.host.contract import Door, HostError
from atoll.network.compile.internet import RESOLVER as INTERNET_RESOLVER
from tests.network.lab import Lab


def test_a_vpc_has_metadata_always_and_a_resolver_unless_dns_support_is_off():
    lab = Lab()
    named, nameless = lab.vpc("named"), lab.vpc("nameless", dns_support=False)

    found = offers(lab.world, [named.id, nameless.id, "vpc-gone"])

    assert found == [
        ("resolver", None, 4), ("resolver", None, 6), ("metadata", named.id, 4), ("resolver", named.id, 4),
        ("metadata", nameless.id, 4),
    ]  # fmt: skip


def test_a_vpc_with_ipv6_has_them_of_both_versions():
    lab = Lab()
    vpc = lab.vpc("dual", ipv6="2001:db8:1000::/56")
    assert offers(lab.world, [vpc.id])[2:] == [
        ("metadata", vpc.id, 4), ("resolver", vpc.id, 4), ("metadata", vpc.id, 6), ("resolver", vpc.id, 6),
    ]  # fmt: skip
    assert [str(d.address) for d in doors(lab.world, ("metadata", vpc.id, 6))] == ["fd00:ec2::254"]
    assert {str(d.address) for d in doors(lab.world, ("resolver", vpc.id, 6))} == {"fd00:ec2::253"}


def test_each_service_listens_at_its_own_addresses():
    lab = Lab()
    vpc = lab.vpc("one", "10.7.0.0/16")

    assert doors(lab.world, ("metadata", vpc.id, 4)) == (Door(IPv4Address("169.254.169.254"), 80, "stream"),)
    for place, addresses in ((vpc.id, ["10.7.0.2", "169.254.169.253"]), (None, [str(INTERNET_RESOLVER)])):
        found = doors(lab.world, ("resolver", place, 4))
        expected = [(address, 53, kind) for address in addresses for kind in ("datagram", "stream")]
        assert [(str(d.address), d.port, d.kind) for d in found] == expected


class Shut:
    """A front that cannot be opened while the disk is full."""

    disk_is_full = True

    async def serve(self, sockets):  # noqa: ARG002
        if self.disk_is_full:
            raise HostError("the disk is full", "make the certificate authority")

    def close(self):
        pass


def test_an_endpoint_that_cannot_be_opened_stops_nobody_else_and_is_tried_again(monkeypatch):
    lab = Lab()
    lab.vpc("v", dns_support=False), lab.subnet("a", "10.0.0.0/24")
    lab.endpoint("api", "ec2", "a")
    services = Services(None, None, lambda _: Shut())
    monkeypatch.setattr(services, "_issuer", None)
    opened = []

    async def sockets_of(place, _doors):
        opened.append(place)
        return []

    async def follow():
        return await services.follow(lab.world, ["vpc-v"], sockets_of)

    assert [(f.subject, "the disk is full" in f.because) for f in asyncio.run(follow())] == [("eni-api-a", True)]
    assert "vpc-v" in opened
    monkeypatch.setattr(Shut, "disk_is_full", False)
    assert asyncio.run(follow()) == []
    assert opened.count("vpc-v") == 1
