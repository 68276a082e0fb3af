"""What was seen becomes status: the only place where an observation changes the World.

Each method asks first whether the World already says so, so that a round which sees nothing new writes nothing.
"""

import signal
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from atoll.cache import admission
from atoll.cache import backup_transitions as backups
from atoll.cache import transitions as caches
from atoll.cache.node import NodePlan
from atoll.cache.plan import is_guarded
from atoll.control.round import subject_of
from atoll.control.sight import Book
from atoll.host.contract import GuestPlan, Machine
from atoll.model import balancer_transitions as balancers
from atoll.model import endpoint_transitions as endpoints
from atoll.model import insight
from atoll.model import nat_transitions as nat_gateways
from atoll.model import transitions as instances
from atoll.model.balancer import LoadBalancer
from atoll.model.cache import CacheCluster
from atoll.model.endpoint import VpcEndpoint
from atoll.model.fault import KILLS, dead, down, faults
from atoll.model.insight import InsightsAnalysis
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.nat_gateway import NatGateway
from atoll.model.peering import Peering
from atoll.model.world import Tx, World

T = TypeVar("T")

STOP_GRACE_SECONDS = 30.0  # to shut down in order; then it is killed
END_GRACE_SECONDS = 2.0  # of what will not come back: a terminated instance, a node
NETWORK = "network"  # the subject of a failure of all of it
KILLED = (-signal.SIGKILL, -signal.SIGTERM)  # statuses of a process that others ended
TOGETHER_MAX = 50  # machines of one transaction, which makes a World after each of its changes
HALTED = 0  # the status of a guest that shut itself down


