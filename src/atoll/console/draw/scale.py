"""Axes: which ticks a range of values or of time gets, and how values are written.  No pictures."""

import math
from datetime import UTC, datetime

BYTES, PERCENT, SECONDS = "Bytes", "Percent", "Seconds"  # CloudWatch's units; everything else counts
TICKS = 4  # of a value axis, about
TIME_TICKS_MAX = 7
TIME_STEPS = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
)  # fmt: skip
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_EXACT_BELOW = 10_000  # counts up to here are written in full


def value_ticks(low: float, high: float, unit: str) -> tuple[float, ...]:
    """Return the ticks of an axis that shows values from `low` to `high`: round numbers, and both are within them."""
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = 1.0
    step = _step((high - low) / TICKS, unit)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return tuple(n * step for n in range(first, last + 1))


def time_ticks(start: float, end: float) -> tuple[float, ...]:
    """Return the ticks of an axis of time, in seconds since 1970: whole minutes, hours or days of UTC."""
    span = end - start
    days = math.ceil(span / TIME_TICKS_MAX / 86400)
    step = next((s for s in TIME_STEPS if span / s <= TIME_TICKS_MAX), days * 86400)
    first = math.ceil(start / step)
    return tuple(float(n * step) for n in range(first, math.floor(end / step) + 1))


def time_text(at: float, step_seconds: float = 60) -> str:
    """Return a time as an axis shows it, in UTC."""
    moment = datetime.fromtimestamp(at, UTC)
    if step_seconds >= 86400:
        return f"{moment:%m-%d}"
    return f"{moment:%H:%M}" if step_seconds >= 60 else f"{moment:%H:%M:%S}"


def value_text(value: float, unit: str) -> str:
    """Return a value as people read it, with its unit: `1.5 MiB`, `12.5 %`, `1,234`."""
    if unit == BYTES:
        return _bytes(value)
    if unit == PERCENT:
        return f"{_short(value)} %"
    if unit == SECONDS:
        return f"{_short(value)} s"
    for size, letter in _DECIMAL:
        if abs(value) >= max(size, _EXACT_BELOW):
            return f"{_short(value / size)} {letter}"
    return _short(value)


def _step(raw: float, unit: str) -> float:
    """Return the smallest round number that is not below `raw`."""
    if unit == BYTES:
        return float(2 ** max(math.ceil(math.log2(raw)), 0))
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9)), 10 * power)
    return max(step, 1.0) if unit not in (PERCENT, SECONDS) and raw > 0.2 else step


def _bytes(value: float) -> str:
    size = 0
    while abs(value) >= 1024 and size < len(_BINARY) - 1:
        value, size = value / 1024, size + 1
    return f"{_short(value)} {_BINARY[size]}"


def _short(value: float) -> str:
    """Return a number with three digits that matter, and all of those before the point."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if abs(value) < 10 else 1}f}".rstrip("0").rstrip(".")
