"""What a story came to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

LINES = 40  # of the newest steps


@dataclass
class Found:
    """The counts of a story, and what was wrong in it."""

    seed: int
    steps: int = 0
    calls: int = 0
    refused: int = 0  # calls that were answered with a refusal of AWS's
    unwritten: int = 0  # calls that were refused because the disk did not take them
    cut: int = 0  # calls during which the daemon died
    blows: dict[str, int] = field(default_factory=dict)
    lives: int = 0
    starts: int = 0  # of processes, as far as they are counted
    disk_errors: int = 0
    probes: int = 0  # packets that were compared
    rests: int = 0  # how often everything came to rest
    virtual_seconds: float = 0.0
    most_resources: int = 0
    wrongs: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)

    def note(self, where: str, wrongs: Sequence[str]) -> None:
        """Take note of what is wrong."""
        self.wrongs += [f"step {self.steps} ({where}): {wrong}" for wrong in wrongs]

    def say(self, what: str, at: float) -> None:
        """Keep a step for whoever looks for the cause."""
        self.last = [*self.last[1 - LINES :], f"{self.steps} at {at:.1f}: {what}"]

    def blow(self, what: str) -> None:
        """Count a blow."""
        self.blows[what] = self.blows.get(what, 0) + 1

    def said(self) -> str:
        """Return the counts as a line."""
        counts = (
            f"{self.calls} calls ({self.refused} refused, {self.unwritten} without a disk, {self.cut} cut)",
            f"{sum(self.blows.values())} blows",
            f"{self.lives} daemons",
            f"{self.probes} packets",
            f"{self.rests} rests",
            f"at most {self.most_resources} resources",
        )
        return ", ".join(counts)
