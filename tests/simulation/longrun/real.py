"""A real daemon, its kernel and its engines, and real blows; as root.

After every step that is not followed by another blow the daemon is given time to come to rest.  Then its file is read
by us and told to the API; every namespace is compared with one that a fresh fabric makes of the same World from
nothing, in a network of its own; and packets are sent, whose fate must be what the tracer says.
"""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from atoll.control.wires import VERIFY_SECONDS
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.kinds import KINDS
from atoll.model.world import Caller, World
from atoll.store.sqlite import Store
from tests.daemon.atoll import Atoll, until
from tests.daemon.stage import Stage
from tests.daemon.test_crash import Kernel as Vandal
from tests.kernel.conftest import in_child
from tests.simulation.longrun import claims
from tests.simulation.longrun.found import Found
from tests.simulation.longrun.people import ACCOUNTS, REGION, Ask, People
from tests.simulation.longrun.sameness import differences_from_scratch, wrong_fates

DISK_MEGABYTES = 160
REST_SECONDS = 60.0
MOST, MACHINES_MOST = 90, 6
MAKES_MACHINES = (
    "RunInstances", "StartInstances", "CreateCacheCluster", "CreateReplicationGroup", "CreateServerlessCache",
    "IncreaseReplicaCount", "ModifyReplicationGroupShardConfiguration", "ModifyCacheCluster",
)  # fmt: skip
PROBES = 24
DESCRIPTORS_MORE = 12  # than at the start, once everything is deleted: pools and logs that come with use


def play(seed: int, steps: int) -> Found:
    """Play a story to its end, or until something is wrong; removes everything again."""
    atoll = Atoll("root")
    found = Found(seed)
    with small_disk(atoll):
        try:
            Story(atoll, found, steps).play()
        except AssertionError as error:
            found.note("end", [str(error)[:2000]])
        finally:
            for line in atoll.said().splitlines():
                if "Traceback" in line:
                    found.note("log", [f"a mistake is logged: {atoll.said().partition('Traceback')[2][:1500]}"])
                    break
            atoll.purge_running()
    left = atoll.close()
    found.note("left", left)
    return found


