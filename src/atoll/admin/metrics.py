"""Everything that is measured, as text for a Prometheus server: its exposition format, version 0.0.4.

A metric is named after CloudWatch's: `CurrConnections` of AWS/ElastiCache is `atoll_elasticache_curr_connections`.
What counts ends in `_total`, and counts since the engine's start and not in a minute.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from atoll.cache.metrics import Reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIXES = {"AWS/ElastiCache": "atoll_elasticache_", "AWS/NATGateway": "atoll_nat_gateway_"}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Measured(Protocol):
    """A node or a gateway, and what it says."""

    @property
    def account(self) -> str: ...  # noqa: D102
    @property
    def region(self) -> str: ...  # noqa: D102
    @property
    def namespace(self) -> str: ...  # noqa: D102
    @property
    def dimensions(self) -> tuple[tuple[str, str], ...]: ...  # noqa: D102
    @property
    def reading(self) -> Reading: ...  # noqa: D102


def exposition(found: Iterable[Measured]) -> str:
    """Return the text: each metric with its type, then a line for everything that has it."""
    families: dict[tuple[str, str], list[str]] = {}
    for one in found:
        labels = _labels({"account": one.account, "region": one.region, **_snaked(one.dimensions)})
        for name, kind, value in _values(one):
            families.setdefault((name, kind), []).append(f"{name}{labels} {value!r}")
    lines: list[str] = []
    for (name, kind), rows in sorted(families.items()):
        lines += [f"# TYPE {name} {kind}", *rows]
    return "\n".join(lines) + "\n" if lines else ""


def _values(one: Measured) -> Iterator[tuple[str, str, float]]:
    prefix, reading = PREFIXES[one.namespace], one.reading
    for name, value in reading.gauges.items():
        yield prefix + _snake(name), "gauge", value
    for name, value in reading.totals.items():
        yield f"{prefix}{_snake(name)}_total", "counter", value
    if reading.engine_seconds is not None:
        yield f"{prefix}engine_cpu_seconds_total", "counter", reading.engine_seconds
    if reading.all_seconds is not None:
        yield f"{prefix}cpu_seconds_total", "counter", reading.all_seconds


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in labels.items()) + "}"


def _snaked(dimensions: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {_snake(name): value for name, value in dimensions}


def _snake(name: str) -> str:
    return _WORD.sub("_", name).lower()
