"""Engine parameters: AWS's defaults for each family, what may be changed, and to what.

Source: ElastiCache User Guide, "Redis OSS and Valkey parameters" and "Memcached specific parameters".
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from atoll.cache.families import engine_of, numbers
from atoll.cache.node_types import NODE_TYPES


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a family; `value` is AWS's default, None where AWS shows none."""

    name: str
    value: str | None
    allowed: str  # "1-75", "yes,no", "0-", or "" for anything
    description: str
    kind: str = "integer"  # AWS's DataType
    modifiable: bool = True
    reboot: bool = False  # ChangeType requires-reboot
    since: str = "2.6.13"  # AWS's MinimumEngineVersion
    until: str | None = None  # the version that dropped it
    letters: str = ""  # of a text with any value: what it consists of, for it becomes a line of a configuration

    def accepts(self, value: str) -> bool:
        """Tell whether AWS would take the value."""
        if self.kind == "string":
            return value in self.allowed.split(",") if self.allowed else set(value) <= set(self.letters)
        if self.kind == "float":
            low, _, high = self.allowed.partition("-")
            return bool(re.fullmatch(r"[0-9]+(\.[0-9]+)?", value)) and float(low) <= float(value) <= float(high)
        if not re.fullmatch(r"-?[0-9]+", value):
            return False
        return not self.allowed or any(_within(int(value), part) for part in self.allowed.split(","))


@dataclass(frozen=True, slots=True)
class PerNodeType:
    """A parameter whose value depends on the node type."""

    name: str
    description: str
    values: tuple[tuple[str, str], ...]  # node type, value


def _within(value: int, span: str) -> bool:
    """Tell whether a number lies in a span as AWS writes it: `5`, `1-75`, `0-`, `-`."""
    low, dash, high = span.rpartition("-")
    if not dash:
        return value == int(span)
    return (not low or value >= int(low)) and (not high or value <= int(high))


_YES_NO = "yes,no"
_POLICIES = "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,noeviction"


def _flag(name: str, value: str, text: str, since: str = "2.6.13", *, modifiable: bool = True) -> Parameter:
    return Parameter(name, value, _YES_NO, text, kind="string", since=since, modifiable=modifiable)


def _fixed(name: str, value: str, allowed: str, text: str, kind: str = "integer") -> Parameter:
    return Parameter(name, value, allowed, text, kind=kind, modifiable=False)


