"""What a machine is assumed to do with a packet that it forwards.  Not a layer: `delivery` asks it.

The World does not hold a guest's own `iptables`.  It holds the image it booted: a NAT image masquerades what comes
from its VPC (the Amazon Linux NAT AMI's `configure-pat`); any other machine is assumed to send packets on unchanged.
"""

from atoll.model.image import nat_images
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import companions
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.flow import UDP, Packet
from atoll.network.inside.seen import Inside, link


def moved(world: World, interface: Interface, packet: Packet, seen: Inside | None) -> Packet | None:
    """Return what a machine makes of a packet for itself, if its own rules give it another destination."""
    if seen is None or packet.version == 6:
        return None
    after = seen.redirected(packet, interface.address, link(interface))
    if after == packet:
        return None
    return after if after.destination in interface.private_ips else _sent_on(world, interface, packet, seen)


def _sent_on(world: World, interface: Interface, packet: Packet, seen: Inside) -> Packet:
    """Return a packet that came to an interface as its machine sends it on, by the first of its interfaces."""
    return seen.forwarded(packet, companions(world, interface)[0].address, link(interface))


def forwarded(
    world: World, interface: Interface, packet: Packet, *, answers: bool, seen: Inside | None = None
) -> Packet:
    """Return the packet as the machine behind an interface sends it on: as `seen` says, else as is assumed.

    An answer (`answers`) whose request went another way is no flow to Linux, and not translated, except with UDP,
    which has no beginning to miss.
    """
    assert interface.instance_id, "only an instance forwards"
    if answers and packet.protocol != UDP:
        return packet
    if packet.version == 6:  # what it does to that nobody has looked at
        return packet
    if seen is not None:
        return _sent_on(world, interface, packet, seen)
    instance = world[Instance, interface.instance_id]
    if instance.image_id in nat_images((instance.region,)) and packet.source in world[Vpc, interface.vpc_id].cidr:
        return packet.but(source=interface.address)
    return packet
