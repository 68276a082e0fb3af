"""Global datastores through boto3, on paper: members, their parts, and what is refused; and the backbone's facts."""

from datetime import UTC, datetime

import pytest

from atoll.cache import global_group as steps
from atoll.cache.plan import nodes
from atoll.model.cache import ReplicationGroup
from atoll.model.fault import Fault
from atoll.model.global_group import GlobalReplicationGroup
from atoll.model.interface import Interface
from atoll.network.facts import Address, Veth
from atoll.network.plan import compile, difference
from tests.api.caches import Caches, settle
from tests.api.paper import OTHER_ACCOUNT, code, refusal

VALUE, BOTH, STATE = "InvalidParameterValue", "InvalidParameterCombination", "InvalidReplicationGroupState"
BIG = {"CacheNodeType": "cache.m5.large"}
ID = "ldgnf-sessions"


@pytest.fixture
def far(paper, cache):  # noqa: ARG001 - the engines are its
    """A client of another region."""
    return Caches(paper.client("elasticache", region="eu-west-1"))


@pytest.fixture
def one(cache, paper):
    """A group in the default VPC, available, and the primary of a global datastore."""
    cache.group("one", 2, **BIG)
    settle(paper)
    made = cache.create_global_replication_group(
        GlobalReplicationGroupIdSuffix="sessions", PrimaryReplicationGroupId="one"
    )["GlobalReplicationGroup"]
    saw(paper, steps.associated, "one")
    return made


@pytest.fixture
def both(one, far, paper):  # noqa: ARG001 - it joins that
    """A secondary beside it, associated."""
    join(far)
    settle(paper)
    saw(paper, steps.associated, "two")


def join(far, **more):
    made = {"ReplicationGroupId": "two", "ReplicationGroupDescription": "x", "GlobalReplicationGroupId": ID}
    return far.create_replication_group(**made | more)["ReplicationGroup"]


def saw(paper, step, *names):
    (datastore,) = paper.world.all(GlobalReplicationGroup)
    ids = [next(g.id for g in paper.world.all(ReplicationGroup) if g.name == name) for name in names]
    paper.write(lambda tx: step(tx, datastore.id, *ids))


def shown(client, **more):
    found = client.describe_global_replication_groups(GlobalReplicationGroupId=ID, ShowMemberInfo=True, **more)
    return found["GlobalReplicationGroups"][0]


def parts(client):
    return {m["ReplicationGroupId"]: (m["Role"], m["Status"]) for m in shown(client)["Members"]}


def status(client, name):
    return client.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]["Status"]


def leaders(paper):
    plans = {plan.name.rpartition("/")[2].partition(":")[0]: plan for plan in nodes(paper.world)}
    return {name: str(plan.primary.address) if plan.primary else None for name, plan in plans.items()}


def test_a_group_becomes_the_primary_and_another_regions_group_its_secondary(one, cache, far, paper):
    assert (one["Status"], one["ARN"]) == (
        "creating",
        f"arn:aws:elasticache::000000000000:globalreplicationgroup:{ID}",
    )
    assert (shown(cache)["Status"], status(cache, "one")) == ("primary-only", "available")
    assert far.describe_global_replication_groups()["GlobalReplicationGroups"] == [], "no member is there"

    made = join(far)

    assert (made["Status"], made["CacheNodeType"], made["Engine"]) == ("creating", "cache.m5.large", "valkey")
    assert made["GlobalReplicationGroupInfo"] == {
        "GlobalReplicationGroupId": ID,
        "GlobalReplicationGroupMemberRole": "SECONDARY",
    }
    assert shown(cache)["Status"] == "modifying"
    settle(paper)
    saw(paper, steps.associated, "two")
    assert shown(far)["Status"] == "available"
    assert parts(cache) == {"one": ("PRIMARY", "associated"), "two": ("SECONDARY", "associated")}
    assert "Members" not in cache.describe_global_replication_groups()["GlobalReplicationGroups"][0]
    assert leaders(paper)["one-001"] is None
    assert leaders(paper)["two-001"].startswith("169.254.1.")


@pytest.mark.usefixtures("both")
def test_a_failover_hands_over_step_by_step(cache, far, paper):
    answer = cache.failover_global_replication_group(
        GlobalReplicationGroupId=ID, PrimaryRegion="eu-west-1", PrimaryReplicationGroupId="two"
    )["GlobalReplicationGroup"]
    assert (answer["Status"], status(cache, "one"), status(far, "two")) == ("modifying", "modifying", "modifying")
    asked = leaders(paper)

    saw(paper, steps.demoting)
    demoting = leaders(paper)
    saw(paper, steps.back)
    assert leaders(paper) == asked, "the primary leads on"
    saw(paper, steps.demoting)
    saw(paper, steps.taken_over)
    after = leaders(paper)
    saw(paper, steps.promoted)

    assert (asked["one-001"], demoting["two-001"]) == (None, asked["two-001"])
    assert demoting["one-001"].startswith("169.254.33."), "both follow each other: nobody takes writes"
    assert (after["one-001"], after["two-001"]) == (demoting["one-001"], None)
    assert parts(cache) == {"one": ("SECONDARY", "associated"), "two": ("PRIMARY", "associated")}
    assert (shown(cache)["Status"], status(cache, "one"), status(far, "two")) == ("available",) * 3


@pytest.mark.usefixtures("both")
def test_what_was_seen_too_late_changes_nothing(paper):
    before = list(paper.world)

    for late in (steps.demoting, steps.back, steps.taken_over, steps.promoted, steps.deleted):
        saw(paper, late)
    for late in (steps.associated, steps.left):
        saw(paper, late, "two")

    assert list(paper.world) == before


@pytest.mark.usefixtures("both")
def test_a_secondary_leaves_and_the_datastore_ends_with_its_primary_in_place(cache, far, paper):
    assert code(cache.delete_global_replication_group, **retain()) == "InvalidGlobalReplicationGroupState"
    there = {"GlobalReplicationGroupId": ID, "ReplicationGroupRegion": "us-east-1"}
    assert code(cache.disassociate_global_replication_group, ReplicationGroupId="one", **there) == VALUE
    assert code(cache.disassociate_global_replication_group, ReplicationGroupId="two", **there) == VALUE
    there["ReplicationGroupRegion"] = "eu-west-1"

    cache.disassociate_global_replication_group(ReplicationGroupId="two", **there)

    assert parts(cache)["two"] == ("SECONDARY", "disassociating")
    assert leaders(paper)["two-001"] is None
    saw(paper, steps.left, "two")
    assert (shown(cache)["Status"], status(far, "two")) == ("primary-only", "available")
    assert code(cache.delete_global_replication_group, **retain(False)) == VALUE
    answer = cache.delete_global_replication_group(**retain())["GlobalReplicationGroup"]
    assert answer["Status"] == "deleting"
    saw(paper, steps.deleted)
    assert code(shown, cache) == "GlobalReplicationGroupNotFoundFault"
    assert status(cache, "one") == "available"
    cache.delete_replication_group(ReplicationGroupId="one")


def retain(yes=True):
    return {"GlobalReplicationGroupId": ID, "RetainPrimaryReplicationGroup": yes}


@pytest.mark.usefixtures("both")
def test_members_are_kept_alike_and_cannot_be_deleted(cache, far):
    for client, name in ((cache, "one"), (far, "two")):
        assert refusal(client.delete_replication_group, ReplicationGroupId=name) == (
            STATE,
            f"Replication group {name} is part of global datastore {ID}: disassociate it, or delete the global "
            "datastore, first.",
        )
        change = {"ReplicationGroupId": name, "CacheNodeType": "cache.m5.xlarge", "ApplyImmediately": True}
        assert code(client.modify_replication_group, **change) == STATE
    at = {"ReplicationGroupId": "one", "CustomerNodeEndpointList": [{"Address": "10.0.0.9", "Port": 6379}]}
    assert code(cache.start_migration, **at) == STATE


