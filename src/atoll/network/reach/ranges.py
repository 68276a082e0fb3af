"""Sets of ports, as ranges that neither overlap nor touch, in order."""

from collections.abc import Iterable
from typing import TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]  # first and last, both included


def merged(parts: Iterable[tuple[int, int]]) -> Ranges:
    """Return the ports of all parts."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(parts):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def minus(one: Ranges, other: Ranges) -> Ranges:
    """Return the ports of `one` that are not in `other`."""
    out: list[tuple[int, int]] = []
    for low, high in one:
        for start, end in other:
            if end < low or start > high:
                continue
            if start > low:
                out.append((low, start - 1))
            low = max(low, end + 1)
        if low <= high:
            out.append((low, high))
    return tuple(out)


def pieces(whole: Ranges, cuts: Iterable[int]) -> Ranges:
    """Return ranges cut so that each begins at one of `cuts` or at its own begin, and holds no other cut."""
    ordered = sorted(set(cuts))
    out: list[tuple[int, int]] = []
    for low, high in whole:
        for cut in ordered:
            if low < cut <= high:
                out.append((low, cut - 1))
                low = cut
        out.append((low, high))
    return tuple(out)
