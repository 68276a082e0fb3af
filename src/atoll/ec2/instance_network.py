"""The network side of a launch: which subnet, which groups, which interfaces.

`plan` reads and checks everything before anything is made, so that a launch that is refused has changed nothing;
`make` then puts one instance's interfaces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.ec2 import attachment, ipv6, quotas
from atoll.ec2.defaults import default_vpc
from atoll.ec2.errors import BAD_COMBINATION, BAD_VALUE, BOTH, UNSUPPORTED
from atoll.ec2.group import choose, groups_for, named
from atoll.ec2.instance import refuse_members
from atoll.ec2.interface import ADDRESS_IN_USE, asked_addresses, check_address
from atoll.ec2.kinds import find
from atoll.ec2.tracking import timeouts_of
from atoll.model import quota
from atoll.model.classic import network_of, subnets_of
from atoll.model.group import SecurityGroup
from atoll.model.instance_type import InstanceType
from atoll.model.interface import AWS_TIMEOUTS, Attachment, Interface, Timeouts
from atoll.model.quota import allowed
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World
from atoll.model.zones import zone
from atoll.network.ipam import free_address, free_addresses, new_interface

ALONE = Err(
    "InvalidParameterCombination",
    "Network interfaces and an instance-level {what} may not be specified on the same request",
)
NO_DEFAULT_VPC = Err("VPCIdNotSpecified", "No default VPC for this user")
NO_DEFAULT_SUBNET = Err("MissingInput", "No default subnet for availability zone: '{zone}'.")
NO_SUCH_ZONE = Err("InvalidParameterValue", "Invalid availability zone: [{zone}]")
OTHER_ZONE = Err(
    "InvalidParameterValue",
    "Value ({zone}) for parameter availabilityZone is invalid. Subnet '{subnet}' is in the availability zone {where}",
)
GROUP_ELSEWHERE = Err("InvalidParameter", "Security group {group} and subnet {subnet} belong to different networks.")
GROUP_NOT_IN_DEFAULT = Err(
    "InvalidGroup.NotFound", "The security group '{name}' does not exist in default VPC '{vpc}'"
)
SUBNET_FULL = Err(
    "InsufficientFreeAddressesInSubnet",
    "There are not enough free addresses in subnet '{id}' to satisfy the requested number of instances.",
)

VPC_TYPE = Err(
    "VPCResourceNotSpecified",
    "The specified instance type can only be used in a VPC. A subnet ID or network interface ID is required to carry "
    "out the request.",
)
# Source: EC2 User Guide of 2021, "EC2-Classic", "Instance types available in EC2-Classic"; the catalogue has some.
CLASSIC_FAMILIES = ("m1", "m2", "m3", "t1", "c1", "c3", "cc2", "cr1", "r3", "d2", "hs1", "i2", "g2")

_SPEC_MEMBERS = (
    "AssociatePublicIpAddress", "ConnectionTrackingSpecification", "DeleteOnTermination", "Description",
    "DeviceIndex", "Groups", "InterfaceType", "Ipv6AddressCount", "Ipv6Addresses",
    "NetworkCardIndex", "NetworkInterfaceId", "PrivateIpAddress", "PrivateIpAddresses",
    "SecondaryPrivateIpAddressCount", "SubnetId",
)  # fmt: skip
_NOT_WITH_ID = (
    "ConnectionTrackingSpecification", "Groups", "Ipv6AddressCount", "Ipv6Addresses", "PrivateIpAddress",
    "PrivateIpAddresses", "SecondaryPrivateIpAddressCount", "SubnetId",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One interface that each launched instance gets."""

    device_index: int
    subnet: Subnet
    delete_on_termination: bool
    existing: Interface | None = None  # else a new one, made of the rest
    group_ids: tuple[str, ...] = ()
    primary: IPv4Address | None = None  # None: of our choice
    secondaries: tuple[IPv4Address, ...] = ()  # asked for
    more: int = 0  # further secondary ones, of our choice
    sixes: tuple[Shape, ...] = ()  # IPv6 addresses asked for
    more_sixes: int | None = None  # or how many; None: as the subnet says
    description: str = ""
    timeouts: Timeouts = AWS_TIMEOUTS

    @property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """The addresses asked for."""
        return (self.primary, *self.secondaries) if self.primary else self.secondaries

    @property
    def address_count(self) -> int:
        """How many addresses it has."""
        return 1 + len(self.secondaries) + self.more


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What each launched instance gets, by device index."""

    wishes: tuple[Wish, ...]
    public_ip: bool
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def subnet(self) -> Subnet:
        """The subnet of the primary interface: the instance's."""
        return self.wishes[0].subnet

    @property
    def is_for_one(self) -> bool:
        """Tell whether only one instance can have it: it names an interface or an address."""
        return any(w.existing or w.addresses or w.sixes for w in self.wishes)