@pytest.mark.usefixtures("both")
def test_a_description_and_automatic_failover_change_for_all_members(cache, far):
    cache.modify_global_replication_group(
        GlobalReplicationGroupId=ID,
        ApplyImmediately=True,
        GlobalReplicationGroupDescription="worldwide",
        CacheNodeType="cache.m5.large",
    )
    assert shown(far)["GlobalReplicationGroupDescription"] == "worldwide"
    for more in ({"CacheNodeType": "cache.m5.xlarge"}, {"EngineVersion": "8.0"}, {"Engine": "redis"}):
        asked = {"GlobalReplicationGroupId": ID, "ApplyImmediately": True} | more
        assert next(iter(more)) in refusal(cache.modify_global_replication_group, **asked)[1]
    assert code(cache.modify_global_replication_group, GlobalReplicationGroupId=ID, ApplyImmediately=False) == VALUE
    no_replica = {"GlobalReplicationGroupId": ID, "ApplyImmediately": True, "AutomaticFailoverEnabled": True}
    assert code(cache.modify_global_replication_group, **no_replica) == VALUE, "the secondary has no replica"
    for name, more in (
        ("increase_node_groups_in_global_replication_group", {"NodeGroupCount": 2}),
        ("decrease_node_groups_in_global_replication_group", {"NodeGroupCount": 1}),
        ("rebalance_slots_in_global_replication_group", {}),
    ):
        asked = {"GlobalReplicationGroupId": ID, "ApplyImmediately": True} | more
        assert "cluster mode disabled" in refusal(getattr(cache, name), **asked)[1]


@pytest.mark.usefixtures("one")
def test_what_may_not_join_is_refused(cache, far, paper):
    for more, expected in (
        ({"GlobalReplicationGroupId": "ldgnf-no"}, "GlobalReplicationGroupNotFoundFault"),
        ({"CacheNodeType": "cache.m5.xlarge"}, BOTH),
        ({"Engine": "redis"}, BOTH),
        ({"EngineVersion": "8.0"}, BOTH),
        ({"PrimaryClusterId": "x"}, BOTH),
        ({"TransitEncryptionEnabled": True}, BOTH),
    ):
        assert code(join, far, **more) == expected
    assert code(join, cache) == VALUE, "one region, one member"
    stranger = Caches(paper.client("elasticache", region="eu-west-1", account=OTHER_ACCOUNT))
    assert code(join, stranger) == "GlobalReplicationGroupNotFoundFault"
    create = cache.create_global_replication_group
    assert code(create, GlobalReplicationGroupIdSuffix="-x", PrimaryReplicationGroupId="one") == VALUE
    assert code(create, GlobalReplicationGroupIdSuffix="x", PrimaryReplicationGroupId="one") == STATE
    assert code(create, GlobalReplicationGroupIdSuffix="x", PrimaryReplicationGroupId="no") == (
        "ReplicationGroupNotFoundFault"
    )
    cache.group("small", 1)
    settle(paper)
    assert (
        "cache.t3.micro" in refusal(create, GlobalReplicationGroupIdSuffix="x", PrimaryReplicationGroupId="small")[1]
    )


@pytest.mark.usefixtures("both")
def test_the_backbone_links_two_leaders_and_goes_when_a_zone_is_cut_off(paper):
    plan = compile(paper.world)
    linked = {f.peer_namespace for f in plan.facts() if isinstance(f, Veth) and f.namespace.startswith("bb-")}
    known = {str(f.address) for f in plan.facts() if isinstance(f, Address) and f.link.startswith("w")}
    first = {plan.interface_id for plan in nodes(paper.world) if "-001:" in plan.name}
    zone = next(i.zone for i in paper.world.all(Interface) if i.id in first)

    paper.write(lambda tx: tx.put(_fault(zone)))
    cut = compile(paper.world, plan)

    assert linked == first
    assert len(known) == 2
    assert all(address.startswith("169.254.") for address in known)
    assert not any(f.namespace.startswith("bb-") for f in cut.facts())
    gone = difference(plan, cut)
    assert any(name.startswith("bb-") for name in gone)


def _fault(zone):
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return Fault(id="fault-1", account="", region="", act="kill-zone", target=zone, since=since)


def parameters(client, name):
    """Return the parameter group of a group's members."""
    (found,) = {
        cluster["CacheParameterGroup"]["CacheParameterGroupName"]
        for cluster in client.describe_cache_clusters()["CacheClusters"]
        if cluster.get("ReplicationGroupId") == name
    }
    return found


