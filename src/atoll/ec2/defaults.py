"""What an account finds in a region it has never used: a default VPC.  Source: VPC User Guide, "Default VPCs"."""

from ipaddress import IPv4Network

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, quotas
from atoll.ec2 import subnet as subnets
from atoll.ec2 import vpc as vpcs
from atoll.ec2.vpc import ANYWHERE
from atoll.model import quota
from atoll.model.account import Territory
from atoll.model.gateway import InternetGateway
from atoll.model.lookup import main_route_table
from atoll.model.names import key
from atoll.model.quota import allowed
from atoll.model.route import Route
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World
from atoll.model.zones import zones

DEFAULT_CIDR = IPv4Network("172.31.0.0/16")
SUBNET_LENGTH = 20

VPC_EXISTS = Err("DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
NO_VPC = Err("DefaultVpcDoesNotExist", "No default VPC exists for this account in this region.")
SUBNET_EXISTS = Err("DefaultSubnetAlreadyExistsInAvailabilityZone", "'{id}' is already the default subnet in {zone}.")
NOT_LOCAL = Err("InvalidParameterValue", "A Local Zone such as {zone} has no default subnet.")
NO_ROOM = Err("InsufficientFreeAddressesInVpc", "There is no free /20 block left in the vpc '{id}'.")


def open_territory(tx: Tx) -> None:
    """Make the default VPC of the caller's account and region, once; one that was deleted does not come back."""
    id = key(tx.account, tx.region, "")
    if tx.get(Territory, id) is None:
        tx.make(Territory, id, opened=tx.now)
        make_default_vpc(tx)


@operation("ec2", "CreateDefaultVpc", network=True)
def create_default_vpc(tx: Tx) -> Shape:
    """Make the default VPC anew, with a subnet in each zone, after it was deleted."""
    if default_vpc(tx.world):
        raise VPC_EXISTS()
    quotas.check(tx.world.count(Vpc), allowed(tx.world, quota.VPCS), quotas.VPC_LIMIT)
    return {"Vpc": vpcs.render(make_default_vpc(tx))}


@operation("ec2", "CreateDefaultSubnet")
def create_default_subnet(
    tx: Tx,
    *,
    availability_zone: str | None = None,
    availability_zone_id: str | None = None,
    ipv6_native: bool = False,
) -> Shape:
    """Make the default subnet of a zone anew, after it was deleted."""
    if ipv6_native:
        raise errors.UNSUPPORTED(what="Ipv6Native (IPv6)")
    if not availability_zone and not availability_zone_id:
        raise errors.MISSING(name="AvailabilityZone")
    vpc = default_vpc(tx.world)
    if vpc is None:
        raise NO_VPC()
    where = subnets.choose_zone(tx.world, tx.region, availability_zone, availability_zone_id)
    if where.is_local:
        raise NOT_LOCAL(zone=where.name)
    others = tx.all(Subnet, vpc_id=vpc.id)
    for other in others:
        if other.is_default and other.zone == where.name:
            raise SUBNET_EXISTS(id=other.id, zone=where.name)
    blocks = vpc.cidr.subnets(new_prefix=SUBNET_LENGTH)
    cidr = next((block for block in blocks if not any(block.overlaps(o.cidr) for o in others)), None)
    if cidr is None:
        raise NO_ROOM(id=vpc.id)
    subnet = subnets.make_subnet(tx, vpc, cidr, where, is_default=True)
    return {"Subnet": subnets.render(tx.world, subnet)}


def default_vpc(world: World) -> Vpc | None:
    """Return the caller's default VPC; `None` once it is deleted."""
    return next((v for v in world.all(Vpc) if v.is_default), None)


def make_default_vpc(tx: Tx) -> Vpc:
    """Put a default VPC: a public subnet in each zone, and the way to the internet."""
    vpc = vpcs.make_vpc(tx, DEFAULT_CIDR, is_default=True, dns_hostnames=True)
    gateway = tx.make(InternetGateway, tx.new_id("igw"), vpc_id=vpc.id)
    main = main_route_table(tx.world, vpc.id)
    tx.put(main.but(routes=(*main.routes, Route(destination=ANYWHERE, target=gateway.id))))
    for where, cidr in zip(zones(tx.region), DEFAULT_CIDR.subnets(new_prefix=SUBNET_LENGTH), strict=False):
        subnets.make_subnet(tx, vpc, cidr, where, is_default=True)
    return vpc
