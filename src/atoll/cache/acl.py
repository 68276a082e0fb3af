"""Which commands clients may give to a Redis or Valkey node: access rules, as the engine's configuration says them.

AWS forbids the commands that administer a node.  The rules forbid them to everybody but one administrator, whose
password only the host knows.  Subcommands are allowed by name and not denied by name, so that a newer engine's new
administration commands are closed from the start, and because Redis 6.2 cannot deny a single subcommand.
Source: ElastiCache User Guide, "Restricted commands".
"""

from atoll.cache.families import numbers

ADMINISTRATOR = "atoll-admin"

_DENIED = (
    "bgrewriteaof", "bgsave", "config", "debug", "failover", "migrate", "module", "psync", "replconf", "replicaof",
    "restore-asking", "save", "shutdown", "slaveof", "sync", "acl", "cluster",
)  # fmt: skip
_ACL_ALLOWED = ("cat", "genpass", "getuser", "help", "list", "log", "users", "whoami")
_CLUSTER_ALLOWED = (
    "count-failure-reports", "countkeysinslot", "getkeysinslot", "help", "info", "keyslot", "myid", "nodes",
    "replicas", "slaves", "slots",
)  # fmt: skip
_SINCE_7_0 = ("acl|dryrun", "cluster|shards")


def client_rules(engine: str, version: str) -> str:
    """Return what a client may do whom nothing else restricts: all keys, all channels, no administration."""
    allowed = [f"acl|{sub}" for sub in _ACL_ALLOWED] + [f"cluster|{sub}" for sub in _CLUSTER_ALLOWED]
    if engine == "valkey" or numbers(version) >= (7,):
        allowed += _SINCE_7_0
    denied = " ".join(f"-{command}" for command in _DENIED)
    return f"~* &* +@all {denied} {' '.join(f'+{name}' for name in allowed)}"


def users(engine: str, version: str, password: str) -> tuple[str, str]:
    """Return the two users of a node without authentication, as lines of its configuration.

    `password` is the administrator's: at least 128 bits of dice, without blanks, shared by the nodes of a group
    because a replica presents it to its primary.
    """
    return (
        f"user default on nopass sanitize-payload {client_rules(engine, version)}",
        f"user {ADMINISTRATOR} on >{password} ~* &* +@all",
    )
