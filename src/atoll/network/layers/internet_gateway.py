"""The internet gateway: one public address for one private address, in both directions.

Two layers: `outward` puts the public source on and `inward` the private destination.  Source: VPC User Guide,
"Internet gateways".
"""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import cast

from atoll.model.address import ElasticIp
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import elastic_ip_of, internet_gateway_of, public_ip_of
from atoll.model.world import World
from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, owner, refuse

# RFC 1918 and RFC 6598: never on the internet.
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))


def is_private(address: Ip) -> bool:
    """Tell whether an address may not appear on the internet."""
    return any(address in network for network in PRIVATE)


def public_address(world: World, interface: Interface, private: Ip) -> IPv4Address | None:
    """Return the public address of one of an interface's private addresses."""
    if private == interface.address:
        return public_ip_of(world, interface)
    eip = elastic_ip_of(world, interface.id, private)
    return eip.public_ip if eip else None


def behind(world: World, public: Ip) -> tuple[Interface, IPv4Address] | None:
    """Return the interface and the private address that a public address leads to; `None`: nobody's.

    It leads nowhere while the interface's VPC has no internet gateway.
    """
    found: tuple[Interface, IPv4Address] | None = None
    for eip in world.bucket(ElasticIp, "public_ip", public).values():
        eip = cast(ElasticIp, eip)
        if eip.interface_id is not None and eip.private_ip is not None:
            found = world[Interface, eip.interface_id], eip.private_ip
    for other in world.bucket(Interface, "public_ip", public).values():
        interface = cast(Interface, other)
        if found is None and public_ip_of(world, interface) == public:  # an Elastic IP takes precedence
            found = interface, interface.address
    return found if found and internet_gateway_of(world, found[0].vpc_id) else None


def outward(hop: Hop) -> Finding | None:
    """Let a packet out whose source has a public address and whose destination is one; put that address on."""
    sender, route, packet = hop.sender, hop.route, hop.packet
    if sender is None or route is None or not route.target.startswith("igw-"):
        return None
    if is_private(packet.destination):
        because = f"{packet.destination} is a private address: it is not on the internet"
        return refuse(Verdict.REFUSED, Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS, route.target, because)
    source = owner(hop.world, sender.vpc_id, packet.source)
    public = public_address(hop.world, source, packet.source) if source else None
    if public is None:
        because = f"{packet.source} has no public address"
        return refuse(Verdict.REFUSED, Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS, route.target, because)
    translated = packet.but(source=public)
    then = replace(hop, packet=translated, sender=None, subnet=None, table=None, route=None, target=None, abroad=True)
    return Finding(route.target, f"source {packet.source} becomes {public}", then=then)


def inward(hop: Hop) -> Finding | None:
    """Let a packet in from the internet, if its source may be there; put the private destination on."""
    if not hop.abroad or hop.target is None:
        return None
    gateway = internet_gateway_of(hop.world, hop.target.vpc_id)
    assert gateway, "no public address is in force without a gateway"
    if is_private(hop.packet.source):
        because = f"{hop.packet.source} is a private address: it cannot come from the internet"
        return refuse(Verdict.REFUSED, Code.IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS, gateway.id, because)
    found = behind(hop.world, hop.packet.destination)
    assert found, "the internet layer found it"
    translated = hop.packet.but(destination=found[1])
    because = f"destination {hop.packet.destination} becomes {found[1]}"
    return Finding(gateway.id, because, then=replace(hop, packet=translated, abroad=False))
