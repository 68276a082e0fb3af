"""A shard whose leader copies from outside, as the failover sees it: a leader like any other."""

from ipaddress import IPv4Address

from atoll.cache.failover import (
    Shard,
    Sight,
    decide,
)
from atoll.cache.failover_acts import (
    Choose,
    Follow,
    Promote,
)
from atoll.cache.node import Primary
from atoll.control.watch import led_from_outside
from atoll.host.contract import Replication

SOURCE = Primary(IPv4Address("10.0.0.9"), 6379)
OWN = ("10.0.1.4", 6379)


def sight(id, said, *, follows=None, **more):
    seen = led_from_outside(said, SOURCE)
    return Sight(id=id, name=id, is_available=True, is_running=True, role=seen.role, follows=follows, **more)


COPIES = Replication(role="replica", follows=("10.0.0.9", 6379), link_up=True, offset=7)
CHAINED = Replication(role="replica", follows=OWN, link_up=True, offset=7)
ALONE = Replication(role="primary", offset=3)


def test_the_one_that_copies_from_the_source_leads():
    shard = Shard(primary_id="a", members=(sight("a", COPIES), sight("b", CHAINED, follows="a")))

    assert decide(shard) is None


def test_a_leader_that_does_not_copy_yet_is_told_to_lead_that_is_to_copy():
    for said in (ALONE, CHAINED):
        assert isinstance(decide(Shard(primary_id="a", members=(sight("a", said),))), Promote)


def test_another_that_copies_from_the_source_or_from_nobody_follows_the_leader():
    for said in (COPIES, ALONE):
        act = decide(Shard(primary_id="a", members=(sight("a", COPIES), sight("b", said))))
        assert isinstance(act, Follow)
        assert (act.id, act.leader_id) == ("b", "a")


def test_a_lost_leader_is_replaced_by_a_member():
    lost = Sight(id="a", name="a", is_available=True, is_running=False, gone_seconds=9.0)

    act = decide(Shard(primary_id="a", members=(lost, sight("b", CHAINED, offset=7))))

    assert isinstance(act, Choose)


def test_when_the_source_is_left_the_leader_becomes_a_primary():
    followed = Sight(id="a", name="a", is_available=True, is_running=True, role="replica")

    assert decide(Shard(primary_id="a", members=(followed,))) == Promote("a", "nobody else leads")
