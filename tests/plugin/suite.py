"""A user's suite: files in a directory of their own, run by a pytest of their own, in an environment of their own."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS_MAX = 280.0  # a machine with other work; alone it takes a tenth of that


class Suite:
    """A directory with tests, and what is left of the daemons that they had."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.home = place / "home"
        self.run_dir = place / "run"
        self.temporary = place / "tmp"
        for directory in (self.home, self.run_dir, self.temporary):
            directory.mkdir(mode=0o700)
        self._known: set[str] = set()
        self.tests = place / "suite"
        self.tests.mkdir()
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ATOLL_", "PYTEST_", "XDG_"))}
        self.environment = kept | {
            "HOME": str(self.home), "TMPDIR": str(self.temporary), "XDG_RUNTIME_DIR": str(self.run_dir),
        }  # fmt: skip

    def write(self, name: str, text: str) -> None:
        (self.tests / name).write_text(textwrap.dedent(text))

    def start(self, *options: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", *options],
            cwd=self.tests, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def run(self, *options: str) -> tuple[int, str]:
        """Run it to its end; returns the exit code and what it said."""
        with self.start(*options) as process:
            try:
                said, _ = process.communicate(timeout=SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return process.returncode, said

    def daemons(self) -> list[int]:
        """Return the processes that have something to do with this suite's states: daemons, keepers, engines."""
        return [pid for pid, _ in self._processes()]

    def left(self) -> list[str]:
        """Return what is left of its daemons: processes, states, run directories, mounts."""
        found = [f"process {pid}: {line}" for pid, line in self._processes()]
        found += [str(path) for path in self.temporary.glob("atoll-*")]
        found += [str(path) for path in self.run_dir.glob("atoll-*")]
        found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(self.place) in line]
        return found

    def _processes(self) -> Iterator[tuple[int, str]]:
        names = [str(self.temporary), *(f"/run/{name}" for name in self._run_names())]
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if any(name in line for name in names) and int(entry.name) != os.getpid():
                yield int(entry.name), line

    def _run_names(self) -> set[str]:
        from atoll.host.linux.ignition import run_dir

        for state in self.temporary.glob("atoll-world-*"):
            self._known.add(run_dir(state).name)
        return self._known


def passed(said: str) -> int:
    """Return how many tests passed."""
    found = re.search(r"(\d+) passed", said)
    return int(found[1]) if found else 0


def until(true, what: str, seconds: float = 30.0):
    """Wait until something is true, and return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.02)
    return found


def kill(*pids: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
