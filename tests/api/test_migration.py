"""StartMigration, TestMigration and CompleteMigration through boto3, on paper: what is accepted, and what is said."""

from ipaddress import IPv4Address

import pytest

from atoll.cache import migration as steps
from atoll.cache.node import Primary
from atoll.cache.plan import nodes
from atoll.model.cache import CacheCluster, ReplicationGroup
from tests.api.caches import settle
from tests.api.paper import code, refusal

VALUE, BOTH, STATE = "InvalidParameterValue", "InvalidParameterCombination", "InvalidReplicationGroupState"
AT = {"Address": "10.0.0.241", "Port": 6379}
WHERE = {"ReplicationGroupId": "rg", "CustomerNodeEndpointList": [AT]}
VALKEY = {"role": "master", "valkey_version": "9.1.0", "redis_version": "7.2.4"}


@pytest.fixture
def rg(cache, paper, private):
    """A group of two, available."""
    cache.group("rg", 2, CacheSubnetGroupName=private)
    settle(paper)


def status(cache):
    return cache.describe_replication_groups(ReplicationGroupId="rg")["ReplicationGroups"][0]["Status"]


def saw(paper, step, *more, **named):
    id = next(g.id for g in paper.world.all(ReplicationGroup) if g.name == "rg")
    paper.write(lambda tx: step(tx, id, "0001", *more, **named))


def leaders(paper):
    return {plan.name.rpartition("/")[2]: plan.primary for plan in nodes(paper.world)}


@pytest.mark.usefixtures("rg")
def test_a_migration_goes_from_looking_to_copying_to_a_primary_of_its_own(cache, paper):
    chained = leaders(paper)["rg-002:0001"]
    assert cache.start_migration(**WHERE)["ReplicationGroup"]["Status"] == "migrating"
    assert leaders(paper)["rg-001:0001"] is None, "the source is looked at first"

    saw(paper, steps.begun, None)

    assert leaders(paper) == {
        "rg-001:0001": Primary(IPv4Address("10.0.0.241"), 6379, is_foreign=True),
        "rg-002:0001": chained,
    }
    assert refusal(cache.complete_migration, ReplicationGroupId="rg") == (
        STATE,
        "Replication group rg is not in sync with its source. Wait until it is, or use Force to stop the migration.",
    )
    saw(paper, steps.copied, in_step=True)
    assert cache.complete_migration(ReplicationGroupId="rg")["ReplicationGroup"]["Status"] == "migrating"
    saw(paper, steps.caught_up)
    assert leaders(paper)["rg-001:0001"] is None
    saw(paper, steps.completed)
    assert status(cache) == "available"
    assert cache.told("rg", "replication-group")[-4:] == [
        "Data migration started for replication group rg",
        "Replication group rg is in sync with its source",
        "Complete Migration API called for replication group rg",
        "Data migration completed",
    ]


@pytest.mark.usefixtures("rg")
def test_what_was_seen_too_late_changes_nothing(cache, paper):
    cache.start_migration(**WHERE)
    before = list(paper.world)

    for late in (steps.caught_up, steps.completed):
        saw(paper, late)
    saw(paper, steps.tested, None)
    saw(paper, steps.copied, in_step=True)

    assert list(paper.world) == before


@pytest.mark.usefixtures("rg")
def test_a_test_and_a_source_that_cannot_be_copied_leave_the_group_as_it_was(cache, paper):
    assert cache.test_migration(**WHERE)["ReplicationGroup"]["Status"] == "modifying"
    assert code(cache.complete_migration, ReplicationGroupId="rg") == "ReplicationGroupNotUnderMigrationFault"
    saw(paper, steps.tested, None)
    assert status(cache) == "available"

    cache.start_migration(**WHERE)
    saw(paper, steps.begun, "10.0.0.241:6379: it holds too much")

    assert status(cache) == "available"
    assert cache.told("rg", "replication-group")[-1] == "Migration failed: 10.0.0.241:6379: it holds too much"


