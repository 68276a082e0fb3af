"""What was open before a change goes on or ends as AWS documents it: the plan, on random worlds and changes."""

import random

import pytest

from atoll.network.compile import groups, router
from tests.network.changes import change, differences, goes_on, open_flows
from tests.network.compare import booted
from tests.network.test_mutants import plant
from tests.network.worlds import random_probes, random_world

WORLDS, PROBES = 120, 60


@pytest.mark.parametrize("start", range(0, WORLDS, 60), ids=lambda n: f"worlds {n} to {n + 59}")
def test_open_flows_fare_in_the_plan_as_the_documents_say(start: int) -> None:
    for seed in range(start, start + 60):
        dice = random.Random(seed)
        world = random_world(dice)
        found = list(differences(world, dice, random_probes(world, dice, PROBES)))
        assert not found, f"world {seed}:\n" + "\n".join(found[:3])


def test_changes_are_of_each_kind_and_cut_some_flows_and_not_others() -> None:
    kinds, fates = set(), set()
    for seed in range(120):
        dice = random.Random(seed)
        world = booted(random_world(dice))
        flows = open_flows(world, random_probes(world, dice, PROBES))
        if changed := change(world, dice, flows):
            kind = changed[1].split()[0]
            kinds.add(kind)
            fates |= {(kind, goes_on(world, changed[0], probe)) for probe, _ in flows.values()}
    assert kinds == {"egress-groups", "ingress-groups", "acl-out", "acl-in", "route-table"}
    assert fates == {(kind, fate) for kind in kinds for fate in (True, False)}


BUGS = [
    ("every flow is tracked", groups, {"untracked += _untracked(key, comment)": "pass"}),
    ("answers need not be let out to everyone for a flow to be untracked", groups, {"            if is_open\n": ""}),
    (
        "a group lets go on what is open, tracked or not",
        router,
        {
            'rule(ends, equal("ct state", "established"), open_flow, ACCEPT)': (
                'rule(ends, equal("ct state", "established"), ACCEPT)'
            ),
            "first: tuple[Rule, ...] = (rule(ends, going, open_flow, ACCEPT),)": (
                "first: tuple[Rule, ...] = (rule(ends, going, ACCEPT),)"
            ),
        },
    ),
    (
        "an ACL lets go on what is open",
        router,
        {
            'rule(known("same_subnet", "meta mark", "oifname"), RETURN),': (
                'rule(equal("ct state", "established"), RETURN),'
                'rule(known("same_subnet", "meta mark", "oifname"), RETURN),'
            )
        },
    ),
    (
        "a group of the receiver's forgets what it let in",
        router,
        {
            'rule(going, request, bits("ct mark", mine), ACCEPT),': "",
            "open_flow, ACCEPT)": "open_flow, answer, ACCEPT)",
        },
    ),
]


@pytest.mark.parametrize(("module", "changes"), [bug[1:] for bug in BUGS], ids=[bug[0] for bug in BUGS])
def test_a_bug_that_shows_only_in_open_flows_is_noticed(module, changes, monkeypatch) -> None:
    plant(module, changes, monkeypatch)

    def notices(seed: int) -> bool:
        dice = random.Random(seed)
        world = random_world(dice)
        try:
            return any(differences(world, dice, random_probes(world, dice, PROBES)))
        except AssertionError:  # what the tracer calls open is not
            return True

    assert any(notices(seed) for seed in range(200))