def test_each_member_has_a_parameter_group_of_its_own_with_what_the_primarys_says(cache, far, paper):
    cache.create_cache_parameter_group(
        CacheParameterGroupName="mine", CacheParameterGroupFamily="valkey9", Description="x"
    )
    said = [{"ParameterName": n, "ParameterValue": v} for n, v in (("databases", "20"), ("timeout", "60"))]
    cache.modify_cache_parameter_group(CacheParameterGroupName="mine", ParameterNameValues=said)
    cache.group("one", 2, CacheParameterGroupName="mine", **BIG)
    settle(paper)
    running = nodes(paper.world)

    cache.create_global_replication_group(GlobalReplicationGroupIdSuffix="sessions", PrimaryReplicationGroupId="one")
    saw(paper, steps.associated, "one")
    assert nodes(paper.world) == running, "nothing starts again for it"
    join(far, NumCacheClusters=2)

    for client, name in ((cache, "one"), (far, "two")):
        group = f"global-datastore-{name}-valkey9"
        assert parameters(client, name) == group
        (shown,) = client.describe_cache_parameter_groups(CacheParameterGroupName=group)["CacheParameterGroups"]
        assert (shown["IsGlobal"], shown["CacheParameterGroupFamily"]) == (True, "valkey9")
        assert shown["Description"] == f"Created by ElastiCache to be used by global cluster {ID}"
        found = client.describe_cache_parameters(CacheParameterGroupName=group, Source="user")["Parameters"]
        assert [(p["ParameterName"], p["ParameterValue"]) for p in found] == [("databases", "20"), ("timeout", "60")]
    settle(paper)
    for client, name in ((cache, "one-001"), (far, "two-001"), (far, "two-002")):
        assert client.cluster(name)["CacheParameterGroup"]["ParameterApplyStatus"] == "in-sync"


@pytest.mark.usefixtures("both")
def test_a_members_parameter_group_is_deleted_by_hand_when_no_cache_has_it(far, paper):
    far_group = parameters(far, "two")
    assert code(far.delete_cache_parameter_group, CacheParameterGroupName=far_group) == (
        "InvalidCacheParameterGroupState"
    )
    far.disassociate_global_replication_group(
        GlobalReplicationGroupId=ID, ReplicationGroupId="two", ReplicationGroupRegion="eu-west-1"
    )
    saw(paper, steps.left, "two")
    far.delete_replication_group(ReplicationGroupId="two")
    settle(paper)

    far.delete_cache_parameter_group(CacheParameterGroupName=far_group)

    assert code(far.describe_cache_parameter_groups, CacheParameterGroupName=far_group) == (
        "CacheParameterGroupNotFound"
    )


def test_in_cluster_mode_it_is_one_for_cluster_mode(cache, paper):
    cache.create_replication_group(
        ReplicationGroupId="one", ReplicationGroupDescription="x", Engine="valkey", NumNodeGroups=2,
        ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True, **BIG,
    )  # fmt: skip
    settle(paper)

    cache.create_global_replication_group(GlobalReplicationGroupIdSuffix="sessions", PrimaryReplicationGroupId="one")

    group = "global-datastore-one-valkey9-cluster-on"
    assert parameters(cache, "one") == group
    found = cache.get_paginator("describe_cache_parameters").paginate(CacheParameterGroupName=group)
    values = {p["ParameterName"]: p.get("ParameterValue") for page in found for p in page["Parameters"]}
    assert values["cluster-enabled"] == "yes"
    assert cache.cluster("one-0001-001")["CacheParameterGroup"]["ParameterApplyStatus"] == "in-sync"


FAR_GROUP = "global-datastore-two-valkey9"


def of_that_name(client):
    """Have somebody make a group that is called as AWS's own; returns its ARN."""
    made = client.create_cache_parameter_group(
        CacheParameterGroupName=FAR_GROUP,
        CacheParameterGroupFamily="valkey9",
        Description="mine",
        Tags=[{"Key": "team", "Value": "a"}],
    )
    said = [{"ParameterName": "timeout", "ParameterValue": "60"}]
    client.modify_cache_parameter_group(CacheParameterGroupName=FAR_GROUP, ParameterNameValues=said)
    return made["CacheParameterGroup"]["ARN"]


