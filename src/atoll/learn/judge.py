"""Judge a step: one look at a World and at what probes came back with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from atoll.learn.lesson import Lesson, Step
from atoll.learn.probe import Probe
from atoll.learn.view import Not, View, Wanted
from atoll.model.world import Caller, World


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says: done, with what proves it; or not, with the name of the reason."""

    passed: bool
    code: str
    facts: Mapping[str, str] = field(default_factory=dict)


def caller_of(lesson: Lesson, region: str) -> Caller:
    """Return whoever works in a lesson's world."""
    return Caller(account=lesson.account, region=region, arn=f"arn:aws:iam::{lesson.account}:root")


def judged(step: Step, world: World, answers: Mapping[Probe, str], *, real: bool) -> Verdict | Probe:
    """Judge a step, or return the probe that must be sent first; `world` is seen by the lesson's account."""
    try:
        proof = step.judge(View(world, answers, real=real))
    except Not as missing:
        return Verdict(False, missing.code, missing.facts)
    except Wanted as wanted:
        return wanted.probe
    return Verdict(True, "done", dict(proof))
