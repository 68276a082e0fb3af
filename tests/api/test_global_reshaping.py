"""Node groups of global datastores through boto3, on paper: what is asked of all members, and what is refused."""

import pytest
from botocore.exceptions import ClientError

from atoll.cache import global_group as steps
from atoll.cache import mirroring, resharding, transitions
from atoll.cache.resharding import Holding
from atoll.model.cache import CacheCluster
from tests.api.caches import Caches, settle
from tests.api.paper import code, refusal
from tests.api.test_global_group import BOTH, ID, VALUE, join, saw, shown
from tests.api.test_global_shards import group, primary_of, sources

GLOBAL_STATE = "InvalidGlobalReplicationGroupState"
NEAR_ZONES, FAR_ZONES = ["us-east-1a", "us-east-1b"], ["eu-west-1a", "eu-west-1b"]


@pytest.fixture
def far(paper, cache):  # noqa: ARG001 - the engines are its
    """A client of another region."""
    return Caches(paper.client("elasticache", region="eu-west-1"))


@pytest.fixture
def one(cache, paper):
    """A group of two shards, the primary of a global datastore."""
    cache.create_global_replication_group(**primary_of(cache, paper))
    saw(paper, steps.associated, "one")


@pytest.fixture
def both(one, far, paper):  # noqa: ARG001 - it joins that
    """A secondary beside it, associated."""
    join(far)
    settle(paper)
    saw(paper, steps.associated, "two")


def ask(client, operation, **more):
    call = getattr(client, f"{operation}_in_global_replication_group")
    return call(**{"GlobalReplicationGroupId": ID, "ApplyImmediately": True} | more)


def regional(name, region, *shards):
    return {"ReplicationGroupId": name, "ReplicationGroupRegion": region, "ReshardingConfiguration": list(shards)}


def slots(client, name):
    found = client.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]
    return {shard["NodeGroupId"]: shard["Slots"] for shard in found["NodeGroups"]}


def both_statuses(cache, far):
    return [
        client.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]["Status"]
        for client, name in ((cache, "one"), (far, "two"))
    ]


def move_all(paper):
    """Let the primary's engines move all slots."""
    while isinstance(act := resharding.decide(group(paper, "one"), held(paper)), resharding.Carry):
        now = {id: set(resharding.slots_of(holding.slots)) for id, holding in held(paper).items()}
        for move in act.moves:
            now[move.source] -= set(resharding.slots_of(move.slots))
            now[move.target] |= set(resharding.slots_of(move.slots))
        owned = {id: resharding.join(all) for id, all in now.items()}
        paper.write(lambda tx, owned=owned: resharding.moved(tx, group(paper, "one").id, owned))


def held(paper):
    return {shard.id: Holding(shard.slots) for shard in group(paper, "one").node_groups}


def follow(paper):
    """Let the secondary's engines own what the primary's do, and say how it ends for it."""
    owned = {id: holding.slots for id, holding in held(paper).items()}
    paper.write(lambda tx: resharding.moved(tx, group(paper, "two").id, owned))
    return mirroring.outcome(group(paper, "one"), group(paper, "two"))


def finish(paper, name):
    paper.write(lambda tx: resharding.finished(tx, group(paper, name).id))


@pytest.mark.usefixtures("both")
def test_new_shards_come_in_all_members_and_slots_move_when_all_are_there(cache, far, paper):
    said = ask(far, "increase_node_groups", NodeGroupCount=3)["GlobalReplicationGroup"]

    assert said["Status"] == "modifying"
    assert [shard["Slots"] for shard in said["GlobalNodeGroups"]] == ["0-8191", "8192-16383", ""]
    assert both_statuses(cache, far) == ["modifying", "modifying"]
    assert slots(cache, "one") == slots(far, "two") == {"0001": "0-8191", "0002": "8192-16383", "0003": ""}
    for name, region in (("one", "us-east-1"), ("two", "eu-west-1")):
        new = [paper.world[CacheCluster, id] for id in group(paper, name).node_groups[2].member_ids]
        assert [(c.name, c.region, c.nodes[0].zone[:-1]) for c in new] == [
            (f"{name}-0003-001", region, region), (f"{name}-0003-002", region, region),
        ]  # fmt: skip
    assert sources(paper)["two-0003-001"] == "169.254.97.3"
    assert resharding.waits_for(paper.world, group(paper, "one")) == "one-0003-001"
    for cluster in [c for c in paper.world.all(CacheCluster) if c.name.startswith("one-")]:
        paper.write(lambda tx, id=cluster.id: transitions.node_answered(tx, id, "0001"))
    assert resharding.waits_for(paper.world, group(paper, "one")) == "two-0003-001", "what moves would be gone there"
    settle(paper)
    assert resharding.waits_for(paper.world, group(paper, "one")) is None


