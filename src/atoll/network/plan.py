"""The plan: what Linux must look like for a World, as facts; and what must change from one plan to the next.

    plan = compile(world)              # everything
    plan = compile(world, plan)        # the next revision: what did not change is the same object, and costs nothing
    delta = difference(old, new)       # per namespace, the facts that go and the facts that come

A *fragment* holds the facts of one resource and is a function of the immutable values it is made from.  A *part* is
the fragments of one kind of one VPC, made from whole buckets of the World.  Buckets, and then resources, are
recognised by identity: that is why a changed rule costs one fragment, whatever the size of the World.

A VPC is in the kernel only while it has an interface.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from atoll.model.fault import Fault
from atoll.model.global_group import links
from atoll.model.interface import Interface
from atoll.model.internet import OutsideHost
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.compile.backbone import KIND, backbone_part
from atoll.network.compile.fragment import Fragment, Key, Part
from atoll.network.compile.inputs import Inputs, elastic_ips, inputs_of
from atoll.network.compile.parts import KINDS, PartKey, internet_part, vpc_parts
from atoll.network.compile.wires import wires_of
from atoll.network.facts import Fact

__all__ = ["Change", "Delta", "Fragment", "Key", "Part", "Plan", "compile", "difference"]

INTERNET_PART: PartKey = ("", "internet")
BACKBONE_PART: PartKey = ("", KIND)


@dataclass(frozen=True, slots=True)
class Plan:
    """Fragments by key, kept in parts."""

    parts: Mapping[PartKey, Part] = field(default_factory=dict)
    made_from: Mapping[str, Inputs] = field(default_factory=dict)  # VPC -> what its parts were made from

    @property
    def vpc_ids(self) -> frozenset[str]:
        """The VPCs that are in the kernel."""
        return frozenset(self.made_from)

    def fragments(self) -> Iterator[Fragment]:
        """Yield every fragment, in an order in which they can be applied one by one."""
        for part in self.parts.values():
            yield from part.fragments.values()

    def facts(self) -> Iterator[Fact]:
        """Yield every fact."""
        for fragment in self.fragments():
            yield from fragment.facts

    def __getitem__(self, key: Key) -> Fragment:
        """Return a fragment by its key."""
        return self.parts[key.vpc_id, key.kind].fragments[key.id]


def compile(world: World, previous: Plan | None = None) -> Plan:
    """Return the plan of a World; `previous` itself if nothing that it was made from has changed.

    Costs, with a previous plan, a few microseconds for an untouched VPC.
    """
    world, old = world.seen_by(None), previous or Plan()
    parts: dict[PartKey, Part] = {
        INTERNET_PART: internet_part(tuple(world.all(OutsideHost)), old.parts.get(INTERNET_PART))
    }
    made_from = _gather(world, old)
    for vpc_id, inputs in made_from.items():
        if old.made_from.get(vpc_id) is inputs:
            parts.update(((vpc_id, kind), old.parts[vpc_id, kind]) for kind in KINDS)
        else:
            parts.update(vpc_parts(inputs, old.parts))
    backbone = backbone_part(tuple(links(world)), old.parts.get(BACKBONE_PART))
    if backbone.fragments:  # behind the nodes that it links
        parts[BACKBONE_PART] = backbone
    if previous is not None and _same(previous.parts, parts):
        return previous
    return Plan(parts, made_from)


def stands(world: World, plan: Plan) -> bool:
    """Tell whether a plan is made from what is in this World, too: then `compile` would return it.

    Costs 20 us for each VPC in the kernel; others do not count, whatever changed in them.  While there are faults it
    tells no: what they cut is looked for interface by interface.
    """
    world = world.seen_by(None)
    if any(True for _ in world.all(Fault)):
        return False
    outside, between = plan.parts.get(INTERNET_PART), plan.parts.get(BACKBONE_PART)
    backbone = backbone_part(tuple(links(world)), between)
    if internet_part(tuple(world.all(OutsideHost)), outside) is not outside:
        return False
    if (backbone if backbone.fragments else None) is not between:
        return False
    made_from = _gather(world, plan)
    return len(made_from) == len(plan.made_from) and all(it is plan.made_from.get(id) for id, it in made_from.items())


def _gather(world: World, old: Plan) -> dict[str, Inputs]:
    """Return what the VPCs that are to be in the kernel are made from: the very same object as before, if it is."""
    found: dict[str, Inputs] = {}
    publics, wires = elastic_ips(world), wires_of(world)
    for vpc in world.all(Vpc):
        if world.bucket(Interface, "vpc_id", vpc.id):
            was = old.made_from.get(vpc.id)
            inputs = inputs_of(world, vpc, publics.get(vpc.id, ()), wires, was)
            found[vpc.id] = was if was is not None and was == inputs else inputs
    return found


def _same(old: Mapping[PartKey, Part], new: Mapping[PartKey, Part]) -> bool:
    return len(old) == len(new) and all(part is old.get(key) for key, part in new.items())


@dataclass(slots=True)
class Change:
    """What one namespace loses and gets."""

    removed: dict[Fact, Key] = field(default_factory=dict)
    added: dict[Fact, Key] = field(default_factory=dict)


Delta: TypeAlias = Mapping[str, Change]
"""Changes by namespace."""


def difference(old: Plan, new: Plan) -> Delta:
    """Return what must change in each namespace; nothing for those in which nothing does.

    Costs what changed, and some 40 ns for each fragment of a part that changed.
    """
    delta: dict[str, Change] = {}
    for key in dict.fromkeys((*new.parts, *old.parts)):
        before, after = old.parts.get(key), new.parts.get(key)
        was, now = (before.fragments if before else {}), (after.fragments if after else {})
        if was is not now:
            _compare(was, now, delta)
    for change in delta.values():
        for fact in change.removed.keys() & change.added.keys():  # it moved from one fragment to another
            del change.removed[fact], change.added[fact]
    return {namespace: change for namespace, change in delta.items() if change.removed or change.added}


def _compare(old: Mapping[str, Fragment], new: Mapping[str, Fragment], delta: dict[str, Change]) -> None:
    for id, fragment in new.items():
        before = old.get(id)
        if before is fragment:
            continue
        gone, come = _unlike(before.facts if before else (), fragment.facts)
        was, now = frozenset(gone), frozenset(come)
        for fact in come:  # in their order: an interface's first address comes first
            if fact not in was:
                delta.setdefault(fact.namespace, Change()).added[fact] = fragment.key
        for fact in gone:
            if fact not in now:
                delta.setdefault(fact.namespace, Change()).removed[fact] = fragment.key
    for id in old.keys() - new.keys():
        for fact in old[id].facts:
            delta.setdefault(fact.namespace, Change()).removed[fact] = old[id].key


def _unlike(old: tuple[Fact, ...], new: tuple[Fact, ...]) -> tuple[list[Fact], list[Fact]]:
    """Return the facts of both that are not the very same objects: most are, and comparing those would cost more."""
    known, kept = {id(fact) for fact in old}, {id(fact) for fact in new}
    return [f for f in old if id(f) not in kept], [f for f in new if id(f) not in known]
