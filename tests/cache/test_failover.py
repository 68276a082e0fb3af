"""The failover's decisions: what is seen, and the next act."""

from dataclasses import replace

import pytest

from atoll.cache.failover import (
    DRAIN_SECONDS,
    HEARING_SECONDS,
    HOPE_SECONDS,
    HUNG_BUSY_SECONDS,
    HUNG_SECONDS,
    MISSES,
    PAUSE_SECONDS,
    PROMOTION_SECONDS,
    Shard,
    Sight,
    after,
    decide,
    trouble,
)
from atoll.cache.failover_acts import (
    Abandon,
    Choose,
    Demote,
    Fence,
    Follow,
    Pause,
    Promote,
    Publish,
    Rebuild,
    Reload,
    Restore,
    Wait,
)

P = Sight(id="p", name="p", is_available=True, is_running=True, role="primary", offset=100, history="h")
A = Sight(id="a", name="a", is_available=True, is_running=True, role="replica", follows="p", link_up=True,
          offset=100, history="h")  # fmt: skip
B = replace(A, id="b", name="b", offset=90)
DEAD = replace(P, is_running=False, role=None, gone_seconds=1.0)
STOPPED = replace(P, is_stopped=True, role=None)
ALONE_A, ALONE_B = replace(A, link_up=False), replace(B, link_up=False)


def shard(*members, **more):
    return Shard(primary_id="p", members=members, **({"history": "h"} | more))


def act(*members, **more):
    """Return the act without its reason."""
    found = decide(shard(*members, **more))
    return found if found is None else replace(found, because="")


LOST = [
    ("killed: the one with the most", [DEAD, ALONE_A, ALONE_B], {}, Choose("a", "")),
    ("of two that have as much, the first", [DEAD, ALONE_B, replace(ALONE_A, offset=90)], {}, Choose("a", "")),
    ("one that has another history has nothing", [DEAD, replace(ALONE_A, history="x", offset=900), ALONE_B], {},
     Choose("b", "")),
    ("one that copies has nothing", [DEAD, replace(ALONE_A, is_copying=True), ALONE_B], {}, Choose("b", "")),
    ("one that never was in step has nothing", [DEAD, replace(ALONE_A, is_available=False), ALONE_B], {},
     Choose("b", "")),
    ("one that is cut off is of no use", [DEAD, replace(ALONE_A, misses=MISSES), ALONE_B], {}, Choose("b", "")),
    ("what is under way arrives first", [replace(DEAD, gone_seconds=0.01), A, B], {}, Wait("")),
    ("but nobody waits for long", [replace(DEAD, gone_seconds=DRAIN_SECONDS), A, B], {}, Choose("a", "")),
    ("stopped: fenced first", [STOPPED, A, B], {}, Fence("p", "")),
    ("silent: fenced first", [replace(P, role=None, silent_seconds=HUNG_SECONDS), A], {}, Fence("p", "")),
    ("silent for a moment", [replace(P, role=None, silent_seconds=HUNG_SECONDS / 2), A], {}, None),
    ("silent, but at work", [replace(P, role=None, silent_seconds=HUNG_SECONDS, is_busy=True), A], {}, None),
    ("at work for too long", [replace(P, role=None, silent_seconds=HUNG_BUSY_SECONDS, is_busy=True), A], {},
     Fence("p", "")),
    ("cut off: fenced first", [replace(P, misses=MISSES), A], {}, Fence("p", "")),
    ("one lost probe", [replace(P, misses=MISSES - 1), A], {}, None),
    ("cut off, and nobody could take over", [replace(P, misses=MISSES), replace(A, misses=MISSES)], {}, None),
    ("stopped, and nobody could take over", [STOPPED, replace(A, is_running=False)], {}, None),
    ("everybody is dead", [DEAD, replace(A, is_running=False)], {}, Rebuild("")),
    ("a replica is silent: there is hope", [DEAD, replace(ALONE_A, role=None)], {}, Wait("")),
    ("one that is slow is no loss", [DEAD, replace(ALONE_A, silent_seconds=HUNG_BUSY_SECONDS)], {}, Wait("")),
    ("nor one that is cut off", [DEAD, replace(ALONE_A, misses=MISSES)], {}, Wait("")),
    ("nor one that is stopped", [DEAD, replace(ALONE_A, is_stopped=True)], {}, Wait("")),
    ("nor one that copies anew: it has what it had", [DEAD, replace(ALONE_A, is_copying=True)], {}, Wait("")),
    ("one that copies for the first time had nothing",
     [DEAD, replace(ALONE_A, is_copying=True, is_available=False)], {}, Rebuild("")),
    ("until there is none", [replace(DEAD, gone_seconds=HOPE_SECONDS), replace(ALONE_A, role=None)], {}, Rebuild("")),
    ("a user's reboot is no failure", [replace(DEAD, is_available=False), A], {}, None),
    ("no replica, no failover", [DEAD], {}, None),
    ("failover is off: it copies back", [DEAD, ALONE_A], {"is_automatic": False}, Restore("a", "")),
    ("failover is off, and nobody has the data", [DEAD, replace(A, is_running=False)], {"is_automatic": False},
     Rebuild("")),
]  # fmt: skip

