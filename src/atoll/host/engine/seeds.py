"""What a new node begins with: its engine loads `dump.rdb` as it starts, which is a pipe, and a thread fills it.

So no second copy of the data lies anywhere, and an engine that does not get all of it ends: a restore is whole or is
begun again.  The pipe's name goes when the engine has opened it, for it would open it once more afterwards, and wait.
"""

import errno
import fcntl
import hashlib
import os
import select
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from atoll.cache import rdb
from atoll.cache.node import NodePlan
from atoll.model.cache import Seed

PIPE = "dump.rdb"  # the engines' default name
CHUNK_BYTES = 1 << 20
OPEN_SECONDS, OPEN_PAUSE_SECONDS = 60.0, 0.003  # until the engine has come to its file: some milliseconds
STALL_SECONDS = 60.0  # without taking a byte; it is killed or stopped then, and asked for again
PIPE_BYTES = 1 << 20  # instead of 64 KiB: fewer turns between the engine and us
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
                with suppress(OSError, AttributeError):  # more than this user, or system, may have: then it is small
                    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
                paths = [(self._state_dir / seed.path, seed) for seed in node.seeds]
                if len(paths) > 1:
                    _join(paths, fd)
                else:
                    _pour(*paths[0], fd)
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


class _Checked:
    """A file that is read to its end, and found to be what it was when it was written."""

    def __init__(self, file: BinaryIO, seed: Seed) -> None:
        self._file, self._seed = file, seed
        self._digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)

    def read(self, count: int) -> bytes:
        block = self._file.read(count)
        if self._seed.digest is not None:
            self._digest.update(block)
        return block

    def check(self) -> None:
        """Raise OSError if what was read is not what was written."""
        if self._seed.digest not in (None, self._digest.hexdigest()):
            raise OSError(f"{self._seed.path} is not what it was when it was written")


def _pour(path: Path, seed: Seed, fd: int) -> None:
    """Write a file into a pipe; the last bytes only if all of it is what it was.  Raises OSError."""
    with path.open("rb") as file:
        checked = _Checked(file, seed)
        block = checked.read(CHUNK_BYTES)
        while block:
            following = checked.read(CHUNK_BYTES)
            if not following:
                checked.check()
            _write(fd, memoryview(block))
            block = following


def _join(paths: Sequence[tuple[Path, Seed]], fd: int) -> None:
    """Write several files into a pipe as one: the first with its functions, of the others the keys.

    Each shard has the same functions, and no key is in two shards.  Raises OSError.
    """
    begins = []
    for path, _ in paths:
        with path.open("rb") as file:
            begins.append(file.read(rdb.HEADER_BYTES))
    _write(fd, memoryview(rdb.newest(begins)))
    for number, (path, seed) in enumerate(paths):
        with path.open("rb") as file:
            left, checked = os.fstat(file.fileno()).st_size - rdb.FOOTER_BYTES, _Checked(file, seed)
            if number == 0:
                checked.read(rdb.HEADER_BYTES)
            else:
                try:
                    _write(fd, memoryview(rdb.pass_preamble(checked.read)))
                except (ValueError, IndexError) as error:
                    raise OSError(f"{seed.path}: {error}") from error
            while (room := left - file.tell()) > 0:
                _write(fd, memoryview(checked.read(min(CHUNK_BYTES, room))))
            checked.read(rdb.FOOTER_BYTES)
            checked.check()
    _write(fd, memoryview(rdb.FOOTER))


def _write(fd: int, view: memoryview) -> None:
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            if not select.select([], [fd], [], STALL_SECONDS)[1]:
                raise OSError("the engine does not read on") from None
