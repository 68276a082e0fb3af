"""One round, decided: from what should run and what does, the steps that are missing.  Pure.

want (the plan)   seen (the host)      step
no                alive                Stop
no                ended                Forget
yes               nothing              Start, unless a failed start is still cooling
yes               alive                -
yes               ended                Ended: the recorder says what that means; then Forget and Start
yes, guarded      nothing, or ended    -: the failover says what happens, by asking for another boot
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from atoll.cache.node import NodePlan
from atoll.host.contract import Machine, Seen

COOLING_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)  # after the first, second ... failed start; the last one repeats


@dataclass(frozen=True, slots=True)
class Start:
    """A machine is missing."""

    machine: Machine


@dataclass(frozen=True, slots=True)
class Stop:
    """A process runs that nobody wants any more."""

    name: str


@dataclass(frozen=True, slots=True)
class Forget:
    """A process that nobody wants has ended."""

    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that should run has ended, with this status."""

    machine: Machine
    status: int


Step = Start | Stop | Forget | Ended


@dataclass(slots=True)
class Attempts:
    """Failed starts, so that a machine which cannot start does not spin."""

    failed: dict[str, tuple[int, float]] = field(default_factory=dict)  # name -> (how often, not before)

    def fail(self, name: str, now: float) -> int:
        """Note a failed start (or a quick death); return how many there were in a row."""
        count = self.failed.get(name, (0, 0.0))[0] + 1
        self.failed[name] = count, now + COOLING_SECONDS[min(count, len(COOLING_SECONDS)) - 1]
        return count

    def succeed(self, name: str) -> None:
        """Forget the failures: it serves."""
        self.failed.pop(name, None)

    def cooling(self, name: str, now: float) -> bool:
        """Tell whether it is too early to try again."""
        return name in self.failed and now < self.failed[name][1]

    def keep(self, names: Container[str]) -> None:
        """Forget what nobody wants any more."""
        for name in [name for name in self.failed if name not in names]:
            del self.failed[name]

    def next_try(self, now: float) -> float | None:
        """Return when the first of those that are cooling may be tried again."""
        return min((when for _, when in self.failed.values() if when > now), default=None)


def decide(want: Mapping[str, Machine], seen: Mapping[str, Seen], attempts: Attempts, now: float) -> list[Step]:
    """Return the steps of this round, stops first."""
    steps: list[Step] = []
    leaving = set()  # subjects of which an unwanted boot still runs: two boots would share a disk and an address
    for name in [name for name in seen if name not in want]:
        steps.append(Stop(name) if seen[name].alive else Forget(name))
        if seen[name].alive:
            leaving.add(subject_of(name))
    alive = {name for name, process in seen.items() if process.alive}
    for name in [name for name in want if name not in alive]:  # few: all others are passed in 0.05 us each
        machine, process_seen = want[name], seen.get(name)
        if isinstance(machine, NodePlan) and machine.guarded:
            continue
        if process_seen is not None:
            steps.append(Ended(machine, process_seen.status or 0))
        elif subject_of(name) not in leaving and not attempts.cooling(name, now):
            steps.append(Start(machine))
    return steps


def subject_of(process: str) -> str:
    """Return what a process is a boot of: `i-1` of `i-1#2`."""
    return process.rpartition("#")[0]
