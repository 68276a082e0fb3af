"""A VPC for tests: public and private subnets, a way to the internet, and a security group for what is an app."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from atoll.model.zones import zones as zones_of
from atoll.testing.account import Account
from atoll.testing.daemon import AtollError

ZONES_MAX = 6  # of us-east-1
EVERYWHERE = "0.0.0.0/0"
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


def make_vpc(world: Account, cidr: str, *, zones: int, nat: bool) -> Vpc:
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
    names = [zone.name for zone in zones_of(world.region)[:zones]]
    blocks = network.subnets(new_prefix=bits)
    calls = Calls(world)
    id = calls.ec2("CreateVpc", "Vpc", "VpcId", CidrBlock=cidr)
    calls.ec2("ModifyVpcAttribute", VpcId=id, EnableDnsHostnames={"Value": True})
    publics = [_subnet(calls, id, next(blocks), zone) for zone in names]
    privates = [_subnet(calls, id, next(blocks), zone) for zone in names]
    gateway = calls.ec2("CreateInternetGateway", "InternetGateway", "InternetGatewayId")
    calls.ec2("AttachInternetGateway", InternetGatewayId=gateway, VpcId=id)
    public_table = _table(calls, id, publics)
    calls.ec2("CreateRoute", RouteTableId=public_table, DestinationCidrBlock=EVERYWHERE, GatewayId=gateway)
    for subnet in publics:
        calls.ec2("ModifySubnetAttribute", SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    private_table = _table(calls, id, privates)
    group = calls.ec2("CreateSecurityGroup", "GroupId", GroupName="app", Description="what is an app", VpcId=id)
    made = calls.make()
    nat_gateway = _nat(world.client("ec2"), made(publics[0]), made(private_table)) if nat else None
    return Vpc(
        id=made(id), cidr=cidr, publics=tuple(map(made, publics)), privates=tuple(map(made, privates)),
        internet_gateway=made(gateway), public_table=made(public_table), private_table=made(private_table),
        app_group=made(group), nat_gateway=nat_gateway,
    )  # fmt: skip


Ref = dict[str, Any]  # what a call will answer, as the private API takes it


class Calls:
    """AWS calls that are made in one request: a VPC takes a score of them, and a client is slow."""

    def __init__(self, world: Account) -> None:
        """Make them in a world."""
        self._world = world
        self._calls: list[dict[str, Any]] = []

    def ec2(self, action: str, /, *path: str, **parameters: Any) -> Ref:
        """Add a call; returns what stands for its answer, or for what is there at `path`."""
        self._calls.append({"service": "ec2", "action": action, "parameters": parameters})
        return {"call": len(self._calls) - 1, "path": list(path)}

    def make(self) -> Callable[[Ref], str]:
        """Make them; returns what tells what was answered.  Raises AtollError for what AWS would refuse."""
        results = self._world.daemon.post("/_atoll/calls", {"calls": self._calls, **self._world.whose})["results"]

        def answered(ref: Ref) -> str:
            found = results[ref["call"]]
            for step in ref["path"]:
                found = found[step]
            return str(found)

        return answered


def _subnet(calls: Calls, vpc: Ref, block: IPv4Network, zone: str) -> Ref:
    return calls.ec2(
        "CreateSubnet", "Subnet", "SubnetId", VpcId=vpc, CidrBlock=str(block), AvailabilityZone=zone
    )


def _table(calls: Calls, vpc: Ref, subnets: Sequence[Ref]) -> Ref:
    table = calls.ec2("CreateRouteTable", "RouteTable", "RouteTableId", VpcId=vpc)
    for subnet in subnets:
        calls.ec2("AssociateRouteTable", RouteTableId=table, SubnetId=subnet)
    return table


def _nat(ec2: Any, subnet: str, table: str) -> str:
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway: str = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[gateway], WaiterConfig={"Delay": 1})
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=EVERYWHERE, NatGatewayId=gateway)
    return gateway