_P = Parameter
_REDIS: tuple[Parameter, ...] = (
    _P("acl-pubsub-default", "allchannels", "allchannels,resetchannels",
       "Default pubsub channel permissions for ACL users.", "string", since="7.0.0"),
    _P("acllog-max-len", "128", "1-10000", "Max number of entries in the ACL log.", since="6.0.0"),
    _P("active-defrag-cycle-max", "75", "1-75", "Maximal effort for defrag in CPU percentage.", since="4.0.10"),
    _P("active-defrag-cycle-min", "25", "1-75", "Minimal effort for defrag in CPU percentage.", since="4.0.10"),
    _P("active-defrag-max-scan-fields", "1000", "1-1000000",
       "Maximum number of set/hash/zset/list fields that are processed in a main dictionary scan.", since="5.0.0"),
    _P("active-defrag-threshold-lower", "10", "1-100",
       "Minimum percentage of fragmentation to start active defrag.", since="4.0.10"),
    _P("active-defrag-threshold-upper", "100", "1-100",
       "Maximum percentage of fragmentation at which maximum effort is used.", since="4.0.10"),
    _P("active-expire-effort", "1", "1-10", "The effort used to delete expired keys.", since="6.0.0"),
    _flag("activedefrag", "no", "Enabled active memory defragmentation.", "4.0.10"),
    replace(_flag("activerehashing", "yes", "Apply rehashing or not."), reboot=True, until="7.0.0"),
    _P("appendfsync", "everysec", "always,everysec,no", "fsync policy for AOF persistence", "string",
       modifiable=False),
    _flag("appendonly", "no", "Enable Redis persistence.", modifiable=False),
    _P("client-output-buffer-limit-normal-hard-limit", "0", "0-",
       "Normal client output buffer hard limit in bytes."),
    _P("client-output-buffer-limit-normal-soft-limit", "0", "0-",
       "Normal client output buffer soft limit in bytes."),
    _P("client-output-buffer-limit-normal-soft-seconds", "0", "0-",
       "Normal client output buffer soft limit in seconds."),
    _P("client-output-buffer-limit-pubsub-hard-limit", "33554432", "0-",
       "Pubsub client output buffer hard limit in bytes."),
    _P("client-output-buffer-limit-pubsub-soft-limit", "8388608", "0-",
       "Pubsub client output buffer soft limit in bytes."),
    _P("client-output-buffer-limit-pubsub-soft-seconds", "60", "0-",
       "Pubsub client output buffer soft limit in seconds."),
    _fixed("client-output-buffer-limit-replica-soft-seconds", "60", "0-",
           "Replica client output buffer soft limit in seconds."),
    _flag("close-on-replica-write", "yes",
          "If enabled, clients who attempt to write to a read-only replica will be disconnected."),
    _flag("cluster-allow-pubsubshard-when-down", "yes",
          "When yes, allows nodes to serve pubsub shard traffic while the cluster is down.", "7.0.0"),
    _flag("cluster-allow-reads-when-down", "no",
          "When yes, a node serves read traffic while it cannot reach a quorum of primaries.", "6.0.0"),
    _P("cluster-enabled", "no", _YES_NO, "Enable cluster mode.", "string", reboot=True),
    _P("cluster-preferred-endpoint-type", "tls-dynamic", "ip,tls-dynamic",
       "What cluster commands announce: addresses or names.", "string", since="7.0.0"),
    _flag("cluster-require-full-coverage", "no",
          "When yes, a cluster stops serving queries when a hash slot is uncovered.", "3.2.4"),
    _P("databases", "16", "1-1200000", "Set the number of databases.", reboot=True),
    _P("hash-max-listpack-entries", "512", "0-",
       "The maximum number of hash entries in order for the dataset to be compressed.", since="7.0.0"),
    _P("hash-max-listpack-value", "64", "0-",
       "The threshold of biggest hash entries in order for the dataset to be compressed.", since="7.0.0"),
    _P("hash-max-ziplist-entries", "512", "0-",
       "The maximum number of hash entries in order for the dataset to be compressed.", until="7.0.0"),
    _P("hash-max-ziplist-value", "64", "0-",
       "The threshold of biggest hash entries in order for the dataset to be compressed.", until="7.0.0"),
    _P("hll-sparse-max-bytes", "3000", "1-16000", "HyperLogLog sparse representation bytes limit.", since="2.8.9"),
    _flag("latency-tracking", "no", "Track the per command latencies and export percentiles.", "7.0.0"),
    _flag("lazyfree-lazy-eviction", "no", "Perform an asynchronous delete on evictions.", "4.0.10"),
    _flag("lazyfree-lazy-expire", "no", "Perform an asynchronous delete on expired keys.", "4.0.10"),
    _flag("lazyfree-lazy-server-del", "no",
          "Perform an asynchronous delete for commands which update values.", "4.0.10"),
    _flag("lazyfree-lazy-user-del", "no", "Whether DEL acts as UNLINK.", "6.0.0"),
    _P("lfu-decay-time", "1", "1-", "The amount of time in minutes to decrement the key counter.", since="4.0.10"),
    _P("lfu-log-factor", "10", "1-", "The log factor for incrementing the key counter.", since="4.0.10"),
    _P("list-compress-depth", "0", "0-",
       "Number of quicklist ziplist nodes from each side of the list to exclude from compression.", since="3.2.4"),
    _fixed("lua-time-limit", "5000", "5000",
           "Max execution time of a Lua script in milliseconds. 0 for unlimited execution without warnings."),
    replace(_fixed("maxclients", "65000", "1-65000", "The maximum number of Redis clients."), reboot=True),
    _P("maxmemory-policy", "volatile-lru", _POLICIES, "Max memory policy.", "string"),
    _P("maxmemory-samples", "3", "1-", "Max memory samples."),
    _P("min-replicas-max-lag", "10", "0-",
       "The maximum lag in seconds of a replica that counts for min-replicas-to-write."),
    _P("min-replicas-to-write", "0", "0-", "The number of replicas a primary needs in order to take writes."),
    _P("notify-keyspace-events", None, "",
       "The keyspace events for Redis to notify Pub/Sub clients about. By default all notifications are disabled",
       "string", letters="KEg$lshzxeAntmd"),  # redis.io/docs/latest/develop/pubsub/keyspace-notifications
    _P("rename-commands", None, "", "Commands that are renamed, as pairs of names.", "string", reboot=True,
       since="5.0.3", modifiable=False),
    _P("repl-backlog-size", "1048576", "16384-",
       "The replication backlog size in bytes for PSYNC. Minimum value is 16K."),
    _P("repl-backlog-ttl", "3600", "0-",
       "The time in seconds after which a primary without replicas frees its backlog; 0 for never."),
    _fixed("repl-timeout", "60", "11-", "The timeout in seconds for bulk transfer I/O during sync."),
    _flag("replica-allow-chaining", "no", "Configures if chaining of replicas is allowed", modifiable=False),
    _flag("replica-ignore-maxmemory", "yes", "Replicas ignore maxmemory.", modifiable=False),
    _P("reserved-memory-percent", "25", "0-100",
       "The percent of memory reserved for non-cache memory usage.", since="2.8.6"),
    _P("set-max-intset-entries", "512", "0-",
       "The limit in the size of the set in order for the dataset to be compressed."),
    _P("slowlog-log-slower-than", "10000", "-",
       "The execution time, in microseconds, to exceed in order for the command to get logged."),
    _P("slowlog-max-len", "128", "0-", "The length of the slow log."),
    _P("stream-node-max-bytes", "4096", "0-", "The maximum size of a single node in a stream in bytes.",
       since="5.0.0"),
    _P("stream-node-max-entries", "100", "0-", "The maximum number of items in a single node in a stream.",
       since="5.0.0"),
    _P("tcp-keepalive", "300", "0-", "If non-zero, send ACKs every given number of seconds."),
    _P("timeout", "0", "0,20-",
       "Close connection if client is idle for a given number of seconds, or never if 0."),
    _P("tracking-table-max-keys", "1000000", "1-100000000",
       "Max number of keys tracked for client side caching.", since="6.0.0"),
    _P("zset-max-listpack-entries", "128", "0-",
       "The maximum number of sorted set entries in order for the dataset to be compressed.", since="7.0.0"),
    _P("zset-max-listpack-value", "64", "0-",
       "The threshold of biggest sorted set entries in order for the dataset to be compressed.", since="7.0.0"),
    _P("zset-max-ziplist-entries", "128", "0-",
       "The maximum number of sorted set entries in order for the dataset to be compressed.", until="7.0.0"),
    _P("zset-max-ziplist-value", "64", "0-",
       "The threshold of biggest sorted set entries in order for the dataset to be compressed.", until="7.0.0"),
)  # fmt: skip

