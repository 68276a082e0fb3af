"""Machines under random faults, on a clock of our own: in the end what should run runs, once, and nothing else.

Each seed is another story: calls, crashes of processes, failed and half-failed starts, slow answers, a full disk, the
loss of everything that ran, and crashes of the daemon, whose next life begins from its SQLite file.
"""

import asyncio
import importlib
import itertools
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

import atoll.ec2
import atoll.elasticache
from atoll.aws.errors import AwsError
from atoll.aws.operation import OPERATIONS
from atoll.cache.plan import nodes
from atoll.cache.tuning import places
from atoll.control.failover import Failovers
from atoll.control.machines import Machines
from atoll.control.record import Recorder
from atoll.control.round import Start, decide
from atoll.control.wanted import Wanted
from atoll.ec2.defaults import open_territory
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.instance import Instance
from atoll.model.kinds import KINDS
from atoll.model.world import Caller, World
from atoll.store.sqlite import Store, StoreError
from tests.simulation.clock import VirtualLoop
from tests.simulation.faulty import FaultyHost, FaultyStore

for service in (atoll.ec2, atoll.elasticache):
    for module in pkgutil.iter_modules(service.__path__, f"{service.__name__}."):
        importlib.import_module(module.name)  # importing a verb registers it

CALLER = Caller(account="000000000000", region="us-east-1", arn="arn:aws:iam::000000000000:root")
SEEDS = 200
SEEDS_AT_ONCE = 25  # in one test, so that a failure names some and pytest has few to count
FAULT_SECONDS, QUIET_SECONDS = 60.0, 150.0  # the longest cooling is 30 s, a node is asked for 60 s
CALLS = 16


@pytest.fixture(scope="module")
def image() -> str:
    world = World()
    told = OPERATIONS["ec2", "DescribeImages"].run(world.seen_by(CALLER), owners=["amazon"])
    assert told
    return str(told["Images"][0]["ImageId"])


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_AT_ONCE))
def test_when_the_faults_stop_everything_wanted_runs_once_and_nothing_else(first, tmp_path, image):
    for seed in range(first, first + SEEDS_AT_ONCE):
        story = Story(seed, tmp_path / f"{seed}.db", image)
        story.play()
        assert not story.wrongs(), f"seed {seed}: {story.wrongs()}"


def test_the_stories_are_eventful(tmp_path, image):
    stories = [Story(seed, tmp_path / f"{seed}.db", image) for seed in range(10)]
    for story in stories:
        story.play()
    assert sum(story.lives for story in stories) > 20
    assert sum(story.host.boots for story in stories) > 60
    assert sum(story.host.tuned for story in stories) > 5
    assert sum(len(story.known()) for story in stories) > 20


def start_beside_others(want, seen, attempts, now):
    """Forget that an unwanted boot of the same machine may still run."""
    return [
        *decide(want, seen, attempts, now),
        *(Start(m) for n, m in want.items() if n not in seen and not attempts.cooling(n, now)),
    ]


def cool_for_ever(want, seen, attempts, now):
    """Never try again what failed once."""
    return [s for s in decide(want, seen, attempts, now)
            if not (isinstance(s, Start) and s.machine.process in attempts.failed)]  # fmt: skip


@pytest.mark.parametrize("mistake", [start_beside_others, cool_for_ever])
def test_a_planted_mistake_is_found(mistake, monkeypatch, tmp_path, image):
    monkeypatch.setattr("atoll.control.machines.decide", mistake)
    stories = (Story(seed, tmp_path / f"{seed}.db", image) for seed in range(60))
    assert any(story.play() or story.wrongs() for story in stories)


@dataclass
class Life:
    """A daemon, from its start to its crash."""

    store: FaultyStore
    machines: Machines
    task: "asyncio.Task[None]"
    failovers: "asyncio.Task[None]"


