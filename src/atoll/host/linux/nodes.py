"""Cache nodes as processes of the keeper, each in its interface's namespace and a cgroup of its own."""

import socket
from collections.abc import Callable, Collection
from pathlib import Path

from atoll.cache.node import NodePlan
from atoll.host import trees
from atoll.host.engine import engine_logs
from atoll.host.engine.programs import Engine
from atoll.host.engine.talker import SOCKET, Talker, short
from atoll.host.linux import cgroups, terminators
from atoll.host.linux.announce import Announcer
from atoll.host.linux.client import Keeper, Process, Spawn
from atoll.host.linux.namespaces import set_sysctl
from atoll.host.linux.terminators import Terminators

ENGINE_UID = 64017  # belongs to nobody: below the range of dynamic users, above that of packages
PROCESSES_MAX = 128  # threads of one engine: Memcached has one per vCPU, Redis OSS a handful
MEMORY_SLACK = 256 << 20  # for what maxmemory does not count: buffers, copy on write, the program itself
PRIVILEGED = 1024  # below it a port takes rights


class Nodes(Talker):
    """Starts and asks the cache nodes of one installation."""

    def __init__(
        self,
        keeper: Keeper,
        state_dir: Path,
        engine: Callable[[str, str], Engine],
        open_socket: Callable[[str], socket.socket],
        terminator: Path | None,
    ) -> None:
        """Use `engine(name, version)` to find programs, and `open_socket(interface id)` for TCP sockets.

        `terminator` is HAProxy, for TLS.
        """
        super().__init__(keeper.run_dir / "nodes", state_dir, open_socket, None if keeper.rootless else ENGINE_UID)
        self._keeper, self._engine = keeper, engine
        self.announcer = Announcer(keeper.namespaces, open_socket)
        self.terminators = Terminators(keeper, self._authority, terminator, self._directory_of, self._uid)

    async def announce(self, node: NodePlan) -> str | None:
        """Have a Memcached node tell clients of its cluster's members."""
        return await self.announcer.announce(node)

    def start(self, node: NodePlan) -> Process:
        """Start a node; returns when its program was executed.  Raises HostError."""
        program = self._engine(node.engine, node.version)
        directory = self._prepare(node)
        limits = self.confine(node, twice=node.loads)
        if node.port < PRIVILEGED:  # neither the engine nor what speaks TLS for it has rights
            with self._keeper.namespaces.inside(node.interface_id):
                set_sysctl("net.ipv4.ip_unprivileged_port_start", node.port)
        if node.encryption:  # before anybody can talk to the engine
            self.encrypt(node)
            self.terminators.lead(node)
        with self._configuration(node, directory) as configuration:
            return self._keeper.spawn(
                Spawn(
                    node.process,
                    (str(program.path), *self._arguments(node)),
                    cwd=directory,
                    network=node.interface_id,
                    uid=self._uid,
                    gid=self._uid,
                    capabilities=0,
                    guard="engine",
                    rlimits={"nofile": (self._files_max, self._files_max), "core": (0, 0)},
                    cgroups=limits,
                    stdin=configuration.fileno(),
                    console=directory / engine_logs.LOG,
                )
            )

    def encrypt(self, node: NodePlan) -> Process:
        """Start what speaks TLS for a node.  Raises HostError."""
        return self.terminators.start(node, socket_name=SOCKET)

    def limit(self, node: NodePlan, memory_bytes: int) -> None:
        """Give a running node more memory, or less."""
        self.confine(node, memory_bytes=memory_bytes)

    def confine(self, node: NodePlan, *, twice: bool = False, memory_bytes: int | None = None) -> tuple[Path, ...]:
        """Put a node into its cgroup."""
        bytes_ = (memory_bytes or node.memory_bytes) * (2 if twice else 1)
        name = short(node.name)
        return cgroups.create(
            self._keeper.run_dir,
            name,
            memory_bytes=bytes_ + MEMORY_SLACK,
            processes=PROCESSES_MAX,
            weight=cgroups.NODE_WEIGHT,
            keeper=self._keeper.pid,
        )

    def sweep(self, keep: Collection[str]) -> None:
        """Throw away what all other nodes left; `keep` has names of plans."""
        kept = {short(name) for name in keep}
        for directory in self._directory.glob("*"):
            if directory.name not in kept:
                trees.remove(directory)
                for group in (directory.name, terminators.group(directory.name)):
                    cgroups.remove(self._keeper.run_dir, group)
