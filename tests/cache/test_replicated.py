"""How much of another engine's data one has."""

import pytest

from atoll.cache.replicated import end_of, follows, has_all

PRIMARY = {"role": "master", "master_replid": "h", "master_repl_offset": "10"}
COPY = {"role": "slave", "master_link_status": "up", "master_replid": "h", "slave_repl_offset": "10"}


def test_all_is_there_when_the_history_is_the_same_and_as_long():
    assert has_all(COPY, *end_of(PRIMARY))
    assert has_all(COPY | {"slave_repl_offset": "11"}, *end_of(PRIMARY))


@pytest.mark.parametrize("other", [{"slave_repl_offset": "9"}, {"master_replid": "other"}])
def test_not_all_is_there_when_something_is_missing(other):
    assert not has_all(COPY | other, *end_of(PRIMARY))


def test_who_says_nothing_has_nothing_and_nobody_has_all_of_nothing():
    assert not has_all({}, *end_of(PRIMARY))
    assert not has_all({}, *end_of({}))


def test_a_replica_whose_link_is_down_does_not_follow_and_has_what_it_has():
    cut = COPY | {"master_link_status": "down"}

    assert follows(COPY)
    assert not follows(cut)
    assert has_all(cut, *end_of(PRIMARY))
    assert not follows(PRIMARY)
    assert not follows({})
