"""Fragments: what is told of a resource is written once while it is so, and never told when it is not."""

from dataclasses import replace

import pytest

from atoll.aws import fragments
from atoll.aws.fragments import Fragments, told
from atoll.model.group import SecurityGroup
from atoll.model.vpc import Vpc
from atoll.model.world import Caller, World

OWNER = {"account": "000000000000", "region": "us-east-1"}
CALLER = Caller(**OWNER, arn="arn:aws:iam::000000000000:root")


def _group(id="sg-1", vpc="vpc-1", name="web"):
    return SecurityGroup(id=id, vpc_id=vpc, name=name, description="d", **OWNER)


def _vpc(dns=True):
    return Vpc(id="vpc-1", ranges=(), dhcp_options_id="default", dns_support=dns, **OWNER)


def _write(out, shape):
    out.append(f"{shape}")


def _nested(world, group):
    return {"Outer": STORE.text(told(world, _by_vpc, group), _write)}


def _by_vpc(world, group):
    RENDERED.append(group.id)
    return {"Name": group.name, "Dns": world[Vpc, group.vpc_id].dns_support}


STORE, RENDERED = Fragments(), []


@pytest.fixture(autouse=True)
def store():
    """Nothing is kept of another test."""
    STORE.clear()
    RENDERED.clear()
    return STORE


@pytest.fixture
def world():
    return World().after({(SecurityGroup, "sg-1"): _group(), (Vpc, "vpc-1"): _vpc()})


def _tell(world, render=_by_vpc, caller=CALLER, id="sg-1"):
    noted = world.seen_by(caller).noted()
    return STORE.text(told(noted, render, world[SecurityGroup, id]), _write), noted


def test_it_is_written_once_while_nothing_changes(world):
    other = world.after({(SecurityGroup, "sg-2"): _group("sg-2"), (Vpc, "vpc-2"): _vpc()})

    assert _tell(world)[0] == _tell(other)[0] == "{'Name': 'web', 'Dns': True}"
    assert RENDERED == ["sg-1"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({(SecurityGroup, "sg-1"): _group(name="db")}, "{'Name': 'db', 'Dns': True}"),
        ({(Vpc, "vpc-1"): _vpc(dns=False)}, "{'Name': 'web', 'Dns': False}"),
    ],
    ids=["of the resource", "of what its renderer looked at"],
)
@pytest.mark.parametrize("render", [_by_vpc, _nested])
def test_a_change_is_told(world, render, change, text):
    before, _ = _tell(world, render)

    after, _ = _tell(world.after(change), render)

    assert before != after
    assert text in after.replace('"', "'")


def test_an_answer_of_fragments_is_vouched_for_by_all_that_they_saw(world):
    looks = [_tell(world)[1].looks.keys() for _ in range(2)]  # the second is not rendered

    assert looks == [{Vpc}, {Vpc}]


def test_callers_and_renderers_have_fragments_of_their_own(world):
    other = Caller(account="222222222222", region="us-east-1", arn="arn:aws:iam::222222222222:root")

    _tell(world)
    _tell(world, caller=other)
    _tell(world, lambda w, g: _by_vpc(w, g))

    assert RENDERED == ["sg-1"] * 3


def test_another_key_and_another_role_of_an_account_have_the_same_fragments(world):
    """The metadata service gives out a new key each hour: there would be no end of them."""

    def by_caller(world, _group):
        RENDERED.append(world.caller)
        return {"Account": world.caller.account, "Arn": world.caller.arn}

    texts = {_tell(world, by_caller, replace(CALLER, access_key_id=f"ASIA{n}", arn=f"arn:{n}"))[0] for n in range(9)}

    assert [Caller(**OWNER, arn="")] == RENDERED, "and a renderer cannot tell one what is another's"
    assert texts == {"{'Account': '000000000000', 'Arn': ''}"}
    assert len(list(STORE)) == 1


def test_in_a_world_that_is_not_noted_it_is_rendered_at_once(world):
    assert told(world, _by_vpc, _group()) == {"Name": "web", "Dns": True}


def test_who_looked_at_everything_is_asked_each_time(world):
    def counted(world, _group):
        RENDERED.append(len(list(world)))
        return {}

    _tell(world, counted)
    _tell(world, counted)

    assert RENDERED == [2, 2]


def test_what_has_gone_is_forgotten_in_time(world, monkeypatch):
    monkeypatch.setattr(fragments, "SWEEP_EVERY_MIN", 10)

    for n in range(100):
        world = world.after({(SecurityGroup, f"sg-{n}"): None, (SecurityGroup, f"sg-{n + 1}"): _group(f"sg-{n + 1}")})
        _tell(world, id=f"sg-{n + 1}")

    assert 0 < len(list(STORE)) <= 10
    assert STORE._bytes == sum(it.weight for it in STORE)


def test_what_is_kept_has_a_bound(world, monkeypatch):
    monkeypatch.setattr(fragments, "BYTES_MAX", 10_000)
    world = world.after({(SecurityGroup, f"sg-{n}"): _group(f"sg-{n}") for n in range(50)})

    texts = [_tell(world, id=f"sg-{n}")[0] for n in range(50)]

    assert len(set(texts)) == 1
    assert 0 < sum(it.weight for it in STORE) <= 10_000
