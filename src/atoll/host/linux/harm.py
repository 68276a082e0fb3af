"""Faults on purpose, for rehearsals: what happens to nodes in a bad night, done to one of them.

kill        its process gets SIGKILL
hang        its process gets SIGSTOP
partition   every packet to and from it is dropped, in its own namespace, where Atoll keeps no rules
heal        the end of a hang or a partition
"""

import signal

from atoll.cache.node import NodePlan
from atoll.host.contract import Harm, HostError
from atoll.host.linux.client import Process
from atoll.host.linux.namespaces import Namespaces
from atoll.host.linux.nft import Nft

_TABLE = "table inet atoll-fault"
_DROP = f"""
add {_TABLE}
add chain inet atoll-fault in {{ type filter hook input priority -300; policy drop; }}
add chain inet atoll-fault out {{ type filter hook output priority -300; policy drop; }}
"""
_HEAL = f"add {_TABLE}\ndelete {_TABLE}\n"
_SIGNALS = {"kill": signal.SIGKILL, "hang": signal.SIGSTOP, "heal": signal.SIGCONT}


def cut(namespaces: Namespaces, node: NodePlan, what: Harm) -> None:
    """Cut off a node, or heal that.  Raises HostError."""
    if what in ("partition", "heal"):
        with namespaces.opened(node.interface_id) as fd, Nft(fd) as nft:
            nft.run(_HEAL if what == "heal" else _DROP)


def strike(node: NodePlan, process: Process | None, what: Harm) -> None:
    """Send a node's process what the harm is, or what heals it.  Raises HostError."""
    if number := _SIGNALS.get(what):
        if process is None and what != "heal":
            raise HostError("it does not run", f"{what} {node.name}")
        if process is not None:
            process.send(number)
