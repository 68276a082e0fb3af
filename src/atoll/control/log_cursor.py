"""How far a log of a node has been delivered: on the disk, beside what was delivered, so that nothing comes twice.

Events go into the stream first and the cursor is written then.  A crash in between leaves a stream that is longer
than the cursor says; what is too much is cut off, and delivered again.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from atoll.control.log_files import append, rotate

TAIL_LINES = 3  # by which a place in an engine's log is found again


class Cursor:
    """The place in one log of one node."""

    def __init__(self, path: Path) -> None:
        """Read what was written; nothing: it was never delivered."""
        self._path = path
        try:
            self._kept: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError):
            self._kept = {}

    @property
    def slow(self) -> tuple[str, int] | None:
        """The engine's run and the newest id of its slow log that was delivered."""
        return (self._kept["run"], self._kept["id"]) if "run" in self._kept else None

    def after(self, lines: Sequence[str]) -> Sequence[str]:
        """Return what follows the place in an engine's log; all, if the place is not there any more."""
        tail, known = self._kept.get("tail", []), list(lines)
        if tail:
            for end in range(len(known), len(tail) - 1, -1):
                if known[end - len(tail) : end] == tail:
                    return known[end:]
            for cut in range(1, len(tail)):  # the log was cut in the middle of them
                if known[: len(tail) - cut] == tail[cut:]:
                    return known[len(tail) - cut :]
        return known

    def deliver(self, stream: Path, events: Sequence[str], **place: Any) -> None:
        """Write events into a stream, and then the place that they lead to.  Raises OSError."""
        if self._kept.get("stream") == str(stream):
            _cut(stream, self._kept["size"])
        size = stream.stat().st_size if stream.exists() else 0
        if self._kept.get("stream") != str(stream) or self._kept.get("size") != size:
            self._write(stream, size, {})
        if events:
            if rotate(stream):
                self._write(stream, 0, {})
            size = append(stream, events)
        self._write(stream, size, place)

    def _write(self, stream: Path, size: int, place: dict[str, Any]) -> None:
        kept = self._kept | {"stream": str(stream), "size": size} | place
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps(kept))
        os.replace(unfinished, self._path)
        self._kept = kept


def tail_of(lines: Sequence[str]) -> dict[str, Any]:
    """Return the place at the end of an engine's log."""
    return {"tail": list(lines[-TAIL_LINES:])} if lines else {}


def _cut(stream: Path, size: int) -> None:
    """Take away what was written into a stream after its cursor."""
    if stream.exists() and stream.stat().st_size > size:
        os.truncate(stream, size)
