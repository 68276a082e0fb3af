"""Global datastores in cluster mode through boto3, on paper: shards of a secondary, steps of a failover, refusals."""

import pytest

from atoll.cache import global_group as steps
from atoll.cache import takeover
from atoll.cache.plan import nodes
from atoll.cache.shards import NODE_TIMEOUT_MS, gossip_terms, nodes_conf
from atoll.cache.transitions import node_silent
from atoll.model.cache import ReplicationGroup
from atoll.model.global_group import links
from tests.api.caches import Caches, settle
from tests.api.paper import code, refusal
from tests.api.test_global_group import BIG, BOTH, ID, STATE, VALUE, join, parts, saw, shown

SHARDS = {"ClusterMode": "enabled", "NumNodeGroups": 2, "ReplicasPerNodeGroup": 1}


@pytest.fixture
def far(paper, cache):  # noqa: ARG001 - the engines are its
    """A client of another region."""
    return Caches(paper.client("elasticache", region="eu-west-1"))


def primary_of(cache, paper, **more):
    asked = {"AutomaticFailoverEnabled": True, "Engine": "valkey", **BIG, **SHARDS} | more
    cache.create_replication_group(ReplicationGroupId="one", ReplicationGroupDescription="x", **asked)
    settle(paper)
    return {"GlobalReplicationGroupIdSuffix": "sessions", "PrimaryReplicationGroupId": "one"}


@pytest.fixture
def one(cache, paper):
    """A group of two shards, the primary of a global datastore."""
    made = cache.create_global_replication_group(**primary_of(cache, paper))["GlobalReplicationGroup"]
    saw(paper, steps.associated, "one")
    return made


@pytest.fixture
def both(one, far, paper):  # noqa: ARG001 - it joins that
    """A secondary beside it, associated."""
    join(far)
    settle(paper)
    saw(paper, steps.associated, "two")


def plans(paper):
    return {plan.name.rpartition("/")[2].partition(":")[0]: plan for plan in nodes(paper.world)}


def sources(paper):
    return {name: str(p.primary.address) for name, p in plans(paper).items() if p.copies_from_outside}


def group(paper, name):
    return next(g for g in paper.world.all(ReplicationGroup) if g.name == name)


def test_a_secondary_has_the_shards_of_its_datastore(one, cache, far, paper):
    assert one["ClusterEnabled"] is True

    made = join(far)

    assert made["ClusterEnabled"] is True
    assert len(made["MemberClusters"]) == 4
    settle(paper)
    own = far.describe_replication_groups(ReplicationGroupId="two")["ReplicationGroups"][0]["NodeGroups"]
    assert [shard["Slots"] for shard in own] == ["0-8191", "8192-16383"]
    saw(paper, steps.associated, "two")
    assert parts(cache) == {"one": ("PRIMARY", "associated"), "two": ("SECONDARY", "associated")}
    assert shown(far)["GlobalNodeGroups"] == [
        {"GlobalNodeGroupId": f"{ID}-0001", "Slots": "0-8191"},
        {"GlobalNodeGroupId": f"{ID}-0002", "Slots": "8192-16383"},
    ]
    assert sources(paper) == {"two-0001-001": "169.254.97.1", "two-0002-001": "169.254.97.2"}
    assert len(list(links(paper.world))) == 2, "one for each shard"


@pytest.mark.usefixtures("both")
def test_a_leader_finds_in_its_file_that_it_has_slots_and_copies_from_a_stranger(paper):
    leader, replica, primary = (plans(paper)[f"{name}"] for name in ("two-0001-001", "two-0001-002", "one-0001-001"))

    lines = [line.split() for line in nodes_conf(leader).splitlines()]

    own = next(line for line in lines if "myself" in line[2])
    assert (own[2], own[8:]) == ("myself,master,slave", ["0-8191"])
    source = next(line for line in lines if line[0] == own[3])
    assert source[1].startswith("169.254.97.1:6379@1,")
    assert source[2] == "master,handshake"
    assert "169.254." not in nodes_conf(replica) + nodes_conf(primary)
    assert dict(gossip_terms(leader.cluster)) == {
        "cluster-node-timeout": str(NODE_TIMEOUT_MS), "cluster-replica-no-failover": "yes",
    }  # fmt: skip
    assert dict(gossip_terms(primary.cluster))["cluster-replica-no-failover"] == "no"


