"""CreateServerlessCache: a cache without nodes to choose; behind it are nodes all the same.

Valkey and Redis OSS: one shard with cluster mode enabled, a primary and a replica in two of the zones.  Memcached:
one node.  All speak TLS only.  Source: ElastiCache API Reference, CreateServerlessCache.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.encryption import REQUIRED
from atoll.cache.families import ENGINES, Build, builds, numbers, short_version
from atoll.cache.node_types import serverless_type
from atoll.cache.serverless import MEMCACHED_PORT, PORT
from atoll.cache.shards import divide
from atoll.elasticache import access_control, checks, errors, nodes, parameter_group, restore, subnet_group
from atoll.elasticache import encryption as tls
from atoll.elasticache.engine_version import BAD_ENGINE, NO_BUILD
from atoll.elasticache.find import owner_key
from atoll.elasticache.naming import serverless_name
from atoll.elasticache.order import Order, make_cluster
from atoll.elasticache.serverless import NOT_FOR_MEMCACHED, render
from atoll.elasticache.serverless_limits import DATA_MAX_GB, limits_of
from atoll.elasticache.serverless_snapshot import available
from atoll.elasticache.shard_create import empty_group, make_shard
from atoll.elasticache.shard_order import ShardOrder
from atoll.elasticache.tags import tags_of
from atoll.model.cache import CacheSubnetGroup, ReplicationGroup
from atoll.model.names import arn
from atoll.model.serverless import SERVICE, ServerlessCache, UsageLimits
from atoll.model.snapshot import Snapshot
from atoll.model.subnet import Subnet
from atoll.model.world import Tx, World

SUBNETS = range(2, 4)
HOURS_MINUTES = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
RETENTION_MAX = 35
CACHES_MAX = 40  # per region; AWS: 40
SHARD = ShardOrder(id="0001", slots=divide(1)[0], replicas=1)

EXISTS = Err("ServerlessCacheAlreadyExistsFault", "Serverless cache {name} already exists.")
TOO_MANY = Err("ServerlessCacheQuotaForCustomerExceededFault", "You can have at most {limit} serverless caches.")
NO_MAJOR = Err(
    "InvalidParameterValue",
    "Cannot find major version {version} for {engine}. The major versions available here are: {versions}.",
)
SUBNET_COUNT = Err("InvalidParameterValue", "A serverless cache needs two or three subnets; {got} were given.")
SUBNET_ZONES = Err(
    "InvalidParameterValue", "The subnets of a serverless cache must be in different availability zones."
)
ONE_SNAPSHOT = Err("InvalidParameterCombination", "A serverless cache can be restored from one snapshot only.")
NO_DEFAULT_VPC = Err("InvalidParameterValue", "There is no default VPC: SubnetIds must be provided.")
BAD_TIME = Err("InvalidParameterValue", "Invalid value {got} for DailySnapshotTime. It must have the form hh24:mi.")


@operation("elasticache", "CreateServerlessCache")
def create_serverless_cache(
    tx: Tx,
    *,
    serverless_cache_name: str,
    engine: str,
    description: str = "",
    major_engine_version: str | None = None,
    cache_usage_limits: Shape | None = None,
    kms_key_id: str | None = None,
    security_group_ids: Sequence[str] = (),
    tags: Sequence[Shape] = (),
    user_group_id: str | None = None,
    subnet_ids: Sequence[str] = (),
    snapshot_arns_to_restore: Sequence[str] = (),
    snapshot_retention_limit: int | None = None,
    daily_snapshot_time: str | None = None,
    network_type: str | None = None,
    connection_type: str | None = None,
) -> Shape:
    """Make a serverless cache; it is `creating` until what is behind it serves."""
    checks.only_ipv4(network_type, None)
    checks.refuse_unless(connection_type, "vpc", "ConnectionType", "no cache is reachable from the internet.")
    name = serverless_name(serverless_cache_name)
    if tx.get(ServerlessCache, owner_key(tx.world, name)):
        raise EXISTS(name=name)
    if tx.world.count(ServerlessCache) >= CACHES_MAX:
        raise TOO_MANY(limit=CACHES_MAX)
    build = choose_major(tx.world, engine.lower(), major_engine_version)
    if build.engine == "memcached":
        for given, of in (
            (user_group_id, "UserGroupId"), (snapshot_retention_limit, "SnapshotRetentionLimit"),
            (daily_snapshot_time, "DailySnapshotTime"),
        ):  # fmt: skip
            if given:
                raise NOT_FOR_MEMCACHED(name=of)
    subnets = _subnets(tx.world, subnet_ids)
    where = CacheSubnetGroup(
        id="", account=SERVICE, region=tx.region, name="serverless", description=name,
        vpc_id=subnets[0].vpc_id, subnet_ids=tuple(subnet.id for subnet in subnets),
    )  # fmt: skip
    tls.check(build, where, REQUIRED)
    groups = checks.security_groups(tx.world, security_group_ids, where, None)
    limits = limits_of(cache_usage_limits)
    source = _source(tx, snapshot_arns_to_restore, build)
    wishes = Wishes(build=build, limits=limits, subnets=where, security_group_ids=groups, source=source)
    backing_id = _make_behind(tx, wishes)
    if user_group_id:
        access_control.restrict(tx, tx.world[ReplicationGroup, backing_id], None, [user_group_id])
    cache = tx.make(
        ServerlessCache,
        owner_key(tx.world, name),
        name=name,
        description=description,
        engine=build.engine,
        major_version=major(build),
        limits=limits,
        security_group_ids=groups,
        subnet_ids=where.subnet_ids,
        vpc_id=where.vpc_id,
        backing_id=backing_id,
        created=tx.now,
        user_group=user_group_id.lower() if user_group_id else None,
        kms_key_id=kms_key_id,
        snapshot_retention=retention(snapshot_retention_limit),
        snapshot_time=snapshot_time(daily_snapshot_time) or (None if build.engine == "memcached" else _some_time(tx)),
        tags=tags_of(tags),
    )
    return {"ServerlessCache": render(tx.world, cache)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is to be behind a serverless cache."""

    build: Build
    limits: UsageLimits
    subnets: CacheSubnetGroup
    security_group_ids: tuple[str, ...]
    source: restore.Source | None


