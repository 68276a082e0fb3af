"""Worlds of N security groups, instances and caches: one of each through the API, copies of them into the store."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from atoll.model.cache import CacheCluster
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.kinds import KINDS
from atoll.model.names import key, mac_address
from atoll.model.quota import LIMITS, VALUE_MAX, Quota, quota_id
from atoll.model.resource import Resource
from atoll.model.volume import Volume
from atoll.model.world import Tx
from atoll.store.sqlite import Store
from bench.ground import Atoll, one, until
from bench.vpc import PORT, allow, instance

GROUPS_OF_INTERFACES = 50  # so many different ones are carried; the others stand by, as in a real account
CACHES_MAX = 200
OWN_ADDRESSES = 512  # the first of the subnet are left to what comes through the API
OWN_NUMBERS = 500


@dataclass(frozen=True, kw_only=True)
class Place:
    """Ids that calls name."""

    vpc: str
    subnet: str
    group: str  # the first, which the first instance and the first cache carry
    instance: str
    interface: str
    cache: str  # its name


def furnish(atoll: Atoll) -> Place:
    """Make one of each through the API."""
    api = atoll.api
    vpc = one(api.ec2("CreateVpc", CidrBlock="10.0.0.0/16"), "vpcId")
    subnet = one(api.ec2("CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/16"), "subnetId")
    named = {"GroupName": "group-00000", "GroupDescription": "one of many", "VpcId": vpc}
    group = one(api.ec2("CreateSecurityGroup", **named), "groupId")
    allow(api, group, "10.0.0.0/16", PORT)
    machine = instance(api, subnet, group)
    interface = one(api.ec2("DescribeInstances", **{"InstanceId.1": machine}), "networkInterfaceId")
    api.cache(
        "CreateCacheSubnetGroup",
        CacheSubnetGroupName="many", CacheSubnetGroupDescription="d", **{"SubnetIds.member.1": subnet},
    )  # fmt: skip
    api.cache(
        "CreateCacheCluster",
        CacheClusterId="cache-00000", Engine="redis", CacheNodeType="cache.t3.micro", NumCacheNodes=1,
        CacheSubnetGroupName="many", **{"SecurityGroupIds.member.1": group},
    )  # fmt: skip
    until(lambda: one(api.cache("DescribeCacheClusters"), "CacheClusterStatus") == "available")
    return Place(vpc=vpc, subnet=subnet, group=group, instance=machine, interface=interface, cache="cache-00000")


def multiply(state: Path, place: Place, size: int) -> None:
    """Copy each into the store of a daemon that is down, until there are `size`; raise every quota."""
    store = Store(state / "atoll.db", KINDS)
    try:
        store.write(lambda tx: _multiply(tx, place, size), what="bench")
    finally:
        store.close()


def _multiply(tx: Tx, place: Place, size: int) -> None:
    group = tx.world[SecurityGroup, place.group]
    for limit in LIMITS:
        id = quota_id(group.account, group.region, limit)
        value = VALUE_MAX if limit.most is None else limit.most
        owner = {"account": group.account, "region": group.region}
        tx.put(Quota(id=id, service=limit.service, code=limit.code, value=value, **owner))
    for copied in _copies(tx, place, size):
        tx.put(copied)


def _copies(tx: Tx, place: Place, size: int) -> Iterator[Resource]:
    world = tx.world
    group, machine = world[SecurityGroup, place.group], world[Instance, place.instance]
    interface, volume = world[Interface, place.interface], world[Volume, machine.volume_id]
    cache = next(world.all(CacheCluster))
    foot = world[Interface, cache.nodes[0].interface_id]
    groups = [group.id, *(f"sg-0{n:016x}" for n in range(1, size))]
    first = interface.private_ips[0] - int(interface.private_ips[0]) % 65536 + OWN_ADDRESSES
    for n in range(1, size):
        rules = tuple(replace(rule, id=f"sgr-0{n:08x}{k:08x}") for k, rule in enumerate(group.rules))
        yield group.but(id=groups[n], name=f"group-{n:05}", rules=rules)
        carried = groups[n % min(GROUPS_OF_INTERFACES, size)]
        yield machine.but(
            id=f"i-0{n:016x}", reservation_id=f"r-0{n:016x}", volume_id=f"vol-0{n:016x}", group_ids=(carried,)
        )
        yield volume.but(id=f"vol-0{n:016x}", instance_id=f"i-0{n:016x}")
        yield _interface(interface, f"eni-0{n:016x}", first + n, n, carried, f"i-0{n:016x}")
    for n in range(1, caches(size)):
        id, name = f"eni-1{n:016x}", f"cache-{n:05}"
        yield _interface(foot, id, first + 32_768 + n, 10_000 + n, groups[n % min(GROUPS_OF_INTERFACES, size)], None)
        nodes = (replace(cache.nodes[0], interface_id=id),)
        yield cache.but(id=key(cache.account, cache.region, name), name=name, nodes=nodes)


def caches(size: int) -> int:
    """Return how many caches a world of a size has: no more than a machine would run."""
    return min(size, CACHES_MAX)


def _interface(
    like: Interface, id: str, address: IPv4Address, number: int, group: str, instance_id: str | None
) -> Interface:
    assert like.attachment, "it is attached"
    attachment = replace(like.attachment, id=id.replace("eni-", "eni-attach-"), instance_id=instance_id)
    return like.but(
        id=id, number=OWN_NUMBERS + number, mac=mac_address(id), private_ips=(address,), group_ids=(group,),
        attachment=attachment,
    )  # fmt: skip
