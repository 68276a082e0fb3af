"""Start the keeper without waiting for it: a new Python, which the daemon's own imports need not wait for.

    begun = begin(run_dir, state_dir, rootless=False)     # at once
    ...                                                   # import the rest
    Keeper.start(run_dir, state_dir, rootless=False, begun=begun)

So this imports next to nothing.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import atoll
from atoll.host.directories import make_private, run_dir

__all__ = ["Ignition", "begin", "run_dir"]

_START_SECONDS = 20.0  # a loaded machine; it takes 0.1 s here
# -I and -S: neither the environment nor site-packages decide what the keeper imports.
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from atoll.host.linux.keeper import main; main(*sys.argv[2:])"
)


@dataclass(frozen=True, slots=True)
class Ignition:
    """A keeper that comes up."""

    process: "subprocess.Popen[bytes] | None"  # it ends when the keeper listens; None: one runs already
    log: Path
    told: int  # bytes that the log held before
    run_dir: Path

    def wait(self) -> str | None:
        """Wait until the keeper listens; returns what it complained of if it does not."""
        if self.process is None:
            return None
        try:
            status = self.process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            return f"it was not ready within {_START_SECONDS:.0f} s"
        if not status:
            return None
        said = self.log.read_bytes()[self.told :].decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"status {status}"

    def undo(self) -> None:
        """End the keeper, if it was begun here: there is nothing for it to keep."""
        if self.process is None or self.wait():
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as keeper:
            keeper.connect(str(self.run_dir / "keeper.sock"))
            credentials = keeper.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4)
            os.kill(int.from_bytes(credentials, sys.byteorder), signal.SIGKILL)
        shutil.rmtree(self.run_dir, ignore_errors=True)


def begin(run_dir: Path, state_dir: Path, *, rootless: bool, leash: bool = False) -> Ignition:
    """Start a keeper, unless one runs.  Its complaints go to `state_dir`/keeper.log.  Raises OSError.

    `leash`: the keeper ends, and all that it keeps, when our standard input does.
    `run_dir` should be short (a socket's path has at most 107 bytes) and on a tmpfs: it must not survive a reboot.
    """
    run_dir, state_dir, log = run_dir.resolve(), state_dir.resolve(), state_dir.resolve() / "keeper.log"
    make_private(run_dir)
    if _answers(run_dir):
        return Ignition(None, log, 0, run_dir)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    package_root, mode = str(Path(atoll.__file__).resolve().parent.parent), "rootless" if rootless else "root"
    held = ["leash"] if leash else []
    with log.open("ab") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, package_root, str(run_dir), mode, *held],
            stdin=None if leash else subprocess.DEVNULL,
            stdout=complaints,
            stderr=complaints,
            cwd="/",
        )
        return Ignition(process, log, complaints.tell(), run_dir)


def _answers(run_dir: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.connect(str(run_dir / "keeper.sock"))
        except OSError:
            return False
    return True
