"""IPv6 in a VPC: the ranges that AWS provides, and what comes with the first of them.

A VPC gets /56 ranges of `ipam.POOL6`, global and its own; a subnet gets a part of one.
"""

from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.ec2 import errors, quotas
from atoll.ec2.cidr import parse_address6, parse_cidr6
from atoll.model import quota
from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.group import Rule, SecurityGroup
from atoll.model.ip import Association6
from atoll.model.quota import allowed
from atoll.model.route import LOCAL, LOCAL_ORIGIN, Route, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World
from atoll.network.ipam import NoFreeAddress, free_address6, free_range6, is_reserved6, taken6

BAD_SUBNET_RANGE = Err("InvalidSubnet.Range", "The CIDR '{cidr}' is invalid.")
SUBNET_CONFLICT = Err("InvalidSubnet.Conflict", "The CIDR '{cidr}' conflicts with another subnet")
BAD_BORDER_GROUP = Err("InvalidParameterValue", "Invalid network border group: {name}. Expecting {region}.")
NO_RANGE = Err("InvalidParameterValue", "The subnet '{id}' has no IPv6 CIDR block associated with it.")
OUTSIDE = Err("InvalidParameterValue", "Address does not fall within the subnet's address range")
RESERVED = Err("InvalidParameterValue", "Address is in subnet's reserved address range")
ADDRESS_IN_USE = Err("InvalidIPAddress.InUse", "Address {ip} is in use.")
SUBNET_FULL = Err(
    "InsufficientFreeAddressesInSubnet",
    "The specified subnet does not have enough free addresses to satisfy the request.",
)
BAD_COUNT = Err("InvalidParameterValue", "Value ({count}) for parameter ipv6AddressCount is invalid.")

ANYWHERE = IPv6Network("::/0")
SUBNET_LENGTHS = range(44, 65, 4)  # VPC User Guide, "Subnet sizing for IPv6"


def check_border_group(name: str | None, region: str) -> None:
    """Raise the error of a network border group that is not the region's own."""
    if name not in (None, region):
        raise BAD_BORDER_GROUP(name=name, region=region)


def add_range(tx: Tx, vpc: Vpc) -> tuple[Vpc, Association6]:
    """Give a VPC a range; the first one also opens what nobody has changed yet, as AWS does.

    Source: VPC User Guide, "Default network ACL", "Default security groups": rules for IPv6 are added unless the
    rules were modified.
    """
    limit = allowed(tx.world, quota.VPC_CIDRS6)
    if len(vpc.ranges6) >= limit:
        raise quotas.CIDR_LIMIT(id=vpc.id, limit=limit)
    association = Association6(id=tx.new_id("vpc-cidr-assoc"), cidr=free_range6(tx.world))
    route = Route(destination=association.cidr, target=LOCAL, origin=LOCAL_ORIGIN)
    for table in tx.all(RouteTable, vpc_id=vpc.id):
        local = [r for r in table.routes if r.is_local]
        others = [r for r in table.routes if not r.is_local]
        tx.put(table.but(routes=(*local, route, *others)))
    if not vpc.ranges6:
        for acl in tx.all(NetworkAcl, vpc_id=vpc.id):
            _open_acl(tx, acl)
        for group in tx.all(SecurityGroup, vpc_id=vpc.id):
            _open_group(tx, group)
    return tx.put(vpc.but(ranges6=(*vpc.ranges6, association))), association


def _open_acl(tx: Tx, acl: NetworkAcl) -> None:
    as_made = {(e.number, e.egress, e.protocol, e.allow, str(e.cidr)) for e in acl.entries}
    if acl.is_default and as_made == {(100, egress, -1, True, "0.0.0.0/0") for egress in (True, False)}:
        entries = (
            AclEntry(number=101, egress=egress, protocol=-1, allow=True, cidr=ANYWHERE) for egress in (True, False)
        )
        tx.put(acl.but(entries=(*acl.entries, *entries)))


def _open_group(tx: Tx, group: SecurityGroup) -> None:
    out = [(r.protocol, str(r.cidr)) for r in group.rules if r.egress]
    if out == [("-1", "0.0.0.0/0")]:
        tx.put(group.but(rules=(*group.rules, everywhere_rule(tx))))


def everywhere_rule(tx: Tx) -> Rule:
    """Return the rule that lets a new group of a VPC with IPv6 send everywhere."""
    return Rule(id=tx.new_id("sgr"), egress=True, protocol="-1", cidr=ANYWHERE)


def subnet_range(tx: Tx, vpc: Vpc, text: str, *, but: str = "") -> Association6:
    """Return a range for a subnet, if it lies in one of the VPC's and in no other subnet's than `but`."""
    cidr = parse_cidr6(text, "ipv6CidrBlock")
    if cidr.prefixlen not in SUBNET_LENGTHS or not any(cidr.subnet_of(block) for block in vpc.cidrs6):
        raise BAD_SUBNET_RANGE(cidr=text)
    for other in tx.all(Subnet, vpc_id=vpc.id):
        if other.id != but and other.cidr6 and cidr.overlaps(other.cidr6):
            raise SUBNET_CONFLICT(cidr=cidr)
    return Association6(id=tx.new_id("subnet-cidr-assoc"), cidr=cidr)


def asked_addresses(
    world: World, subnet: Subnet, addresses: Sequence[Shape], count: int | None
) -> tuple[IPv6Address, ...]:
    """Return the addresses that an interface gets: these, or so many, or what its subnet says."""
    texts = [a.get("Ipv6Address") or "" for a in addresses]
    if texts and count:
        raise errors.BOTH(one="ipv6AddressCount", other="ipv6Addresses")
    if count is not None and count < 0:
        raise BAD_COUNT(count=count)
    if count is None and not texts and subnet.assign_ipv6:
        count = 1
    if (texts or count) and subnet.cidr6 is None:
        raise NO_RANGE(id=subnet.id)
    found = [check_address(world, subnet, text) for text in texts]
    if len(set(found)) < len(found):
        raise ADDRESS_IN_USE(ip=found[-1])
    try:
        for _ in range(count or 0):
            found.append(free_address6(world, subnet, found))
    except NoFreeAddress:
        raise SUBNET_FULL() from None
    return tuple(found)


def check_address(world: World, subnet: Subnet, text: str) -> IPv6Address:
    """Return an address that is free in a subnet; raises BAD_ADDRESS6, OUTSIDE, RESERVED, ADDRESS_IN_USE."""
    address = parse_address6(text, "ipv6Address")
    if subnet.cidr6 is None or address not in subnet.cidr6:
        raise OUTSIDE()
    if is_reserved6(subnet.cidr6, address):
        raise RESERVED()
    if address in taken6(world, subnet):
        raise ADDRESS_IN_USE(ip=address)
    return address


def render_vpc_range(r: Association6, region: str, state: str = "associated") -> Shape:
    """Return a VPC's range as AWS shows it."""
    return {
        "AssociationId": r.id,
        "Ipv6CidrBlock": str(r.cidr),
        "Ipv6CidrBlockState": {"State": state},
        "NetworkBorderGroup": region,
        "Ipv6Pool": "Amazon",
        "Ipv6AddressAttribute": "public",
        "IpSource": "amazon",
    }


def render_subnet_range(r: Association6, state: str = "associated") -> Shape:
    """Return a subnet's range as AWS shows it."""
    return {
        "AssociationId": r.id,
        "Ipv6CidrBlock": str(r.cidr),
        "Ipv6CidrBlockState": {"State": state},
        "Ipv6AddressAttribute": "public",
        "IpSource": "amazon",
    }
