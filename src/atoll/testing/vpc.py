"""A VPC for tests: public and private subnets, a way to the internet, and a security group for what is an app."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from atoll.testing.daemon import AtollError

if TYPE_CHECKING:
    from atoll.testing.world import World

ZONES_MAX = 6  # of us-east-1
SUBNETS_MIN_BITS = 28  # AWS has no smaller subnets


@dataclass(frozen=True, kw_only=True)
class Vpc:
    """Ids of what makes a VPC."""

    id: str
    cidr: str
    publics: tuple[str, ...]  # subnets, one for each zone
    privates: tuple[str, ...]
    internet_gateway: str
    public_table: str
    private_table: str
    app_group: str  # a security group: instances are in it, and caches let it in
    nat_gateway: str | None = None

    @property
    def public(self) -> str:
        """The public subnet of the first zone."""
        return self.publics[0]

    @property
    def private(self) -> str:
        """The private subnet of the first zone."""
        return self.privates[0]


def make_vpc(world: "World", cidr: str, *, zones: int, nat: bool) -> Vpc:
    """Make a VPC.  Raises AtollError for options that do not fit."""
    try:
        network = IPv4Network(cidr)
    except ValueError as error:
        raise AtollError(f"{error}\nnext:  give a CIDR such as 10.0.0.0/16") from None
    if not 1 <= zones <= ZONES_MAX:
        raise AtollError(f"zones is {zones}\nnext:  give a number from 1 to {ZONES_MAX}")
    bits = max(network.prefixlen + 4, 24 if network.prefixlen <= 16 else 0)
    if bits > SUBNETS_MIN_BITS:
        raise AtollError(f"{cidr} has no room for subnets of every zone\nnext:  give a /24 or a larger one")
    ec2 = world.client("ec2")
    id = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=id, EnableDnsHostnames={"Value": True})
    blocks = network.subnets(new_prefix=bits)
    names = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:zones]
    publics = tuple(_subnet(ec2, id, next(blocks), zone) for zone in names)
    privates = tuple(_subnet(ec2, id, next(blocks), zone) for zone in names)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=id)
    public_table = _table(ec2, id, publics)
    ec2.create_route(RouteTableId=public_table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    for subnet in publics:
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    private_table = _table(ec2, id, privates)
    nat_gateway = _nat(ec2, publics[0], private_table) if nat else None
    group = ec2.create_security_group(GroupName="app", Description="what is an app", VpcId=id)["GroupId"]
    return Vpc(
        id=id, cidr=cidr, publics=publics, privates=privates, internet_gateway=gateway, public_table=public_table,
        private_table=private_table, app_group=group, nat_gateway=nat_gateway,
    )  # fmt: skip


def _subnet(ec2: Any, vpc: str, block: IPv4Network, zone: str) -> str:
    made: str = ec2.create_subnet(VpcId=vpc, CidrBlock=str(block), AvailabilityZone=zone)["Subnet"]["SubnetId"]
    return made


def _table(ec2: Any, vpc: str, subnets: tuple[str, ...]) -> str:
    table: str = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return table


def _nat(ec2: Any, subnet: str, table: str) -> str:
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway: str = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[gateway], WaiterConfig={"Delay": 1})
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)
    return gateway
