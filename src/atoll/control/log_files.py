"""The files of log groups: where CloudWatch Logs would have what is delivered to it.

    ACCOUNT/REGION/cloud-watch-logs/GROUP/STREAM.log        a line an event; at 8 MiB it becomes STREAM.log.1

Nothing grows for ever.  Flow logs and the logs of caches write them; the `logs` API reads them.
"""

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

from atoll.logs.shelf import Stream

STREAM_BYTES_MAX = 8 << 20  # of a log stream, and as much again of what came before
_KIND, _ENDING = "cloud-watch-logs", ".log"
_CHANGING = threading.Lock()  # else what comes between the look at an old file and its removal would be gone with it


class LogFiles:
    """The log groups of all accounts, in one directory."""

    def __init__(self, directory: Path) -> None:
        """Use a directory; it is made when there is something to write."""
        self.directory = directory

    def group(self, account: str, region: str, name: str) -> Path:
        """Return the directory of a log group."""
        return self._region(account, region) / _quoted(name)

    def stream(self, account: str, region: str, group: str, name: str) -> Path:
        """Return the file of a log stream."""
        return self.group(account, region, group) / f"{_quoted(name)}{_ENDING}"

    def remove(self, account: str, region: str, group: str) -> None:
        """Remove a group, with all its streams."""
        shutil.rmtree(self.group(account, region, group), ignore_errors=True)

    def expire(self, account: str, region: str, group: str, before: float) -> None:
        """Remove the files of a group in which the newest event came before a Unix time."""
        for path in _entries(self.group(account, region, group)):
            with suppress(OSError), _CHANGING:  # of one file; the others go
                if path.stat().st_mtime < before:
                    path.unlink()

    # For the `logs` API

    def groups(self, account: str, region: str) -> dict[str, float]:
        """Return the names of groups that something was delivered to, and since when."""
        found = {}
        for path in _entries(self._region(account, region)):
            with suppress(OSError):  # it has just gone
                found[unquote(path.name)] = path.stat().st_mtime
        return found

    def streams(self, account: str, region: str, group: str) -> list[Stream]:
        """Return the streams of a group, by name."""
        found = []
        for path in _entries(self.group(account, region, group)):
            if path.name.endswith(_ENDING):
                with suppress(OSError):  # it has just gone
                    seen = path.stat()
                    found.append(Stream(unquote(path.name.removesuffix(_ENDING)), seen.st_size, seen.st_mtime))
        return sorted(found)

    def lines(self, account: str, region: str, group: str, stream: str) -> Iterator[str]:
        """Yield the events of a stream, the oldest first."""
        path = self.stream(account, region, group, stream)
        for file in (Path(f"{path}.1"), path):
            try:
                text = file.read_text(errors="replace")
            except OSError:
                continue
            yield from text.splitlines()

    def _region(self, account: str, region: str) -> Path:
        return self.directory / account / region / _KIND


def append(stream: Path, lines: Sequence[str]) -> int:
    """Add events to a stream in one piece; returns its new size in bytes.  Raises OSError."""
    with _CHANGING:
        stream.parent.mkdir(parents=True, exist_ok=True)
        rotate(stream)
        append_text(stream, "".join(f"{line}\n" for line in lines))
        return stream.stat().st_size


def rotate(stream: Path) -> bool:
    """Begin a stream's file anew if it is full; tells whether it was."""
    if not stream.exists() or stream.stat().st_size <= STREAM_BYTES_MAX:
        return False
    stream.replace(f"{stream}.1")
    return True


def append_text(path: Path, text: str) -> None:
    """Add text in one piece: who reads meanwhile sees all of it or nothing."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        raw = text.encode()
        if os.write(fd, raw) != len(raw):
            raise OSError("the disk is full")
    finally:
        os.close(fd)


def _quoted(name: str) -> str:
    quoted = quote(name, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")  # not the directory itself, nor the one above


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []
