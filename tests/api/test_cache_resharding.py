"""ModifyReplicationGroupShardConfiguration, through boto3, and how slots that move are shown."""

import pytest

from atoll.cache import resharding
from atoll.cache.endpoint import resolve
from atoll.cache.resharding import Holding
from atoll.model.cache import ReplicationGroup
from tests.api.caches import settle
from tests.api.paper import refusal

VALUE, BOTH, STATE = "InvalidParameterValue", "InvalidParameterCombination", "InvalidReplicationGroupState"
ELSEWHERE = [{"PreferredAvailabilityZones": ["us-east-1f"] * 2}, {"NodeGroupId": "2"}, {"NodeGroupId": "3"}]


@pytest.fixture
def rg(cache, paper, private):
    """A group of two shards of two nodes each, available."""
    more = {"CacheSubnetGroupName": private, "AutomaticFailoverEnabled": True, "ClusterMode": "enabled"}
    cache.group("rg", None, NumNodeGroups=2, ReplicasPerNodeGroup=1, **more)
    settle(paper)
    return "rg"


@pytest.fixture(autouse=True)
def _without_none(cache):
    """`count=None` of `cache.group` is a parameter that is not given."""
    make = cache.client.create_replication_group
    cache.create_replication_group = lambda **asked: make(**{k: v for k, v in asked.items() if v is not None})


def change(cache, count, **more):
    asked = {"ReplicationGroupId": "rg", "NodeGroupCount": count, "ApplyImmediately": True} | more
    return cache.modify_replication_group_shard_configuration(**asked)["ReplicationGroup"]


def shown(cache):
    return cache.describe_replication_groups(ReplicationGroupId="rg")["ReplicationGroups"][0]


def slots(group):
    return {shard["NodeGroupId"]: shard["Slots"] for shard in group["NodeGroups"]}


def members(group):
    return {s["NodeGroupId"]: [m["CacheClusterId"] for m in s["NodeGroupMembers"]] for s in group["NodeGroups"]}


def zones(group, shard):
    (found,) = [s for s in group["NodeGroups"] if s["NodeGroupId"] == shard]
    return [member["PreferredAvailabilityZone"] for member in found["NodeGroupMembers"]]


def play(paper, rounds=99):
    """Do what the control loop does, with engines that do everything at once."""
    for _ in range(rounds):
        (group,) = paper.world.all(ReplicationGroup)
        if group.resharding is None:
            break
        held = {shard.id: set(resharding.slots_of(shard.slots)) for shard in group.node_groups}
        act = resharding.decide(group, {id: Holding(resharding.join(s)) for id, s in held.items()})
        if isinstance(act, resharding.Finish):
            paper.write(lambda tx, id=group.id: resharding.finished(tx, id))
            break
        for move in act.moves:
            moving = set(resharding.slots_of(move.slots))
            held[move.source] -= moving
            held[move.target] |= moving
        now = {id: resharding.join(s) for id, s in held.items()}
        paper.write(lambda tx, id=group.id, now=now: resharding.moved(tx, id, now))
    settle(paper)


@pytest.mark.usefixtures("rg")
def test_a_shard_is_added_empty_then_slots_move_and_then_the_group_is_available(cache, paper):
    said = change(cache, 3)

    assert said["Status"] == "modifying"
    assert said["PendingModifiedValues"] == {"Resharding": {"SlotMigration": {"ProgressPercentage": 0.0}}}
    assert slots(said) == {"0001": "0-8191", "0002": "8192-16383", "0003": ""}
    assert members(said)["0003"] == ["rg-0003-001", "rg-0003-002"]
    settle(paper)
    play(paper, rounds=4)
    half = shown(cache)
    assert 0 < half["PendingModifiedValues"]["Resharding"]["SlotMigration"]["ProgressPercentage"] < 100
    assert half["Status"] == "modifying"
    play(paper)
    after = shown(cache)
    assert after["Status"] == "available"
    assert after["PendingModifiedValues"] == {}
    assert slots(after) == {"0001": "0-5461", "0002": "8192-13652", "0003": "5462-8191,13653-16383"}
    assert cache.told("rg", "replication-group")[-2:] == [
        "Started resharding of replication group rg from 2 to 3 node groups",
        "Finished resharding of replication group rg from 2 to 3 node groups",
    ]


@pytest.mark.usefixtures("rg")
@pytest.mark.parametrize("which", [{"NodeGroupsToRemove": ["0001"]}, {"NodeGroupsToRetain": ["2"]}])
def test_a_shard_goes_when_its_slots_are_gone_and_the_configuration_endpoint_forgets_it(cache, paper, which):
    name = shown(cache)["ConfigurationEndpoint"]["Address"]
    assert len(resolve(paper.world, name)) == 4

    change(cache, 1, **which)
    assert members(shown(cache)).keys() == {"0001", "0002"}
    play(paper)

    after = shown(cache)
    assert slots(after) == {"0002": "0-16383"}
    assert after["Status"] == "available"
    assert after["MemberClusters"] == ["rg-0002-001", "rg-0002-002"]
    assert len(resolve(paper.world, name)) == 2


def test_the_same_number_of_shards_puts_their_slots_in_balance(cache, paper, private):
    more = {"CacheSubnetGroupName": private, "AutomaticFailoverEnabled": True, "ClusterMode": "enabled"}
    uneven = [{"Slots": "0-99", "ReplicaCount": 0}, {"Slots": "100-16383", "ReplicaCount": 0}]
    cache.group("rg", None, NumNodeGroups=2, NodeGroupConfiguration=uneven, **more)
    settle(paper)

    change(cache, 2)
    play(paper)

    assert slots(shown(cache)) == {"0001": "0-99,8292-16383", "0002": "100-8291"}


@pytest.mark.usefixtures("rg")
def test_new_shards_lie_where_the_caller_says_and_have_the_names_he_gives(cache):
    where = [{"NodeGroupId": "0007", "PreferredAvailabilityZones": ["us-east-1b", "us-east-1a"]}]

    said = change(cache, 3, ReshardingConfiguration=where)

    assert zones(said, "0007") == ["us-east-1b", "us-east-1a"]
    assert members(said)["0007"] == ["rg-0007-001", "rg-0007-002"]


@pytest.mark.usefixtures("rg")
def test_all_shards_may_be_named_if_those_that_are_there_stay_where_they_are(cache):
    present = [{"PreferredAvailabilityZones": zones(shown(cache), id)} for id in ("0001", "0002")]
    new = {"PreferredAvailabilityZones": ["us-east-1b", "us-east-1b"]}

    said = change(cache, 3, ReshardingConfiguration=[*present, new])

    assert zones(said, "0003") == ["us-east-1b", "us-east-1b"]


@pytest.mark.usefixtures("rg")
@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"count": 3, "ApplyImmediately": False}, VALUE, "ApplyImmediately must be true"),
        ({"count": 0}, VALUE, "at least 1"),
        ({"count": 91}, "NodeGroupsPerReplicationGroupQuotaExceeded", "90"),
        ({"count": 1}, BOTH, "Exactly one of NodeGroupsToRemove and NodeGroupsToRetain"),
        ({"count": 1, "NodeGroupsToRemove": ["0001"], "NodeGroupsToRetain": ["0002"]}, BOTH, "Exactly one of"),
        ({"count": 1, "NodeGroupsToRemove": ["0001", "0002"]}, VALUE, "NodeGroupsToRemove must list 1 node groups"),
        ({"count": 1, "NodeGroupsToRetain": ["0002", "0002"]}, VALUE, "NodeGroupsToRetain must list 1 node groups"),
        ({"count": 1, "NodeGroupsToRemove": ["0009"]}, "NodeGroupNotFoundFault", "0009"),
        ({"count": 3, "NodeGroupsToRemove": ["0001"]}, BOTH, "only be used to decrease"),
        ({"count": 2, "ReshardingConfiguration": [{"NodeGroupId": "5"}]}, BOTH, "only be used to increase"),
        (
            {"count": 4, "ReshardingConfiguration": [{"NodeGroupId": "5"}]},
            VALUE,
            "one entry for each of the 2 new node groups",
        ),
        ({"count": 3, "ReshardingConfiguration": [{"PreferredAvailabilityZones": ["us-east-1a"]}]}, BOTH, "list 2"),
        ({"count": 3, "ReshardingConfiguration": [{"NodeGroupId": "0002"}]}, VALUE, "0002 is used by more than one"),
        (
            {"count": 3, "ReshardingConfiguration": [{"PreferredAvailabilityZones": ["us-east-1a", "us-east-1f"]}]},
            VALUE,
            "no subnet in the availability zone us-east-1f",
        ),
        (
            {"count": 3, "ReshardingConfiguration": ELSEWHERE},
            VALUE,
            "PreferredAvailabilityZones of node group 0001 must be those where it is",
        ),
    ],
)
def test_what_cannot_be_is_refused(cache, asked, code, message):
    before = shown(cache)

    said = refusal(change, cache, **asked)

    assert said[0] == code
    assert message in said[1]
    assert shown(cache) == before


@pytest.mark.usefixtures("rg")
def test_one_change_at_a_time(cache):
    change(cache, 3)

    assert refusal(change, cache, 4) == (STATE, "Replication group rg is not in available state.")


def test_a_group_without_cluster_mode_has_one_shard(cache, paper, private):
    cache.group("rg", 2, CacheSubnetGroupName=private)
    settle(paper)

    assert refusal(change, cache, 2) == (STATE, "Replication group rg does not have cluster mode enabled.")


@pytest.mark.usefixtures("rg")
def test_a_group_may_be_deleted_while_its_slots_move(cache, paper):
    change(cache, 3)
    settle(paper)
    play(paper, rounds=2)

    cache.delete_replication_group(ReplicationGroupId="rg")
    play(paper)

    assert list(paper.world.all(ReplicationGroup)) == []


@pytest.mark.usefixtures("rg")
def test_data_that_do_not_fit_leave_everything_as_it_was(cache, paper):
    change(cache, 1, NodeGroupsToRemove=["0001"])
    (group,) = paper.world.all(ReplicationGroup)

    paper.write(lambda tx: resharding.given_up(tx, group.id, "too much"))

    assert shown(cache)["Status"] == "available"
    assert slots(shown(cache)) == {"0001": "0-8191", "0002": "8192-16383"}
    assert cache.told("rg", "replication-group")[-1] == "Failed resharding of replication group rg: too much"
