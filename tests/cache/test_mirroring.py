"""What the leaders of a secondary claim while its primary's slots move."""

from atoll.cache.mirroring import Claim, claims, is_whole

BEFORE = {"0001": ((0, 8191),), "0002": ((8192, 16383),), "0003": ()}
AFTER = {"0001": ((0, 8000),), "0002": ((8192, 16383),), "0003": ((8001, 8191),)}


def test_who_has_what_the_primary_has_claims_nothing():
    assert claims(AFTER, AFTER) == ()


def test_the_one_who_took_slots_claims_them():
    assert claims(AFTER, BEFORE) == (Claim("0003", ((8001, 8191),)),)


def test_who_has_claimed_tells_others_until_they_know():
    unaware = {**AFTER, "0001": BEFORE["0001"]}

    assert claims(AFTER, unaware) == (Claim("0003", ()),)


def test_one_whose_host_is_down_is_not_asked():
    assert claims(AFTER, {id: slots for id, slots in BEFORE.items() if id != "0003"}) == ()


def test_slots_on_their_way_are_waited_for():
    assert is_whole(AFTER)
    assert not is_whole({**AFTER, "0003": ()})
    assert not is_whole({**AFTER, "0001": BEFORE["0001"]})
