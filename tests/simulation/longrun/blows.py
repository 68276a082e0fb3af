"""What befalls a real daemon, its kernel and its machines; see `real.Story`, whom it befalls."""

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from tests.daemon.atoll import until
from tests.daemon.test_crash import Kernel as Vandal
from tests.kernel.conftest import in_child

if TYPE_CHECKING:
    from tests.simulation.longrun.real import Story

HUNG_SECONDS = 4.0  # for this long a hung node says nothing; a lone one is given up before
CLOCK_STEPS = (1.0, 420.0, 10_800.0, 40 * 86_400.0)  # as on paper
CALLS_IN_TROUBLE = 3


class Blows:
    """All that can befall one story."""

    def __init__(self, story: "Story", wall: Path) -> None:
        """`wall` is the file that says how far ahead the daemon's clock is."""
        self.story, self.atoll, self.dice, self._wall = story, story.atoll, story.dice, wall
        self._ahead = 0.0

    def all(self) -> tuple[Callable[[], None], ...]:
        """Return each of them."""
        return (
            self.kill, self.kill_in_a_call, self.kill_a_machine, self.hang_a_node, self.kill_the_keeper, self.flush,
            self.cut_a_link, self.remove, self.fill_disk, self.break_disk, self.no_processes, self.set_clock,
        )  # fmt: skip

    def kill(self) -> None:
        """Kill the daemon."""
        self.atoll.kill()
        self.story.up()

    def kill_in_a_call(self) -> None:
        """Kill the daemon while it works."""
        ask, delay = self.story.ask(), self.dice.random() * 0.05
        killer = threading.Timer(delay, self.atoll.daemon.kill)  # type: ignore[union-attr]
        killer.start()
        with contextlib.suppress(BotoCoreError, ClientError):
            self.story.send(ask)
        killer.join()
        self.story.found.cut += 1
        self.atoll.daemon.wait(20)  # type: ignore[union-attr]
        self.story.up()

    def kill_a_machine(self) -> None:
        """Kill an instance or a node."""
        if pids := self.story.stage.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[self.dice.choice(sorted(pids))], signal.SIGKILL)

    def hang_a_node(self) -> None:
        """Have a node hang for a while: it runs, and says nothing."""
        if pids := {name: pid for name, pid in self.story.stage.pids().items() if not name.startswith("i-")}:
            try:
                process = os.pidfd_open(pids[self.dice.choice(sorted(pids))])
            except ProcessLookupError:
                return
            with contextlib.suppress(ProcessLookupError):  # it may be killed and started anew meanwhile
                signal.pidfd_send_signal(process, signal.SIGSTOP)
                time.sleep(HUNG_SECONDS)
                signal.pidfd_send_signal(process, signal.SIGCONT)
            os.close(process)

    def kill_the_keeper(self) -> None:
        """Kill the keeper, and with it all that runs; the daemon ends, and another one begins anew."""
        os.kill(self.atoll.status()["keeper"], signal.SIGKILL)
        self.atoll.daemon.wait(20)  # type: ignore[union-attr]
        self.story.up()

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
        self._calls_in_trouble()
        filler.unlink()

    def break_disk(self) -> None:
        """Have every write fail: the limit of a file's size says so, and SQLite calls it an I/O error."""
        pid = self.atoll.daemon.pid  # type: ignore[union-attr]
        for most in (0, resource.RLIM_INFINITY):  # as who may: its own user
            limits = most, resource.RLIM_INFINITY
            set_limits = partial(resource.prlimit, pid, resource.RLIMIT_FSIZE, limits)
            in_child(set_limits, rootless=self.atoll.uid is not None)
            if not most:
                self._calls_in_trouble()

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
            self._calls_in_trouble()
        finally:
            (group / "pids.max").write_text("max")
            for line in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    home = homes.get(int(line)) or homes[pids[1]]
                    (home / "cgroup.procs").write_text(line)
            until(lambda: not (group / "cgroup.procs").read_text().split(), 10, "an empty group")
            group.rmdir()

    def set_clock(self) -> None:
        """Set the wall's clock of the daemon forward or back."""
        step = self.dice.choice(CLOCK_STEPS) * self.dice.choice((1, -1))
        self._ahead += step
        self._wall.write_text(str(self._ahead))
        self.story.say(f"by {step:.0f} s")

    def _calls_in_trouble(self) -> None:
        for _ in range(CALLS_IN_TROUBLE):
            ask = self.story.ask()
            self.story.say(f"in trouble: {ask}")
            self.story.found.calls += 1
            try:
                self.story.send(ask)
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                self.story.found.unwritten += status == 503
                if status >= 500 and status != 503:
                    self.story.found.note(str(ask), [str(error)])

    def _vandalise(self, script: str) -> None:
        if routers := self._routers():
            try:
                Vandal(self.atoll).run(self.dice.choice(routers), script)
            except (AssertionError, subprocess.TimeoutExpired) as error:  # it has gone meanwhile: its VPC is empty
                self.story.say(f"no harm done: {error}")

    def _routers(self) -> list[str]:
        """Return the VPCs that have a router: those in which somebody is."""
        status = self.atoll.status()
        held = os.listdir(f"/proc/{status['keeper']}/root{status['namespaces']}")
        return sorted(name for name in held if name.startswith("vpc-"))


def _pids_group(pid: int) -> Path:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        if "pids" in kinds.split(","):
            return Path("/sys/fs/cgroup/pids") / path.lstrip("/")
    return Path("/sys/fs/cgroup") / Path(f"/proc/{pid}/cgroup").read_text().rpartition(":")[2].strip().lstrip("/")