def major(build: Build) -> str:
    """Return the MajorEngineVersion of a build: `8`; `1.6` of Memcached."""
    return short_version(build.version) if build.engine == "memcached" else str(numbers(build.version)[0])


def choose_major(world: World, engine: str, version: str | None) -> Build:
    """Return the newest build of a major version, else of all.  Raises what helps."""
    if engine not in ENGINES:
        raise BAD_ENGINE(engine=engine, engines=", ".join(ENGINES))
    found = builds(world, engine)
    fitting = [build for build in found if version in (None, major(build))]
    if fitting:
        return fitting[-1]
    if not found:
        raise NO_BUILD(engine=engine)
    raise NO_MAJOR(version=version, engine=engine, versions=", ".join(dict.fromkeys(map(major, found))))


def retention(days: int | None) -> int:
    """Return for how many days snapshots are kept."""
    if days is not None and not 0 <= days <= RETENTION_MAX:
        why = f"Must be between 0 and {RETENTION_MAX}."
        raise errors.BAD_VALUE(got=days, name="SnapshotRetentionLimit", why=why)
    return days or 0


def snapshot_time(text: str | None) -> str | None:
    """Check when a day's snapshot is made."""
    if text is not None and not HOURS_MINUTES.fullmatch(text):
        raise BAD_TIME(got=text)
    return text


def _some_time(tx: Tx) -> str:
    minutes = int(tx.new_hex(8), 16) % (24 * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _subnets(world: World, ids: Sequence[str]) -> list[Subnet]:
    """Return the subnets that clients reach it through, in different zones; none named: those of the default VPC."""
    if not ids:
        default = subnet_group.of_default_vpc(world)
        if default is None:
            raise NO_DEFAULT_VPC()
        by_zone = {subnet.zone: subnet for subnet in (world[Subnet, id] for id in reversed(default.subnet_ids))}
        return [by_zone[zone] for zone in sorted(by_zone)][: SUBNETS[-1]]
    found = subnet_group.named_subnets(world, ids)
    if len(found) not in SUBNETS:
        raise SUBNET_COUNT(got=len(found))
    if len({subnet.zone for subnet in found}) < len(found):
        raise SUBNET_ZONES()
    return found


def _source(tx: Tx, arns: Sequence[str], build: Build) -> restore.Source | None:
    """Return what a cache is to begin with: a snapshot of a serverless cache, or RDB files in buckets."""
    if arns and build.engine == "memcached":
        raise NOT_FOR_MEMCACHED(name="SnapshotArnsToRestore")
    prefix = arn("elasticache", tx.region, tx.account, "serverlesscachesnapshot:")
    if not any(one.startswith(prefix) for one in arns):
        return restore.source_of(tx.world, None, arns)
    if len(arns) > 1:
        raise ONE_SNAPSHOT()
    found = available(tx.world, arns[0].removeprefix(prefix))
    with tx.acting_as(SERVICE):
        return restore.source_of(tx.world, tx.world[Snapshot, found.snapshot_id].name, ())


def _make_behind(tx: Tx, wishes: Wishes) -> str:
    """Make what serves: a group of a primary and a replica, or a Memcached node; returns its World id."""
    weekly, daily = checks.new_windows(tx, None, None)
    with tx.acting_as(SERVICE):
        name = f"sl{tx.new_hex(12)}"
        id = owner_key(tx.world, name)
        order = Order(
            build=wishes.build,
            requested_version=None,
            node_type=serverless_type(wishes.limits.data_max_gb or DATA_MAX_GB),
            parameter_group=_parameters(tx.world, wishes.build),
            subnet_group=tx.put(wishes.subnets.but(id=id, name=name)),
            security_group_ids=wishes.security_group_ids,
            port=MEMCACHED_PORT if wishes.build.engine == "memcached" else PORT,
            maintenance_window=weekly,
            snapshot_window=daily,
            auto_minor_upgrade=True,
            notification_topic=None,
            tags={},
            at_rest=True,
            tls=REQUIRED,
            sharded=wishes.build.engine != "memcached",
        )
        if wishes.build.engine == "memcached":
            zone = nodes.one_zone(tx.world, order.subnet_group)
            return make_cluster(tx, order, name, [zone]).id
        group = empty_group(tx, name, "serverless", order, multi_az="enabled")
        group = tx.put(group.but(node_groups=(make_shard(tx, group, order, SHARD, 0),)))
        restore.seed(tx, group, wishes.source)
        return group.id


def _parameters(world: World, build: Build) -> parameter_group.Group:
    suffix = "" if build.engine == "memcached" else ".cluster.on"
    return parameter_group.find_group(world, f"default.{build.family}{suffix}")
