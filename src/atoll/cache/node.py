"""What one cache node needs in order to run: the answer of `cache/plan.py`, for the control loop and the host."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from atoll.model.cache import Seed
from atoll.model.digest import Digest

Settings = tuple[tuple[str, str], ...]  # directives of a Redis or Valkey configuration file, in order
Values = tuple[tuple[str, str], ...]  # parameters that differ from the family's defaults, by name


@dataclass(frozen=True, slots=True)
class Primary:
    """The node that a replica follows."""

    address: IPv4Address
    port: int
    is_foreign: bool = False  # not ours: it is shown no password
    name: str = ""  # of its NodePlan; empty: it is not of this shard


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A setting that a running engine must be told: CONFIG SET."""

    directive: str
    value: str
    parameters: tuple[str, ...]  # AWS's, whose change this is


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What brings a running node from the parameters that it has to those that its group says."""

    orders: tuple[Order, ...]  # none: what changed means nothing to this node, and only has to be noted
    before: Values
    said: Values  # by the group


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUser:
    """Somebody who may use a node."""

    name: str
    identity: str  # whose name it is: another one's connections end
    rules: tuple[str, ...]  # of the engine, but for the passwords
    passwords: tuple[Digest, ...] = ()
    is_open: bool = False  # no password is asked for
    by_token: bool = False  # an IAM user: his passwords are tokens, which come and go


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a running engine must be told about its users: all of them, and whose connections end."""

    mark: str  # of the users of the plan
    cut: tuple[str, ...]  # names that were other people's


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One node of a cluster, as all its nodes know it."""

    id: str  # the cluster's word for it: 40 hexadecimal digits, kept for its life
    name: str  # of its NodePlan
    address: IPv4Address
    port: int
    leader_id: str | None = None  # whom it follows; None: a primary
    slots: tuple[tuple[int, int], ...] = ()  # of a primary: first and last of each range
    shard_id: str = ""  # the cluster's word for the shard, likewise
    hostname: str = ""  # announced to clients; empty: addresses only


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """What a node in cluster mode must know of the cluster: cache/shards.py writes it down for the engine."""

    id: str  # its own seat
    number: int  # of its shard, from 1: primaries begin with different epochs
    seats: tuple[Seat, ...]  # everybody's, its own too
    joins: bool = False  # the others run already, and must be told of it
    node_timeout_ms: int = 15_000  # of gossip
    elects: bool = True  # its engines may make a replica a primary by themselves

    @property
    def seat(self) -> Seat:
        """Its own seat."""
        return next(seat for seat in self.seats if seat.id == self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """TLS in front of a node: what its clients meet at its port."""

    mode: str  # "required", or "preferred": plain text too
    region: str  # whose authority vouches for the names
    names: tuple[str, ...]  # of its certificate; the first is the node's own
    members: tuple[IPv4Address, ...]  # the nodes of its replication group, itself included: they talk to its engine
    also: tuple[int, ...] = ()  # other ports at which its clients find the same
    elsewhere: tuple[IPv4Address, int] | None = None  # whom clients are led to instead of the engine, in plain text


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """A process that must exist.

    Another `boot` is another process.  A change of `primary` alone asks for no restart: tell the running engine by
    REPLICAOF.  The process listens on `address` only, and,
    unless it is Memcached, on an administration socket that the host chooses.
    """

    name: str  # unique among all nodes: "000000000000/us-east-1/sessions-001:0001"
    cluster_id: str  # World id of its CacheCluster
    node_id: str  # "0001"
    interface_id: str
    vpc_id: str
    engine: str  # "memcached", "redis" or "valkey"
    version: str  # full: the EngineBuild to run
    boot: int
    address: IPv4Address
    port: int
    memory_bytes: int  # the node type's memory: a limit for the process
    primary: Primary | None = None  # None: a primary, a lone node, or Memcached
    settings: Settings = ()  # of Redis and Valkey: all that depends on the node and not on the host
    tuning: Tuning | None = None  # what it must be told while it runs; None: nothing
    loads: bool = False  # it starts with the data that the process before it has left
    encryption: Encryption | None = None  # None: plain text
    encrypted: str = ""  # the mode that the World knows to be in force; another one is to be put in force
    guarded: bool = False  # when it ends, it is the failover that says what happens
    cluster: ClusterPlan | None = None  # None: cluster mode is disabled
    arguments: tuple[str, ...] = ()  # of Memcached, likewise
    users: tuple[NodeUser, ...] = ()  # who may use it; nobody: everybody may
    admission: Admission | None = None  # what it must be told of them while it runs; None: nothing
    seeds: tuple[Seed, ...] = ()  # the files that its engine loads as it starts
    discovery: bytes = b""  # of Memcached: what it answers to `config get cluster`

    @property
    def process(self) -> str:
        """The name of its process: another boot is another process."""
        return f"{self.name}#{self.boot}"

    @property
    def copies_from_outside(self) -> bool:
        """Tell whether it leads its shard, and copies from a primary that is not of it."""
        return self.primary is not None and not self.primary.name

    @property
    def is_memcached(self) -> bool:
        """Tell whether the engine is Memcached."""
        return self.engine == "memcached"