@pytest.mark.usefixtures("both")
def test_a_failover_ends_the_leaders_before_others_are_promoted(cache, far, paper):
    cache.failover_global_replication_group(
        GlobalReplicationGroupId=ID, PrimaryRegion="eu-west-1", PrimaryReplicationGroupId="two"
    )
    asked = sources(paper)

    saw(paper, steps.fencing)
    one = group(paper, "one")
    paper.write(lambda tx: takeover.chosen(tx, one.id, "0001", one.node_groups[0].member_ids[1]))
    assert group(paper, "one") is one, "what was seen before it began makes nobody a primary"
    fencing, elects = sources(paper), {n: p.cluster.elects for n, p in plans(paper).items()}
    saw(paper, steps.taken_over)
    after = sources(paper)
    two = group(paper, "two")
    paper.write(lambda tx: takeover.chosen(tx, two.id, "0001", two.node_groups[0].member_ids[1], because="change"))
    paper.write(lambda tx: takeover.published(tx, two.id, "0001", two.node_groups[0].member_ids[1]))
    saw(paper, steps.promoted)

    assert fencing == asked, "nobody follows anybody else yet"
    assert not any(elects.values()), "nobody is elected meanwhile"
    assert after == {"one-0001-001": "169.254.97.1", "one-0002-001": "169.254.97.2"}
    assert sources(paper) == after, "a source has the same address, whoever it is"
    assert parts(far) == {"one": ("SECONDARY", "associated"), "two": ("PRIMARY", "associated")}
    assert all(node.boot == 1 for plan in plans(paper).values() for node in [plan]), "nobody was lost"


@pytest.mark.usefixtures("both")
def test_a_leader_that_starts_anew_does_not_lead_a_primary(paper):
    leader, replica = group(paper, "two").node_groups[1].member_ids
    paper.write(lambda tx: node_silent(tx, leader, "0001"))

    saw(paper, steps.taken_over)
    assert group(paper, "two").node_groups[1].leader_id == leader, "nothing was asked for"
    paper.write(lambda tx: steps.lead_with_data(tx, group(paper, "two").id))

    assert group(paper, "two").node_groups[1].leader_id == replica
    assert group(paper, "two").node_groups[0].leader_id.endswith("two-0001-001"), "this one has the data"


@pytest.mark.usefixtures("both")
def test_a_shard_that_leaves_gets_nothing_more(cache, paper):
    cache.disassociate_global_replication_group(
        GlobalReplicationGroupId=ID, ReplicationGroupId="two", ReplicationGroupRegion="eu-west-1"
    )

    assert list(links(paper.world)) == []
    assert sources(paper) == {}


@pytest.mark.usefixtures("one")
def test_other_shards_than_the_primarys_are_refused(far):
    halves = [{"Slots": "0-99"}, {"Slots": "100-16383"}]
    for more, expected in (
        ({"NumNodeGroups": 3}, BOTH),
        ({"ClusterMode": "disabled"}, BOTH),
        ({"NumCacheClusters": 2}, BOTH),
        ({"NodeGroupConfiguration": halves}, BOTH),
        ({"NodeGroupConfiguration": [{"NodeGroupId": "0003"}, {"NodeGroupId": "0001"}]}, BOTH),
        ({"AutomaticFailoverEnabled": False}, BOTH),
        ({"ReplicasPerNodeGroup": 0}, VALUE),
    ):
        asked = {"ReplicationGroupId": "two", "ReplicationGroupDescription": "x", "GlobalReplicationGroupId": ID}
        assert code(far.create_replication_group, **asked | more) == expected, more
    made = join(far, NodeGroupConfiguration=[{"Slots": "0-8191", "ReplicaCount": 2}, {"ReplicaCount": 1}])
    names = ("0001-001", "0001-002", "0001-003", "0002-001", "0002-002")
    assert made["MemberClusters"] == [f"two-{name}" for name in names]


def test_a_group_in_cluster_mode_does_not_join_one_that_is_in_none(cache, far, paper):
    cache.group("one", 2, **BIG)
    settle(paper)
    cache.create_global_replication_group(GlobalReplicationGroupIdSuffix="sessions", PrimaryReplicationGroupId="one")
    saw(paper, steps.associated, "one")

    asked = {"ReplicationGroupId": "two", "ReplicationGroupDescription": "x", "GlobalReplicationGroupId": ID}
    said = refusal(far.create_replication_group, **asked, **SHARDS, AutomaticFailoverEnabled=True)

    assert said[0] == BOTH
    assert "ClusterMode" in said[1]


def test_a_shard_without_a_replica_is_in_no_global_datastore(cache, paper):
    asked = primary_of(cache, paper, ReplicasPerNodeGroup=0)

    assert code(cache.create_global_replication_group, **asked) == VALUE


@pytest.mark.usefixtures("both")
def test_what_would_part_the_members_is_refused(cache, far):
    for client, name in ((cache, "one"), (far, "two")):
        here = {"ReplicationGroupId": name, "ApplyImmediately": True}
        assert code(client.modify_replication_group_shard_configuration, **here, NodeGroupCount=3) == STATE
        assert code(client.decrease_replica_count, **here, NewReplicaCount=0) == VALUE
    assert "secondary" in refusal(far.test_failover, ReplicationGroupId="two", NodeGroupId="0001")[1]
    cache.test_failover(ReplicationGroupId="one", NodeGroupId="0001")
