"""What an engine says of itself, under the names of AWS's metrics.

Sources: ElastiCache User Guide, "Metrics for Valkey and Redis OSS", "Metrics for Memcached", "Host-level metrics";
the engines' own documentation of INFO and `stats`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

Said = Mapping[str, str]  # the fields of INFO or of `stats`

COUNT, BYTES, PERCENT, SECONDS = "Count", "Bytes", "Percent", "Seconds"

# Metric -> the field that counts it since the engine's start.
SERVER_TOTALS = {
    "CacheHits": "keyspace_hits",
    "CacheMisses": "keyspace_misses",
    "Evictions": "evicted_keys",
    "Reclaimed": "expired_keys",
    "NewConnections": "total_connections_received",
}
MEMCACHED_TOTALS = {
    "BytesReadIntoMemcached": "bytes_read",
    "BytesWrittenOutFromMemcached": "bytes_written",
    "CasBadval": "cas_badval",
    "CasHits": "cas_hits",
    "CasMisses": "cas_misses",
    "CmdFlush": "cmd_flush",
    "CmdGet": "cmd_get",
    "CmdSet": "cmd_set",
    "CmdTouch": "cmd_touch",
    "DecrHits": "decr_hits",
    "DecrMisses": "decr_misses",
    "DeleteHits": "delete_hits",
    "DeleteMisses": "delete_misses",
    "EvictedUnfetched": "evicted_unfetched",
    "Evictions": "evictions",
    "ExpiredUnfetched": "expired_unfetched",
    "GetHits": "get_hits",
    "GetMisses": "get_misses",
    "IncrHits": "incr_hits",
    "IncrMisses": "incr_misses",
    "NewConnections": "total_connections",
    "NewItems": "total_items",
    "Reclaimed": "reclaimed",
    "TouchHits": "touch_hits",
    "TouchMisses": "touch_misses",
}
# Metric -> the field that says it as it is now.
SERVER_GAUGES = {
    "BytesUsedForCache": "used_memory",
    "CurrConnections": "connected_clients",
    "MemoryFragmentationRatio": "mem_fragmentation_ratio",
}
MEMCACHED_GAUGES = {
    "BytesUsedForCacheItems": "bytes",
    "CurrConnections": "curr_connections",
    "CurrItems": "curr_items",
    "SlabsMoved": "slabs_moved",
}
# Derived from the calls of `INFO commandstats`, as AWS does: what reads a type, what writes one.
_READING = (
    "bitcount bitfield_ro bitpos dump exists expiretime geodist geohash geopos georadius_ro georadiusbymember_ro "
    "geosearch get getbit getrange hexists hget hgetall hkeys hlen hmget hrandfield hscan hstrlen hvals keys lcs "
    "lindex llen lpos lrange mget object pexpiretime pfcount pttl randomkey scan scard sdiff sinter sintercard "
    "sismember smembers smismember sort_ro srandmember sscan strlen substr sunion touch ttl type xinfo xlen "
    "xpending xrange xread xrevrange zcard zcount zdiff zinter zintercard zlexcount zmscore zrandmember zrange "
    "zrangebylex zrangebyscore zrank zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion"
)
READING = frozenset(_READING.split())
_WRITING = (
    "append bitfield bitop blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin copy decr decrby del "
    "expire expireat geoadd georadius georadiusbymember geosearchstore getdel getex getset hdel hexpire hincrby "
    "hincrbyfloat hmset hset hsetnx incr incrby incrbyfloat linsert lmove lmpop lpop lpush lpushx lrem lset ltrim "
    "migrate move mset msetnx persist pexpire pexpireat pfadd pfmerge psetex rename renamenx restore rpop "
    "rpoplpush rpush rpushx sadd sdiffstore set setbit setex setnx setrange sinterstore smove sort spop srem "
    "sunionstore unlink xack xadd xautoclaim xclaim xdel xgroup xreadgroup xsetid xtrim zadd zdiffstore zincrby "
    "zinterstore zmpop zpopmax zpopmin zrangestore zrem zremrangebylex zremrangebyrank zremrangebyscore "
    "zunionstore"
)
WRITING = frozenset(_WRITING.split())
_CALLS = re.compile(r"calls=(\d+)")
_KEYS = re.compile(r"keys=(\d+),expires=(\d+)")
_UNITS = {
    "BytesReadIntoMemcached": BYTES, "BytesUsedForCache": BYTES, "BytesUsedForCacheItems": BYTES,
    "BytesWrittenOutFromMemcached": BYTES, "CPUUtilization": PERCENT, "CacheHitRate": PERCENT,
    "DatabaseMemoryUsagePercentage": PERCENT, "EngineCPUUtilization": PERCENT, "FreeableMemory": BYTES,
    "GlobalDatastoreReplicationLag": SECONDS,
    "NetworkBytesIn": BYTES, "NetworkBytesOut": BYTES, "ReplicationBytes": BYTES, "ReplicationLag": SECONDS,
    "UnusedMemory": BYTES,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """What a node said at a time."""

    gauges: Mapping[str, float]  # metric -> its value now
    totals: Mapping[str, float]  # metric -> how much since the engine's start
    engine_seconds: float | None  # of processor time, of the thread that answers; None: it does not say
    all_seconds: float | None  # of processor time, of all its threads


def unit(metric: str) -> str:
    """Return CloudWatch's unit of a metric of ElastiCache."""
    return _UNITS.get(metric, COUNT)


