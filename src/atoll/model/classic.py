"""EC2-Classic, the network before VPCs: an account may have it in a region, if Atoll was told so (`atoll classic`).

It is a VPC that its users do not see: 10.0.0.0/8, with a subnet in each zone, everything routed and a gateway to the
internet.  What belongs to the network itself (the VPC, its subnets, every interface in it) is owned by a landlord,
whom nobody can call as; instances, security groups and caches are the account's own.
"""

from ipaddress import IPv4Network

from atoll.model.account import Territory
from atoll.model.names import key
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World

CIDR, SUBNET_LENGTH = IPv4Network("10.0.0.0/8"), 11  # room for eight zones
_LANDLORD = "classic/"  # no account's number begins so


def landlord(account: str) -> str:
    """Return the owner of an account's Classic network."""
    return f"{_LANDLORD}{account}"


def is_classic(world: World, vpc_id: str) -> bool:
    """Tell whether a VPC is a Classic network; one that has gone is none."""
    vpc = world.seen_by(None).get(Vpc, vpc_id)
    return vpc is not None and vpc.account.startswith(_LANDLORD)


def network_of(world: World) -> Vpc | None:
    """Return the caller's Classic network; `None`: he has only VPCs, as everybody today."""
    assert world.caller, "an operation has a caller"
    territory = world.get(Territory, key(world.caller.account, world.caller.region, ""))
    return world[Vpc, territory.classic_vpc_id] if territory and territory.classic_vpc_id else None


def subnets_of(world: World, network: Vpc) -> list[Subnet]:
    """Return the subnets of a Classic network, in the order of their zones."""
    found = [world[Subnet, id] for id in world.bucket(Subnet, "vpc_id", network.id)]
    return sorted(found, key=lambda subnet: subnet.zone)
