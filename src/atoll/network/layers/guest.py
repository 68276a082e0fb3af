"""What a machine is assumed to do with a packet that it forwards.  Not a layer: `delivery` asks it.

The World does not hold a guest's own `iptables`.  It holds the image it booted: a NAT image masquerades what comes
from its VPC (the Amazon Linux NAT AMI's `configure-pat`); any other machine is assumed to send packets on unchanged.
"""

from atoll.model.image import nat_images
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.flow import UDP, Packet


def forwarded(world: World, interface: Interface, packet: Packet, *, answers: bool) -> Packet:
    """Return the packet as the machine behind an interface is assumed to send it on.

    An answer (`answers`) whose request went another way is no flow to Linux, and not translated, except with UDP,
    which has no beginning to miss.
    """
    assert interface.instance_id, "only an instance forwards"
    if answers and packet.protocol != UDP:
        return packet
    instance = world[Instance, interface.instance_id]
    if instance.image_id in nat_images((instance.region,)) and packet.source in world[Vpc, interface.vpc_id].cidr:
        return packet.but(source=interface.address)
    return packet