def read(said: Said, *, is_memcached: bool, memory_bytes: int) -> Reading:
    """Return what an engine says of itself; `memory_bytes` is the memory of its node type."""
    return _read_memcached(said, memory_bytes) if is_memcached else _read_server(said, memory_bytes)


def since(now: Reading, before: Reading | None, seconds: float, *, vcpus: int) -> dict[str, float]:
    """Return the values of a sample: what is, and what was added in the `seconds` since the reading before.

    Without a reading before it, only what is; a total that has fallen began anew.
    """
    found = dict(now.gauges)
    if before is None or seconds <= 0:
        return found
    for name, total in now.totals.items():
        if name in before.totals:  # a replica that was promoted begins to count what it sends
            found[name] = _added(total, before.totals[name])
    asked = found.get("CacheHits", 0.0) + found.get("CacheMisses", 0.0)
    if asked:
        found["CacheHitRate"] = 100 * found["CacheHits"] / asked
    if now.all_seconds is not None and before.all_seconds is not None:
        found["CPUUtilization"] = _share(now.all_seconds, before.all_seconds, seconds * vcpus)
    if now.engine_seconds is not None and before.engine_seconds is not None:
        found["EngineCPUUtilization"] = _share(now.engine_seconds, before.engine_seconds, seconds)
    return found


def _share(now: float, before: float, seconds: float) -> float:
    return min(100 * _added(now, before) / seconds, 100.0)


def _added(now: float, before: float) -> float:
    return now - before if now >= before else now


def _read_server(said: Said, memory_bytes: int) -> Reading:
    gauges = {metric: float(said[field]) for metric, field in SERVER_GAUGES.items() if field in said}
    gauges["FreeableMemory"] = max(memory_bytes - _number(said, "used_memory_rss"), 0.0)
    if limit := _number(said, "maxmemory"):
        gauges["DatabaseMemoryUsagePercentage"] = 100 * _number(said, "used_memory") / limit
    spaces = [m for name, text in said.items() if name.startswith("db") and (m := _KEYS.match(text))]
    gauges["CurrItems"] = float(sum(int(m[1]) for m in spaces))
    gauges["CurrVolatileItems"] = float(sum(int(m[2]) for m in spaces))
    is_master = said.get("role") == "master"
    gauges["IsMaster"] = float(is_master)
    gauges["SaveInProgress"] = float("1" in (said.get("rdb_bgsave_in_progress"), said.get("aof_rewrite_in_progress")))
    totals = {metric: float(said[field]) for metric, field in SERVER_TOTALS.items() if field in said}
    for metric, names in (("GetTypeCmds", READING), ("SetTypeCmds", WRITING)):
        totals[metric] = float(sum(n for command, n in _calls(said) if command in names))
    if is_master:
        totals["ReplicationBytes"] = _number(said, "master_repl_offset")
    else:
        is_up = said.get("master_link_status") == "up"
        gauges["MasterLinkHealthStatus"] = float(is_up)
        if is_up:
            gauges["ReplicationLag"] = max(_number(said, "master_last_io_seconds_ago"), 0.0)
    main = [f"used_cpu_{kind}_main_thread" for kind in ("sys", "user")]
    engine = sum(_number(said, field) for field in main) if main[0] in said else None
    return Reading(gauges, totals, engine, _number(said, "used_cpu_sys") + _number(said, "used_cpu_user"))


def _read_memcached(said: Said, memory_bytes: int) -> Reading:
    gauges = {metric: float(said[field]) for metric, field in MEMCACHED_GAUGES.items() if field in said}
    gauges["UnusedMemory"] = max(_number(said, "limit_maxbytes") - _number(said, "bytes"), 0.0)
    gauges["FreeableMemory"] = max(memory_bytes - _number(said, "bytes"), 0.0)
    totals = {metric: float(said[field]) for metric, field in MEMCACHED_TOTALS.items() if field in said}
    return Reading(gauges, totals, None, _number(said, "rusage_user") + _number(said, "rusage_system"))


def _calls(said: Said) -> list[tuple[str, int]]:
    """Return how often each command was called; a subcommand counts for its command."""
    found = ((name, _CALLS.match(text)) for name, text in said.items() if name.startswith("cmdstat_"))
    return [(name.removeprefix("cmdstat_").partition("|")[0].lower(), int(m[1])) for name, m in found if m]


def _number(said: Said, field: str) -> float:
    return float(said.get(field, 0))
