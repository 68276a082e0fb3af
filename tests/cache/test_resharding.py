"""What is done next in a resharding, from what the primaries say, also about slots that somebody left open."""

from types import SimpleNamespace

from atoll.cache.resharding import Carry, Finish, Holding, Wait, decide
from atoll.cache.slots import Move
from atoll.model.cache import Resharding

EVEN = {"0001": Holding(((0, 8191),)), "0002": Holding(((8192, 16383),))}


def group(*shards, leaving=(), whole=8192):
    """A group as far as a decision needs it."""
    return SimpleNamespace(
        node_groups=[SimpleNamespace(id=id) for id in shards],
        resharding=Resharding(before=2, whole=whole, leaving=leaving),
    )


def test_a_shard_that_leaves_gives_its_slots_a_part_at_a_time():
    act = decide(group("0001", "0002", leaving=("0001",)), EVEN)

    assert act == Carry((Move("0001", "0002", ((0, 511),)),))


def test_when_all_is_where_it_belongs_it_is_finished():
    assert decide(group("0001", "0002"), EVEN) == Finish()


def test_a_slot_that_is_open_is_finished_first():
    held = {
        "0001": Holding(((0, 8191),), migrating={8000: "0003"}),
        "0002": EVEN["0002"],
        "0003": Holding((), importing={8000: "0001", 8001: "0001"}),
    }

    assert decide(group("0001", "0002", "0003"), held) == Carry((Move("0001", "0003", ((8000, 8001),)),))


def test_a_slot_whose_taker_forgot_it_is_given_again():
    held = {"0001": Holding(((0, 8191),), migrating={8000: "0003"}), "0002": EVEN["0002"], "0003": Holding(())}

    assert decide(group("0001", "0002", "0003"), held) == Carry((Move("0001", "0003", ((8000, 8000),)),))


def test_a_slot_that_was_given_up_and_not_yet_taken_is_taken():
    held = {
        "0001": Holding(((0, 7999), (8001, 8191))),
        "0002": EVEN["0002"],
        "0003": Holding((), importing={8000: "0001"}),
    }

    assert decide(group("0001", "0002", "0003"), held) == Carry((Move("0001", "0003", ((8000, 8000),)),))


def test_while_engines_do_not_agree_nothing_is_done():
    both = {"0001": Holding(((0, 8192),)), "0002": EVEN["0002"]}
    none = {"0001": Holding(((0, 8190),)), "0002": EVEN["0002"]}

    assert decide(group("0001", "0002"), both) == Wait("slot 8192 has two owners, 0001 and 0002")
    assert decide(group("0001", "0002"), none) == Wait("1 slots have no owner")


def test_a_giver_that_has_not_heard_yet_is_no_second_owner():
    held = {"0001": Holding(((0, 8192),), migrating={8192: "0002"}), "0002": EVEN["0002"]}

    assert decide(group("0001", "0002"), held) == Carry((Move("0001", "0002", ((8192, 8192),)),))
