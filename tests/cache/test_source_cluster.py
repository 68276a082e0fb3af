"""The source of a migration that is a cluster: who owns which slots by several accounts, and who copies from whom."""

from ipaddress import IPv4Address

import pytest

from atoll.cache import source_cluster as source
from atoll.cache.source_cluster import Owner
from atoll.model.cache import NodeGroup

A, B, C, D = (IPv4Address(f"10.0.0.{n}") for n in (1, 2, 3, 4))
FIRST, SECOND, THIRD = ((0, 5460),), ((5461, 10922),), ((10923, 16383),)
IDS = dict(zip((A, B, C, D), "abcd", strict=True))


def nodes(said_by, *lines):
    """Return what a node says: lines of address, flags, epoch and slots."""
    out = []
    for address, flags, epoch, *slots in lines:
        flags = f"myself,{flags}" if address == said_by else flags
        place = "" if address == said_by else address  # a node that has met nobody does not know its own
        out.append(f"{IDS[address] * 40} {place}:6379@16379 {flags} - 0 0 {epoch} connected {' '.join(slots)}")
    return source.view("\n".join(out), said_by)


def of(*slots):
    return [NodeGroup(id=f"000{n}", member_ids=("x",), primary_id="x", slots=s) for n, s in enumerate(slots, 1)]


WHOLE = ((A, "master", 1, "0-5460"), (B, "master", 2, "5461-10922"), (C, "master", 3, "10923-16383"))
THREE = of(FIRST, SECOND, THIRD)


def test_a_node_that_does_not_know_its_own_address_is_where_it_was_asked():
    found = source.owners([nodes(A, *WHOLE)])

    assert found == (Owner(FIRST, A, 6379), Owner(SECOND, B, 6379), Owner(THIRD, C, 6379))
    assert source.trouble_with(nodes(A, *WHOLE), THREE) is None


def test_whoever_claims_slots_with_the_greater_epoch_owns_them():
    cut_off = nodes(A, *WHOLE, (D, "slave", 0))
    others = nodes(B, (A, "master,fail", 1), *WHOLE[1:], (D, "master", 4, "0-5460"))

    for views in ([cut_off, others], [others, cut_off]):
        assert source.owners(views)[0] == Owner(FIRST, D, 6379)
    assert source.moved(THREE, source.owners([cut_off, others])) is None


def test_slots_that_went_elsewhere_are_told_and_who_has_them():
    now = nodes(A, (A, "master", 5, "0-6000"), (B, "master", 2, "6001-10922"), WHOLE[2])

    assert source.moved(THREE, source.owners([now])) == "the slots of shard 0001 are now at 10.0.0.1:6379"
    assert source.moved(of(((0, 3),)), ()) == "the slots of shard 0001 are now at nobody"


@pytest.mark.parametrize(
    ("lines", "shards", "why"),
    [
        (WHOLE[:2], THREE, "its cluster serves 10923 of 16384 slots; 10923-16383 are missing"),
        ((*WHOLE[:2], (C, "master,fail", 3, "10923-16383")), THREE, "10923-16383 are missing"),
        (WHOLE, of(FIRST, SECOND), "its cluster has 3 shards, and the replication group has 2"),
        (((A, "master", 1, "0-16383"),), THREE, "its cluster has 1 shards, and the replication group has 3"),
        (((*WHOLE[0], f"[5->-{'b' * 40}]"), *WHOLE[1:]), THREE, "its cluster is being resharded"),
        (((*WHOLE[0], f"[6000-<-{'b' * 40}]"), *WHOLE[1:]), THREE, "its cluster is being resharded"),
    ],
)
def test_a_cluster_that_cannot_be_copied_shard_by_shard_is_refused(lines, shards, why):
    assert source.trouble_with(nodes(A, *lines), shards).endswith(why)


def test_shards_copy_from_those_with_their_slots_and_else_in_the_order_of_slots():
    found = source.owners([nodes(A, *WHOLE)])

    same = source.pair(list(reversed(THREE)), found)
    other = source.pair(of(((0, 9),), THIRD, ((10, 10922),)), found)

    assert {id: owner.address for id, owner in same.items()} == {"0001": A, "0002": B, "0003": C}
    assert {id: owner.address for id, owner in other.items()} == {"0001": A, "0002": C, "0003": B}


def test_what_is_no_answer_is_refused():
    for text in ("", "nonsense", "a b c d e f g h"):
        with pytest.raises(ValueError, match=r"CLUSTER NODES|invalid literal"):
            source.view(text, A)
