"""The internet gateway: one public address for one private address, in both directions.

Two layers: `outward` puts the public source on and `inward` the private destination.  Source: VPC User Guide,
"Internet gateways".
"""

from dataclasses import replace
from ipaddress import IPv4Address, ip_network
from typing import cast

from atoll.model.address import ElasticIp
from atoll.model.interface import Interface
from atoll.model.ip import Ip, Net
from atoll.model.lookup import egress_only_gateway_of, elastic_ip_of, internet_gateway_of, public_ip_of
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.flow import Code, Verdict
from atoll.network.layers.hop import Finding, Hop, owner, refuse

# RFC 1918, RFC 6598; RFC 4193, RFC 4291: never on the internet.
PRIVATE: tuple[Net, ...] = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"))
)


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


def global_owner(world: World, address: Ip) -> tuple[Interface, Ip] | None:
    """Return the interface that has a global address, if its VPC has a gateway of either kind."""
    if address.version == 4:
        return None
    for found in world.bucket(Interface, "ipv6_address", address).values():
        interface = cast(Interface, found)
        return (interface, address) if has_gateway(world, interface.vpc_id) else None
    for vpc in world.all(Vpc):
        if vpc.holds(address) and has_gateway(world, vpc.id) and (held := owner(world, vpc.id, address)):
            return held, address
    return None


def has_gateway(world: World, vpc_id: str) -> bool:
    """Tell whether something leads from a VPC to the internet of version 6."""
    return bool(internet_gateway_of(world, vpc_id) or egress_only_gateway_of(world, vpc_id))


def departing(hop: Hop, gateway_id: str, source: Ip) -> Finding:
    """Let a packet out to the internet, where it has this source."""
    packet = hop.packet.but(source=source)
    then = replace(hop, packet=packet, sender=None, subnet=None, table=None, route=None, target=None, abroad=True)
    because = f"{source} is a global address"
    if source != hop.packet.source:
        because = f"source {hop.packet.source} becomes {source}"
    return Finding(gateway_id, because, then=then)


def stays_private(hop: Hop, gateway_id: str) -> Finding | None:
    """Refuse a destination that is not on the internet."""
    if not is_private(hop.packet.destination):
        return None
    because = f"{hop.packet.destination} is a private address: it is not on the internet"
    return refuse(Verdict.REFUSED, Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS, gateway_id, because)


def outward(hop: Hop) -> Finding | None:
    """Let a packet out whose source has a public address and whose destination is one; put that address on."""
    sender, route, packet = hop.sender, hop.route, hop.packet
    if sender is None or route is None or not route.target.startswith("igw-"):
        return None
    if refusal := stays_private(hop, route.target):
        return refusal
    source = owner(hop.world, sender.vpc_id, packet.source)
    public: Ip | None = None
    if source is not None:
        public = packet.source if packet.version == 6 else public_address(hop.world, source, packet.source)
    if public is None:
        because = f"{packet.source} has no public address"
        return refuse(Verdict.REFUSED, Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS, route.target, because)
    return departing(hop, route.target, public)


def inward(hop: Hop) -> Finding | None:
    """Let a packet in from the internet, if its source may be there; put the private destination on."""
    if not hop.abroad or hop.target is None:
        return None
    gateway = internet_gateway_of(hop.world, hop.target.vpc_id)
    if gateway is None:
        return None  # the egress-only gateway's business
    if is_private(hop.packet.source):
        because = f"{hop.packet.source} is a private address: it cannot come from the internet"
        return refuse(Verdict.REFUSED, Code.IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS, gateway.id, because)
    if hop.packet.version == 6:
        because = f"{hop.packet.destination} is in {hop.target.vpc_id}"
        return Finding(gateway.id, because, then=replace(hop, abroad=False))
    found = behind(hop.world, hop.packet.destination)
    assert found, "the internet layer found it"
    translated = hop.packet.but(destination=found[1])
    because = f"destination {hop.packet.destination} becomes {found[1]}"
    return Finding(gateway.id, because, then=replace(hop, packet=translated, abroad=False))
