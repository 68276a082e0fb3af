"""Changes that are the same call for every kind of cache under another name."""

from typing import Any

from atoll.console.ask import Ask
from atoll.console.caches.subject import Cache

_CALLS = {
    "group": ("ModifyReplicationGroup", "ReplicationGroupId"),
    "cluster": ("ModifyCacheCluster", "CacheClusterId"),
    "serverless": ("ModifyServerlessCache", "ServerlessCacheName"),
}


async def modify(ask: Ask, cache: Cache, **changes: Any) -> None:
    """Change a cache now; of a serverless one nothing else is possible.  Raises AwsError."""
    action, member = _CALLS[cache.kind]
    at_once = {} if cache.kind == "serverless" else {"ApplyImmediately": True}
    await ask.aws("elasticache", action, **{member: cache.name}, **changes, **at_once)
