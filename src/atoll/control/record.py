"""What was seen becomes status: the only place where an observation changes the World.

Each method asks first whether the World already says so, so that a round which sees nothing new writes nothing.
"""

from collections.abc import Callable, Iterator

from atoll.cache import transitions as caches
from atoll.cache.node import NodePlan
from atoll.control.round import subject_of
from atoll.host.contract import GuestPlan, Machine
from atoll.model import transitions as instances
from atoll.model.cache import CacheCluster
from atoll.model.instance import Instance
from atoll.model.world import Tx, World
from atoll.store.sqlite import Store

STOP_GRACE_SECONDS = 30.0  # to shut down in order; then it is killed
END_GRACE_SECONDS = 2.0  # of what will not come back: a terminated instance, a node
HALTED = 0  # the status of a guest that shut itself down


class Recorder:
    """Writes observations into the store."""

    def __init__(self, store: Store) -> None:
        """Record into `store`."""
        self._store = store

    @property
    def world(self) -> World:
        """The newest World."""
        return self._store.world

    def booted(self, guest: GuestPlan) -> None:
        """An instance's first process runs."""
        instance = self.world.get(Instance, guest.instance_id)
        if instance and instance.state == "pending":
            self._note("booted", instances.booted, guest.instance_id)

    def ended(self, machine: Machine, status: int) -> None:
        """A process that should run has ended.

        A guest that halted by itself stops (or terminates, as the instance asks).  One that was killed is started
        again, like a node; a node is unavailable until it answers.
        """
        if isinstance(machine, NodePlan):
            self._note("node died", caches.node_silent, machine.cluster_id, machine.node_id)
        elif status == HALTED:
            self._note("halted", instances.halted, machine.instance_id)

    def start_failed(self, machine: Machine, because: str, *, final: bool) -> None:
        """A machine could not be started; `final`: not tried again."""
        if isinstance(machine, NodePlan):
            self._note("node not started", caches.node_failed, machine.cluster_id, machine.node_id, because)
        elif final:
            self._note("not booted", instances.failed, machine.instance_id, because)

    def awaits(self, node: NodePlan) -> bool:
        """Tell whether the World still waits for a node's first answer."""
        cluster = self.world.get(CacheCluster, node.cluster_id)
        return cluster is not None and any(
            n.id == node.node_id and n.status in ("creating", "rebooting") for n in cluster.nodes
        )

    def answered(self, node: NodePlan) -> None:
        """A node serves; with it, its cluster and its group may be ready."""
        if self.awaits(node):
            self._note("node answered", _answered, node.cluster_id, node.node_id)

    def absent(self, alive: set[str]) -> Iterator[str]:
        """Finish what was to end and has ended; yield the subjects whose disks may be thrown away."""
        subjects = {subject_of(process) for process in alive}
        for id in self._ending("stopping") - subjects:
            self._note("stopped", instances.stopped, id)
        for id in self._ending("shutting-down") - subjects:
            self._note("terminated", instances.terminated, id)
            yield id
        for cluster in list(self.world.seen_by(None).all(CacheCluster)):
            yield from self._nodes_gone(cluster, subjects)

    def _ending(self, state: str) -> set[str]:
        return {instance.id for instance in self.world.bucket(Instance, "state", state).values()}

    def _nodes_gone(self, cluster: CacheCluster, subjects: set[str]) -> Iterator[str]:
        """A deleted cluster goes when its last process has ended, a removed node with its own."""
        names = {node.id: f"{cluster.id}:{node.id}" for node in cluster.nodes}
        if cluster.status == "deleting":
            if not subjects & set(names.values()):
                self._note("cluster gone", caches.cluster_gone, cluster.id)
                yield from names.values()
            return
        for node in cluster.nodes:
            if node.status == "deleting" and names[node.id] not in subjects:
                self._note("node gone", _gone, cluster.id, node.id)
                yield names[node.id]

    def _note(self, what: str, transition: Callable[..., object], *subject: str) -> None:
        self._store.write(lambda tx: transition(tx, *subject), what=f"observed: {what}")

    def grace_seconds(self, process: str) -> float:
        """Return how long a process that must end may take; nothing, if nobody knows it any more."""
        subject = subject_of(process)
        if instance := self.world.get(Instance, subject):
            is_hurried = instance.forced or instance.state in ("shutting-down", "terminated")
            return END_GRACE_SECONDS if is_hurried else STOP_GRACE_SECONDS
        return END_GRACE_SECONDS if self.world.get(CacheCluster, subject.rpartition(":")[0]) else 0.0

    def forget_old(self) -> None:
        """Drop what AWS forgets too: instances an hour after their end, events after 14 days, old client tokens."""
        self._store.write(instances.forget_old, what="forget")
        self._store.write(caches.forget_old_events, what="forget")


def _answered(tx: Tx, cluster_id: str, node_id: str) -> None:
    caches.node_answered(tx, cluster_id, node_id)
    caches.settle(tx, cluster_id)


def _gone(tx: Tx, cluster_id: str, node_id: str) -> None:
    caches.node_gone(tx, cluster_id, node_id)
    caches.settle(tx, cluster_id)