# name, default, allowed, DataType, modifiable, description.  Every change takes a reboot.
_MEMCACHED = tuple(
    Parameter(name, value, allowed, text, kind=kind, modifiable=modifiable, reboot=True, since="1.4.5")
    for name, value, allowed, kind, modifiable, text in (
        ("backlog_queue_limit", "1024", "1-10000", "integer", False, "Backlog queue limit."),
        ("binding_protocol", "auto", "auto,binary,ascii", "string", True, "Binding protocol."),
        ("cas_disabled", "0", "0,1", "integer", True, "If true, the CAS operations are disabled."),
        ("chunk_size", "48", "1-1024", "integer", True,
         "Minimum space in bytes to allocate for the smallest item's key+value+flags."),
        ("chunk_size_growth_factor", "1.25", "1-1024", "float", True,
         "The growth factor that controls the size of each successive chunk."),
        ("config_max", "16", "1-16", "integer", False, "Maximum configuration items."),
        ("config_size_max", "65536", "1-65536", "integer", False, "Maximum size of configuration entries."),
        ("disable_flush_all", "0", "0,1", "integer", True, "Disable flush_all."),
        ("error_on_memory_exhausted", "0", "0,1", "integer", True,
         "If true, when there is no more memory to store items, Memcached answers an error rather than evicting."),
        ("hash_algorithm", "jenkins", "jenkins,murmur3", "string", True, "The hash algorithm."),
        ("hashpower_init", "16", "12-64", "integer", False, "Initial size of the hash table, as a power of 2."),
        ("idle_timeout", "0", "0-86400", "integer", True, "Seconds until idle clients are closed; 0 for never."),
        ("large_memory_pages", "0", "0,1", "integer", False, "Use large memory pages."),
        ("lock_down_paged_memory", "0", "0,1", "integer", False, "Lock down all paged memory."),
        ("lru_crawler", "0", "0,1", "integer", True, "Reclaim expired items in the background."),
        ("lru_maintainer", "0", "0,1", "integer", True, "Move items between the LRUs in the background."),
        ("max_item_size", "1048576", "1024-1073741824", "integer", True, "The size in bytes of the largest item."),
        ("max_simultaneous_connections", "65000", "3-65000", "integer", False,
         "The maximum number of simultaneous connections."),
        ("maxconns_fast", "1", "0,1", "integer", True,
         "Answer an error at once to connections above the maximum."),
        ("maximize_core_file_limit", "0", "0,1", "integer", False, "Maximize core file limit."),
        ("memcached_connections_overhead", "100", "0-", "integer", True,
         "Memory in MB kept for connections and other overhead."),
        ("modern", "1", "0,1", "integer", True, "Use the features that modern Memcached turns on."),
        ("requests_per_event", "20", "1-", "integer", False, "The maximum number of requests per event."),
        ("slab_automove", "0", "0,1,2", "integer", True, "The aggressiveness of moving memory between slabs."),
        ("slab_chunk_max", "524288", "1024-", "integer", True, "The size in bytes of the largest slab chunk."),
        ("slab_reassign", "0", "0,1", "integer", True, "Whether slabs may be reassigned at run time."),
        ("track_sizes", "0", "0,1", "integer", True, "Track the sizes that each slab class consumes."),
        ("watcher_logbuf_size", "256", "1-", "integer", True, "Size in KB of the buffer for watchers."),
        ("worker_logbuf_size", "64", "1-", "integer", True, "Size in KB of each worker's log buffer."),
    )
)  # fmt: skip


