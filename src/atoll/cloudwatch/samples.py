"""What was measured in the last hours: in memory only, never in the World, and gone with the daemon.

A value of a counting metric is what was added since the sample before it, as CloudWatch has it.

Verbs do no I/O, and these are not in the World.  So the daemon lends them its samples, as `ec2/console.py` is lent a
reader:

    samples.read_from(sampler.samples)

They belong to the context that sets them, and to tasks made there; without them nothing was ever measured.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

KEPT_SECONDS = 3 * 3600.0
POINTS_MAX = 1_000  # of one metric, 16 bytes each; three hours have 180 of one minute


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured, and of what."""

    account: str
    region: str
    namespace: str  # AWS/ElastiCache
    name: str  # CurrConnections
    dimensions: tuple[tuple[str, str], ...]  # (("CacheClusterId", "sessions-001"), ("CacheNodeId", "0001"))
    unit: str  # Count


@dataclass(slots=True)
class _Series:
    times: "array[float]"
    values: "array[float]"


class Samples:
    """The newest points of every metric."""

    def __init__(self) -> None:
        """Begin with none."""
        self._series: dict[Metric, _Series] = {}

    def add(self, at: float, values: Mapping[Metric, float]) -> None:
        """Keep what was measured at a time, in seconds since 1970, and forget what is too old."""
        for metric, value in values.items():
            series = self._series.get(metric)
            if series is None:
                series = self._series[metric] = _Series(array("d"), array("d"))
            series.times.append(at)
            series.values.append(value)
        oldest = at - KEPT_SECONDS
        for metric, series in list(self._series.items()):
            gone = max(bisect_left(series.times, oldest), len(series.times) - POINTS_MAX)
            if gone > 0:
                del series.times[:gone], series.values[:gone]
            if not series.times:
                del self._series[metric]

    def metrics(self, account: str, region: str) -> list[Metric]:
        """Return what was measured of an account in a region, in order of names."""
        mine = [m for m in self._series if (m.account, m.region) == (account, region)]
        return sorted(mine, key=lambda m: (m.namespace, m.name, m.dimensions))

    def points(self, metric: Metric, begin: float, end: float) -> Iterator[tuple[float, float]]:
        """Yield the times and values of a metric from `begin` on and before `end`, the oldest first."""
        series = self._series.get(metric)
        if series is not None:
            for n in range(bisect_left(series.times, begin), bisect_left(series.times, end)):
                yield series.times[n], series.values[n]

    def clear(self) -> None:
        """Forget everything."""
        self._series.clear()


_kept: ContextVar[Samples | None] = ContextVar("samples", default=None)


def read_from(samples: Samples) -> None:
    """Answer with these samples, in this context and in those copied from it."""
    _kept.set(samples)


def kept() -> Samples:
    """Return the samples to answer with."""
    found = _kept.get()
    return Samples() if found is None else found
