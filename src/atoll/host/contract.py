"""What the control loop may ask of a machine, and what a machine may answer.

Three hosts keep this contract: `linux` (namespaces, nftables, processes), `flat` (processes behind a relay) and
`paper` (nothing runs; everything answers).  The loop knows no more about any of them.
"""

import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeAlias

from atoll.cache.logs import SlowCommand, SlowPlace
from atoll.cache.node import NodePlan
from atoll.cache.shards import Slots
from atoll.cache.topology import Topology
from atoll.host.disks import Disks as Disks
from atoll.host.errors import HostError as HostError
from atoll.model.digest import Digest
from atoll.model.engine import EngineBuild
from atoll.model.ip import Ip
from atoll.network.facts import Container
from atoll.network.plan import Plan

Harm: TypeAlias = Literal["kill", "hang", "partition", "heal"]  # what may be done to one node, for rehearsals


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestPlan:
    """An instance that must run."""

    instance_id: str
    boot: int
    interface_id: str  # the namespace it lives in
    hostname: str
    resolvers: tuple[Ip, ...]  # empty: the VPC has no resolver
    search: str
    authorized_keys: tuple[str, ...]
    user_data: bytes | None
    is_nat: bool  # the NAT image: forwards and masquerades from the start
    vpc_cidr: str
    memory_bytes: int
    user: str = "ec2-user"  # who logs in with the keys
    disk: str | None = None  # below the state directory: what it boots from instead of what it has, if it is there

    @property
    def process(self) -> str:
        """The name of its process: another boot is another process."""
        return f"{self.instance_id}#{self.boot}"


Machine = GuestPlan | NodePlan


@dataclass(frozen=True, slots=True)
class Seen:
    """A process that the host started, as it is now."""

    name: str
    alive: bool
    pid: int | None = None  # in the daemon's own PID namespace
    status: int | None = None  # once it has ended: exit code, or minus the signal that killed it


@dataclass(frozen=True, slots=True)
class Vital:
    """What the kernel says of a process that runs."""

    is_stopped: bool  # by a signal
    ticks: int  # of processor time that it has used


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """What a Redis or Valkey engine says of its part in a shard."""

    role: Literal["primary", "replica"]
    follows: tuple[str, int] | None = None  # address and port of a replica's leader
    link_up: bool = False
    is_copying: bool = False  # its data are being replaced as a whole
    offset: int = 0
    history: str = ""
    run: int = 0  # which process said so, of those that this daemon has met


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an engine in cluster mode says of its cluster."""

    epoch: (
        int  # of its configuration, or of its primary's: of two that claim the same slots, the greater one has them
    )
    ids: frozenset[str]  # of all nodes that it knows, itself too


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that an engine's data were written to."""

    bytes: int
    data_bytes: int  # that the data take in the engine's memory
    digest: str  # BLAKE2b of the file, 16 bytes
    header: str  # its first nine bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """A part of the network plan that the kernel refused."""

    subject: str  # the id of the resource it belongs to
    because: str


@dataclass(frozen=True, slots=True)
class Door:
    """Where a service listens."""

    address: Ip
    port: int
    kind: Literal["datagram", "stream"]


@dataclass(frozen=True, slots=True)
class Tallied:
    """An entry of a set that packets fill."""

    container: Container
    key: tuple[str | int | Ip, ...]
    packets: int
    bytes: int
    idle_seconds: float | None = None  # since the last packet; None: the set forgets nothing


class LinkCount(NamedTuple):
    """What has passed a link, as its namespace sees it."""

    received: int
    received_bytes: int
    sent: int
    sent_bytes: int


class Tracked(NamedTuple):
    """What connection tracking of a namespace says."""

    established: int  # TCP connections
    refused: int  # flows for which there was no place: of a NAT gateway, no port


class Connection(NamedTuple):
    """A connection that is open, as a router tracks it; of several alike only the first port differs."""

    protocol: int
    source: Ip  # who began it
    asked: Ip  # whom it asked
    port: int  # asked for; 0: its protocol has none
    answers: Ip  # who answers: another, if the destination was translated
    answers_port: int


