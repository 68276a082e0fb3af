"""EC2-Classic as an account's mode: made and taken away by `atoll classic`, since AWS has no call for either."""

from collections.abc import Callable
from typing import TypeVar

from atoll.ec2 import subnet as subnets
from atoll.ec2 import vpc as vpcs
from atoll.ec2.defaults import default_vpc
from atoll.ec2.vpc import ANYWHERE
from atoll.model.account import Territory
from atoll.model.acl import NetworkAcl
from atoll.model.cache_security_group import CacheSecurityGroup
from atoll.model.classic import CIDR, SUBNET_LENGTH, landlord, network_of
from atoll.model.gateway import InternetGateway
from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Interface
from atoll.model.lookup import main_route_table
from atoll.model.names import key
from atoll.model.resource import Resource
from atoll.model.route import Route, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import DhcpOptions, Vpc
from atoll.model.world import Caller, Tx
from atoll.model.zones import zones

R = TypeVar("R", bound=Resource)


class InUse(Exception):
    """Something stands where there must be nothing; the message names it."""


def enable(tx: Tx) -> Vpc:
    """Give the caller EC2-Classic in his region, in the place of his default VPC; again changes nothing.

    Raises InUse if there is something in the default VPC.
    """
    if network := network_of(tx.world):
        return network
    if default := default_vpc(tx.world):
        _remove(tx, default)
    id = key(tx.account, tx.region, "")
    territory = tx.get(Territory, id) or tx.make(Territory, id, opened=tx.now)
    network = _as_landlord(tx, _make_network)
    tx.put(territory.but(classic_vpc_id=network.id))
    _make_default_groups(tx, network)
    return network


def disable(tx: Tx) -> None:
    """Take EC2-Classic away.  Raises InUse if anything is in it.  The default VPC does not come back."""
    network, territory = network_of(tx.world), tx.get(Territory, key(tx.account, tx.region, ""))
    if network is None or territory is None:
        return
    for group in tx.all(CacheSecurityGroup):
        if group.name != "default":
            raise InUse(f"there is still the cache security group {group.name}")
        tx.delete(group)
    _remove(tx, network)
    tx.put(territory.but(classic_vpc_id=None))


def _make_network(tx: Tx) -> Vpc:
    network = vpcs.make_vpc(tx, CIDR, dns_hostnames=True)
    gateway = tx.make(InternetGateway, tx.new_id("igw"), vpc_id=network.id)
    main = main_route_table(tx.world, network.id)
    tx.put(main.but(routes=(*main.routes, Route(destination=ANYWHERE, target=gateway.id))))
    for where, cidr in zip(zones(tx.region), CIDR.subnets(new_prefix=SUBNET_LENGTH), strict=False):
        subnets.make_subnet(tx, network, cidr, where)
    return network


def _make_default_groups(tx: Tx, network: Vpc) -> None:
    """Put the account's `default` groups: of EC2, whose members reach each other, and of caches, empty."""
    vpcs.make_default_group(tx, network)
    hidden = _as_landlord(tx, lambda inner: make_hidden_group(inner, network))
    tx.make(
        CacheSecurityGroup, key(tx.account, tx.region, "default"), name="default",
        description="Default Cache Security Group", group_id=hidden.id,
    )  # fmt: skip


def make_hidden_group(tx: Tx, network: Vpc) -> SecurityGroup:
    """Put a security group that lets everything out, as all did in EC2-Classic, and nothing in."""
    rule = Rule(id=tx.new_id("sgr"), egress=True, protocol="-1", cidr=ANYWHERE)
    id = tx.new_id("sg")
    return tx.make(SecurityGroup, id, vpc_id=network.id, name=id, description="cache security group", rules=(rule,))


def _as_landlord(tx: Tx, work: Callable[[Tx], R]) -> R:
    """Do something as the owner of the caller's Classic network, in the same transaction."""
    assert tx.caller, "an operation has a caller"
    owner = Caller(account=landlord(tx.account), region=tx.region, arn=tx.caller.arn)
    inner = Tx(tx.world, caller=owner, now=tx.now, new_hex=tx.new_hex)
    made = work(inner)
    for resource in inner.changes.values():
        if resource is not None:
            tx.put(resource)
    return made


def _remove(tx: Tx, vpc: Vpc) -> None:
    """Remove a VPC in which there is nothing but what was made with it."""
    world = tx.world.seen_by(None)
    parts: list[Resource] = [
        part
        for kind in world.kinds()
        if hasattr(kind, "vpc_id")
        for part in world.bucket(kind, "vpc_id", vpc.id).values()
    ]
    for part in parts:
        if not _came_with_it(part, vpc):
            raise InUse(f"{_called(part)} is in {vpc.id if vpc.is_default else 'EC2-Classic'}")
        tx.delete(part)
    options = world.get(DhcpOptions, vpc.dhcp_options_id)
    if options and options.account == landlord(tx.account):
        tx.delete(options)
    tx.delete(vpc)


def _called(part: Resource) -> str:
    """Name something as its owner knows it: nobody knows the interfaces of EC2-Classic."""
    return (part.instance_id or part.description or part.id) if isinstance(part, Interface) else part.id


def _came_with_it(part: Resource, vpc: Vpc) -> bool:
    if isinstance(part, Subnet):
        return part.is_default or not vpc.is_default  # a Classic network has no others
    if isinstance(part, RouteTable):
        return part.is_main
    if isinstance(part, NetworkAcl):
        return part.is_default
    if isinstance(part, SecurityGroup):
        return part.name in ("default", part.id)
    return isinstance(part, InternetGateway)
