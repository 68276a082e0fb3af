"""Which slots move when shards come and go: every slot is owned once, and as few as possible move."""

from hypothesis import given, settings
from hypothesis import strategies as st

from atoll.cache import slots
from atoll.cache.shards import SLOTS, join
from atoll.cache.slots import Move

NAMES = tuple(f"{n:04d}" for n in range(1, 11))


@st.composite
def worlds(draw):
    """Owners of all slots, cut anywhere (a caller's own ranges), and the shards that are to have them."""
    before = draw(st.integers(1, 6))
    cuts = sorted(draw(st.lists(st.integers(0, SLOTS), min_size=0, max_size=12)))
    owned = {name: [] for name in NAMES[:before]}
    for n, (first, end) in enumerate(zip([0, *cuts], [*cuts, SLOTS], strict=True)):
        owned[NAMES[n % before]] += range(first, end)
    new = NAMES[6 : 6 + draw(st.integers(0, 4))]
    keep = draw(st.sets(st.sampled_from([*owned, *new]), min_size=1))
    return {name: join(owned[name]) for name in owned} | dict.fromkeys(new, ()), keep


def played(owned, moves):
    """Return who owns what after moves."""
    after = {name: set(slots.slots_of(ranges)) for name, ranges in owned.items()}
    for move in moves:
        part = set(slots.slots_of(move.slots))
        assert part <= after[move.source], "nobody gives what it does not own"
        after[move.source] -= part
        after[move.target] |= part
    return {name: join(part) for name, part in after.items()}


@settings(max_examples=25, deadline=None)
@given(worlds())
def test_every_slot_has_one_owner_afterwards_and_the_shards_that_stay_own_equally_many(world):
    owned, keep = world

    after = played(owned, slots.moves(owned, keep))

    assert sorted(s for ranges in after.values() for s in slots.slots_of(ranges)) == list(range(SLOTS))
    sizes = [slots.count(after[name]) for name in keep]
    assert max(sizes) - min(sizes) <= 1
    assert all(after[name] == () for name in owned if name not in keep)


@settings(max_examples=25, deadline=None)
@given(worlds())
def test_no_plan_moves_fewer_slots_and_none_moves_twice(world):
    owned, keep = world

    planned = slots.moves(owned, keep)

    moved = [slot for move in planned for slot in slots.slots_of(move.slots)]
    each, over = divmod(SLOTS, len(keep))
    sizes = sorted((slots.count(owned[name]) for name in keep), reverse=True)
    kept = sum(min(size, each + (place < over)) for place, size in enumerate(sizes))
    assert len(moved) == len(set(moved)) == SLOTS - kept == slots.left(owned, keep)


@settings(max_examples=25, deadline=None)
@given(worlds(), st.integers(1, 3000), st.data())
def test_a_plan_that_was_interrupted_anywhere_is_made_again_and_costs_no_slot_more(world, size, data):
    owned, keep = world
    whole = slots.left(owned, keep)

    rounds = 0
    while batch := slots.batches(slots.moves(owned, keep), size):
        done = [move for move in batch if data.draw(st.booleans())] or list(batch[:1])
        owned, rest = played(owned, done), slots.left(owned, keep)
        assert slots.left(owned, keep) == rest - sum(move.count for move in done)
        rounds += 1
        if rounds > 6:
            break

    assert sum(move.count for move in slots.moves(owned, keep)) == slots.left(owned, keep) <= whole


@settings(max_examples=25, deadline=None)
@given(worlds())
def test_a_shard_gives_to_one_other_at_a_time(world):
    batch = slots.batches(slots.moves(*world), 100)

    giving = [move.source for move in batch]
    assert len(giving) == len(set(giving))
    assert all(1 <= move.count <= 100 for move in batch)


def test_a_group_that_is_even_has_nothing_to_move():
    assert slots.moves({"0001": ((0, 8191),), "0002": ((8192, 16383),)}, {"0001", "0002"}) == ()


def test_a_third_shard_takes_the_last_slots_of_both_others():
    owned = {"0001": ((0, 8191),), "0002": ((8192, 16383),), "0003": ()}

    assert slots.moves(owned, owned.keys()) == (
        Move("0001", "0003", ((5462, 8191),)),
        Move("0002", "0003", ((13653, 16383),)),
    )


def test_slots_that_a_caller_distributed_stay_where_they_are_if_they_may():
    owned = {"0001": ((0, 99), (8000, 16383)), "0002": ((100, 7999),)}

    assert slots.moves(owned, {"0001", "0002"}) == (Move("0001", "0002", ((16092, 16383),)),)


def test_progress_goes_from_nothing_to_all():
    assert [slots.percent(200, rest) for rest in (200, 150, 0)] == [0.0, 25.0, 100.0]
    assert slots.percent(0, 0) == 100.0
