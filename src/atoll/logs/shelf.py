"""What is in log groups, as verbs may know it: only the daemon can look into files, and `read_with` says how."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol


class Stream(NamedTuple):
    """A log stream."""

    name: str
    size: int  # in bytes
    written: float  # Unix time of its newest event's arrival


class Shelf(Protocol):
    """What can be known of the log groups of an account in a region."""

    def groups(self, account: str, region: str) -> Mapping[str, float]:
        """Return the names of groups that something was delivered to, and since when, as Unix time."""
        ...

    def streams(self, account: str, region: str, group: str) -> Sequence[Stream]:
        """Return the streams of a group, by name."""
        ...

    def lines(self, account: str, region: str, group: str, stream: str) -> Iterable[str]:
        """Yield the events of a stream, the oldest first."""
        ...


class _Nothing:
    def groups(self, account: str, region: str) -> Mapping[str, float]:  # noqa: ARG002
        return {}

    def streams(self, account: str, region: str, group: str) -> Sequence[Stream]:  # noqa: ARG002
        return ()

    def lines(self, account: str, region: str, group: str, stream: str) -> Iterable[str]:  # noqa: ARG002
        return ()


_shelf: Shelf = _Nothing()


def read_with(shelf: Shelf) -> None:
    """Read log groups by this; the daemon says so when it starts."""
    global _shelf
    _shelf = shelf


def shelf() -> Shelf:
    """Return how to read log groups."""
    return _shelf