@lru_cache(64)  # each plan of a node asks
def of_family(family: str, *, cluster_on: bool = False) -> tuple[Parameter, ...]:
    """Return a family's parameters by name, with their defaults."""
    engine = engine_of(family)
    if engine == "memcached":
        return _MEMCACHED
    version = (7, 0, 0) if engine == "valkey" else numbers(family.removeprefix("redis").replace("x", "9"))
    rows = (
        p
        for p in _REDIS
        if numbers(p.since) <= _padded(version) and not (p.until and _padded(version) >= numbers(p.until))
    )
    return tuple(replace(p, value="yes") if cluster_on and p.name == "cluster-enabled" else p for p in rows)


def per_node_type(family: str) -> tuple[PerNodeType, ...]:
    """Return the parameters whose values the node type decides."""
    types = NODE_TYPES.values()
    if engine_of(family) == "memcached":
        memory = tuple((t.name, str(t.memcached_mib)) for t in types)
        threads = tuple((t.name, str(t.threads)) for t in types)
        return (
            PerNodeType("max_cache_memory", "Maximum memory in MB for the cache.", memory),
            PerNodeType("num_threads", "Number of threads.", threads),
        )
    memory = tuple((t.name, str(t.memory_bytes)) for t in types)
    return (PerNodeType("maxmemory", "The maximum amount of memory in bytes for the cache.", memory),)


def _padded(version: tuple[int, ...]) -> tuple[int, ...]:
    return (*version, 99, 99)[:3]  # a family holds every patch of its version
