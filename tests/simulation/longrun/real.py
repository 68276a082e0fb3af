"""A real daemon, its kernel and its engines, and real blows; as root.

After every step the file opens for us, and what it says holds together.  After every blow the daemon is given time to
come to rest.  Then the API tells what the file has; every namespace is compared with one that a fresh fabric makes of
the same World from nothing, in a network of its own; packets are sent, whose fate must be what the tracer says; and
no process runs, and no control group is there, that belongs to nobody.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from botocore.exceptions import ClientError

from atoll.control.wanted import Wanted
from atoll.control.wires import VERIFY_SECONDS
from atoll.model.cache import CacheCluster
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.kinds import KINDS
from atoll.model.world import Caller, World
from atoll.store.sqlite import Store
from tests.daemon.atoll import Atoll, until
from tests.daemon.stage import Stage
from tests.kernel.conftest import in_child
from tests.simulation.longrun import claims, wall
from tests.simulation.longrun.blows import Blows
from tests.simulation.longrun.found import Found
from tests.simulation.longrun.people import ACCOUNTS, REGION, Ask, People
from tests.simulation.longrun.sameness import differences_from_scratch, wrong_fates
from tests.tidy.tree import ROOT as ROOT

DISK_MEGABYTES = 160
REST_SECONDS = 60.0
MOST, MACHINES_MOST = 90, 6
MAKES_MACHINES = (
    "RunInstances", "StartInstances", "CreateCacheCluster", "CreateReplicationGroup", "CreateServerlessCache",
    "IncreaseReplicaCount", "ModifyReplicationGroupShardConfiguration", "ModifyCacheCluster",
)  # fmt: skip
PROBES = 24
CALLS = 0.8
STRAYS_SECONDS = 10.0  # for what ends just now
DESCRIPTORS_MORE = 12  # than at the start, once everything is deleted: pools and logs that come with use


def play(
    seed: int,
    steps: int,
    *,
    mode: str = "root",
    seconds: float = float("inf"),
    log: Path | None = None,
    calls: float = CALLS,
) -> Found:
    """Play a story to its end, for some seconds, or until something is wrong; removes everything again.

    `log` is a file for what the daemon says; `calls` is the share of steps that are calls, the others are blows.
    """
    atoll = Atoll(mode)
    atoll.environment |= {"PYTHONPATH": wall.__path__[0], "ATOLL_LONGRUN_WALL": str(atoll.place / "wall")}
    found = Found(seed)
    with small_disk(atoll):
        try:
            Story(atoll, found, steps, seconds, calls).play()
        except AssertionError as error:
            found.note("end", [str(error)[:2000]])
        finally:
            for line in atoll.said().splitlines():
                if "Traceback" in line:
                    found.note("log", [f"a mistake is logged: {atoll.said().partition('Traceback')[2][:1500]}"])
                    break
            if log:
                log.write_text(atoll.said())
            atoll.purge_running()
    left = atoll.close()
    found.note("left", left)
    return found


@contextlib.contextmanager
def small_disk(atoll: Atoll) -> Iterator[None]:
    """Give the state a file system of its own, which can be filled."""
    atoll.state.mkdir()
    owner = f",uid={atoll.uid},gid={atoll.uid}" if atoll.uid is not None else ""
    options = f"size={DISK_MEGABYTES}m,mode=0700{owner}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "atoll-longrun", str(atoll.state)], check=True)
    try:
        yield
    finally:
        if atoll.daemon and atoll.daemon.poll() is None:
            atoll.kill()
        subprocess.run(["umount", "--lazy", str(atoll.state)], check=True)
        shutil.rmtree(atoll.state, ignore_errors=True)


class Story:
    """One seed's story."""

    def __init__(self, atoll: Atoll, found: Found, steps: int, seconds: float, calls: float) -> None:
        self.atoll, self.found, self.steps, self.seconds, self.calls = atoll, found, steps, seconds, calls
        self.dice = Random(found.seed)
        self.people = People(self.dice, most=MOST)
        self.stage = Stage.__new__(Stage)
        self.stage.atoll = atoll
        self.begun = time.monotonic()

    def play(self) -> None:
        """Play it."""
        self.up()
        for account in ACCOUNTS:  # the first call opens an account
            self.atoll.client("ec2", account=account).describe_vpcs()
        self.atoll.cli("run", "--as", "198.51.100.27", "true")
        before = self._held()
        blows = Blows(self, self.atoll.place / "wall").all()
        coming = list(blows)
        while self.found.steps < self.steps and not self.found.wrongs and self._has_time():
            self.found.steps += 1
            if self.dice.random() < self.calls:
                self.call(self.ask())
                self.found.note("references", list(claims.broken_references(self.world()))[:3])
                continue
            if not coming:  # each once, in an order of its own, before any comes again
                coming = list(blows)
            blow = coming.pop(self.dice.randrange(len(coming)))
            self.say(f"blow: {blow.__name__}")
            self.found.blow(blow.__name__.replace("_", " "))
            blow()
            self.look()
        if not self.found.wrongs:
            self.look()
            self.atoll.reset()
            least = {name: count + DESCRIPTORS_MORE for name, count in before.items()}
            until(
                lambda: all(count <= least[name] for name, count in self._held().items()), 20, f"no more than {least}"
            )

    # Steps

    def call(self, ask: Ask) -> None:
        """Make a call, and judge its answer."""
        self.say(str(ask))
        self.found.calls += 1
        try:
            self.send(ask)
        except ClientError as error:
            self.found.refused += 1
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status >= 500 and error.response["Error"]["Code"] != "InsufficientInstanceCapacity":
                self.found.note(str(ask), [str(error)])

    def send(self, ask: Ask) -> Any:
        """Make a call.  Raises ClientError, BotoCoreError."""
        client = self.atoll.client(ask.service, account=ask.caller.account)
        return client._make_api_call(ask.operation, ask.parameters)

    # Claims

    def look(self) -> None:
        """Wait for rest, and hold everything to the World."""
        try:
            until(lambda: self._is_well(), REST_SECONDS, "rest")
        except AssertionError as error:
            status = self.atoll.status()
            self.found.note("rest", [f"{error}: {status['loop']['failures']} {_unrest(status)}"])
            return
        self.found.rests += 1
        world = self.world()
        self.found.most_resources = max(self.found.most_resources, len(world))
        self.found.note("references", list(claims.broken_references(world))[:3])
        for row in claims.TOLD:
            for account in ACCOUNTS:
                seen = world.seen_by(Caller(account=account, region=REGION, arn=""))
                told = self.atoll.client(row[0], account=account)._make_api_call(row[1], {})
                self.found.note(row[1], claims.told_otherwise(seen, told, row))
        self.found.note("leaks", self._leaks())
        keeper, spaces = self.atoll.status()["keeper"], Path(self.atoll.status()["namespaces"])
        seed = self.found.seed + self.found.steps
        for what, check in (("kernel", differences_from_scratch), ("packets", wrong_fates)):
            for last in (False, False, True):  # damage is found by the next look of the network loop
                try:
                    in_child(partial(check, keeper, spaces, world, seed, rootless=self.atoll.uid is not None))
                    break
                except AssertionError as error:
                    if last:
                        self.found.note(what, [str(error)[-1500:]])
                    time.sleep(VERIFY_SECONDS)
        self.found.probes += PROBES

    def _is_well(self) -> bool:
        status, world = self.atoll.status(), self.world()
        instances = [one["state"] for one in status["instances"] if one["state"] != "terminated"]
        if (
            status["loop"]["failures"]
            or status["loop"]["revision"] != status["revision"]
            or not all(state in ("running", "stopped") for state in instances)
        ):
            return False
        # Also those behind serverless caches, of which no status tells.
        unwell = {it.name for it in world.all(CacheCluster) if it.status != "available" or not _is_served(it)}
        return not unwell or unwell <= claims.apart(world)

    def _leaks(self) -> list[str]:
        """Say what the keeper runs and the kernel holds for nobody, unless it goes within a moment."""
        left: list[str] = []

        def is_clean() -> bool:
            left[:] = [*self._strays(), *self._idle_groups()]
            return not left

        with contextlib.suppress(AssertionError):
            until(is_clean, STRAYS_SECONDS)
        return left

    def _strays(self) -> Iterator[str]:
        """Say that the keeper runs more than the World wants, what speaks TLS for a node aside."""
        keeper, world = self.atoll.status()["keeper"], self.world()
        running = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                name, _, rest = (entry / "stat").read_text().rpartition(")")
                if rest.split()[1] == str(keeper) and not name.endswith("(haproxy"):
                    running.append(f"{name.replace('(', '')} {rest.split()[0]}")
        if len(running) > (wanted := len(Wanted(lambda: world).machines())):
            yield f"{len(running)} processes for {wanted} machines: {sorted(running)}"

    def _idle_groups(self) -> Iterator[str]:
        """Yield the control groups of instances that have no process."""
        for group in (group for parent in self.atoll.cgroups() for group in parent.glob("i-*")):
            with contextlib.suppress(OSError):
                if not (group / "cgroup.procs").read_text():
                    yield f"group {group}"

    def world(self) -> World:
        """Read the file of the daemon, as somebody else."""
        store = Store(self.atoll.state / "atoll.db", KINDS)
        try:
            return store.world
        finally:
            store.close()

    # Means

    def up(self) -> None:
        """Start a daemon."""
        self.atoll.up()
        self.found.lives += 1

    def ask(self) -> Ask:
        """Make up a call that the machine that we run on can bear."""
        world = self.world()
        running = sum(1 for _ in world.all(Instance, state="running"))
        nodes = sum(1 for it in world.all(Interface) if it.requester_managed)
        while True:
            ask = self.people.ask(world)
            if ask.operation not in MAKES_MACHINES or running + nodes < MACHINES_MOST:
                return ask

    def _held(self) -> dict[str, int]:
        held = {}
        daemon = self.atoll.daemon.pid  # type: ignore[union-attr]
        for name, pid in (("daemon", daemon), ("keeper", self.atoll.status()["keeper"])):
            held[f"descriptors of the {name}"] = len(os.listdir(f"/proc/{pid}/fd"))
            held[f"threads of the {name}"] = len(os.listdir(f"/proc/{pid}/task"))
        return held

    def say(self, what: str) -> None:
        """Keep what happens for whoever looks for the cause of what is wrong."""
        self.found.say(what, time.monotonic() - self.begun)

    def _has_time(self) -> bool:
        return time.monotonic() - self.begun < self.seconds


def _is_served(cluster: CacheCluster) -> bool:
    return all(node.status == "available" and not node.host_error for node in cluster.nodes)


def _unrest(status: dict[str, Any]) -> list[str]:
    nodes = [(cache["name"], node) for cache in status["caches"] for node in cache["nodes"]]
    return [f"{name} {node['status']} {node['host_error']}" for name, node in nodes if node["status"] != "available"]
