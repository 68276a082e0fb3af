"""The log of a daemon in the background: what it says goes into a file, which begins anew when it is full.

`atoll up -d` gives the daemon the file as standard output and error; nobody else would ever end it.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

BYTES_MAX = 16 << 20  # of the log, and as much again of what came before, in NAME.1: some 100,000 events
STANDARD = (1, 2)  # descriptors of standard output and error


class BoundedLog(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes lines to standard error; if that is the file, moves it aside when it is full."""

    def __init__(self, path: Path) -> None:
        """Bound a file, if standard error is that one."""
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        super().emit(record)
        with suppress(OSError):  # a full disk, or somebody's own doing: the log goes on as it is
            turn(self._path)


def turn(path: Path, descriptors: tuple[int, ...] = STANDARD) -> None:
    """Begin a file anew if it is full and one of the descriptors writes it.  Raises OSError."""
    there = os.stat(path)
    if there.st_size <= BYTES_MAX:
        return
    writing = [fd for fd in descriptors if os.path.samestat(os.fstat(fd), there)]
    if not writing:
        return
    # First what may fail: without a descriptor or room for the new file the log goes on where it is.
    fresh = os.open(f"{path}.new", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.replace(path, f"{path}.1")
        os.replace(f"{path}.new", path)
        for fd in writing:
            os.dup2(fresh, fd)
    finally:
        os.close(fresh)
