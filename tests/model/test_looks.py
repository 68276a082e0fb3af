"""What a reader saw: it stands in every World in which each of his looks would find the same, and in no other."""

import pytest

from atoll.model.group import SecurityGroup
from atoll.model.looks import BUCKET_MAX, stand, witness
from atoll.model.vpc import Vpc
from atoll.model.world import Caller, World

OWNER = {"account": "000000000000", "region": "us-east-1"}
CALLER = Caller(**OWNER, arn="arn:aws:iam::000000000000:root")
LOOKS = {
    "a reference": lambda w: w[SecurityGroup, "sg-1"],
    "a look-up": lambda w: w.get(SecurityGroup, "sg-1"),
    "a look-up of another view": lambda w: w.seen_by(None).get(SecurityGroup, "sg-1"),
    "a bucket": lambda w: w.bucket(SecurityGroup, "vpc_id", "vpc-1"),
    "a condition": lambda w: list(w.all(SecurityGroup, vpc_id="vpc-1")),
    "all of the caller's": lambda w: list(w.all(SecurityGroup)),
    "all": lambda w: list(w.seen_by(None).all(SecurityGroup)),
    "their number": lambda w: w.count(SecurityGroup),
    "what another noted": lambda w: w.note([SecurityGroup]),
}
WIDE = ("all of the caller's", "all", "their number", "what another noted")  # of more than the group and its VPC


def _group(id="sg-1", vpc="vpc-1", name="web"):
    return SecurityGroup(id=id, vpc_id=vpc, name=name, description="d", **OWNER)


def _put(world, *groups):
    return world.after({(SecurityGroup, group.id): group for group in groups})


@pytest.fixture
def world():
    world = _put(World(), _group(), _group("sg-2", "vpc-2"))
    for field, value in (("vpc_id", "vpc-1"), ("owner", tuple(OWNER.values()))):
        world.bucket(SecurityGroup, field, value)  # the indexes are there, and are carried
    return world


def _seen(world, look):
    reader = witness(world.seen_by(CALLER).noted())
    LOOKS[look](reader)
    assert reader.seen is not None
    return reader.seen


@pytest.mark.parametrize("look", LOOKS)
def test_a_change_of_what_was_seen_is_noticed(world, look):
    seen = _seen(world, look)

    assert stand(seen, world)
    assert not stand(seen, _put(world, _group(name="db")))
    assert not stand(seen, world.after({(SecurityGroup, "sg-1"): None}))


@pytest.mark.parametrize("look", LOOKS)
def test_a_change_of_what_was_not_seen_is_none(world, look):
    elsewhere = _put(world, _group("sg-2", "vpc-2", "db"), _group("sg-3", "vpc-2"))
    other_kind = world.after({(Vpc, "vpc-1"): Vpc(id="vpc-1", ranges=(), dhcp_options_id="default", **OWNER)})

    assert stand(_seen(world, look), other_kind)
    assert stand(_seen(world, look), elsewhere) is (look not in WIDE)


def test_what_stands_in_one_world_may_fall_in_the_next(world):
    seen = _seen(world, "a reference")
    elsewhere = _put(world, _group("sg-2", "vpc-2", "db"))

    assert stand(seen, elsewhere)
    assert not stand(seen, _put(elsewhere, _group(name="db")))


@pytest.mark.parametrize("look", ["a look-up", "a bucket"])
def test_what_was_not_there_is_seen_too(look):
    empty = World()
    empty.bucket(SecurityGroup, "vpc_id", "vpc-1")
    seen = _seen(empty, look)

    assert stand(seen, World())
    assert not stand(seen, _put(empty, _group()))


def test_of_a_large_bucket_only_the_stamp_is_kept(world):
    full = _put(world, *(_group(f"sg-9{n}") for n in range(BUCKET_MAX)))

    seen = _seen(full, "a bucket")[SecurityGroup]

    assert seen.is_whole
    assert not seen.buckets


def test_who_looked_at_everything_has_seen_nothing_that_vouches_for_it(world):
    noted = world.noted()
    reader = witness(noted)

    list(reader)

    assert (reader.seen, noted.looks) == (None, None)


def test_the_reader_of_the_world_behind_notes_the_kinds(world):
    noted = world.noted()

    witness(noted).seen_by(CALLER).get(SecurityGroup, "sg-1")

    assert noted.looks is not None
    assert set(noted.looks) == {SecurityGroup}
