"""The World: immutable revisions, indexes that cost what changed, and what a caller may see."""

from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.model import world as world_module
from atoll.model.gateway import InternetGateway
from atoll.model.keypair import KeyPair
from atoll.model.world import Caller, Tx, World

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ALICE = Caller(account="111122223333", region="us-east-1", arn="arn:aws:iam::111122223333:root")
BOB = Caller(account="999999999999", region="us-east-1", arn="arn:aws:iam::999999999999:root")
ALICE_ABROAD = Caller(account="111122223333", region="eu-west-1", arn=ALICE.arn)


def begin(world: World, caller: Caller | None = ALICE) -> Tx:
    """Open a transaction with counted ids."""
    numbers = count(1)
    return Tx(world, caller=caller, now=NOW, new_hex=lambda digits: f"{next(numbers):0{digits}x}")


def gateways(world: World, *ids: str, vpc: str | None = None, caller: Caller = ALICE) -> World:
    """Return the World with some more gateways in it."""
    tx = begin(world, caller)
    for id in ids:
        tx.make(InternetGateway, id, vpc_id=vpc)
    return tx.world.seen_by(None)


# ---- revisions


def test_a_revision_does_not_change_when_the_next_one_is_made():
    first = gateways(World(), "igw-1")
    second = gateways(first, "igw-2")
    assert [g.id for g in first.all(InternetGateway)] == ["igw-1"]
    assert [g.id for g in second.all(InternetGateway)] == ["igw-1", "igw-2"]
    assert second.revision == first.revision + 1


def test_a_removed_resource_is_gone_from_the_next_revision_only():
    first = gateways(World(), "igw-1", "igw-2", vpc="vpc-1")
    second = first.after({(InternetGateway, "igw-1"): None})
    assert len(first) == 2
    assert len(second) == 1
    assert second.get(InternetGateway, "igw-1") is None
    assert list(second.bucket(InternetGateway, "vpc_id", "vpc-1")) == ["igw-2"]


def test_removing_what_is_not_there_is_nothing():
    assert len(World().after({(InternetGateway, "igw-1"): None})) == 0


def test_resources_are_listed_oldest_first_also_after_a_change():
    world = gateways(World(), "igw-b", "igw-a")
    changed = world[InternetGateway, "igw-b"].but(vpc_id="vpc-1")
    world = world.after({(InternetGateway, "igw-b"): changed})
    assert [g.id for g in world.all(InternetGateway)] == ["igw-b", "igw-a"]


def test_the_world_lists_its_kinds_and_everything_in_it():
    world = gateways(World(), "igw-1")
    assert list(world.kinds()) == [InternetGateway]
    assert [r.id for r in world] == ["igw-1"]
    assert list(world.after({(InternetGateway, "igw-1"): None}).kinds()) == []


def test_following_a_dangling_reference_is_a_bug_and_raises():
    with pytest.raises(KeyError):
        gateways(World(), "igw-1")[InternetGateway, "igw-2"]


# ---- indexes


def test_a_bucket_holds_what_has_the_value():
    world = gateways(gateways(World(), "igw-1", vpc="vpc-1"), "igw-2")
    assert list(world.bucket(InternetGateway, "vpc_id", "vpc-1")) == ["igw-1"]
    assert list(world.bucket(InternetGateway, "vpc_id", None)) == ["igw-2"]
    assert dict(world.bucket(InternetGateway, "vpc_id", "vpc-9")) == {}


def test_an_untouched_bucket_is_the_same_object_in_the_next_world():
    world = gateways(gateways(World(), "igw-1", vpc="vpc-1"), "igw-2", vpc="vpc-2")
    before = {v: world.bucket(InternetGateway, "vpc_id", v) for v in ("vpc-1", "vpc-2")}
    after = world.after({(InternetGateway, "igw-2"): world[InternetGateway, "igw-2"].but(tags={"a": "b"})})
    assert after.bucket(InternetGateway, "vpc_id", "vpc-1") is before["vpc-1"]
    assert after.bucket(InternetGateway, "vpc_id", "vpc-2") is not before["vpc-2"]
    assert before["vpc-2"]["igw-2"].tags == {}  # and the old bucket still tells the old facts