class Doorway(Protocol):
    """Where users come in whose passwords are tokens."""

    async def attend(self, node: NodePlan, judge: Callable[[bytes], Awaitable[None]]) -> None:
        """Show `judge` the beginning of each connection to a node that has a token in it, before the engine sees it.

        Until `dismiss`.  Raises HostError.
        """
        ...

    def dismiss(self, name: str) -> None:
        """Show nobody the connections to a process any more."""
        ...

    async def lend(self, node: NodePlan, user: str, password: Digest, *, valid: bool) -> None:
        """Make a token a password of a user in a running engine, or no longer.  Raises HostError."""
        ...

    async def cut(self, node: NodePlan, users: Collection[str], *, seconds: float) -> int:
        """End the connections of users that have lasted for so long; returns how many.  Raises HostError."""
        ...


class Host(Protocol):
    """A machine.  Blocking calls are made from worker threads; those that a thread owns say so."""

    mode: str  # "root", "rootless", "flat" or "paper"
    because: str  # why it is not a better one, and what it cannot do; empty: there is none
    is_paper: bool  # nothing runs: no call takes long enough for a thread, and no plan need be made to be obeyed
    doorway: Doorway
    disks: Disks

    def builds(self) -> Sequence[EngineBuild]:
        """Return the engines that can run; none: on paper."""
        ...

    def find_builds(self) -> None:
        """Look for engines again: packages come and go.  Costs some milliseconds."""
        ...

    def prepare(self) -> None:
        """Do beforehand what the first machine would otherwise wait for."""
        ...

    def apply(self, plan: Plan) -> Sequence[Failure]:
        """Make the kernel's network look like the plan; returns when packets obey it.  Network thread only."""
        ...

    def verify(self) -> Sequence[str]:
        """Look for what somebody changed behind our back, repair it, and say what it was.  Network thread only."""
        ...

    def service_sockets(self, vpc_id: str | None, doors: Sequence[Door]) -> list[socket.socket]:
        """Open a service's sockets inside a VPC's router, or (`None`) on the internet.  Network thread only."""
        ...

    def tallies(self, containers: Iterable[Container], *, take: bool = False) -> Sequence[Tallied]:
        """Return what packets counted in these sets, and, with `take`, have them count from zero again."""
        ...

    def dial(self, namespace: str) -> socket.socket | None:
        """Return a TCP socket in a namespace of the plan, to connect from; None: on paper.  Raises HostError."""
        ...

    def link_counts(self, names: Collection[str]) -> Mapping[str, Mapping[str, LinkCount]]:
        """Return what has passed the links of namespaces, by namespace and link."""
        ...

    def tracked(self, names: Collection[str]) -> Mapping[str, Tracked]:
        """Return what connection tracking says in namespaces.  Costs 5 us for each flow."""
        ...

    def connections(self, names: Collection[str], most: int) -> Mapping[str, Mapping[Connection, int]]:
        """Return how many connections are open in namespaces, and alike; of each at most `most` flows are looked at.

        Costs 10 us for each flow.
        """
        ...

    def seen(self) -> Mapping[str, Seen]:
        """Return every process that was started and not forgotten."""
        ...

    def start(self, machine: Machine) -> None:
        """Start an instance or a node.  Raises HostError."""
        ...

    async def stop(self, name: str, grace_seconds: float) -> None:
        """End a process: politely, then by force; returns when it has ended."""
        ...

    def forget(self, name: str) -> None:
        """Forget a process that has ended."""
        ...

    def sweep(self, keep: Collection[str]) -> None:
        """Throw away every disk but those of these subjects (instance ids, names of nodes), now or soon."""
        ...

    def last_words(self, name: str) -> str:
        """Return the last line that a process has said; empty if there is none."""
        ...

    async def ask(self, node: NodePlan) -> str | None:
        """Ask a node whether it serves: `None` if it does, else what it is waiting for."""
        ...

    def vital(self, name: str) -> Vital | None:
        """Return what the kernel says of a process, at once; `None`: it has ended.  After the first `seen`."""
        ...

    async def statistics(self, node: NodePlan) -> Mapping[str, str]:
        """Return all that an engine says of itself, as fields and values; nothing: on paper.  Raises HostError."""
        ...

    async def replication(self, node: NodePlan) -> Replication | None:
        """Ask an engine for its role; `None`: it lives, but is too busy to say.  Raises HostError: no answer."""
        ...

    async def known(self, node: NodePlan) -> Known:
        """Ask an engine in cluster mode for its cluster.  Raises HostError."""
        ...

    async def topology(self, node: NodePlan) -> Topology:
        """Ask an engine in cluster mode for all that it knows of its cluster, slots too.  Raises HostError."""
        ...

    async def move_slots(
        self, source: NodePlan, target: NodePlan, slots: Slots, primaries: Sequence[NodePlan]
    ) -> None:
        """Move slots with their keys from one primary to another, while both serve; may be repeated.

        All `primaries` of the cluster are told.  Raises HostError; what has moved by then stays.
        """
        ...

    async def command(self, node: NodePlan, *words: str, run: int | None = None) -> None:
        """Give an engine an order, as its administrator; `run`: the process that said so, and no later one."""
        ...

    async def trust(self, node: NodePlan, *, is_foreign: bool) -> None:
        """Have an engine show its password to whom it copies from, or not, to a foreign one.  Raises HostError."""
        ...

    async def hold(self, node: NodePlan, milliseconds: int) -> None:
        """Have an engine hold back writes for so long, beside the failover; 0: no longer.  Raises HostError."""
        ...

    async def stranger(self, namespace: str, address: str, port: int, *words: str) -> str:
        """Return what a foreign engine answers to a command, asked from a node's namespace.  Raises HostError."""
        ...

    async def slow_log(self, node: NodePlan, after: SlowPlace | None) -> tuple[str, Sequence[SlowCommand]]:
        """Return the name of the engine's run, and its slow commands after that id of that run, the oldest first.

        Raises HostError.
        """
        ...

    def engine_log(self, node: NodePlan) -> str:
        """Return the newest that a node's engine has said, with the process before it."""
        ...

    async def announce(self, node: NodePlan) -> str | None:
        """Have a Memcached node tell clients of its cluster's members, as its plan says; returns why it cannot.

        Raises HostError: no answer.
        """
        ...

    async def tune(self, node: NodePlan, directive: str, value: str) -> str | None:
        """Give a running engine a setting; returns its own words if it refuses.  Raises HostError: no answer."""
        ...

    async def save(self, node: NodePlan, *, is_copy: bool = False) -> None:
        """Have a node take no more writes, and leave its data to its next process.  Raises HostError.

        A copy takes none, and is left as it is: it may go on, and be a primary one day.
        """
        ...

    async def resume(self, node: NodePlan) -> None:
        """Have a node take writes again, after a `save` that led to nothing.  Raises HostError."""
        ...

    def limit(self, node: NodePlan, memory_bytes: int) -> None:
        """Give a running node more memory, or less.  Raises HostError."""
        ...

    async def admit(self, node: NodePlan, cut: Collection[str]) -> None:
        """Give an engine the users of its plan only, and cut all others, and those in `cut`.  Raises HostError."""
        ...

    async def dump(self, node: NodePlan, file: Path) -> Saved:
        """Write all data of a Redis or Valkey engine, as of now, to a new RDB file, and that to the disk.

        Raises HostError: the engine did not give them all; OSError: the disk did not take them.
        """
        ...

    async def encrypt(self, node: NodePlan) -> None:
        """Have the clients of a node that runs meet TLS, or plain text, as its plan says.  Raises HostError."""
        ...

    def encrypts(self, node: NodePlan) -> bool:
        """Tell whether what speaks TLS for a node runs."""
        ...

    async def reaches(self, node: NodePlan) -> bool:
        """Tell whether a connection from the router of its VPC arrives at a node."""
        ...

    async def fence(self, name: str) -> None:
        """Kill a process, and return when it has ended: it cannot answer anybody any more.  Raises HostError."""
        ...

    async def harm(self, node: NodePlan, what: Harm) -> None:
        """Harm a node on purpose, or heal it.  Raises HostError."""
        ...

    def console(self, instance_id: str) -> bytes:
        """Return the newest output of an instance's console."""
        ...

    def on_exit(self, wake: Callable[[], None]) -> None:
        """Call `wake`, in the event loop, when a process ends."""
        ...

    async def lost(self) -> str:
        """Wait until the machine is lost to us, with all that ran on it, and say why; usually for ever."""
        ...

    def close(self) -> None:
        """Let go of the machine; what runs goes on running."""
        ...

    def destroy(self) -> None:
        """End everything and leave nothing behind in the kernel."""
        ...
