"""Which commands no client may give, whatever its user is allowed: those that administer a node.

Where the engine allows it they are called otherwise (`rename-command`), so that a client reads what AWS answers:
`ERR unknown command 'config', with args beginning with: ...`.  Subcommands cannot be renamed, and neither can what
replicas say to their primary: access rules forbid those, and the engine answers NOPERM.  Rules forbid the renamed
ones too, so that nobody can use a name that he has found.

Subcommands are allowed by name and not denied by name, so that a newer engine's new administration commands are
closed from the start, and because Redis 6.2 cannot deny a single subcommand.
Source: ElastiCache User Guide, "Restricted commands".
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence

from atoll.cache.commands import SINCE
from atoll.cache.families import numbers

RENAMED = (
    "bgrewriteaof", "bgsave", "config", "debug", "failover", "migrate", "module", "replicaof", "save", "shutdown",
    "slaveof",
)  # fmt: skip
_OF_NODES = ("psync", "replconf", "restore-asking", "sync")  # what nodes say to each other, by these names
_CONTAINERS = ("acl", "cluster")

_SLOW, _ADMIN = frozenset({"slow"}), frozenset({"slow", "admin", "dangerous"})
_ALLOWED = dict.fromkeys((
    "acl|cat", "acl|genpass", "acl|help", "acl|whoami", "cluster|countkeysinslot", "cluster|getkeysinslot",
    "cluster|help", "cluster|info", "cluster|keyslot", "cluster|myid", "cluster|myshardid", "cluster|nodes",
    "cluster|shards", "cluster|slot-stats", "cluster|slots",
), _SLOW) | dict.fromkeys((
    "acl|dryrun", "acl|getuser", "acl|list", "acl|log", "acl|users", "cluster|count-failure-reports",
    "cluster|replicas", "cluster|slaves",
), _ADMIN)  # fmt: skip


def is_restricted(command: str) -> bool:
    """Tell whether no client may give a command, `config`, or one with a subcommand, `acl|setuser`."""
    container, _, subcommand = command.partition("|")
    if container in (*RENAMED, *_OF_NODES):
        return True
    return container in _CONTAINERS and bool(subcommand) and command not in _ALLOWED


def alias(command: str, password: str) -> str:
    """Return what a renamed command is called in the engines whose administrator has this password."""
    secret = hmac.new(password.encode(), command.lower().encode(), hashlib.sha256).hexdigest()
    return f"atoll-{secret[:32]}"


def renames(password: str) -> tuple[str, ...]:
    """Return the lines of a configuration that rename commands."""
    return tuple(f"rename-command {command} {alias(command, password)}" for command in RENAMED)


def is_known(command: str, engine: str, version: str) -> bool:
    """Tell whether an engine knows a command; one with a first argument, `select|0`, if it knows the command."""
    since = SINCE.get(command) or SINCE.get(command.partition("|")[0])
    # Redis OSS and Valkey part after 7.2: what came later is Valkey's.
    newest = min(numbers(version)[:2], (7, 2)) if engine == "redis" else numbers(version)
    return since is not None and since <= newest


def restricted(commands: Sequence[str], engine: str, version: str) -> tuple[str, ...]:
    """Return rules about commands as an engine takes them: without what it does not know, and what nobody may do."""
    known = tuple(rule for rule in commands if rule[1] == "@" or is_known(rule[1:], engine, version))
    if not any(rule == "+@all" or rule[:2] == "+@" or rule[1:] in _CONTAINERS for rule in known):
        return known  # only commands by their names, of which none is restricted
    denied = (f"-{name}" for name in (*RENAMED, *_OF_NODES, *_CONTAINERS))
    return (*known, *denied, *(f"+{name}" for name in _kept(known, engine, version)))


def _kept(rules: Sequence[str], engine: str, version: str) -> Iterator[str]:
    """Yield the subcommands that these rules give, and that are nobody's secret."""
    for name, categories in _ALLOWED.items():
        container = name.partition("|")[0]
        if not is_known(name, engine, version) or name not in SINCE:
            continue
        has = False
        for rule in rules:
            what = rule[1:]
            if what in ("@all", container, name) or (what[0] == "@" and what[1:] in categories):
                has = rule[0] == "+"
        if has:
            yield name
