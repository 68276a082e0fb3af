"""What a new node begins with: its engine loads `dump.rdb` as it starts, which is a pipe, and a thread fills it.

So no second copy of the data lies anywhere, and an engine that does not get all of it ends: a restore is whole or is
begun again.  The pipe's name goes when the engine has opened it, for it would open it once more afterwards, and wait.
"""

import errno
import hashlib
import os
import select
import threading
import time
from pathlib import Path

from atoll.cache.node import NodePlan
from atoll.model.cache import Seed

PIPE = "dump.rdb"  # the engines' default name
CHUNK_BYTES = 1 << 20
OPEN_SECONDS, OPEN_PAUSE_SECONDS = 60.0, 0.003  # until the engine has come to its file: some milliseconds
STALL_SECONDS = 60.0  # without taking a byte; it is killed or stopped then, and asked for again
_DIGEST_BYTES = 16


def make_pipe(directory: Path) -> Path:
    """Make a node's pipe.  Raises OSError."""
    os.mkfifo(directory / PIPE, 0o600)
    return directory / PIPE


class Seeds:
    """Fills the pipes of nodes."""

    def __init__(self, state_dir: Path) -> None:
        """Read files below `state_dir`."""
        self._state_dir = state_dir
        self._busy: dict[str, threading.Thread] = {}
        self.failures: dict[str, str] = {}  # why a pipe was not filled, by process

    def feed(self, node: NodePlan, directory: Path) -> None:
        """Fill a node's pipe, if it has one that nobody fills yet; returns at once."""
        self._busy = {name: thread for name, thread in self._busy.items() if thread.is_alive()}
        if node.process in self._busy or not (directory / PIPE).exists():
            return
        thread = threading.Thread(
            target=self._feed, args=(node, directory / PIPE), name=f"seed {node.process}", daemon=True
        )
        self._busy[node.process] = thread
        thread.start()

    def _feed(self, node: NodePlan, pipe: Path) -> None:
        self.failures.pop(node.process, None)
        try:
            fd = _open(pipe)
            try:
                pipe.unlink()
                for seed in node.seeds:
                    _pour(self._state_dir / seed.path, seed, fd)
            finally:
                os.close(fd)
        except BrokenPipeError:  # the engine has ended, and said why
            pass
        except OSError as error:  # the engine ends, and only knows that it is short of something
            self.failures[node.process] = str(error)


def _open(pipe: Path) -> int:
    """Open a pipe when the engine has.  Raises OSError."""
    for _ in range(int(OPEN_SECONDS / OPEN_PAUSE_SECONDS)):
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        time.sleep(OPEN_PAUSE_SECONDS)
    raise OSError("the engine does not read it")


def _pour(path: Path, seed: Seed, fd: int) -> None:
    """Write a file into a pipe; the last bytes only if all of it is what it was.  Raises OSError."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with path.open("rb") as file:
        block = file.read(CHUNK_BYTES)
        while block:
            digest.update(block)
            following = file.read(CHUNK_BYTES)
            if not following and seed.digest not in (None, digest.hexdigest()):
                raise OSError(f"{path.name} is not what it was when it was written")
            _write(fd, memoryview(block))
            block = following


def _write(fd: int, view: memoryview) -> None:
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            if not select.select([], [fd], [], STALL_SECONDS)[1]:
                raise OSError("the engine does not read on") from None
