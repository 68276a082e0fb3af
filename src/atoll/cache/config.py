"""How an engine is configured: the settings of a node, the text of its configuration file, Memcached's arguments.

What only the host knows (its directories, the administration socket, the administrator's password, how many files it
may open) are parameters of `server_text` and `memcached_arguments`.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address

from atoll.cache import shards
from atoll.cache.acl import ADMINISTRATOR, users
from atoll.cache.families import family, numbers
from atoll.cache.node import NodePlan, Settings
from atoll.cache.node_types import MEMCACHED_OVERHEAD_MIB, MIB, NodeType
from atoll.cache.parameters import of_family
from atoll.cache.restricted import renames

# AWS's parameters that are no directives of the engine: decided below, or about features that AWS adds itself.
_NOT_DIRECTIVES = frozenset({
    "appendfsync", "appendonly", "close-on-replica-write", "rename-commands", "replica-allow-chaining",
    "reserved-memory", "reserved-memory-percent",
})  # fmt: skip
_BUFFER_CLASSES = ("normal", "pubsub", "replica")
# While a group comes up, the server cron sets the pace at which the end of a full synchronisation is noticed.
JOINING_HZ = 100
# More replicas than there can be: without them, an engine takes no writes.
NO_WRITES = (("min-replicas-to-write", "1000"), ("min-replicas-max-lag", "10"))  # with a lag of 0 nobody is counted


def server_settings(
    engine: str, version: str, node_type: NodeType, port: int, values: Mapping[str, str], *, sharded: bool = False
) -> Settings:
    """Return the settings of a Redis or Valkey node: AWS's parameters, with `values` in place of the defaults.

    Nothing is kept on disk (`save ""`, no append-only file, full synchronisation through sockets), as on AWS.
    """
    rows = of_family(family(engine, version))
    parameters = {row.name: row.value or "" for row in rows} | dict(values)
    out = [
        ("port", str(port)),
        ("protected-mode", "no"),
        ("save", '""'),
        ("appendonly", "no"),
        ("maxmemory", str(data_bytes(node_type, parameters))),
        ("hz", str(JOINING_HZ)),
        ("repl-diskless-sync", "yes"),
        ("repl-diskless-sync-delay", "0"),
        ("repl-diskless-load", "on-empty-db"),
    ]
    if numbers(version) >= (7,):
        out.append(("shutdown-timeout", "0"))  # the data goes with the process: nothing to wait for
    out += [("client-output-buffer-limit", limit) for limit in _buffer_limits(parameters, node_type)]
    out += [
        (name, value or '""')
        for name, value in sorted(parameters.items())
        if name not in _NOT_DIRECTIVES and not name.startswith(("client-output-buffer-limit-", "cluster-"))
    ]
    if sharded:
        out += shards.settings(engine, version, port, parameters)
    return tuple(out)


def data_bytes(node_type: NodeType, parameters: Mapping[str, str]) -> int:
    """Return how much of a node's memory data may fill: all but the reserve, a quarter unless changed."""
    reserve = int(parameters.get("reserved-memory-percent", "25"))
    return max(node_type.memory_bytes * (100 - reserve) // 100, 1)  # to an engine, 0 is no limit


def server_text(node: NodePlan, *, directory: str, socket: str, password: str) -> str:
    """Return the configuration file of a Redis or Valkey node.

    `directory` and `socket` are paths without blanks, as the engine sees them; the directory is closed to others.
    `password` is the administrator's (user `ADMINISTRATOR`); all nodes of a replication group must share it.
    """
    lines = [
        f"bind {node.address}",
        f"unixsocket {socket}",
        "unixsocketperm 700",
        f"dir {directory}",
        "daemonize no",
        *(f"{name} {value}" for name, value in node.settings),
        *renames(password),
        *users(node.engine, node.version, password, node.users),
    ]
    if not (node.primary and node.primary.is_foreign):
        # also on a primary: it may become a replica
        lines += [f"masteruser {ADMINISTRATOR}", f"masterauth {password}"]
    if node.cluster:
        lines.append(f"cluster-announce-ip {node.address}")
        lines += [f"{name} {value}" for name, value in shards.gossip_terms(node.cluster)]
        if (name := node.cluster.seat.hostname) and numbers(node.version) >= (7,):  # certificates have no addresses
            lines += [f"cluster-announce-hostname {name}", "cluster-preferred-endpoint-type hostname"]
    elif node.primary:
        lines.append(f"replicaof {node.primary.address} {node.primary.port}")
    # Whatever a value is, of another installation's World too, it is no line of its own.
    return "".join(f"{' '.join(line.split())}\n" for line in lines)


def memcached_settings(
    node_type: NodeType, address: IPv4Address, port: int, values: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the arguments of a Memcached node that do not depend on the host.

    UDP stays closed and `shutdown` disabled (its default), as on AWS.
    """
    overhead = int(values.get("memcached_connections_overhead", str(MEMCACHED_OVERHEAD_MIB)))
    arguments = [
        *("-l", str(address), "-p", str(port), "-U", "0"),
        *("-m", str(max(node_type.memcached_mib - overhead, 1)), "-t", str(node_type.threads)),
        *("-I", values.get("max_item_size", "1048576")),
        *("-f", values.get("chunk_size_growth_factor", "1.25"), "-n", values.get("chunk_size", "48")),
        *("-B", values.get("binding_protocol", "auto")),
    ]
    arguments += [flag for name, flag in _MEMCACHED_FLAGS if values.get(name) == "1"]
    options = [f"{name}={values[name]}" for name in _MEMCACHED_OPTIONS if name in values]
    options += [name for name in _MEMCACHED_SWITCHES if values.get(name) == "1"]
    if values.get("modern") == "0":
        options.insert(0, "no_modern")
    return (*arguments, *(("-o", ",".join(options)) if options else ()))


_MEMCACHED_FLAGS = (("cas_disabled", "-C"), ("disable_flush_all", "-F"), ("error_on_memory_exhausted", "-M"))
_MEMCACHED_OPTIONS = (
    "hash_algorithm", "idle_timeout", "slab_automove", "slab_chunk_max", "watcher_logbuf_size", "worker_logbuf_size",
)  # fmt: skip
_MEMCACHED_SWITCHES = ("lru_crawler", "lru_maintainer", "maxconns_fast", "slab_reassign", "track_sizes")
MEMCACHED_CONNECTIONS = 65000  # AWS's max_simultaneous_connections
_MEMCACHED_OWN_FILES = 64  # descriptors that Memcached needs besides its clients


def memcached_arguments(node: NodePlan, *, user: str, files_max: int) -> tuple[str, ...]:
    """Return all arguments of a Memcached node, without the program's name.

    `user` is whom it runs as when started by root (Memcached insists on being told); `files_max` is the limit of open
    files that the process will have: where it is too low for AWS's 65000 connections, Memcached would not start, so
    fewer are allowed.
    """
    connections = max(min(MEMCACHED_CONNECTIONS, files_max - _MEMCACHED_OWN_FILES), 1)
    return (*node.arguments, "-c", str(connections), "-u", user)


def memory_bytes(node_type: NodeType, *, memcached: bool) -> int:
    """Return the memory that a node's process may use in all."""
    return node_type.memcached_mib * MIB if memcached else node_type.memory_bytes


def _buffer_limits(parameters: Mapping[str, str], node_type: NodeType) -> list[str]:
    """Return the output buffer limits; a replica's is a tenth of maxmemory, as AWS sets it."""
    tenth = str(data_bytes(node_type, parameters) // 10)
    out = []
    for who in _BUFFER_CLASSES:
        prefix = f"client-output-buffer-limit-{who}"
        hard = parameters.get(f"{prefix}-hard-limit", tenth)
        soft = parameters.get(f"{prefix}-soft-limit", tenth)
        out.append(f"{who} {hard} {soft} {parameters[f'{prefix}-soft-seconds']}")
    return out