def plan(
    world: World,
    *,
    subnet_id: str | None,
    group_ids: Sequence[str],
    group_names: Sequence[str],
    private_ip: str | None,
    sixes: Sequence[Shape] = (),
    more_sixes: int | None = None,
    specs: Sequence[Shape],
    zone_name: str | None,
    type: InstanceType,
    tags: Mapping[str, str],
) -> Network:
    """Return what each instance of a launch gets; raises the errors of this file and those of ids."""
    given = (
        (subnet_id, "subnet ID"),
        (group_ids or group_names, "security groups"),
        (private_ip, "private IP address"),
        (sixes or more_sixes, "IPv6 addresses"),
    )
    for value, what in given:
        if specs and value:
            raise ALONE(what=what)
    classic = None if specs or subnet_id or default_vpc(world) else network_of(world)
    if classic:
        return _in_classic(world, classic, group_ids, group_names, private_ip, zone_name, type, tags)
    if not specs:
        network = _of_instance(world, subnet_id, group_ids, group_names, private_ip, zone_name, tags)
        wishes = [replace(network.wishes[0], sixes=tuple(sixes), more_sixes=more_sixes)]
        _check_together(wishes, type)
        _check_sixes(world, wishes, type)
        return replace(network, wishes=tuple(wishes))
    if len(specs) > type.interfaces_max:
        raise attachment.LIMIT(count=len(specs), type=type.name)
    wishes = sorted((_wish(world, spec, zone_name) for spec in specs), key=lambda w: w.device_index)
    _check_together(wishes, type)
    _check_sixes(world, wishes, type)
    asked = next((s["AssociatePublicIpAddress"] for s in specs if "AssociatePublicIpAddress" in s), None)
    if asked is not None and len(specs) > 1:
        raise BAD_COMBINATION(
            why="The associatePublicIPAddress parameter cannot be specified when launching with multiple network "
            "interfaces."
        )
    alone = len(wishes) == 1 and wishes[0].existing is None
    public = alone and (wishes[0].subnet.map_public_ip if asked is None else bool(asked))
    return Network(wishes=tuple(wishes), public_ip=public, tags=tags)