CHOSEN = {"promotion": "failure", "target_id": "a"}
PROMOTED = replace(ALONE_A, role="primary", follows=None)
CHOSEN_ROWS = [
    ("promoted when the old one is dead", [DEAD, ALONE_A, ALONE_B], CHOSEN, Promote("a", "")),
    ("not while the old one may come back", [STOPPED, ALONE_A], CHOSEN, Fence("p", "")),
    ("published when it is promoted", [DEAD, PROMOTED, ALONE_B], CHOSEN, Publish("a", "")),
    ("not published beside the old one", [STOPPED, PROMOTED], CHOSEN, Fence("p", "")),
    ("it does not say: wait", [DEAD, replace(ALONE_A, role=None), ALONE_B], CHOSEN, Wait("")),
    ("it hangs, and may be promoted: fenced before another", [DEAD, replace(PROMOTED, is_stopped=True), ALONE_B],
     CHOSEN, Fence("a", "")),
    ("it is cut off: fenced before another", [DEAD, replace(PROMOTED, misses=MISSES), ALONE_B], CHOSEN,
     Fence("a", "")),
    ("it is slow, and nobody else has the data: it may answer yet",
     [DEAD, replace(PROMOTED, role=None, silent_seconds=HUNG_BUSY_SECONDS)], CHOSEN, Wait("")),
    ("its leader, which hangs as well, has the data", [STOPPED, replace(PROMOTED, is_stopped=True)], CHOSEN,
     Fence("a", "")),
    ("not for ever", [replace(DEAD, gone_seconds=HOPE_SECONDS), replace(PROMOTED, is_stopped=True)], CHOSEN,
     Fence("a", "")),
    ("it died: another", [DEAD, replace(ALONE_A, is_running=False), ALONE_B], CHOSEN, Choose("b", "")),
    ("it was started again and is empty: another", [DEAD, replace(ALONE_A, offset=0), ALONE_B], CHOSEN,
     Choose("b", "")),
    ("it is gone: another", [DEAD, ALONE_B], CHOSEN, Choose("b", "")),
]  # fmt: skip

PLANNED = {"promotion": "manual", "target_id": "a"}
HELD = replace(P, paused_seconds=0.01)
DEMOTED = replace(HELD, role="replica", follows="a")
PLANNED_ROWS = [
    ("nobody was named: the one with the most", [P, A, B], {"promotion": "test"}, Choose("a", "")),
    ("nobody is in step", [P, replace(A, is_copying=True)], {"promotion": "test"}, Wait("")),
    ("nobody gets in step", [P, replace(A, is_copying=True)],
     {"promotion": "test", "promotion_seconds": PROMOTION_SECONDS + 1}, Abandon("p", "")),
    ("writes are held back first", [P, A, B], PLANNED, Pause("p", "")),
    ("until it has all of it", [replace(HELD, offset=101), A], PLANNED, Wait("")),
    ("in the same history", [HELD, replace(A, history="x")], PLANNED, Wait("")),
    ("not for ever", [replace(HELD, offset=101, paused_seconds=PAUSE_SECONDS + 0.1), A], PLANNED, Abandon("p", "")),
    ("then the old one steps down", [HELD, A], PLANNED, Demote("p", "a", "")),
    ("then the new one is promoted", [DEMOTED, ALONE_A], PLANNED, Promote("a", "")),
    ("if it does have all of it", [replace(DEMOTED, offset=101), ALONE_A], PLANNED, Promote("p", "")),
    ("then published", [DEMOTED, PROMOTED], PLANNED, Publish("a", "")),
    ("it dies before it is promoted: back", [DEMOTED, replace(ALONE_A, is_running=False)], PLANNED, Promote("p", "")),
    ("it hangs, perhaps promoted: fenced before going back", [DEMOTED, replace(ALONE_A, role=None, is_stopped=True)],
     PLANNED, Fence("a", "")),
    ("it does not say", [DEMOTED, replace(ALONE_A, role=None)], PLANNED, Wait("")),
    ("it fails before anything happened", [P, replace(A, is_running=False), B], PLANNED, Abandon("p", "")),
    ("it was deleted", [P, B], PLANNED, Abandon("p", "")),
    ("the old one dies meanwhile", [replace(DEAD, gone_seconds=1), ALONE_A], PLANNED, Promote("a", "")),
    ("and what it had sent arrives first", [replace(DEAD, gone_seconds=0.01), A], PLANNED, Wait("")),
    ("it follows somebody else", [P, replace(A, follows="b"), B], PLANNED, Follow("a", "p", "")),
    ("its link is down: no pause yet", [P, ALONE_A], PLANNED, Wait("")),
]  # fmt: skip