class Recorder:
    """Writes observations into the store."""

    def __init__(self, store: Book) -> None:
        """Record into `store`."""
        self._store = store
        self._held: set[str] = set()  # instances whose disk is, or may be, full: that they run is not all

    @property
    def world(self) -> World:
        """The newest World."""
        return self._store.world

    def unsettled(self) -> set[str]:
        """Return the instances of which it matters that their first process runs."""
        pending = self.world.bucket(Instance, "state", "pending")
        return {*pending, *self.world.bucket(Instance, "is_troubled", True)}

    def booted(self, *guests: GuestPlan) -> None:
        """The first processes of instances run.  Some of them are one revision."""
        pending = self.world.bucket(Instance, "state", "pending")
        new = [guest.instance_id for guest in guests if guest.instance_id in pending]
        for some in _some(new):
            self._note("booted", instances.booted, *some)

    def lasting(self, *guests: GuestPlan) -> None:
        """They have run for so long that what was wrong with them is over."""
        for guest in guests:
            instance = self.world.get(Instance, guest.instance_id)
            if instance and instance.state != "pending" and instance.host_error and instance.id not in self._held:
                self._note("well again", _trouble, instance.id, None)

    def doubt(self) -> None:
        """Somebody looks after the disks: what is not well is not well again before he has said so by `held`.

        An earlier daemon may have held it.
        """
        self._held |= {instance.id for instance in self.world.all(Instance) if instance.host_error}

    def held(self, instance_id: str, because: str | None) -> None:
        """An instance may not write to its disk any more, or may (None)."""
        if because is not None:
            self._held.add(instance_id)
            self._note("disk full", _trouble, instance_id, because)
        elif instance_id in self._held:
            self._held.discard(instance_id)
            self._note("disk has room", _trouble, instance_id, None)

    def missing(self, nodes: Sequence[NodePlan]) -> None:
        """Nodes that should run do not, and nobody saw them end: see `starting`.  Some of them are one revision."""
        lost = [(node.cluster_id, node.node_id) for node in nodes if self._status(node) == "available"]
        for some in _some(lost):
            self._note("nodes missing", _each, caches.node_silent, some)

    def starting(self, machine: Machine) -> None:
        """A machine that should run does not, and nobody saw it end: a node that was available is not."""
        if isinstance(machine, NodePlan) and self._status(machine) == "available":
            self._note("node missing", caches.node_silent, machine.cluster_id, machine.node_id)

    def ended(self, machine: Machine, status: int, last_words: str | None) -> None:
        """A process that should run has ended; `last_words` is None if this daemon did not start it.

        A guest that halted by itself stops (or terminates, as the instance asks).  One that was killed is started
        again, like a node; a node is unavailable until it answers.  One that never answered says why, if it can.
        """
        if isinstance(machine, NodePlan):
            if last_words is not None and self.awaits(machine):
                because = f"its process ended with status {status}" + (f": {last_words}" if last_words else "")
                refused = machine.seeds and status not in KILLED  # one that is killed tries again
                told = backups.restore_failed if refused else caches.node_failed
                self._note("node failed", told, machine.cluster_id, machine.node_id, because)
            elif self._status(machine) == "available":
                self._note("node died", caches.node_silent, machine.cluster_id, machine.node_id)
        elif status == HALTED:
            self._note("halted", instances.halted, machine.instance_id)

    def start_failed(self, machine: Machine, because: str, *, final: bool) -> None:
        """A machine could not be started; `final`: a new one is not tried again."""
        if isinstance(machine, NodePlan):
            if self.awaits(machine):  # else it has answered meanwhile: it runs, and only we were not told
                self._note("node not started", caches.node_failed, machine.cluster_id, machine.node_id, because)
        elif final:
            self._note("not booted", _give_up, machine.instance_id, because)

    def awaits(self, node: NodePlan) -> bool:
        """Tell whether the World still waits for the first answer of this boot of a node."""
        return self._status(node) in ("creating", "rebooting")

    def _status(self, plan: NodePlan) -> str | None:
        """Return a node's status; None if it, or this boot of it, is not in the World any more."""
        cluster = self.world.get(CacheCluster, plan.cluster_id)
        nodes = cluster.nodes if cluster else ()
        return next((n.status for n in nodes if (n.id, n.boot) == (plan.node_id, plan.boot)), None)

    def answered(self, *nodes: NodePlan) -> None:
        """Nodes serve; with them, their clusters and their groups may be ready.  Some of them are one revision."""
        new = [(node.cluster_id, node.node_id) for node in nodes if self.awaits(node)]
        for some in _some(new):
            self._note("node answered", _each, _answered, some)

    def announced(self, cluster_id: str, version: int) -> None:
        """The nodes of a Memcached cluster tell clients of the version of its membership."""
        cluster = self.world.get(CacheCluster, cluster_id)
        if cluster and cluster.announced_version < version:
            self._note("membership announced", caches.announced, cluster_id, version)

    def encrypted(self, node: NodePlan) -> None:
        """The clients of a node that runs meet what its plan says; its cluster and its group may wait for that."""
        mode = node.encryption.mode if node.encryption else ""
        if node.encrypted != mode:
            self._note("node encrypted", caches.node_encrypted, node.cluster_id, node.node_id, node.boot, mode)

    def being_tuned(self, node: NodePlan) -> None:
        """A node that runs is about to be told what its parameter group says."""
        self._note("node being tuned", caches.node_being_tuned, node.cluster_id, node.node_id, node.boot, node.tuning)

    def is_tunable(self, plan: NodePlan) -> bool:
        """Tell whether what a node is to be told is still meant for the process that runs."""
        cluster = self.world.get(CacheCluster, plan.cluster_id)
        found = (node for node in cluster.nodes if node.id == plan.node_id) if cluster else ()
        return plan.tuning is not None and any(caches.is_tunable(node, plan.boot, plan.tuning) for node in found)

    def tuned(self, node: NodePlan, refused: Mapping[str, str]) -> None:
        """A node that runs has taken what its parameter group says, but for what its engine refused, and why."""
        about = (node.cluster_id, node.node_id, node.boot, node.tuning, refused)
        self._note("node tuned", caches.node_tuned, *about)

    def being_admitted(self, node: NodePlan) -> None:
        """A node that runs is about to be told who its users are."""
        self._note("users being told", admission.node_being_told, node)

    def admitted(self, node: NodePlan) -> None:
        """A node has the users of its plan."""
        self._note("users told", admission.node_told, node)

    def users(self) -> None:
        """Finish what was to happen to users, and has happened on all nodes."""
        if admission.is_awaited(self.world):
            self._note("users settled", admission.settle_users)

    def absent(self, alive: set[str]) -> None:
        """Finish what was to end and has ended."""
        leaving = list(self.world.all(CacheCluster, is_leaving=True))
        if leaving or self._ending("stopping") or self._ending("shutting-down"):
            self._gone(leaving, {subject_of(process) for process in alive})
        self.users()
        if faults(self.world, *KILLS):
            self._nodes_down()

    def _gone(self, leaving: Iterable[CacheCluster], subjects: set[str]) -> None:
        for id in self._ending("stopping") - subjects:
            self._note("stopped", instances.stopped, id)
        for id in self._ending("shutting-down") - subjects:
            self._note("terminated", instances.terminated, id)
        for cluster in leaving:
            self._nodes_gone(cluster, subjects)

    def network_obeys(self, world: World, failed: Container[str]) -> None:
        """The kernel obeys a World, except in what failed: what waited for that has happened."""
        for status in ("provisioning", "deleting"):
            for id in world.bucket(Peering, "status", status):
                if id not in failed and NETWORK not in failed:
                    self._note("peering in force", instances.network_obeyed, id, status)
        if world.bucket(InsightsAnalysis, "status", insight.RUNNING):
            self._note("analysed", insight.finish)
        self._carries(world, failed)
        for balancer in world.bucket(LoadBalancer, "awaits", True).values():
            nodes = cast(LoadBalancer, balancer).nodes
            if not any(subject in failed for subject in (NETWORK, *(node.interface_id for node in nodes))):
                self._note("load balancer in force", balancers.in_force, balancer)
        for endpoint in world.bucket(VpcEndpoint, "awaits", True).values():
            of = (NETWORK, endpoint.id, *(foot.interface_id for foot in cast(VpcEndpoint, endpoint).feet))
            if not any(subject in failed for subject in of):
                self._note("endpoint in force", endpoints.in_force, endpoint)

    def _carries(self, world: World, failed: Container[str]) -> None:
        """Record that NAT gateways are, or are no longer, in a network that the kernel obeys."""
        for gateway in world.bucket(NatGateway, "awaits", True).values():
            of = (NETWORK, gateway.id, cast(NatGateway, gateway).interface_id)
            if not any(subject in failed for subject in of):
                self._note("NAT gateway in force", nat_gateways.in_force, gateway)

    def subjects(self) -> set[str]:
        """Return what may have a disk: instances that are not terminated, and nodes."""
        found = {instance.id for instance in self.world.all(Instance) if instance.state != "terminated"}
        return found | {f"{c.id}:{node.id}" for c in self.world.all(CacheCluster) for node in c.nodes}

    def _ending(self, state: str) -> set[str]:
        return {instance.id for instance in self.world.bucket(Instance, "state", state).values()}

    def _nodes_gone(self, cluster: CacheCluster, subjects: set[str]) -> None:
        """A deleted cluster goes when its last process has ended, a removed node with its own."""
        names = {node.id: f"{cluster.id}:{node.id}" for node in cluster.nodes}
        if cluster.status == "deleting":
            if not subjects & set(names.values()):
                self._note("cluster gone", caches.cluster_gone, cluster.id)
            return
        for node in cluster.nodes:
            if node.status == "deleting" and names[node.id] not in subjects:
                self._note("node gone", _gone, cluster.id, node.id)

    def _nodes_down(self) -> None:
        """Nodes on hosts that are down do not answer, and nobody starts them: those that were available are not.

        Of a primary with replicas the failover says so, when it knows who takes over.
        """
        for cluster in list(self.world.all(CacheCluster)):
            for node in cluster.nodes:
                if node.status != "available" or is_guarded(self.world, cluster, node):
                    continue
                if dead(self.world, self.world[Interface, node.interface_id]):
                    self._note("node down", caches.node_silent, cluster.id, node.id)

    def _note(self, what: str, transition: Callable[..., object], *subject: object) -> None:
        self._store.write(lambda tx: transition(tx, *subject), what=f"observed: {what}")

    def grace_seconds(self, process: str) -> float:
        """Return how long a process that must end may take; nothing, if nobody will know what it kept.

        An engine that is told to end does so at its next tick, up to 100 ms later.
        """
        subject = subject_of(process)
        if instance := self.world.get(Instance, subject):
            if down(self.world, instance.host):
                return 0.0  # power does not fail politely
            is_hurried = instance.forced or instance.state in ("shutting-down", "terminated")
            return END_GRACE_SECONDS if is_hurried else STOP_GRACE_SECONDS
        cluster = self.world.get(CacheCluster, subject.rpartition(":")[0])
        if cluster is None or cluster.status == "deleting":
            return 0.0
        ids = {f"{cluster.id}:{node.id}": node.interface_id for node in cluster.nodes}
        is_down = subject in ids and dead(self.world, self.world[Interface, ids[subject]])
        return 0.0 if is_down else END_GRACE_SECONDS

    def forget_old(self) -> None:
        """Drop what AWS forgets too: instances an hour after their end, events after 14 days, old client tokens."""
        self._store.write(instances.forget_old, what="forget")
        self._store.write(nat_gateways.forget_old, what="forget")
        self._store.write(instances.forget_old_peerings, what="forget")
        self._store.write(caches.forget_old_events, what="forget")