class Story:
    """One seed's story."""

    def __init__(self, seed: int, path: Path, image: str):
        self.dice, self.path, self.image = Random(seed), path, image
        self.loop = VirtualLoop(self.dice)
        self.host = FaultyHost(self.dice)
        self.differences: list[str] = []
        self.lives = 0
        self.life: Life
        self._count = itertools.count(1)

    def play(self) -> None:
        try:
            self.loop.run_until_complete(self._play())
        finally:
            self.loop.close()

    async def _play(self) -> None:
        await self._begin_life()
        self.life.store.write(open_territory, caller=CALLER, what="open")
        self._ask(
            "elasticache",
            "CreateCacheParameterGroup",
            {"cache_parameter_group_name": "mine", "cache_parameter_group_family": "valkey9", "description": ""},
        )
        self._ask("elasticache", "CreateReplicationGroup", self._group("g0"))
        self._set_trouble(self.dice.choice((0.0, 0.02, 0.1, 0.3)))
        acts = [self._call] * 6 + [self._kill] * 3 + [self._retune] * 3 + [self._crash, self._lose_all, self._idle]
        for _ in range(CALLS):
            await asyncio.sleep(self.dice.expovariate(CALLS / FAULT_SECONDS))
            await self.dice.choice(acts)()
        self._set_trouble(0.0)
        await asyncio.sleep(QUIET_SECONDS)
        self.found = self._wrongs()
        await self._end_life()

    def wrongs(self) -> list[str]:
        return [*self.host.wrongs, *self.differences, *self.found]

    def known(self) -> set[str]:
        return set(Wanted(lambda: self.life.store.world).machines())

    # Acts

    async def _call(self) -> None:
        """Ask for something, as somebody would who neither looks nor thinks."""
        world = self.life.store.world
        instances = [i.id for i in world.all(Instance)] or ["i-0"]
        clusters = [c.name for c in world.all(CacheCluster)] or ["none"]
        groups = [g.name for g in world.all(ReplicationGroup)] or ["none"]
        instance, cluster, number = self.dice.choice(instances), self.dice.choice(clusters), next(self._count)
        calls: list[tuple[str, str, dict[str, Any]]] = [
            ("ec2", "RunInstances", {"image_id": self.image, "min_count": 1, "max_count": 2}),
            ("ec2", "StopInstances", {"instance_ids": [instance]}),
            ("ec2", "StartInstances", {"instance_ids": [instance]}),
            ("ec2", "RebootInstances", {"instance_ids": [instance]}),
            ("ec2", "TerminateInstances", {"instance_ids": [instance]}),
            ("elasticache", "CreateCacheCluster", {
                "cache_cluster_id": f"c{number}", "engine": "memcached", "num_cache_nodes": 2,
                "cache_node_type": "cache.t3.micro"}),
            ("elasticache", "CreateReplicationGroup", self._group(f"g{number}")),
            ("elasticache", "RebootCacheCluster", {
                "cache_cluster_id": cluster, "cache_node_ids_to_reboot": ["0001"]}),
            ("elasticache", "DeleteCacheCluster", {"cache_cluster_id": cluster}),
            ("elasticache", "DeleteReplicationGroup", {"replication_group_id": self.dice.choice(groups)}),
        ]  # fmt: skip
        self._ask(*self.dice.choice(calls))

    def _group(self, name: str) -> dict[str, Any]:
        return {
            "replication_group_id": name,
            "replication_group_description": "two",
            "engine": "valkey",
            "num_cache_clusters": 2,
            "cache_node_type": "cache.t3.micro",
            "cache_parameter_group_name": "mine",
            "automatic_failover_enabled": self.dice.random() < 0.5,
        }

    async def _retune(self) -> None:
        """Change the parameter group, or which of two the replication groups have."""
        asked: list[tuple[str, dict[str, Any]]] = [
            ("ModifyCacheParameterGroup", {
                "cache_parameter_group_name": "mine", "parameter_name_values": self._values()}),
            ("ResetCacheParameterGroup", {"cache_parameter_group_name": "mine", "reset_all_parameters": True}),
            *(("ModifyReplicationGroup", {
                "replication_group_id": group.name,
                "cache_parameter_group_name": self.dice.choice(("mine", "default.valkey9"))})
              for group in self.life.store.world.all(ReplicationGroup)),
        ]  # fmt: skip
        self._ask("elasticache", *self.dice.choice(asked))

    def _ask(self, service: str, name: str, parameters: dict[str, Any]) -> None:
        run: Callable[..., Any] = OPERATIONS[service, name].run
        try:
            self.life.store.write(lambda tx: run(tx, **parameters), caller=CALLER, what=name)
        except (AwsError, StoreError):
            return
        self.life.machines.wake()

    def _values(self) -> list[dict[str, str]]:
        """Return some values: of parameters that are immediate, of one that is two directives, of one that is not."""
        said = {
            "timeout": str(self.dice.randrange(20, 90)),
            "reserved-memory-percent": str(self.dice.randrange(90)),
            "databases": str(self.dice.randrange(1, 90)),
        }
        chosen = self.dice.sample(sorted(said), self.dice.randrange(1, 4))
        return [{"ParameterName": name, "ParameterValue": said[name]} for name in chosen]

    async def _kill(self) -> None:
        if alive := sorted(self.host.alive):
            self.host.end(self.dice.choice(alive), self.dice.choice((-9, -9, 1, 0, 3)))

    async def _crash(self) -> None:
        await self._end_life()
        await asyncio.sleep(1.5)  # what the keeper was asked for, it has done by now
        await self._begin_life()

    async def _lose_all(self) -> None:
        await self._end_life()
        self.host.lose_all()
        await asyncio.sleep(1.5)
        await self._begin_life()

    async def _idle(self) -> None:
        await asyncio.sleep(self.dice.random() * 10)

    # Lives

    async def _begin_life(self) -> None:
        store = FaultyStore(self.path, KINDS)
        store.dice = self.dice
        wanted = Wanted(lambda: store.world)
        machines = Machines(wanted.machines, self.host, Recorder(store), self._ready)
        failovers = Failovers(store, wanted.machines, self.host, machines.wake)
        self.host.on_exit(lambda: (failovers.exited(), machines.wake()))
        store.watch(lambda _: failovers.wake())
        tasks = asyncio.ensure_future(machines.run()), asyncio.ensure_future(failovers.run())
        self.life = Life(store, machines, *tasks)
        self.lives += 1
        self._set_trouble(self.host.trouble)

    async def _end_life(self) -> None:
        life = self.life
        life.task.cancel()
        life.failovers.cancel()
        await asyncio.gather(life.task, life.failovers, return_exceptions=True)
        await life.machines.close()
        self.host.on_exit(lambda: None)
        before = life.store.world
        life.store.close()
        store = Store(self.path, KINDS)
        self.differences += compare(before, store.world)
        store.close()

    async def _ready(self) -> bool:
        await asyncio.sleep(self.dice.random() * self.loop.slow)
        return True

    def _set_trouble(self, trouble: float) -> None:
        self.host.trouble = self.life.store.trouble = trouble
        self.loop.slow = 1.0 if trouble else 0.01

    def _wrongs(self) -> list[str]:
        world, found = self.life.store.world, []
        want = self.known()
        if self.host.alive != want:
            found.append(f"runs: {sorted(self.host.alive - want)} too much, {sorted(want - self.host.alive)} missing")
        if set(self.host.seen()) != want:
            found.append(f"not forgotten: {sorted(set(self.host.seen()) - want)}")
        for instance in world.all(Instance):
            if instance.state not in ("running", "stopped", "terminated"):
                found.append(f"{instance.id} is {instance.state}")
        for cluster in world.all(CacheCluster):
            for node in cluster.nodes:
                if (cluster.status, node.status, node.host_error) != ("available", "available", None):
                    found.append(f"{cluster.name}:{node.id} is {cluster.status}, {node.status}, {node.host_error}")
        for plan in nodes(world):
            if plan.tuning or (plan.settings and self.host.settings.get(plan.process) != places(plan.settings)):
                found.append(f"{plan.process} does not have its parameters: {plan.tuning}")
        for group in world.all(ReplicationGroup):
            if group.status != "available":
                found.append(f"{group.name} is {group.status}")
        if self.host.disks != (disks := Recorder(self.life.store).subjects()):
            stopped = {i.id for i in world.all(Instance)}
            if self.host.disks - disks or (disks - self.host.disks) - stopped:
                found.append(f"disks: {self.host.disks ^ disks}")
        machines = self.life.machines
        kept = {"tasks": len(machines._tasks), "attempts": len(machines._attempts.failed.keys() - want),
                "tunings": len(machines._tuner._failed.keys() - want)}  # fmt: skip
        if any(kept.values()) or machines._started.keys() - want:
            found.append(f"remembered for nobody: {kept}")
        return found


def compare(before: World, after: World) -> list[str]:
    """Say how the World of a file differs from the one that was written to it: nothing may, not even the order."""
    found = [] if before.revision == after.revision else [f"revision {before.revision} became {after.revision}"]
    for kind in KINDS:
        if list(before.all(kind)) != list(after.all(kind)):
            found.append(f"the file has other {kind.__name__}")
    return found
