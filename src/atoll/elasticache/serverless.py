"""DescribeServerlessCaches, and how a serverless cache is shown.

Source: ElastiCache API Reference, ServerlessCache.
"""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_tokens
from atoll.cache.families import short_version
from atoll.cache.serverless import behind, name_of, ports, status
from atoll.elasticache import errors
from atoll.elasticache.find import owner_key
from atoll.model.names import arn
from atoll.model.serverless import ServerlessCache, UsageLimits
from atoll.model.world import World

RESULTS_MAX = 100

# What is shown of each stage of a migration; AWS documents no words for them.
STAGES = {
    "preparing": "preparing", "leaving": "preparing", "prepared": "prepared", "starting": "syncing",
    "copying": "syncing", "stopping": "stopping", "completing": "cutting-over", "promoting": "cutting-over",
    "returning": "cutting-over",
}  # fmt: skip

NOT_FOR_MEMCACHED = Err("InvalidParameterCombination", "{name} is not supported for the engine memcached.")


@operation("elasticache", "DescribeServerlessCaches")
def describe_serverless_caches(
    world: World,
    *,
    serverless_cache_name: str | None = None,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List serverless caches, by name."""
    if serverless_cache_name:
        return {"ServerlessCaches": [render(world, find(world, serverless_cache_name))]}
    caches = sorted(world.all(ServerlessCache), key=lambda cache: cache.name)
    page, token = page_tokens(caches, lambda cache: cache.name, max_results, next_token, high=RESULTS_MAX)
    return {"ServerlessCaches": [render(world, cache) for cache in page], "NextToken": token}


def find(world: World, name: str) -> ServerlessCache:
    """Return a serverless cache by its name, in whatever case.  Raises SERVERLESS_NOT_FOUND."""
    found = world.get(ServerlessCache, owner_key(world, name.lower()))
    if found is None:
        raise errors.SERVERLESS_NOT_FOUND(name=name)
    return found


def render(world: World, cache: ServerlessCache) -> Shape:
    """Return a serverless cache as AWS's ServerlessCache; its endpoints are shown once it has answered."""
    now, back = status(world, cache), behind(world, cache)
    host, (port, reader) = name_of(cache), ports(cache)
    shape: Shape = {
        "ServerlessCacheName": cache.name,
        "Description": cache.description,
        "CreateTime": cache.created,
        "Status": now,
        "Engine": cache.engine,
        "MajorEngineVersion": cache.major_version,
        "FullEngineVersion": short_version(back.primary.engine_version),
        "CacheUsageLimits": _limits(cache.limits),
        "KmsKeyId": cache.kms_key_id,
        "SecurityGroupIds": list(cache.security_group_ids),
        "ARN": arn("elasticache", cache.region, cache.account, f"serverlesscache:{cache.name}"),
        "UserGroupId": cache.user_group,
        "SubnetIds": list(cache.subnet_ids),
        "NetworkType": "ipv4",
    }
    if back.group and (migration := back.group.shard.migration):
        shape["Migration"] = {
            "Status": STAGES[migration.stage],
            "MigrationEndpoint": {"Address": host, "Port": port},
            "CutoverMode": "auto" if migration.cuts_over else "manual",
        }
    if not cache.is_memcached:
        shape |= {"SnapshotRetentionLimit": cache.snapshot_retention, "DailySnapshotTime": cache.snapshot_time}
    if now not in ("creating", "create-failed"):
        shape["Endpoint"] = {"Address": host, "Port": port}
        shape["ReaderEndpoint"] = {"Address": host, "Port": reader}
    return shape


def _limits(limits: UsageLimits) -> Shape | None:
    data = {"Maximum": limits.data_max_gb, "Minimum": limits.data_min_gb}
    ecpu = {"Maximum": limits.ecpu_max, "Minimum": limits.ecpu_min}
    shape: Shape = {}
    if any(data.values()):
        shape["DataStorage"] = {**data, "Unit": "GB"}
    if any(ecpu.values()):
        shape["ECPUPerSecond"] = ecpu
    return shape or None