def test_a_change_of_another_kind_touches_no_bucket():
    world = gateways(World(), "igw-1", vpc="vpc-1")
    before = world.bucket(InternetGateway, "vpc_id", "vpc-1")
    tx = begin(world)
    tx.make(KeyPair, "key-1", name="k", kind="rsa", fingerprint="", public_key="", created=NOW)
    assert tx.world.bucket(InternetGateway, "vpc_id", "vpc-1") is before


def test_a_reader_may_ask_for_a_new_index_while_the_next_world_is_made(monkeypatch):
    world = gateways(World(), "igw-1", vpc="vpc-1")
    list(world.all(InternetGateway, vpc_id="vpc-1"))
    carry = world_module._carry

    def meanwhile(*carried):
        list(world.all(KeyPair, name="x"))
        list(world.all(InternetGateway, account=ALICE.account))
        return carry(*carried)

    monkeypatch.setattr(world_module, "_carry", meanwhile)

    assert len(gateways(world, "igw-2", vpc="vpc-1")) == 2


def test_a_resource_moves_from_bucket_to_bucket():
    world = gateways(World(), "igw-1", vpc="vpc-1")
    assert list(world.bucket(InternetGateway, "vpc_id", "vpc-1")) == ["igw-1"]
    world = world.after({(InternetGateway, "igw-1"): world[InternetGateway, "igw-1"].but(vpc_id="vpc-2")})
    assert dict(world.bucket(InternetGateway, "vpc_id", "vpc-1")) == {}
    assert list(world.bucket(InternetGateway, "vpc_id", "vpc-2")) == ["igw-1"]


def test_several_conditions_narrow_each_other():
    world = gateways(gateways(World(), "igw-1", vpc="vpc-1"), "igw-2", vpc="vpc-1", caller=BOB)
    found = world.all(InternetGateway, vpc_id="vpc-1", account=BOB.account)
    assert [g.id for g in found] == ["igw-2"]


steps = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([None, "vpc-1", "vpc-2", "gone"])), max_size=30)


@given(steps, st.integers(0, 29))
def test_a_carried_index_equals_one_built_anew(changes, indexed_from):
    world = World()
    for n, (id, vpc) in enumerate(changes):
        if n == indexed_from:
            world.bucket(InternetGateway, "vpc_id", None)  # from here on the index is carried
        new = None if vpc == "gone" else InternetGateway(id=id, account="1", region="r", vpc_id=vpc)
        world = world.after({(InternetGateway, id): new})
    fresh = World({InternetGateway: {g.id: g for g in world.all(InternetGateway)}})
    for vpc in (None, "vpc-1", "vpc-2"):
        carried = world.bucket(InternetGateway, "vpc_id", vpc)
        assert dict(carried) == dict(fresh.bucket(InternetGateway, "vpc_id", vpc))


# ---- who sees what


def test_a_caller_sees_only_its_own_account_and_region():
    world = gateways(gateways(gateways(World(), "igw-a"), "igw-b", caller=BOB), "igw-x", caller=ALICE_ABROAD)
    for caller, mine in ((ALICE, "igw-a"), (BOB, "igw-b"), (ALICE_ABROAD, "igw-x")):
        seen = world.seen_by(caller)
        assert [g.id for g in seen.all(InternetGateway)] == [mine]
        assert [id for id in ("igw-a", "igw-b", "igw-x") if seen.get(InternetGateway, id)] == [mine]
        assert [g.id for g in seen.all(InternetGateway, vpc_id=None)] == [mine]
    assert len(list(world.seen_by(None).all(InternetGateway))) == 3


def test_references_and_buckets_cross_accounts():
    world = gateways(World(), "igw-b", vpc="vpc-1", caller=BOB).seen_by(ALICE)
    assert world[InternetGateway, "igw-b"].account == BOB.account
    assert list(world.bucket(InternetGateway, "vpc_id", "vpc-1")) == ["igw-b"]


def test_a_view_shares_the_indexes_of_its_world():
    world = gateways(World(), "igw-1", vpc="vpc-1")
    bucket = world.seen_by(ALICE).bucket(InternetGateway, "vpc_id", "vpc-1")
    assert world.bucket(InternetGateway, "vpc_id", "vpc-1") is bucket


# ---- transactions


def test_a_transaction_sees_its_own_changes_and_nobody_else_does():
    world = gateways(World(), "igw-1")
    tx = begin(world)
    tx.put(world[InternetGateway, "igw-1"].but(vpc_id="vpc-1"))
    tx.make(InternetGateway, "igw-2")
    assert [g.vpc_id for g in tx.all(InternetGateway)] == ["vpc-1", None]
    assert [g.vpc_id for g in world.all(InternetGateway)] == [None]


