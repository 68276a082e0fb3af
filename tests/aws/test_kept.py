"""Kept answers: asked again, a question costs a look-up; and no caller is ever told what is not so any more."""

import pytest

from atoll.aws import kept
from atoll.aws.operation import OPERATIONS
from atoll.model.group import SecurityGroup
from atoll.model.vpc import Vpc
from atoll.model.world import Caller, World

OWNER = {"account": "000000000000", "region": "us-east-1"}
CALLER = Caller(**OWNER, arn="arn:aws:iam::000000000000:root")
QUESTION = kept.key_of("ec2", CALLER, {"Action": "DescribeSecurityGroups"})


def _group(name="web"):
    return SecurityGroup(id="sg-1", vpc_id="vpc-1", name=name, description="d", **OWNER)


def _answered(world, body="told"):
    noted = world.seen_by(CALLER).noted()
    list(noted.all(SecurityGroup))
    assert noted.looks is not None
    return kept.Kept({}, body, noted.looks)


@pytest.fixture
def world():
    return World().after({(SecurityGroup, "sg-1"): _group(), (Vpc, "vpc-1"): _vpc()})


def _vpc():
    return Vpc(id="vpc-1", ranges=(), dhcp_options_id="default", **OWNER)


def test_an_answer_stands_while_what_was_looked_at_stands(world):
    shelf = kept.Shelf()
    shelf.put(QUESTION, _answered(world))

    other = world.after({(Vpc, "vpc-1"): _vpc()})
    changed = other.after({(SecurityGroup, "sg-1"): _group("db")})

    assert shelf.find(QUESTION, world).body == shelf.find(QUESTION, other).body == "told"
    assert shelf.find(QUESTION, changed) is None
    assert shelf.find(QUESTION, world) is None  # forgotten with the first World that does not bear it


def test_the_same_resource_put_again_may_be_another(world):
    assert not world.after({(SecurityGroup, "sg-1"): _group()}).bears(_answered(world).stamps)


def test_an_answer_about_nothing_ends_with_the_first_resource():
    before = World(revision=3)

    assert World(revision=9).bears(_answered(before).stamps)
    assert not before.after({(SecurityGroup, "sg-1"): _group()}).bears(_answered(before).stamps)


def test_every_look_is_noted_also_by_another_view_of_the_world(world):
    looks = {}
    for name, look in {
        "get": lambda w: w.get(SecurityGroup, "sg-1"),
        "reference": lambda w: w[SecurityGroup, "sg-1"],
        "bucket": lambda w: w.bucket(SecurityGroup, "vpc_id", "vpc-1"),
        "all": lambda w: list(w.all(SecurityGroup)),
        "all of it": lambda w: list(w.all(SecurityGroup, vpc_id="vpc-1")),
        "unseen": lambda w: w.seen_by(None).get(SecurityGroup, "sg-1"),
        "other": lambda w: w.seen_by(CALLER).noted() and w.seen_by(CALLER).get(SecurityGroup, "sg-1"),
    }.items():
        noted = world.noted()
        look(noted)
        looks[name] = noted.looks

    assert all(look.keys() == {SecurityGroup} and None not in look.values() for look in looks.values()), looks


@pytest.mark.parametrize(
    "look",
    [list, len, lambda w: list(w.kinds()), lambda w: w.after({}), lambda w: list(w.seen_by(None))],
    ids=["every resource", "their number", "their kinds", "another world", "every resource of another view"],
)
def test_who_looked_at_everything_has_nothing_that_vouches_for_it(world, look):
    noted = world.noted()

    look(noted)
    noted.get(Vpc, "vpc-1")

    assert noted.looks is None


def test_the_longest_unused_is_forgotten_first(world, monkeypatch):
    monkeypatch.setattr(kept, "CHARACTERS_MAX", 100)
    monkeypatch.setattr(kept, "CHARACTERS_EACH_MAX", 60)
    shelf = kept.Shelf()

    for name in "abc":
        shelf.put((name,), _answered(world, name * 40))
        shelf.find(("a",), world)
    shelf.put(("d",), _answered(world, "d" * 61))  # too long to be kept

    assert [name for name in "abcd" if shelf.find((name,), world)] == ["a", "c"]


def test_a_long_question_is_not_kept():
    assert kept.key_of("ec2", CALLER, {"Filter.1.Value.1": "x" * kept.QUESTION_CHARACTERS_MAX}) is None


def test_only_what_reads_is_pure():
    assert not [operation.name for operation in OPERATIONS.values() if operation.pure and operation.writes]