@pytest.mark.usefixtures("both")
def test_a_secondary_is_done_when_it_has_what_the_primary_came_to(cache, far, paper):
    ask(cache, "increase_node_groups", NodeGroupCount=3)
    settle(paper)
    assert follow(paper) is None, "nothing has moved yet"
    assert code(
        cache.failover_global_replication_group,
        GlobalReplicationGroupId=ID, PrimaryRegion="eu-west-1", PrimaryReplicationGroupId="two",
    ) == GLOBAL_STATE  # fmt: skip
    assert code(ask, cache, "rebalance_slots") == GLOBAL_STATE

    move_all(paper)
    finish(paper, "one")
    saw(paper, steps.reshaped)
    between = shown(cache)["Status"], both_statuses(cache, far)
    assert follow(paper) == "finished"
    finish(paper, "two")
    saw(paper, steps.reshaped)

    assert between == ("modifying", ["available", "modifying"])
    assert (shown(cache)["Status"], both_statuses(cache, far)) == ("available", ["available", "available"])
    after = {"0001": "0-5461", "0002": "8192-13652", "0003": "5462-8191,13653-16383"}
    assert slots(cache, "one") == slots(far, "two") == after
    assert [shard["Slots"] for shard in shown(cache)["GlobalNodeGroups"]] == list(after.values())
    assert far.told("two", "replication-group")[-2:] == [
        "Started resharding of replication group two from 2 to 3 node groups",
        "Finished resharding of replication group two from 2 to 3 node groups",
    ]


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    "which", [{"GlobalNodeGroupsToRemove": [f"{ID}-0001"]}, {"GlobalNodeGroupsToRetain": ["0002"]}]
)
def test_shards_that_leave_go_from_the_secondary_first(cache, far, paper, which):
    ask(cache, "decrease_node_groups", NodeGroupCount=1, **which)

    move_all(paper)
    assert resharding.is_needed(paper.world, group(paper, "one")), "the secondary's still copies from it"
    assert follow(paper) == "finished"
    finish(paper, "two")
    assert not resharding.is_needed(paper.world, group(paper, "one"))
    finish(paper, "one")
    first = group(paper, "one").node_groups[0]
    paper.write(lambda tx: transitions.node_gone(tx, first.primary_id, "0001"))
    saw(paper, steps.reshaped)
    assert shown(cache)["Status"] == "modifying", "a shard is going still"
    settle(paper)
    saw(paper, steps.reshaped)

    assert slots(cache, "one") == slots(far, "two") == {"0002": "0-16383"}
    assert (shown(far)["Status"], both_statuses(cache, far)) == ("available", ["available", "available"])
    assert sources(paper) == {"two-0002-001": "169.254.97.2"}


@pytest.mark.usefixtures("both")
def test_what_the_primary_gives_up_the_secondary_gives_up(cache, far, paper):
    ask(cache, "decrease_node_groups", NodeGroupCount=1, GlobalNodeGroupsToRemove=["0001"])
    paper.write(lambda tx: resharding.given_up(tx, group(paper, "one").id, "the data do not fit"))

    assert follow(paper) == "given up"
    paper.write(lambda tx: resharding.given_up(tx, group(paper, "two").id, "one keeps its node groups"))
    saw(paper, steps.reshaped)

    assert (shown(far)["Status"], both_statuses(cache, far)) == ("available", ["available", "available"])
    assert slots(far, "two").keys() == {"0001", "0002"}


@pytest.mark.usefixtures("one")
def test_a_datastore_without_secondaries_is_changed_alone(cache, paper):
    ask(cache, "rebalance_slots")
    assert shown(cache)["Status"] == "modifying"

    finish(paper, "one")
    saw(paper, steps.reshaped)

    assert shown(cache)["Status"] == "primary-only"


