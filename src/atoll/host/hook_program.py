"""Runs a user's scripts at the stages of the daemon's life: a program of its own, in the machine's own network.

    python -I -S hook_program.py DIR SECONDS        # DIR has boot.d, start.d, ready.d, shutdown.d

A line of standard input names a stage: its scripts run one after another, by name.  What becomes of each is a line of
JSON on standard output, and so is the end of the stage.  What scripts say goes to standard error.  Another stage ends
the one before, and so does the end of standard input, which is the end of the daemon.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time

STAGES = ("boot", "start", "ready", "shutdown")
INTERRUPTED = "another stage, or the end of Atoll, came before its own"


def scripts(directory: str, stage: str) -> list[str]:
    """Return the paths of a stage's files, by name."""
    try:
        with os.scandir(f"{directory}/{stage}.d") as found:
            return sorted(entry.path for entry in found if entry.is_file() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def command(path: str) -> list[str] | None:
    """Return what runs a file; None: it is no script."""
    if os.access(path, os.X_OK):
        return [path]
    return {".sh": ["/bin/sh", path], ".py": [sys.executable, path]}.get(os.path.splitext(path)[1])


def run(path: str, stage: str, seconds_max: float) -> bool:
    """Run a script, and tell what became of it; False: it was interrupted, by another stage or the daemon's end."""
    words, begun = command(path), time.monotonic()
    about = {"stage": stage, "name": os.path.basename(path)}
    if words is None:
        tell(**about, state="SKIPPED", because="it is neither executable nor named .sh or .py")
        return True
    tell(**about, state="RUNNING")
    try:
        child = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=2, stderr=2, cwd=os.path.dirname(path), start_new_session=True
        )
    except OSError as error:
        tell(**about, state="ERROR", because=f"it cannot be run: {error.strerror}")
        return True
    cut = wait(child, seconds_max)
    if cut:
        os.killpg(child.pid, signal.SIGKILL)  # it has not been waited for: its number is still its own
    status = child.wait()
    because = cut or (f"it ended with status {status}" if status else None)
    seconds = round(time.monotonic() - begun, 3)
    ended = {"state": "ERROR", "because": because} if because else {"state": "SUCCESSFUL"}
    tell(**about, **ended, seconds=seconds)
    return cut != INTERRUPTED


def wait(child: "subprocess.Popen[bytes]", seconds_max: float) -> str | None:
    """Wait for the end of a script; returns why that is not waited for any more, None if it came."""
    pidfd = os.pidfd_open(child.pid)
    try:
        ready, _, _ = select.select([0, pidfd], [], [], seconds_max)
    finally:
        os.close(pidfd)
    if pidfd in ready:
        return None
    return INTERRUPTED if ready else f"it took longer than {seconds_max:g} s, and was ended"


def tell(**what: object) -> None:
    """Say what happened, as a line of JSON."""
    os.write(1, json.dumps(what).encode() + b"\n")


def main(directory: str, seconds_max: float) -> None:
    """Run stages as they are named, until nobody names any more."""
    while stage := line():
        for path in scripts(directory, stage):
            if not run(path, stage, seconds_max):
                break
        tell(stage=stage, done=True)


def line() -> str:
    """Read one line, byte by byte, so that what follows can be waited for."""
    said = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        said += byte
    return said.decode() if byte else ""


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