def room(world: World, network: Network) -> int:
    """Return how many instances the subnets have addresses for."""
    need: dict[str, int] = {}
    subnets = {w.subnet.id: w.subnet for w in network.wishes if w.existing is None}
    for w in network.wishes:
        if w.existing is None:
            need[w.subnet.id] = need.get(w.subnet.id, 0) + w.address_count
    return min((free_addresses(world, subnets[id]) // n for id, n in need.items()), default=1)


def make(tx: Tx, network: Network, instance_id: str) -> list[Interface]:
    """Put an instance's interfaces; the plan has been checked and the subnets have room.

    Those that ask for an address come first, so that no other is given it.
    """
    made = {w.device_index: _make(tx, network, w, instance_id) for w in sorted(network.wishes, key=_is_undemanding)}
    return [made[w.device_index] for w in network.wishes]


def _is_undemanding(wish: Wish) -> bool:
    return not wish.addresses


def _make(tx: Tx, network: Network, wish: Wish, instance_id: str) -> Interface:
    plug = Attachment(
        id=tx.new_id("eni-attach"),
        instance_owner=tx.account,
        instance_id=instance_id,
        device_index=wish.device_index,
        time=tx.now,
        delete_on_termination=wish.delete_on_termination,
    )
    if wish.existing:
        interface = tx.put(wish.existing.but(attachment=plug))
        attachment.tell_addresses(tx, interface, instance_id)
        return interface
    addresses = [wish.primary or free_address(tx.world, wish.subnet, wish.secondaries), *wish.secondaries]
    for _ in range(wish.more):
        addresses.append(free_address(tx.world, wish.subnet, addresses))
    quotas.check(tx.world.count(Interface), allowed(tx.world, quota.INTERFACES), quotas.INTERFACE_LIMIT)
    sixes = ipv6.asked_addresses(tx.world, wish.subnet, wish.sixes, wish.more_sixes)
    return new_interface(
        tx,
        wish.subnet,
        wish.group_ids,
        address=addresses[0],
        secondaries=addresses[1:],
        ipv6_addresses=sixes,
        description=wish.description,
        timeouts=wish.timeouts,
        attachment=plug,
        tags=network.tags,
    )


def _of_instance(
    world: World,
    subnet_id: str | None,
    group_ids: Sequence[str],
    group_names: Sequence[str],
    private_ip: str | None,
    zone_name: str | None,
    tags: Mapping[str, str],
) -> Network:
    """Return the one new interface that the instance's own parameters describe."""
    if group_names and subnet_id:
        raise BOTH(one="groupName", other="subnet")
    subnet = _subnet(world, subnet_id, zone_name)
    ids = [*group_ids, *(_group_named(world, subnet, name).id for name in group_names)]
    wish = Wish(
        device_index=0,
        subnet=subnet,
        delete_on_termination=True,
        group_ids=groups(world, subnet, ids),
        primary=check_address(world, subnet, private_ip) if private_ip else None,
    )
    return Network(wishes=(wish,), public_ip=subnet.map_public_ip, tags=tags)


def _in_classic(
    world: World,
    network: Vpc,
    group_ids: Sequence[str],
    group_names: Sequence[str],
    private_ip: str | None,
    zone_name: str | None,
    type: InstanceType,
    tags: Mapping[str, str],
) -> Network:
    """Return what an instance gets in EC2-Classic: a private and a public address, of the network's choice."""
    assert world.caller, "the wire knows the caller"
    if type.name.partition(".")[0] not in CLASSIC_FAMILIES:
        raise VPC_TYPE()
    if private_ip:
        raise BAD_COMBINATION(why="A private IP address can only be specified for an instance in a VPC.")
    if zone_name and zone(world.caller.region, zone_name) is None:
        raise NO_SUCH_ZONE(zone=zone_name)
    found = [s for s in subnets_of(world, network) if zone_name in (None, s.zone, s.zone_id)]
    if not found:
        raise NO_SUCH_ZONE(zone=zone_name)
    subnet = found[0]
    ids = [*group_ids, *(choose(world, None, name).id for name in group_names)]
    wish = Wish(device_index=0, subnet=subnet, delete_on_termination=True, group_ids=groups(world, subnet, ids))
    return Network(wishes=(wish,), public_ip=True, tags=tags)


def groups(world: World, subnet: Subnet, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the groups of an interface in a subnet: those given, each once, else the VPC's default one."""
    for id in ids:
        if find(world, SecurityGroup, id).vpc_id != subnet.vpc_id:
            raise GROUP_ELSEWHERE(group=id, subnet=subnet.id)
    return groups_for(world, subnet.vpc_id, ids)


def _group_named(world: World, subnet: Subnet, name: str) -> SecurityGroup:
    if group := named(world, subnet.vpc_id, name):
        return group
    raise GROUP_NOT_IN_DEFAULT(name=name, vpc=subnet.vpc_id)


def _subnet(world: World, id: str | None, zone_name: str | None) -> Subnet:
    """Return the subnet given, else the default one of a zone, else the first default one."""
    assert world.caller, "the wire knows the caller"
    if zone_name and zone(world.caller.region, zone_name) is None:
        raise NO_SUCH_ZONE(zone=zone_name)
    if id:
        subnet = find(world, Subnet, id)
        if zone_name and zone_name not in (subnet.zone, subnet.zone_id):
            raise OTHER_ZONE(zone=zone_name, subnet=id, where=subnet.zone)
        return subnet
    vpc = default_vpc(world)
    if vpc is None:
        raise NO_DEFAULT_VPC()
    defaults = sorted((s for s in world.all(Subnet, vpc_id=vpc.id) if s.is_default), key=lambda s: s.zone)
    for subnet in defaults:
        if zone_name in (None, subnet.zone, subnet.zone_id):
            return subnet
    raise NO_DEFAULT_SUBNET(zone=zone_name or "null")


def _wish(world: World, spec: Shape, zone_name: str | None) -> Wish:
    """Read one of NetworkInterfaces."""
    refuse_members(spec, "NetworkInterfaces", _SPEC_MEMBERS)
    if spec.get("InterfaceType", "interface") != "interface" or spec.get("NetworkCardIndex"):
        raise UNSUPPORTED(what="An interface of another type, or on another network card,")
    if spec.get("NetworkInterfaceId"):
        return _wish_for_existing(world, spec, zone_name)
    subnet = _subnet(world, spec.get("SubnetId"), zone_name)
    primary, secondaries = asked_addresses(spec.get("PrivateIpAddress"), spec.get("PrivateIpAddresses", ()))
    if secondaries and spec.get("SecondaryPrivateIpAddressCount"):
        raise BOTH(one="secondaryPrivateIpAddressCount", other="privateIpAddresses")
    return Wish(
        device_index=_device_index(spec),
        subnet=subnet,
        delete_on_termination=spec.get("DeleteOnTermination", True),
        group_ids=groups(world, subnet, spec.get("Groups", ())),
        primary=check_address(world, subnet, primary) if primary else None,
        secondaries=tuple(check_address(world, subnet, text) for text in secondaries),
        more=_count(spec),
        sixes=tuple(spec.get("Ipv6Addresses", ())),
        more_sixes=spec.get("Ipv6AddressCount"),
        description=spec.get("Description", ""),
        timeouts=timeouts_of(spec.get("ConnectionTrackingSpecification")),
    )


def _wish_for_existing(world: World, spec: Shape, zone_name: str | None) -> Wish:
    for member in _NOT_WITH_ID:
        if spec.get(member):
            raise BOTH(one=member[0].lower() + member[1:], other="networkInterfaceId")
    if "AssociatePublicIpAddress" in spec:
        raise BOTH(one="associatePublicIpAddress", other="networkInterfaceId")
    interface = find(world, Interface, spec["NetworkInterfaceId"])
    if interface.attachment:
        raise attachment.IN_USE(id=interface.id)
    return Wish(
        device_index=_device_index(spec),
        subnet=_subnet(world, interface.subnet_id, zone_name),
        delete_on_termination=spec.get("DeleteOnTermination", False),  # ours to keep, unless told otherwise
        existing=interface,
    )


def _check_together(wishes: Sequence[Wish], type: InstanceType) -> None:
    """Check what the interfaces of one instance must have in common."""
    first, indexes = wishes[0].subnet, [w.device_index for w in wishes]
    if 0 not in indexes or len(set(indexes)) != len(indexes):
        raise BAD_VALUE(
            value=",".join(map(str, indexes)), name="deviceIndex", why="Each index once, and 0 for the primary one."
        )
    named = [w.existing.id for w in wishes if w.existing]
    if len(set(named)) != len(named):
        raise attachment.IN_USE(id=named[0])
    given = [a for w in wishes for a in w.addresses if w.subnet.vpc_id == first.vpc_id]
    if len(set(given)) != len(given):
        raise ADDRESS_IN_USE(ip=given[0])
    for w in wishes:
        if (w.subnet.vpc_id, w.subnet.zone) != (first.vpc_id, first.zone):
            raise BAD_COMBINATION(why="All network interfaces of an instance must be in one VPC and one zone.")
        if w.address_count > type.addresses_max:
            raise quotas.ADDRESSES_PER_INTERFACE()


def _check_sixes(world: World, wishes: Sequence[Wish], type: InstanceType) -> None:
    """Check the IPv6 addresses asked for as if the launch were to take them now."""
    for w in wishes:
        if w.existing is None:
            found = ipv6.asked_addresses(world, w.subnet, w.sixes, w.more_sixes)
            if len(found) > type.addresses_max:
                raise quotas.ADDRESSES6_PER_INTERFACE()


def _device_index(spec: Shape) -> int:
    if "DeviceIndex" not in spec:
        raise BAD_VALUE(value="null", name="deviceIndex", why="Each network interface requires a device index.")
    return int(spec["DeviceIndex"])


def _count(spec: Shape) -> int:
    count = int(spec.get("SecondaryPrivateIpAddressCount", 0))
    if count < 0:
        raise BAD_VALUE(value=count, name="secondaryPrivateIpAddressCount", why="It must not be negative.")
    return count