COPY = replace(P, role="replica", follows="a", link_up=True)
LEADS = replace(A, role="primary", follows=None)
RESTORING = {"source_id": "a", "is_automatic": False}
RESTORED_ROWS = [
    ("the source leads first", [replace(COPY, is_available=False), ALONE_A], RESTORING, Promote("a", "")),
    ("the primary copies", [replace(COPY, is_available=False), LEADS], RESTORING, None),
    ("and then takes over again", [COPY, LEADS], RESTORING, Choose("p", "")),
    ("the source is lost: another one", [replace(COPY, is_available=False, link_up=False),
                                         replace(DEAD, id="a", name="a"), replace(ALONE_B, follows="a")], RESTORING,
     Restore("b", "")),
    ("the only source is lost", [replace(COPY, is_available=False), replace(DEAD, id="a", name="a")], RESTORING,
     Rebuild("")),
]  # fmt: skip

CLUSTER = {"is_cluster": True}
RIVAL = replace(A, role="primary", follows=None, epoch=4)
OLD = replace(P, epoch=3)
CLUSTER_ROWS = [
    ("in cluster mode a takeover is the hand-over", [HELD, A], PLANNED, Promote("a", "")),
    ("the old one has not heard yet", [replace(HELD, epoch=3), RIVAL], PLANNED | {"rivals_seconds": 0.1}, Wait("")),
    ("and does not hear: fenced while its writes are held", [replace(HELD, epoch=3), RIVAL],
     PLANNED | {"rivals_seconds": HEARING_SECONDS}, Fence("p", "")),
    ("it has heard", [replace(HELD, role="replica", follows="a"), RIVAL], PLANNED, Publish("a", "")),
    ("killed: fenced by its death, then chosen", [DEAD, ALONE_A, ALONE_B], {}, Choose("a", "")),
    ("engines have elected while nobody looked", [DEAD, RIVAL, ALONE_B], {}, Publish("a", "")),
    ("and the old one hangs", [replace(STOPPED, epoch=3), RIVAL], {}, Fence("p", "")),
    ("or is a replica already", [replace(P, role="replica", follows="a"), RIVAL], {}, Publish("a", "")),
    ("one with an older claim obeys", [OLD, replace(RIVAL, epoch=2)], {}, Follow("a", "p", "")),
    ("one that has just started is nobody's choice", [OLD, replace(RIVAL, is_available=False, epoch=0)], {},
     Follow("a", "p", "")),
    ("everybody is dead", [DEAD, replace(A, is_running=False)], {}, Rebuild("")),
    ("a primary that starts is nobody's replica", [replace(P, is_available=False, role="replica")], {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "members", "more", "expected"), CLUSTER_ROWS, ids=[row[0] for row in CLUSTER_ROWS])
def test_in_cluster_mode_the_greater_epoch_has_the_slots(name, members, more, expected):
    assert act(*members, **CLUSTER, **more) == expected, name


ENTERED = replace(A, is_cluster=True)
MIXED_ROWS = [
    ("a leader that copies from outside has all of it first", [replace(P, is_copying=True), ENTERED], PLANNED,
     Wait("")),
    ("then its writes are held", [P, ENTERED], PLANNED, Pause("p", "")),
    ("and it is killed: it cannot follow", [HELD, ENTERED], PLANNED, Fence("p", "")),
    ("one in cluster mode that followed another starts anew", [P, replace(ENTERED, follows="b"), B], {},
     Fence("a", "")),
    ("what it had sent from outside meanwhile arrives first", [replace(DEAD, gone_seconds=0.01), ENTERED, B], PLANNED,
     Wait("")),
    ("and who has more of it leads", [DEAD, ENTERED, replace(ENTERED, id="b", offset=101)], PLANNED, Choose("b", "")),
    ("one that is in none follows anybody", [replace(P, is_cluster=True), replace(A, follows="b")],
     {"is_cluster": True}, Follow("a", "p", "")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "members", "more", "expected"), MIXED_ROWS, ids=[row[0] for row in MIXED_ROWS])
def test_engines_of_both_modes_do_not_obey_each_other(name, members, more, expected):
    assert act(*members, **more) == expected, name


FROM_OUTSIDE = {"is_cluster": True, "copies_outside": True}  # a leader that copies so counts as a primary
CLAIMS = replace(A, role="primary", follows=None, link_up=False, epoch=9)
COPY_ROWS = [
    ("it copies, and they follow it", [P, A], {}, None),
    ("a replica of another one", [P, replace(A, follows="b"), B], {}, Follow("a", "p", "")),
    ("lost: no replica can copy from outside, so it starts again", [DEAD, ALONE_A], {}, Rebuild("")),
    ("lost while it started: it is started again already", [replace(DEAD, is_available=False), ALONE_A], {}, None),
    ("stopped: ended, and then started again", [STOPPED, A], {}, Fence("p", "")),
    ("cut off: it is read in its zone", [replace(P, misses=MISSES), A], {}, None),
    ("silent: ended, too", [replace(P, role=None, silent_seconds=HUNG_SECONDS), A], {}, Fence("p", "")),
    ("but one that starts may be slow", [replace(P, role=None, silent_seconds=99, is_available=False), A], {}, None),
    ("it takes writes, which it must not", [replace(P, role="replica"), A], {}, Fence("p", "")),
    ("also while it starts", [replace(P, role="replica", is_available=False), A], {}, Fence("p", "")),
    ("the engines elected another one", [DEAD, CLAIMS], {}, Fence("a", "")),
    ("a change of primary was asked for before", [P, A], {"promotion": "test"}, Abandon("p", "")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "members", "more", "expected"), COPY_ROWS, ids=[row[0] for row in COPY_ROWS])
def test_a_leader_in_cluster_mode_that_is_to_copy_from_outside_is_started_for_that(name, members, more, expected):
    assert act(*members, **FROM_OUTSIDE, **more) == expected, name


HAS_COPIED = replace(P, role="replica", from_outside=True)
FULL_B = replace(B, offset=100)
HEIR_ROWS = [
    ("a replica of it is chosen", [HAS_COPIED, A, B], {}, Choose("a", "")),
    ("which gets all of it", [HAS_COPIED, replace(A, offset=90)], {"target_id": "a"}, Wait("")),
    ("and takes over", [HAS_COPIED, A, B], {"target_id": "a"}, Promote("a", "")),
    ("one that has not found it again gets the rest, for its leader has a source",
     [replace(HAS_COPIED, link_up=True), replace(ALONE_A, history="x", offset=900)],
     {"target_id": "a", "promotion": "change", "promotion_seconds": 3 * HOPE_SECONDS}, Wait("")),
    ("but not from one that has none, which alone has all: it begins anew with it",
     [HAS_COPIED, replace(ALONE_A, history="x", offset=900)], {"target_id": "a"}, Reload("p", "")),
    ("another one has all", [HAS_COPIED, replace(ALONE_A, offset=90), replace(B, offset=100)], {"target_id": "a"},
     Choose("b", "")),
    ("one that hangs may have been promoted unseen", [HAS_COPIED, replace(ALONE_A, is_stopped=True, role=None)],
     {"target_id": "a"}, Fence("a", "")),
    ("one that does not say what it is", [HAS_COPIED, replace(ALONE_A, role=None)], {"target_id": "a"}, Wait("")),
    ("whoever else has all of it", [HAS_COPIED, replace(ALONE_A, role=None, silent_seconds=0.1), FULL_B],
     {"target_id": "a"}, Wait("")),
    ("fenced before another is chosen", [HAS_COPIED, replace(ALONE_A, is_stopped=True, role=None), FULL_B],
     {"target_id": "a"}, Fence("a", "")),
    ("also when it is cut off", [HAS_COPIED, replace(ALONE_A, misses=MISSES), FULL_B], {"target_id": "a"},
     Fence("a", "")),
    ("one that was started again has not been promoted",
     [HAS_COPIED, replace(ALONE_A, is_available=False, role=None, offset=0, history=""), FULL_B],
     {"target_id": "a"}, Choose("b", "")),
    ("the only replica died: the leader begins anew with its data", [HAS_COPIED, replace(A, is_running=False)],
     {"target_id": "a"}, Reload("p", "")),
    ("also when that is started again, and will get them",
     [HAS_COPIED, replace(ALONE_A, is_available=False, offset=0, history="")], {"target_id": "a"}, Reload("p", "")),
    ("it gets them at once, while its leader has a source",
     [replace(HAS_COPIED, link_up=True), replace(ALONE_A, is_available=False, offset=0, history="")],
     {"target_id": "a"}, Wait("")),
    ("nobody is in step yet", [HAS_COPIED, replace(A, is_copying=True)], {}, Wait("")),
    ("it died: another", [HAS_COPIED, replace(A, is_running=False), B], {"target_id": "a"}, Choose("b", "")),
    ("it has taken over", [HAS_COPIED, CLAIMS], {"target_id": "a"}, Publish("a", "")),
    ("a leader that has not all has nothing to wait for", [replace(HAS_COPIED, is_available=False), B],
     {"target_id": "b"}, Promote("b", "")),
    ("nobody has the data, and nobody gives them any more",
     [replace(HAS_COPIED, is_available=False), replace(A, is_available=False)], {}, Fence("p", "")),
    ("killed: as any other", [DEAD, ALONE_A], {}, Choose("a", "")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "members", "more", "expected"), HEIR_ROWS, ids=[row[0] for row in HEIR_ROWS])
def test_of_a_leader_in_cluster_mode_that_has_copied_from_outside_a_replica_takes_over(name, members, more, expected):
    assert act(*members, is_cluster=True, **more) == expected, name


def test_a_leader_that_is_ended_for_another_regions_to_be_promoted_is_nobodys_loss():
    assert decide(shard(DEAD, ALONE_A, is_cluster=True, is_handed_over=True)) is None


WELL_ROWS = [
    ("all is well", [P, A, B], {}, None),
    ("one follows nobody we know", [P, A, replace(B, follows=None)], {}, Follow("b", "p", "")),
    ("one thinks that it leads", [P, replace(A, role="primary", follows=None)], {}, Follow("a", "p", "")),
    ("a replica that is stopped is replaced", [P, A, replace(B, is_stopped=True, role=None)], {}, Fence("b", "")),
    ("also one that has not come up yet", [P, A, replace(B, is_available=False, is_stopped=True, role=None)], {},
     Fence("b", "")),
    ("one that has not come up yet may be slow", [P, A, replace(B, is_available=False, silent_seconds=99, role=None)],
     {}, None),
    ("a replica that is cut off is replaced", [P, A, replace(B, misses=MISSES)], {}, Fence("b", "")),
    ("but not by a leader whom nobody reaches", [replace(P, misses=1), replace(B, misses=MISSES)], {}, None),
    ("the leader was told to be a replica", [replace(P, role="replica"), A], {}, Promote("p", "")),
    ("and somebody else leads: who steps down", [replace(P, role="replica"), PROMOTED], {}, Follow("a", "p", "")),
    ("it has but a part of somebody's data", [replace(P, role="replica", follows="a", is_copying=True), A], {},
     Wait("")),
    ("also of a primary's", [replace(P, role="replica", follows="a", is_copying=True), PROMOTED], {}, Wait("")),
    ("it had begun to copy from one that is gone",
     [replace(P, role="replica", follows="a", is_copying=True), replace(A, is_running=False)], {}, Promote("p", "")),
    ("the leader is being deleted", [A, B], {}, None),
]  # fmt: skip
ROWS = [*LOST, *CHOSEN_ROWS, *PLANNED_ROWS, *RESTORED_ROWS, *WELL_ROWS]


@pytest.mark.parametrize(("members", "more", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_next_act(members, more, expected):
    assert act(*members, **more) == expected


def test_behind_a_choice_and_a_promotion_nobody_needs_to_look_again():
    seen = shard(DEAD, ALONE_A, ALONE_B)
    acts = []
    while seen is not None:
        acts.append(decide(seen))
        seen = after(seen, acts[-1])

    assert [(type(act), act.id) for act in acts] == [(Choose, "a"), (Promote, "a"), (Publish, "a")]


def test_behind_every_other_act_somebody_looks():
    for _, members, more, act in ROWS:
        if not isinstance(act, Choose | Promote):
            assert after(shard(*members, **more), act) is None


def test_every_act_has_a_reason():
    for _, members, more, _ in ROWS:
        found = decide(shard(*members, **more))
        assert found is None or found.because


def test_the_kernel_is_believed_before_the_clock():
    assert trouble(replace(P, is_running=False, silent_seconds=99)) == "its process has ended"
    assert trouble(replace(P, is_stopped=True, silent_seconds=99)) == "its process is stopped"
    assert trouble(P) is None