def _some(machines: Sequence[T]) -> Iterator[Sequence[T]]:
    return (machines[first : first + TOGETHER_MAX] for first in range(0, len(machines), TOGETHER_MAX))


def _each(tx: Tx, transition: Callable[[Tx, str, str], None], nodes: Sequence[tuple[str, str]]) -> None:
    for cluster_id, node_id in nodes:
        transition(tx, cluster_id, node_id)


def _answered(tx: Tx, cluster_id: str, node_id: str) -> None:
    caches.node_answered(tx, cluster_id, node_id)
    caches.settle(tx, cluster_id)


def _gone(tx: Tx, cluster_id: str, node_id: str) -> None:
    caches.node_gone(tx, cluster_id, node_id)
    caches.settle(tx, cluster_id)


def _give_up(tx: Tx, instance_id: str, because: str) -> None:
    if not instances.failed(tx, instance_id, because):  # it runs, as far as anybody knows: it is tried on and on
        _trouble(tx, instance_id, because)


def _trouble(tx: Tx, instance_id: str, because: str | None) -> None:
    """Say what keeps an instance from running that should run; None: nothing does."""
    instance = tx.get(Instance, instance_id)
    if instance and instance.state == "running" and instance.host_error != because:
        tx.put(instance.but(host_error=because))
