"""What a stamp knows of what has changed since an older one."""

import random

from atoll.model.stamp import STEPS_KEPT, Stamp
from atoll.model.vpc import DhcpOptions
from atoll.model.world import World


def options(id, domain="a"):
    return DhcpOptions(id=id, account="000000000000", region="us-east-1", options={"domain-name": (domain,)})


def test_what_has_changed_is_known_of_the_last_revisions_and_of_no_others():
    dice, world, past = random.Random(3), World(), []
    for step in range(6 * STEPS_KEPT):
        id = f"dopt-{dice.randrange(5)}"
        gone = world.get(DhcpOptions, id) and dice.random() < 0.3
        world = world.after({(DhcpOptions, id): None if gone else options(id, str(step))})
        past.append((world.stamp(DhcpOptions), dict(world.table(DhcpOptions))))

        for back, (stamp, table) in enumerate(reversed(past)):
            found, now = world.changed(DhcpOptions, stamp), world.table(DhcpOptions)
            if found is None:
                assert back >= STEPS_KEPT
            else:
                assert back < 2 * STEPS_KEPT
                assert {id for id in {*table, *now} if table.get(id) is not now.get(id)} <= set(found)


def test_those_that_changed_first_come_first():
    first = Stamp()
    last = Stamp(Stamp(first, ("b", "a")), ("c", "b"))

    assert list(last.changed_since(first)) == ["b", "a", "c"]


def test_nothing_is_known_of_what_has_changed_since_there_was_nothing():
    world = World().after({(DhcpOptions, "dopt-1"): options("dopt-1")})

    assert World().changed(DhcpOptions, None) == ()
    assert world.changed(DhcpOptions, None) is None
    assert world.changed(DhcpOptions, Stamp()) is None
