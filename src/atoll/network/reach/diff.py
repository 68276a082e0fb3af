"""Two matrices: which paths have opened between them, and which have closed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from atoll.network.reach.ends import End
from atoll.network.reach.matrix import NONE, Matrix, Ports, path, spelt
from atoll.network.reach.ranges import Ranges, minus


@dataclass(frozen=True, slots=True)
class Change:
    """A path that is there on one side only."""

    opened: bool  # false: closed
    sender: End
    receiver: End
    ports: Ports
    because: str  # the step that decides on the newer side

    @property
    def says(self) -> str:
        """Say it in one line."""
        return (
            f"{self.sender.name} {'reaches' if self.opened else 'no longer reaches'} {self.receiver.name}: "
            + spelt(self.ports)
        )


def changes(before: Matrix, after: Matrix) -> list[Change]:
    """Return what has opened and what has closed, the opened first.

    Ends that are in both are compared by what stays the same (interfaces' ids, ranges outside).  An end that is new
    has reached nothing before.
    """
    return [*_one_way(before, after, opened=True), *_one_way(after, before, opened=False)]


def _one_way(old: Matrix, new: Matrix, *, opened: bool) -> Iterator[Change]:
    """Yield what `new` has and `old` has not."""
    was = {key: index for index, end in enumerate(old.ends) for key in end.keys}
    parts = [list(_split(end, was)) for end in new.ends]
    for (a, b), ports in new.paths.items():
        for sender, old_a in parts[a]:
            for receiver, old_b in parts[b]:
                had: Ports = old.paths.get((old_a, old_b), {}) if old_a is not None and old_b is not None else {}
                more = _minus(ports, had)
                if more and not _same_one(sender, receiver):
                    newest = new if opened else old
                    yield Change(opened, sender, receiver, more, _because(newest, sender, receiver, more))


def _split(end: End, was: Mapping[str, int]) -> Iterator[tuple[End, int | None]]:
    """Yield the parts of a class that were of one class on the other side, with that; `None`: they were not there."""
    if not end.members:
        yield end, was.get(end.name)
        return
    by_class: dict[int | None, list[int]] = {}
    for n, interface in enumerate(end.members):
        by_class.setdefault(was.get(interface.id), []).append(n)
    for index, numbers in by_class.items():
        members = tuple(end.members[n] for n in numbers)
        whole = len(members) == len(end.members)
        yield End(end.name if whole else f"{len(members)} of {end.name}", members), index


def _same_one(sender: End, receiver: End) -> bool:
    return len(sender.members) == len(receiver.members) == 1 and sender.members[0].id == receiver.members[0].id


def _minus(ports: Ports, had: Ports) -> Ports:
    found: dict[str, Ranges] = {p: minus(ranges, had.get(p, NONE)) for p, ranges in ports.items()}
    return {kind: ranges for kind, ranges in found.items() if ranges}


def _because(newest: Matrix, sender: End, receiver: End, ports: Ports) -> str:
    """Say which step lets the path through now, or refuses it."""
    kind, ranges = next(iter(ports.items()))
    known = {i.id for end in newest.ends for i in end.members}
    if any(i.id not in known for end in (sender, receiver) for i in end.members):
        return "an end of it is there no more"
    found = path(newest.world, sender, receiver, kind, ranges[0][0])
    if found is None:
        return "an end of it has no public address any more"
    if found.refusals:
        return found.refusals[0].because
    judged = [s for s in found.steps if s.layer == "ingress-groups"] or [*found.steps[-1:]]
    return judged[-1].because if judged else "it is delivered"