def tags(client, arn):
    return {tag["Key"]: tag["Value"] for tag in client.list_tags_for_resource(ResourceName=arn)["TagList"]}


def user_values(client):
    found = client.describe_cache_parameters(CacheParameterGroupName=FAR_GROUP, Source="user")["Parameters"]
    return {p["ParameterName"]: p["ParameterValue"] for p in found}


@pytest.mark.usefixtures("one")
@pytest.mark.parametrize("member", [{}, {"CacheParameterGroupName": FAR_GROUP}], ids=["unused", "its own"])
def test_a_parameter_group_that_a_recipe_made_becomes_the_members_and_keeps_its_tags(far, paper, member):
    arn = of_that_name(far)

    join(far, **member)
    settle(paper)

    assert parameters(far, "two") == FAR_GROUP
    assert user_values(far) == {}, "as the primary's"
    assert tags(far, arn) == {"team": "a"}
    (shown,) = far.describe_cache_parameter_groups(CacheParameterGroupName=FAR_GROUP)["CacheParameterGroups"]
    assert shown["IsGlobal"]


@pytest.mark.usefixtures("both")
def test_a_member_that_joins_again_keeps_the_tags_of_its_parameter_group(far, paper):
    (shown,) = far.describe_cache_parameter_groups(CacheParameterGroupName=FAR_GROUP)["CacheParameterGroups"]
    far.add_tags_to_resource(ResourceName=shown["ARN"], Tags=[{"Key": "team", "Value": "b"}])
    far.disassociate_global_replication_group(
        GlobalReplicationGroupId=ID, ReplicationGroupId="two", ReplicationGroupRegion="eu-west-1"
    )
    saw(paper, steps.left, "two")
    far.delete_replication_group(ReplicationGroupId="two")
    settle(paper)

    join(far)

    assert tags(far, shown["ARN"]) == {"team": "b"}


@pytest.mark.usefixtures("one")
def test_a_parameter_group_of_that_name_that_somebody_else_uses_is_left_alone(far, paper):
    of_that_name(far)
    far.group("other", 1, CacheParameterGroupName=FAR_GROUP, **BIG)
    settle(paper)

    assert refusal(join, far) == (
        "CacheParameterGroupAlreadyExists",
        f"Cache parameter group {FAR_GROUP} already exists.",
    )
    assert user_values(far) == {"timeout": "60"}


def test_the_mode_of_a_members_parameter_group_is_what_it_says(cache, paper):
    cache.create_replication_group(
        ReplicationGroupId="one", ReplicationGroupDescription="x", Engine="valkey", NumNodeGroups=2,
        ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True, **BIG,
    )  # fmt: skip
    settle(paper)
    cache.create_global_replication_group(GlobalReplicationGroupIdSuffix="sessions", PrimaryReplicationGroupId="one")
    saw(paper, steps.associated, "one")
    group = "global-datastore-one-valkey9-cluster-on"

    def say(value):
        turn = {"ParameterName": "cluster-enabled", "ParameterValue": value}
        cache.modify_cache_parameter_group(CacheParameterGroupName=group, ParameterNameValues=[turn])
        found = cache.get_paginator("describe_cache_parameters").paginate(CacheParameterGroupName=group)
        shown = {p["ParameterName"]: p.get("ParameterValue") for page in found for p in page["Parameters"]}
        return shown["cluster-enabled"]

    assert say("yes") == "yes"
    settle(paper)
    assert cache.cluster("one-0001-001")["CacheParameterGroup"]["ParameterApplyStatus"] == "in-sync", "unchanged"
    assert code(say, "no") == "InvalidCacheParameterGroupState"
    cache.delete_global_replication_group(GlobalReplicationGroupId=ID, RetainPrimaryReplicationGroup=True)
    saw(paper, steps.deleted)
    cache.delete_replication_group(ReplicationGroupId="one")
    settle(paper)
    assert say("no") == "no"
    assert say("yes") == "yes"
