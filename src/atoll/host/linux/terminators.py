"""TLS terminators as processes: one beside each engine whose clients meet TLS, in the engine's directory and network.

It is found again by its name: that of its engine's process, and a suffix.  It lives no longer than that process
(`tied.py` sees to it).
"""

from collections.abc import Callable
from pathlib import Path

from atoll.cache import terminator
from atoll.cache.node import NodePlan
from atoll.host.authority import Authority
from atoll.host.engine.talker import short
from atoll.host.engine.terminating import SUFFIX, Orders
from atoll.host.linux import cgroups
from atoll.host.linux.client import Keeper, Process, Spawn
from atoll.host.linux.nft import Nft

# CAP_DAC_OVERRIDE, SETGID and SETUID: it begins as root, which alone may find its files, and ends that by itself.
_BEGINNER = 1 << 1 | 1 << 6 | 1 << 7
_KILL_SECONDS = 5.0
# As much again as its node has: 17 KB for a connection, 33 KB for one that is not read from.
_MEMORY_BYTES = 256 << 20  # beside that: the program itself has 19 MB
_PROCESSES_MAX = 16  # threads: it has terminator.THREADS


def group(node: str) -> str:
    """Return the name of the control group of a node's terminator; `node` is that of the node's own."""
    return node + SUFFIX


class Terminators(Orders):
    """Starts terminators of one installation, and gives them orders.  Methods block; all raise HostError."""

    def __init__(
        self,
        keeper: Keeper,
        authority: Authority,
        program: Path | None,
        directory_of: Callable[[NodePlan], Path],
        uid: int | None,
    ) -> None:
        """Run `program`, HAProxy (None: there is none), which becomes the user that engines run as."""
        super().__init__(authority, program, directory_of, uid)
        self._keeper = keeper

    def start(self, node: NodePlan, *, socket_name: str) -> Process:
        """Start a node's terminator; nobody is led there yet.  `socket_name` is the engine's own socket."""
        command = self.furnish(node, socket_name=socket_name)
        directory = self._directory_of(node)
        self.end(node)
        limits = cgroups.create(
            self._keeper.run_dir,
            group(short(node.name)),
            memory_bytes=node.memory_bytes + _MEMORY_BYTES,
            processes=_PROCESSES_MAX,
            weight=cgroups.NODE_WEIGHT,
            keeper=self._keeper.pid,
        )
        return self._keeper.spawn(
            Spawn(
                node.process + SUFFIX,
                command,
                cwd=directory,
                network=node.interface_id,
                capabilities=0 if self._uid is None else _BEGINNER,
                guard="engine",
                rlimits={"nofile": (self._files_max, self._files_max), "core": (0, 0)},
                cgroups=limits,
                console=directory / "tls.log",
            )
        )

    def lead(self, node: NodePlan) -> None:
        """Lead a node's clients to its terminator, whether it listens yet or not; of a plain node, to the engine."""
        with self._keeper.namespaces.opened(node.interface_id) as fd, Nft(fd) as nft:
            nft.run(terminator.rules(node, node.encryption))

    def end(self, node: NodePlan) -> None:
        """Kill the terminators of this process of a node and of its earlier ones, and wait for their ends."""
        for kept in self._keeper.processes():
            if kept.name.endswith(SUFFIX) and kept.name.rpartition("#")[0] == node.name:
                if process := self._keeper.adopt(kept.name):
                    self._keeper.kill(kept.name)
                    process.exited(timeout_seconds=_KILL_SECONDS)
                    process.close()
                self._keeper.forget(kept.name)
