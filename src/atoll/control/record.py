"""What was seen becomes status: the only place where an observation changes the World.

Each method asks first whether the World already says so, so that a round which sees nothing new writes nothing.
"""

from collections.abc import Iterator
from typing import cast

from atoll.cache import transitions as caches
from atoll.cache.plan import NodePlan
from atoll.host.contract import GuestPlan, Machine
from atoll.model import transitions as instances
from atoll.model.cache import CacheCluster
from atoll.model.instance import Instance
from atoll.model.world import World
from atoll.store.sqlite import Store

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
            self._store.write(lambda tx: instances.booted(tx, guest.instance_id), what="observed: booted")

    def ended(self, machine: Machine, status: int) -> None:
        """A process that should run has ended.

        A guest that halted by itself stops (or terminates, as the instance asks).  One that was killed is started
        again, like a node; a node is unavailable until it answers.
        """
        if isinstance(machine, NodePlan):
            self._store.write(
                lambda tx: caches.node_silent(tx, machine.cluster_id, machine.node_id), what="observed: node died"
            )
        elif status == HALTED:
            self._store.write(lambda tx: instances.halted(tx, machine.instance_id), what="observed: halted")

    def start_failed(self, machine: Machine, because: str, *, final: bool) -> None:
        """A machine could not be started; `final`: not tried again."""
        if isinstance(machine, NodePlan):
            self._store.write(
                lambda tx: caches.node_failed(tx, machine.cluster_id, machine.node_id, because),
                what="observed: node not started",
            )
        elif final:
            self._store.write(
                lambda tx: instances.failed(tx, machine.instance_id, because), what="observed: not booted"
            )

    def awaits(self, node: NodePlan) -> bool:
        """Tell whether the World still waits for a node's first answer."""
        cluster = self.world.get(CacheCluster, node.cluster_id)
        return cluster is not None and any(
            n.id == node.node_id and n.status in ("creating", "rebooting") for n in cluster.nodes
        )

    def answered(self, node: NodePlan) -> None:
        """A node serves; with it, its cluster and its group may be ready."""
        if self.awaits(node):
            self._store.write(
                lambda tx: (
                    caches.node_answered(tx, node.cluster_id, node.node_id),
                    caches.settle(tx, node.cluster_id),
                ),
                what="observed: node answered",
            )

    def absent(self, alive: set[str]) -> Iterator[str]:
        """Finish what was to end and has ended; yield the subjects whose disks may be thrown away."""
        for state in ("stopping", "shutting-down"):
            for instance in list(self.world.bucket(Instance, "state", state).values()):
                instance = cast(Instance, instance)
                if any(name.startswith(f"{instance.id}#") for name in alive):
                    continue
                if state == "stopping":
                    self._store.write(lambda tx, id=instance.id: instances.stopped(tx, id), what="observed: stopped")
                else:
                    self._store.write(lambda tx, id=instance.id: instances.terminated(tx, id), what="observed: ended")
                    yield instance.id
        for cluster in list(self.world.seen_by(None).all(CacheCluster)):
            for node in cluster.nodes:
                leaving = cluster.status == "deleting" or node.status == "deleting"
                name = f"{cluster.id}:{node.id}"
                if leaving and not any(process.startswith(f"{name}#") for process in alive):
                    self._store.write(
                        lambda tx, c=cluster.id, n=node.id: caches.node_gone(tx, c, n), what="observed: node gone"
                    )
                    yield name

    def forget_old(self) -> None:
        """Drop what AWS forgets too: instances an hour after their end, events after 14 days, old client tokens."""
        self._store.write(instances.forget_old, what="forget")
        self._store.write(caches.forget_old_events, what="forget")
