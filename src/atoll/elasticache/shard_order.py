"""Shards as a request asks for them: how many, which slots, how many replicas and where.

Source: ElastiCache API Reference, CreateReplicationGroup and NodeGroupConfiguration.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.cache.shards import SLOTS, Slots, divide, parse_slots
from atoll.elasticache import errors

SHARDS_MAX = 90
NODES_MAX = 500
REPLICAS_MAX = 5

TOO_MANY_SHARDS = Err(
    "NodeGroupsPerReplicationGroupQuotaExceeded",
    "The request cannot be processed because it would exceed the maximum allowed number of node groups (shards) in a "
    "single replication group: {limit}.",
)
NO_SHARDS = Err("InvalidParameterValue", "The number of node groups must be at least 1.")
BAD_REPLICAS = Err("InvalidParameterValue", "The number of replicas per node group must be between 0 and {limit}.")
CONFIGURATIONS = Err(
    "InvalidParameterCombination",
    "NodeGroupConfiguration must have one entry for each of the {count} node groups; it has {got}.",
)
BAD_ID = Err("InvalidParameterValue", "Invalid NodeGroupId {id}. It must be a number of 1 to 4 digits.")
ONE_ID = Err("InvalidParameterValue", "NodeGroupId {id} is used by more than one node group.")
BAD_SLOTS = Err("InvalidParameterValue", "Invalid Slots {slots}. They must be in the format startkey-endkey.")
SOME_SLOTS = Err("InvalidParameterCombination", "Slots must be specified for all node groups or for none.")
COVERAGE = Err("InvalidParameterValue", "Slots must cover the keyspace 0-16383, each slot exactly once.")
REPLICA_ZONES = Err(
    "InvalidParameterCombination",
    "ReplicaAvailabilityZones of node group {id} must list {count} availability zones, one for each replica.",
)
ONE_PRIMARY_ZONE = Err(
    "InvalidParameterCombination",
    "ReplicaAvailabilityZones of node group {id} need a PrimaryAvailabilityZone.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOrder:
    """One shard, as asked for."""

    id: str
    slots: Slots
    replicas: int
    zones: tuple[str, ...] = ()  # of the primary, and then of each replica; none: as they come


def shard_orders(count: int | None, replicas: int | None, configuration: Sequence[Shape]) -> list[ShardOrder]:
    """Return the shards that a request asks for, in order.  Raises the error of the first thing that is wrong."""
    number = count if count is not None else len(configuration) or 1
    if number < 1:
        raise NO_SHARDS()
    if number > SHARDS_MAX:
        raise TOO_MANY_SHARDS(limit=SHARDS_MAX)
    if configuration and len(configuration) != number:
        raise CONFIGURATIONS(count=number, got=len(configuration))
    _check_replicas(replicas)
    orders = [_configured(n, one, replicas) for n, one in enumerate(configuration or [{}] * number, 1)]
    ids = [order.id for order in orders]
    for id in ids:
        if ids.count(id) > 1:
            raise ONE_ID(id=id)
    orders = _with_slots(orders)
    if sum(1 + order.replicas for order in orders) > NODES_MAX:
        raise errors.CLUSTER_NODES(limit=NODES_MAX)
    return orders


def _configured(number: int, one: Shape, replicas: int | None) -> ShardOrder:
    id = shard_id(str(one.get("NodeGroupId") or number))
    if one.get("PrimaryOutpostArn") or one.get("ReplicaOutpostArns"):
        raise errors.UNSUPPORTED(what="PrimaryOutpostArn and ReplicaOutpostArns", because="there are no outposts.")
    asked = one.get("ReplicaCount")
    listed = tuple(one.get("ReplicaAvailabilityZones") or ())
    count = int(asked) if asked is not None else replicas if replicas is not None else len(listed)
    _check_replicas(count)
    if listed and len(listed) != count:
        raise REPLICA_ZONES(id=id, count=count)
    first = one.get("PrimaryAvailabilityZone")
    if listed and not first:
        raise ONE_PRIMARY_ZONE(id=id)
    zones = (str(first), *listed) if first and (listed or not count) else (str(first),) if first else ()
    try:
        slots = parse_slots(str(one["Slots"])) if one.get("Slots") else ()
    except ValueError:
        raise BAD_SLOTS(slots=one["Slots"]) from None
    return ShardOrder(id=id, slots=slots, replicas=count, zones=zones)


def shard_id(text: str) -> str:
    """Return a shard's id as AWS shows it: four digits."""
    if not re.fullmatch(r"\d{1,4}", text):
        raise BAD_ID(id=text)
    return text.zfill(4)


def _with_slots(orders: list[ShardOrder]) -> list[ShardOrder]:
    """Return the shards with their slots: those asked for, which must be all and each once, else equal shares."""
    given = [order.slots for order in orders if order.slots]
    if not given:
        shares = divide(len(orders))
        return [replace(order, slots=slots) for order, slots in zip(orders, shares, strict=True)]
    if len(given) != len(orders):
        raise SOME_SLOTS()
    every = sorted(part for slots in given for part in slots)
    gapless = all(after[0] == before[1] + 1 for before, after in itertools.pairwise(every))
    if not gapless or every[0][0] != 0 or every[-1][1] != SLOTS - 1:
        raise COVERAGE()
    return orders


def _check_replicas(count: int | None) -> None:
    if count is not None and not 0 <= count <= REPLICAS_MAX:
        raise BAD_REPLICAS(limit=REPLICAS_MAX)