@contextlib.contextmanager
def small_disk(atoll: Atoll) -> Iterator[None]:
    """Give the state a file system of its own, which can be filled."""
    atoll.state.mkdir()
    options = f"size={DISK_MEGABYTES}m,mode=0700"
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

    def __init__(self, atoll: Atoll, found: Found, steps: int) -> None:
        self.atoll, self.found, self.steps = atoll, found, steps
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
        blows = (self.kill, self.kill_in_a_call, self.kill_a_machine, self.flush, self.cut_a_link, self.remove,
                 self.fill_disk, self.break_disk, self.no_processes)  # fmt: skip
        while self.found.steps < self.steps and not self.found.wrongs:
            self.found.steps += 1
            if self.dice.random() < 0.8:
                self.call(self._ask())
                continue
            blow = self.dice.choice(blows)
            self._say(f"blow: {blow.__name__}")
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
        self._say(str(ask))
        self.found.calls += 1
        client = self.atoll.client(ask.service, account=ask.caller.account)
        try:
            client._make_api_call(ask.operation, ask.parameters)
        except ClientError as error:
            self.found.refused += 1
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status >= 500 and error.response["Error"]["Code"] != "InsufficientInstanceCapacity":
                self.found.note(str(ask), [str(error)])

    def kill(self) -> None:
        """Kill the daemon."""
        self.atoll.kill()
        self.up()

    def kill_in_a_call(self) -> None:
        """Kill the daemon while it works."""
        ask, delay = self._ask(), self.dice.random() * 0.05
        killer = threading.Timer(delay, self.atoll.daemon.kill)  # type: ignore[union-attr]
        killer.start()
        with contextlib.suppress(BotoCoreError, ClientError):
            self.atoll.client(ask.service, account=ask.caller.account)._make_api_call(ask.operation, ask.parameters)
        killer.join()
        self.found.cut += 1
        self.atoll.daemon.wait(20)  # type: ignore[union-attr]
        self.up()

    def kill_a_machine(self) -> None:
        """Kill an instance or a node."""
        if pids := self.stage.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[self.dice.choice(sorted(pids))], signal.SIGKILL)

    def flush(self) -> None:
        """Flush the rules of a router, or of the internet."""
        self._vandalise("nft flush ruleset")

    def cut_a_link(self) -> None:
        """Delete a link of a router."""
        names = "ip -o link show type veth | head -1 | cut -d: -f2 | cut -d@ -f1"
        self._vandalise(f"for name in $({names}); do ip link del $name; done")

    def remove(self) -> None:
        """Delete a namespace of a router behind the daemon's back."""
        if routers := self._routers():
            Vandal(self.atoll).remove(self.dice.choice(routers))

    def fill_disk(self) -> None:
        """Have no space left for some calls."""
        filler = self.atoll.state / "filler"
        with filler.open("wb", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(b"x" * 65536)
        self._calls_without_disk()
        filler.unlink()

    def break_disk(self) -> None:
        """Have every write fail: the limit of a file's size says so, and SQLite calls it an I/O error."""
        pid = self.atoll.daemon.pid  # type: ignore[union-attr]
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        self._calls_without_disk()
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    def no_processes(self) -> None:
        """Have no room for another process or thread, neither for the daemon nor for the keeper, for some calls."""
        group = Path("/sys/fs/cgroup/pids") / f"longrun-{os.getpid()}"
        if not group.parent.is_dir():
            group = Path("/sys/fs/cgroup") / group.name
        pids = (self.atoll.daemon.pid, self.atoll.status()["keeper"])  # type: ignore[union-attr]
        homes = {pid: _pids_group(pid) for pid in pids}
        group.mkdir()
        try:
            for pid in pids:
                (group / "cgroup.procs").write_text(str(pid))
            (group / "pids.max").write_text((group / "pids.current").read_text())
            self._calls_without_disk()
        finally:
            (group / "pids.max").write_text("max")
            for line in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    home = homes.get(int(line)) or homes[pids[1]]
                    (home / "cgroup.procs").write_text(line)
            until(lambda: not (group / "cgroup.procs").read_text().split(), 10, "an empty group")
            group.rmdir()

    def _calls_without_disk(self) -> None:
        for _ in range(3):
            ask = self._ask()
            self._say(f"in trouble: {ask}")
            self.found.calls += 1
            try:
                self.atoll.client(ask.service, account=ask.caller.account)._make_api_call(
                    ask.operation, ask.parameters
                )
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                self.found.unwritten += status == 503
                if status >= 500 and status != 503:
                    self.found.note(str(ask), [str(error)])

    def _vandalise(self, script: str) -> None:
        if routers := self._routers():
            Vandal(self.atoll).run(self.dice.choice(routers), script)

    def _routers(self) -> list[str]:
        """Return the VPCs that have a router: those in which somebody is."""
        status = self.atoll.status()
        held = os.listdir(f"/proc/{status['keeper']}/root{status['namespaces']}")
        return sorted(name for name in held if name.startswith("vpc-"))

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
        keeper, spaces = self.atoll.status()["keeper"], Path(self.atoll.status()["namespaces"])
        for what, check in (("kernel", differences_from_scratch), ("packets", wrong_fates)):
            for last in (False, False, True):  # damage is found by the next look of the network loop
                try:
                    in_child(lambda check=check: check(keeper, spaces, world, self.found.seed + self.found.steps))
                    break
                except AssertionError as error:
                    if last:
                        self.found.note(what, [str(error)[-1500:]])
                    time.sleep(VERIFY_SECONDS)
        self.found.probes += PROBES

    def _is_well(self) -> bool:
        status = self.atoll.status()
        return self.stage._is_settled() and not _unrest(status)

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

    def _ask(self) -> Ask:
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

    def _say(self, what: str) -> None:
        self.found.say(what, time.monotonic() - self.begun)


def _unrest(status: dict[str, Any]) -> list[str]:
    nodes = [(cache["name"], node) for cache in status["caches"] for node in cache["nodes"]]
    return [f"{name} {node['status']} {node['host_error']}" for name, node in nodes if node["status"] != "available"]


def _pids_group(pid: int) -> Path:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        if "pids" in kinds.split(","):
            return Path("/sys/fs/cgroup/pids") / path.lstrip("/")
    return Path("/sys/fs/cgroup") / Path(f"/proc/{pid}/cgroup").read_text().rpartition(":")[2].strip().lstrip("/")
