"""Put nodes into zones, subnets and addresses: each node is a network interface of its own.

As on AWS, nodes that are spread go round the zones, each into the emptiest subnet of its zone, at the lowest free
address.
"""

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import cast

from atoll.aws.errors import Err
from atoll.cache.node_types import line_of
from atoll.elasticache import errors
from atoll.model import zones
from atoll.model.cache import CacheCluster, CacheNode, CacheSubnetGroup
from atoll.model.fault import standing_hosts
from atoll.model.interface import Attachment, Interface
from atoll.model.lifecycle import CACHE_NODE
from atoll.model.quota import CACHE_NODES, allowed
from atoll.model.subnet import Subnet
from atoll.model.world import Tx, World
from atoll.network.ipam import NoFreeAddress, free_addresses, new_interface

OWNER = "amazon-elasticache"

BAD_ZONE = Err(
    "InvalidParameterValue", "The cache subnet group {group} has no subnet in the availability zone {zone}."
)
LOCAL_GROUPS, LOCAL_LINES = ("us-west-2-lax-1",), ("m5", "r5", "t3")
NOT_LOCAL = Err("InvalidParameterValue", "ElastiCache is not available in the Local Zone {zone}.")
NOT_LOCAL_TYPE = Err(
    "InvalidParameterValue",
    "The cache node type {type} is not supported in the Local Zone {zone}: use one of the families M5, R5 and T3.",
)
NO_CAPACITY = Err(
    "InsufficientCacheClusterCapacity",
    "The requested cache node type is not available in the availability zone {zone}: there is no capacity left.",
)


def check_zones(world: World, group: CacheSubnetGroup, zones: Sequence[str]) -> None:
    """Check that a subnet group reaches the zones that a caller asks for."""
    reached = {subnet.zone for subnet in _subnets(world, group)}
    for zone in zones:
        if zone not in reached:
            raise BAD_ZONE(group=group.name, zone=zone)


def one_zone(world: World, group: CacheSubnetGroup) -> str:
    """Return the zone for nodes that stay together: the one with the most free addresses."""
    room: Counter[str] = Counter()
    for subnet in _subnets(world, group):
        room[subnet.zone] += free_addresses(world, subnet)
    return max(room, key=lambda zone: room[zone])


def spread(world: World, group: CacheSubnetGroup, count: int, *, held: Sequence[str] = ()) -> list[str]:
    """Return zones for `count` nodes, the least used first; `held` are the zones of the nodes that exist."""
    zones = list(dict.fromkeys(subnet.zone for subnet in _subnets(world, group)))
    used = Counter(held)
    out = []
    for _ in range(count):
        zone = min(zones, key=lambda z: (used[z], zones.index(z)))
        used[zone] += 1
        out.append(zone)
    return out


def make_node(
    tx: Tx,
    cluster_name: str,
    group: CacheSubnetGroup,
    zone: str,
    security_group_ids: Sequence[str],
    *,
    node_type: str,
    id: str = "0001",
    group_id: str | None = None,
) -> CacheNode:
    """Put a node into a zone, with its interface, on another host than its replication group's others.

    Raises NO_ADDRESSES, NO_CAPACITY, NOT_LOCAL, NOT_LOCAL_TYPE.
    """
    _check_local(tx.region, zone, node_type)
    subnets = [subnet for subnet in _subnets(tx.world, group) if subnet.zone == zone]
    emptiest = max(subnets, key=lambda subnet: free_addresses(tx.world, subnet))
    attachment = Attachment(
        id=f"ela-attach-0{tx.new_hex(16)}",
        instance_owner=OWNER,
        time=tx.now,
        device_index=1,
        delete_on_termination=False,
    )
    try:
        interface = new_interface(
            tx,
            emptiest,
            security_group_ids,
            description=f"ElastiCache {cluster_name}",
            requester_id=OWNER,
            requester_managed=True,
            attachment=attachment,
            host=_host(tx.world, zone, group_id),
        )
    except NoFreeAddress:
        raise errors.NO_ADDRESSES(name=group.name) from None
    return CacheNode(id=id, interface_id=interface.id, zone=zone, status=CACHE_NODE.initial, created=tx.now)


def _check_local(region: str, name: str, node_type: str) -> None:
    """Refuse what AWS does not offer in a Local Zone.  Source: ElastiCache User Guide, "Using Local Zones"."""
    where = zones.zone(region, name)
    if where is None or not where.is_local:
        return
    if where.group not in LOCAL_GROUPS:
        raise NOT_LOCAL(zone=name)
    if line_of(node_type) not in LOCAL_LINES:
        raise NOT_LOCAL_TYPE(type=node_type, zone=name)


def _host(world: World, zone: str, group_id: str | None) -> str:
    """Return the host in a zone with the fewest nodes of a replication group, and then with the fewest of all."""
    everyone = world.seen_by(None)
    members = everyone.bucket(CacheCluster, "group_id", group_id).values() if group_id else ()
    nodes = [node for member in members for node in cast(CacheCluster, member).nodes]
    siblings = Counter(everyone[Interface, node.interface_id].host for node in nodes)
    hosts = standing_hosts(world, zone)
    if not hosts:
        raise NO_CAPACITY(zone=zone)
    loads = [(siblings.get(host, 0), len(everyone.bucket(Interface, "host", host))) for host in hosts]
    return hosts[loads.index(min(loads))]


def check_quota(world: World, more: int) -> None:
    """Check that the caller may have so many more nodes in the region."""
    limit, caller = allowed(world, CACHE_NODES), world.caller
    assert caller, "a quota is a caller's"
    mine = world.bucket(CacheCluster, "owner", (caller.account, caller.region)).values()
    have = sum(map(len, map(attrgetter("nodes"), mine)))
    if have + more > limit:
        raise errors.REGION_NODES(limit=limit)


def _subnets(world: World, group: CacheSubnetGroup) -> list[Subnet]:
    return [world[Subnet, id] for id in group.subnet_ids]