@pytest.mark.usefixtures("both")
def test_zones_and_ids_of_new_shards_are_said_for_each_region(cache, far, paper):
    said = [
        regional("one", "us-east-1", {"PreferredAvailabilityZones": NEAR_ZONES}),
        regional("two", "eu-west-1", {"NodeGroupId": "7", "PreferredAvailabilityZones": FAR_ZONES[::-1]}),
    ]

    ask(cache, "increase_node_groups", NodeGroupCount=3, RegionalConfigurations=said)

    assert slots(cache, "one").keys() == slots(far, "two").keys() == {"0001", "0002", "0007"}
    zones = [
        [paper.world[CacheCluster, id].nodes[0].zone for id in group(paper, name).node_groups[2].member_ids]
        for name in ("one", "two")
    ]
    assert zones == [NEAR_ZONES, FAR_ZONES[::-1]]


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    ("operation", "more", "expected", "because"),
    [
        ("increase_node_groups", {"NodeGroupCount": 3, "ApplyImmediately": False}, VALUE, "ApplyImmediately"),
        ("decrease_node_groups", {"NodeGroupCount": 1, "ApplyImmediately": False}, VALUE, "ApplyImmediately"),
        ("rebalance_slots", {"ApplyImmediately": False}, VALUE, "ApplyImmediately"),
        ("increase_node_groups", {"NodeGroupCount": 2}, VALUE, "greater than 2"),
        ("increase_node_groups", {"NodeGroupCount": 91}, "NodeGroupsPerReplicationGroupQuotaExceeded", "90"),
        ("decrease_node_groups", {"NodeGroupCount": 0, "GlobalNodeGroupsToRemove": ["1"]}, VALUE, "at least 1"),
        ("decrease_node_groups", {"NodeGroupCount": 2, "GlobalNodeGroupsToRemove": ["1"]}, VALUE, "less than 2"),
        ("decrease_node_groups", {"NodeGroupCount": 1}, BOTH, "Exactly one of GlobalNodeGroupsToRemove"),
        ("decrease_node_groups", {"NodeGroupCount": 1, "GlobalNodeGroupsToRemove": ["0009"]}, VALUE, "0009"),
        ("decrease_node_groups", {"NodeGroupCount": 1, "GlobalNodeGroupsToRetain": ["1", "2"]}, VALUE, "each once"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(cache, paper, operation, more, expected, because):
    before = paper.world

    said = refusal(ask, cache, operation, **more)

    assert said[0] == expected
    assert because in said[1]
    assert paper.world.revision == before.revision


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    ("said", "because"),
    [
        ([regional("two", "us-east-1", {"NodeGroupId": "3"})], "not a member"),
        ([regional("two", "eu-west-1", {"NodeGroupId": "3"})] * 2, "one entry"),
        ([regional("two", "eu-west-1", {"NodeGroupId": "3"}, {"NodeGroupId": "4"})], "1 new node groups"),
        ([regional("two", "eu-west-1")], "ReshardingConfiguration"),
        ([regional("one", "us-east-1", {"NodeGroupId": "5"}), regional("two", "eu-west-1", {"NodeGroupId": "6"})],
         "0005, 0006"),
        ([regional("two", "eu-west-1", {"NodeGroupId": "2"})], "0002"),
        ([regional("two", "eu-west-1", {"PreferredAvailabilityZones": NEAR_ZONES})], "us-east-1a"),
    ],
)  # fmt: skip
def test_what_is_said_of_regions_is_checked(cache, paper, said, because):
    before = paper.world

    with pytest.raises(ClientError, match=because):
        ask(cache, "increase_node_groups", NodeGroupCount=3, RegionalConfigurations=said)

    assert paper.world.revision == before.revision


@pytest.mark.usefixtures("both")
def test_the_quota_of_every_region_counts_before_anything_changes(cache, paper, far):
    for n in range(73):
        far.create_replication_group(
            ReplicationGroupId=f"g{n}", ReplicationGroupDescription="x", NumCacheClusters=4,
            AutomaticFailoverEnabled=True, CacheNodeType="cache.t3.micro", Engine="valkey",
        )  # fmt: skip
    far.create_replication_group(ReplicationGroupId="rest", ReplicationGroupDescription="x", NumCacheClusters=3,
                                 CacheNodeType="cache.t3.micro", Engine="valkey")  # fmt: skip
    before = paper.world

    assert code(ask, cache, "increase_node_groups", NodeGroupCount=3) == "NodeQuotaForCustomerExceeded"

    assert paper.world.revision == before.revision