@pytest.mark.usefixtures("rg")
def test_force_promotes_at_once(cache, paper):
    cache.start_migration(**WHERE)
    saw(paper, steps.begun, None)

    cache.complete_migration(ReplicationGroupId="rg", Force=True)

    assert leaders(paper)["rg-001:0001"] is None
    saw(paper, steps.completed)
    assert status(cache) == "available"


@pytest.mark.usefixtures("rg")
def test_an_endpoint_is_one_address_or_an_instances_private_name(cache, paper):
    named = {"Address": "ip-10-0-0-241.ec2.internal", "Port": 6379}
    cache.start_migration(ReplicationGroupId="rg", CustomerNodeEndpointList=[named])
    saw(paper, steps.begun, None)
    assert leaders(paper)["rg-001:0001"].address == IPv4Address("10.0.0.241")
    assert code(cache.start_migration, **WHERE) == "ReplicationGroupAlreadyUnderMigrationFault"
    cache.complete_migration(ReplicationGroupId="rg", Force=True)
    saw(paper, steps.completed)

    lists = ([], [AT, AT], [{"Port": 6379}], [{"Address": "10.0.0.241"}], [AT | {"Port": 0}])
    names = ("redis.example.com", "ip-300-0-0-1.ec2.internal", "ip-10-0-0-241.eu-west-1.compute.internal")
    for endpoints in (*lists, *([AT | {"Address": name}] for name in names)):
        assert code(cache.start_migration, ReplicationGroupId="rg", CustomerNodeEndpointList=endpoints) == VALUE


@pytest.mark.usefixtures("rg")
def test_what_a_migration_needs_is_refused_by_name(cache):
    assert code(cache.complete_migration, ReplicationGroupId="rg") == "ReplicationGroupNotUnderMigrationFault"
    assert code(cache.test_migration, **WHERE | {"ReplicationGroupId": "no"}) == "ReplicationGroupNotFoundFault"
    for more in ({"ServerlessCacheName": "x"}, {"AutoCutover": True}, {"ClearTargetCacheData": False}):
        assert next(iter(more)) in refusal(cache.start_migration, **WHERE, **more)[1]
    cache.start_migration(**WHERE)
    assert (
        code(cache.increase_replica_count, ReplicationGroupId="rg", NewReplicaCount=2, ApplyImmediately=True) == STATE
    )
    assert code(cache.modify_replication_group, ReplicationGroupId="rg", ReplicationGroupDescription="x") == STATE


@pytest.mark.parametrize(
    ("source", "engine", "version", "why"),
    [
        (VALKEY, "valkey", "9.1.2", None),
        (VALKEY, "valkey", "8.0.1", "valkey 8.0.1 cannot read the data of valkey 9.1.0"),
        (VALKEY, "redis", "7.2.4", "redis 7.2.4 cannot read the data of valkey 9.1.0"),
        ({"role": "slave", "redis_version": "7.0.15"}, "valkey", "8.0.1", None),
        ({"role": "master", "redis_version": "7.4.1"}, "valkey", "9.1.2", "cannot read the data of redis 7.4.1"),
        ({"role": "master", "redis_version": "6.2.1"}, "redis", "7.0.15", None),
        ({"role": "master", "redis_version": "7.0.15"}, "redis", "6.2.14", "cannot read"),
        (VALKEY | {"cluster_enabled": "1"}, "valkey", "9.1.2", "its cluster mode is enabled"),
        (VALKEY | {"used_memory_dataset": "1001"}, "valkey", "9.1.2", "holds 1001 bytes of data, and"),
        ({}, "valkey", "9.1.2", "it does not say what it is"),
    ],
)
def test_a_source_must_be_readable_and_fit(source, engine, version, why, cache, paper, private):
    cache.group("rg", 1, CacheSubnetGroupName=private)
    one = next(c for c in paper.world.all(CacheCluster)).but(engine=engine, engine_version=version)

    found = steps.trouble_with(source, one, 1000)

    assert (found is None) if why is None else why in found
