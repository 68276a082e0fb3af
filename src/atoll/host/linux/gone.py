"""Disks that nobody needs any more: moved aside at once, and deleted by a thread for which nobody waits.

What a guest has dug a hundred thousand levels deep takes minutes.  What is left when the daemon ends, the next one
deletes.
"""

import secrets
import threading
from pathlib import Path
from queue import SimpleQueue

from atoll.host.contract import HostError
from atoll.host.linux import guest

ASIDE = ".gone-"  # begins the name of what is to be deleted


class Gone:
    """What is to be deleted in one directory.  One thread uses it, and it has one of its own."""

    def __init__(self, place: Path) -> None:
        """Delete in `place`; nothing is done yet."""
        self._place = place
        self._queue: SimpleQueue[Path | threading.Event] = SimpleQueue()
        self._failed: SimpleQueue[Path] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, directory: Path) -> None:
        """Have a directory deleted; its name is free when this returns.  Raises HostError."""
        self._begin()
        aside = self._place / f"{ASIDE}{secrets.token_hex(8)}"
        try:
            directory.rename(aside)
        except OSError as error:
            raise HostError(str(error), f"remove {directory}") from error
        self._queue.put(aside)

    def look(self) -> None:
        """Have what an earlier daemon left deleted, and what could not be tried again.  Raises HostError of that."""
        self._begin()
        failed = [self._failed.get() for _ in range(self._failed.qsize())]
        for directory in failed:
            self._queue.put(directory)
        if failed:
            raise HostError("some files could not be deleted", f"remove {failed[0]}")

    def wait(self) -> None:
        """Return when everything is deleted, however long that takes.  Raises HostError."""
        self._begin()
        self._queue.put(done := threading.Event())
        done.wait()
        self.look()

    def _begin(self) -> None:
        if self._thread is not None:
            return
        for left in self._place.glob(f"{ASIDE}*"):
            self._queue.put(left)
        # A daemon that ends does not wait for it: it may be killed at any moment.
        self._thread = threading.Thread(target=self._run, name="disks that go", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            one = self._queue.get()
            if isinstance(one, threading.Event):
                one.set()
                continue
            try:
                guest.remove(one)
            except (HostError, OSError):
                self._failed.put(one)