def test_a_transaction_counts_as_one_revision():
    world = gateways(World(), "igw-1")
    tx = begin(world)
    for n in range(2, 5):
        tx.make(InternetGateway, f"igw-{n}")
        assert tx.world.revision == world.revision + 1


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["vpc-1", "vpc-2", None, "delete", "look"])), max_size=12
    )
)
def test_it_is_the_same_whenever_a_transaction_looks_at_what_it_has_changed(steps):
    first = gateways(World(), "a", "b", vpc="vpc-1")
    curious, blind = begin(first), begin(first)
    for id, what in steps:
        if what == "look":
            list(curious.world.all(InternetGateway, vpc_id="vpc-1"))
        for tx in (curious, blind):
            if what == "delete":
                tx.delete(InternetGateway(id=id, account=ALICE.account, region=ALICE.region))
            elif what != "look":
                tx.make(InternetGateway, id, vpc_id=what)

    assert curious.changes == blind.changes
    assert curious.world.revision == blind.world.revision
    assert list(curious.world) == list(blind.world), "also in their order"
    for vpc in ("vpc-1", "vpc-2"):
        found = [{g.id for g in tx.all(InternetGateway, vpc_id=vpc)} for tx in (curious, blind)]
        assert found[0] == found[1]


def test_a_transaction_without_changes_leaves_the_world_alone():
    world = gateways(World(), "igw-1")
    assert begin(world).world.revision == world.revision


def test_what_a_transaction_makes_and_deletes_never_was():
    tx = begin(World())
    tx.delete(tx.make(InternetGateway, "igw-1"))
    assert tx.all(InternetGateway) == []
    assert tx.changes == {(InternetGateway, "igw-1"): None}


def test_a_new_resource_belongs_to_the_caller():
    gateway = begin(World(), BOB).make(InternetGateway, "igw-1")
    assert gateway.owner == (BOB.account, BOB.region)


def test_a_transaction_gets_only_what_its_caller_may_see():
    world = gateways(World(), "igw-b", caller=BOB)
    assert begin(world).get(InternetGateway, "igw-b") is None
    assert begin(world, None).get(InternetGateway, "igw-b") is not None


def test_a_transaction_gets_what_it_has_put_and_not_what_it_has_deleted():
    tx = begin(gateways(World(), "igw-1", "igw-2"))
    tx.delete(tx.world[InternetGateway, "igw-1"])
    put = tx.put(tx.world[InternetGateway, "igw-2"].but(vpc_id="vpc-1"))
    with tx.acting_as(BOB.account):
        his = tx.make(InternetGateway, "igw-3")
        assert tx.get(InternetGateway, "igw-3") is his
        assert tx.get(InternetGateway, "igw-2") is None

    found = [tx.get(InternetGateway, f"igw-{n}") for n in (1, 2, 3)]

    assert found == [None, put, None]
    assert found == [tx.world.get(InternetGateway, f"igw-{n}") for n in (1, 2, 3)]


def test_a_transaction_without_a_caller_gets_what_it_has_put_for_anybody():
    tx = begin(gateways(World(), "igw-b", caller=BOB), None)
    put = tx.put(tx.world[InternetGateway, "igw-b"].but(vpc_id="vpc-1"))
    assert tx.get(InternetGateway, "igw-b") is put


def test_a_listing_may_be_changed_while_it_is_walked():
    tx = begin(gateways(World(), "igw-1", "igw-2"))
    for gateway in tx.all(InternetGateway):
        tx.delete(gateway)
    assert tx.all(InternetGateway) == []


def test_ids_look_like_ec2s_and_do_not_repeat():
    tx = begin(World())
    one, two = tx.new_id("vpc"), tx.new_id("vpc")
    assert one != two
    assert one.startswith("vpc-0")
    assert len(one) == len("vpc-") + 17


# ---- resources


def test_resources_are_values():
    one = InternetGateway(id="igw-1", account="1", region="r")
    assert one == InternetGateway(id="igw-1", account="1", region="r")
    assert one.but(vpc_id="vpc-1") != one
    assert one.vpc_id is None
    with pytest.raises(AttributeError):
        one.vpc_id = "vpc-1"  # type: ignore[misc]
