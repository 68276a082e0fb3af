"""Why a flow does not arrive: everything that is in the way, by name, by AWS's rules and inside the machines.

The order is that of AWS's own page on troubleshooting connections: names, groups, ACLs, routes, then the machines.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from atoll.model.ip import Ip
from atoll.model.world import World
from atoll.network.explain import NO, WIDTH, YES, as_dict, line, notes, telling
from atoll.network.flow import At, Trace, Verdict
from atoll.network.inside.judge import Beyond, Opinion, opinions, to_look_into
from atoll.network.inside.seen import Inside
from atoll.network.mend import Mend, remedies
from atoll.network.trace import trace


@dataclass(frozen=True, slots=True)
class Named:
    """What a name means to who asks."""

    name: str
    because: str  # "sessions.abc... is 10.0.1.20 in vpc-1"
    code: Beyond | None = None  # why it means nothing there
    mends: tuple[Mend, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked."""

    sender: At
    destination: Ip
    protocol: str
    port: int
    target_id: str | None = None  # the interface that is meant, if the destination is one's
    names: tuple[Named, ...] = ()
    inside: Mapping[str, Inside] = field(default_factory=dict)  # what was seen, by interface
    unseen: Mapping[str, str] = field(default_factory=dict)  # why a machine was not looked into
    tls: bool = False
    auth: bool = False


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that is in the way."""

    code: str  # of AWS's analyzer, or of `Beyond`
    layer: str  # "name", a layer of the tracer, or "inside"
    at: str
    because: str
    mends: tuple[Mend, ...] = ()
    sure: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {
            "code": str(self.code),
            "layer": self.layer,
            "at": self.at,
            "because": self.because,
            "sure": self.sure,
            "mend": [{"says": m.says, "command": m.command} for m in self.mends],
        }


@dataclass(frozen=True, slots=True)
class Why:
    """The answer."""

    question: Question
    trace: Trace
    blockers: tuple[Blocker, ...]
    opinions: tuple[Opinion, ...]
    look_into: tuple[str, ...]  # interfaces of the machines that have a say

    @property
    def reachable(self) -> bool:
        """Tell whether nothing is in the way, as far as anybody has looked."""
        return not self.blockers and self.trace.verdict is Verdict.DELIVERED


def why(world: World, question: Question) -> Why:
    """Answer.  Costs a trace, and what the machines' own rules take."""
    shown, world = world, world.seen_by(None)
    found = trace(
        world, question.sender, question.destination, question.protocol, question.port, thorough=True,
        inside=question.inside,
    )  # fmt: skip
    said = tuple(
        opinions(
            world,
            found,
            question.inside,
            question.target_id,
            named=bool(question.names),
            tls=question.tls,
            auth=question.auth,
        )
    )
    blockers = [Blocker(n.code, "name", n.name, n.because, n.mends) for n in question.names if n.code]
    for step, mends in remedies(shown, found):
        blockers.append(Blocker(str(step.code), step.layer, step.at, step.because, mends))
    blockers += [Blocker(o.code, "inside", o.at, o.because, o.mends, o.sure) for o in said if o.code]
    ids = tuple(i.id for i in to_look_into(world, found, question.target_id))
    return Why(question, found, tuple(dict.fromkeys(blockers)), said, ids)


def explain(world: World, answer: Why) -> list[str]:
    """Write the answer for people."""
    found, question = answer.trace, answer.question
    lines = [_headline(answer)]
    lines += [f"{NO if n.code else YES} {'name':<{WIDTH}} {n.because}" for n in question.names]
    lines += map(line, telling(found.steps))
    back = found.back if found.arrived else tuple(s for s in found.back if not s.allowed)
    if back:
        lines += ["the answer:", *map(line, telling(back))]
    if answer.opinions:
        lines.append("inside the machines:")
        lines += [f"{NO if o.code else YES} {o.at:<{WIDTH}} {o.because}" for o in answer.opinions]
    lines += [f"note: {note}" for note in _notes(world, answer)]
    return [*lines, *told(answer.blockers)]


def told(blockers: Sequence[Blocker]) -> list[str]:
    """Write for people what is in the way, and what mends it."""
    lines: list[str] = []
    for number, blocker in enumerate(blockers, 1):
        doubt = "" if blocker.sure else " (perhaps: not every rule could be read)"
        lines += ["", f"{number}. {blocker.code} at {blocker.at}{doubt}", f"   {blocker.because}"]
        for one in blocker.mends:
            lines.append(f"   mend: {one.says}")
            if one.command:
                lines.append(f"     {one.command}")
    return lines


def _headline(answer: Why) -> str:
    packet = answer.trace.packet
    if answer.reachable:
        return f"{YES} {packet} is reachable"
    many = len(answer.blockers)
    return f"{NO} {packet} is not reachable: {many} thing{'s are' if many > 1 else ' is'} in the way"


def _notes(world: World, answer: Why) -> Iterator[str]:
    looked = answer.question.inside
    instances = {o.at for o in answer.opinions}
    for note in notes(world, answer.trace):
        if "may translate" not in note or note.split()[0] not in instances:
            yield note
    for seen in looked.values():
        yield from seen.unseen
    for id, because in answer.question.unseen.items():
        yield f"nobody looked inside {id}: {because}"


def to_json(world: World, answer: Why) -> dict[str, Any]:
    """Return the answer as plain JSON values, for other programs."""
    traced = as_dict(world, answer.trace)
    kept = ("verdict", "sender", "packet", "receiver", "received", "steps", "back", "assumed")
    return {
        "reachable": answer.reachable,
        "headline": _headline(answer),
        **{key: traced[key] for key in kept},
        "names": [{"name": n.name, "because": n.because, "code": n.code} for n in answer.question.names],
        "inside": [{"at": o.at, "because": o.because, "code": o.code, "sure": o.sure} for o in answer.opinions],
        "blockers": [b.to_json() for b in answer.blockers],
        "notes": list(_notes(world, answer)),
    }
