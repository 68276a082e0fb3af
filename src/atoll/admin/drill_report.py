"""What a drill showed, made of what its clients and the control plane wrote down: figures and a time line.  Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BUCKET_SECONDS = 0.1
_ROUNDING = 0.0001  # milliseconds are told with one digit
AFTER_SECONDS = 0.5  # of the rate afterwards, which begins so long after the first write


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures of one drill.  Milliseconds count from the fault."""

    resumed_ms: float | None  # when a write was accepted again, of any client; None: there was none
    slowest_ms: float | None  # when every client had one
    outage_ms: float | None  # for how long no write was accepted; a planned change begins with writes that still are
    before: float  # acknowledged writes a second
    after: float
    acknowledged: int
    lost: tuple[str, ...]
    errors: Mapping[str, int]  # after the fault, by kind
    readonly_ms: tuple[float, float] | None  # the first and the last READONLY
    name_ms: float | None  # when the name led elsewhere
    buckets: tuple[tuple[float, int, int], ...]  # milliseconds, writes, errors: of each bucket

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {
            "outage_ms": self.outage_ms,
            "resumed_ms": self.resumed_ms,
            "slowest_client_ms": self.slowest_ms,
            "writes_per_second": {"before": self.before, "after": self.after},
            "acknowledged": self.acknowledged,
            "lost": list(self.lost),
            "errors": dict(self.errors),
            "readonly_ms": self.readonly_ms,
            "name_ms": self.name_ms,
            "buckets": [{"ms": at, "writes": writes, "errors": errors} for at, writes, errors in self.buckets],
        }


def report(
    said: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], at: float, bucket_seconds: float = BUCKET_SECONDS
) -> Report:
    """Return the figures; `said` is what the clients printed, `steps` what was done, `at` the time of the fault.

    A write counts as the next accepted one when it was acknowledged after the promotion: the old primary may have
    gone on for a moment.  Without a promotion it is the one behind the longest pause.
    """
    promoted = min((step["at"] for step in steps if step["act"] == "promote" and step["at"] >= at), default=None)
    acks = [(when, client) for when, client, _ in said["acks"]]
    errors = [(when, what) for when, _, what in said["errors"] if when >= at]
    clients = sorted({client for _, client in acks})
    ends = [_resumed([when for when, client in acks if client == one], at, promoted) for one in clients]
    resumed_ms = _resumed([when for when, _ in acks], at, promoted)
    readonly = [_ms(when, at) for when, what in errors if "READONLY" in what]
    names = [when for when, address in said["names"] if when >= at and address]
    times = [when for when, _ in acks]
    resumed = at + resumed_ms / 1000 if resumed_ms is not None else None
    before = [when for when in times if resumed is not None and when < resumed - _ROUNDING]
    return Report(
        resumed_ms=resumed_ms,
        outage_ms=_ms(resumed, max(at, max(before, default=at))) if resumed is not None else None,
        slowest_ms=None if not ends or None in ends else max(end for end in ends if end is not None),
        before=_rate([when for when in times if when < at], times[:1], at),
        after=_rate([w for w in times if resumed and w > resumed + AFTER_SECONDS], [(resumed or at) + AFTER_SECONDS]),
        acknowledged=len(acks),
        lost=tuple(said["lost"]),
        errors=dict(Counter(what.partition(":")[0] if "READONLY" not in what else "READONLY" for _, what in errors)),
        readonly_ms=(min(readonly), max(readonly)) if readonly else None,
        name_ms=_ms(names[0], at) if names else None,
        buckets=_buckets(times, [when for when, _ in errors], at, bucket_seconds),
    )


def time_line(found: Report, steps: Sequence[Mapping[str, Any]], at: float, fault: str) -> list[str]:
    """Return what happened, in its order: milliseconds after the fault, and what it was."""
    rows = [(0.0, f"fault: {fault}")]
    rows += [(_ms(step["at"], at), _step(step)) for step in steps if step["at"] >= at - 0.001]
    if found.name_ms is not None:
        rows.append((found.name_ms, "the name leads to the new primary"))
    if found.resumed_ms is not None:
        rows.append((found.resumed_ms, "the first write after it is acknowledged"))
    if found.slowest_ms is not None and found.slowest_ms != found.resumed_ms:
        rows.append((found.slowest_ms, "every client writes again"))
    if found.readonly_ms:
        rows.append((found.readonly_ms[0], f"READONLY until {found.readonly_ms[1]:.1f} ms"))
    return [f"{ms:9.1f}  {text}" for ms, text in sorted(rows)]


def _step(step: Mapping[str, Any]) -> str:
    who = step.get("id", "")
    to = step.get("to") or step.get("leader_id") or ""
    return f"{step['act']} {who}{f' -> {to}' if to else ''}: {step['because']}"


def _resumed(times: Sequence[float], at: float, promoted: float | None) -> float | None:
    """Return the milliseconds from the fault to the next accepted write; None: there was none."""
    if promoted is not None:
        return min((_ms(when, at) for when in times if when >= promoted), default=None)
    last = max((when for when in times if when < at), default=at)
    pauses = []
    for when in sorted(when for when in times if when >= at):
        pauses.append((when - max(last, at), when))
        last = when
    if not pauses:
        return None
    return _ms(max(pauses)[1], at)


def _rate(times: Sequence[float], begin: Sequence[float], end: float | None = None) -> float:
    until = end if end is not None else max(times, default=0.0)
    seconds = until - begin[0] if begin else 0.0
    return round(len(times) / seconds, 0) if seconds > 0 else 0.0


def _buckets(
    writes: Sequence[float], errors: Sequence[float], at: float, seconds: float
) -> tuple[tuple[float, int, int], ...]:
    counted: dict[int, tuple[int, int]] = {}
    for times, write, error in ((writes, 1, 0), (errors, 0, 1)):
        for when in times:
            n = int((when - at) // seconds)
            known = counted.get(n, (0, 0))
            counted[n] = known[0] + write, known[1] + error
    if not counted:
        return ()
    rows = ((n, *counted.get(n, (0, 0))) for n in range(min(counted), max(counted) + 1))
    return tuple((n * seconds * 1000, int(writes), int(errors)) for n, writes, errors in rows)


def _ms(when: float, at: float) -> float:
    return round((when - at) * 1000, 1)
