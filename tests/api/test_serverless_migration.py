"""Migrations to serverless caches through boto3, on paper: what is accepted, shown and said, step by step."""

from ipaddress import IPv4Address

import pytest

from atoll.cache import changed
from atoll.cache import migration as steps
from atoll.cache.node import Primary
from atoll.cache.plan import nodes
from atoll.model.cache import CacheCluster, Migration, ReplicationGroup
from tests.api.caches import settle
from tests.api.paper import code, refusal

SOURCE = IPv4Address("10.0.0.241")
AT = {"Address": str(SOURCE), "Port": 6379}
WHERE = {"ServerlessCacheName": "burst", "CustomerNodeEndpointList": [AT]}
BURST = {"ServerlessCacheName": "burst"}
STATE = "InvalidServerlessCacheStateFault"
NOT_UNDER = "ServerlessCacheNotUnderMigrationFault"


@pytest.fixture
def make(cache, paper, ec2, vpc, subnet):
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-1b")["Subnet"]["SubnetId"]

    def make(name="burst", engine="valkey"):
        cache.create_serverless_cache(ServerlessCacheName=name, Engine=engine, SubnetIds=[subnet, other])
        settle(paper)

    return make


@pytest.fixture
def burst(make):
    """A serverless cache, available."""
    make()


def behind(paper):
    (group,) = paper.world.seen_by(None).all(ReplicationGroup)
    return group


def saw(paper, step, *more, **named):
    paper.write(lambda tx: step(tx, behind(paper).id, "0001", *more, **named))


def change_mode(paper):
    """Let all engines start anew as they are to be, as the changes and the failover would have them."""
    for id in behind(paper).member_ids:
        paper.write(lambda tx, id=id: changed.restarting(tx, id))
    settle(paper)


def prepare(cache, paper):
    cache.prepare_migration(**WHERE)
    saw(paper, steps.looked_at, None)
    change_mode(paper)
    saw(paper, steps.left)


def shown(cache):
    found = cache.describe_serverless_caches(**BURST)["ServerlessCaches"][0]
    return found["Status"], found.get("Migration", {}).get("Status")


def leaders_source(paper):
    leader = behind(paper).shard.leader_id
    return next(plan.primary for plan in nodes(paper.world) if plan.cluster_id == leader)


def elsewhere(paper):
    return {plan.encryption.elsewhere for plan in nodes(paper.world)}


def modes(paper):
    return {c.sharded for c in paper.world.seen_by(None).all(CacheCluster)}


@pytest.mark.usefixtures("burst")
def test_a_migration_leads_clients_to_the_source_until_its_cutover(cache, paper):
    assert cache.prepare_migration(**WHERE)["ServerlessCache"]["Migration"]["Status"] == "preparing"
    assert (shown(cache), elsewhere(paper), modes(paper)) == (("modifying", "preparing"), {None}, {True})
    saw(paper, steps.looked_at, None)
    change_mode(paper)
    saw(paper, steps.left)
    assert (shown(cache), elsewhere(paper), modes(paper)) == (("modifying", "prepared"), {(SOURCE, 6379)}, {False})
    assert leaders_source(paper) is None

    cache.start_migration(**BURST)
    saw(paper, steps.begun, None)
    assert shown(cache) == ("modifying", "syncing")
    assert leaders_source(paper) == Primary(SOURCE, 6379, is_foreign=True)
    assert code(cache.complete_migration, **BURST) == "MigrationHealthFault"
    saw(paper, steps.copied, in_step=True)
    assert cache.complete_migration(**BURST)["ServerlessCache"]["Migration"]["Status"] == "cutting-over"
    assert elsewhere(paper) == {None}
    assert leaders_source(paper) is not None, "until it has everything"
    assert code(cache.stop_migration, **BURST) == STATE, "not during cutover"
    saw(paper, steps.caught_up)
    assert leaders_source(paper) is None
    saw(paper, steps.completed)
    saw(paper, steps.returned)
    change_mode(paper)
    assert shown(cache) == ("modifying", "cutting-over")
    saw(paper, steps.returned)

    assert (shown(cache), modes(paper), behind(paper).cluster_mode) == (("available", None), {True}, "enabled")
    told = cache.told("burst", "serverless-cache")
    assert [line for line in told if "igration" in line or "sync" in line or "over" in line] == [
        "Migration prepared for serverless cache burst",
        "Data migration started for serverless cache burst",
        "Serverless cache burst is in sync with its source",
        "Complete Migration API called for serverless cache burst",
        "Cutover completed for serverless cache burst",
        "Data migration completed",
    ]


@pytest.mark.usefixtures("burst")
def test_a_sync_that_was_stopped_leaves_the_migration_open_and_is_restarted_over_cleared_data(cache, paper):
    prepare(cache, paper)
    assert code(cache.stop_migration, **BURST) == STATE
    cache.start_migration(**BURST, AutoCutover=True)
    saw(paper, steps.begun, None)

    assert cache.stop_migration(**BURST)["ServerlessCache"]["Migration"]["Status"] == "stopping"
    assert (leaders_source(paper), elsewhere(paper)) == (None, {(SOURCE, 6379)})
    saw(paper, steps.copied, in_step=True)
    saw(paper, steps.stopped)

    assert shown(cache) == ("modifying", "prepared")
    assert code(cache.start_migration, **BURST) == "InvalidParameterCombination"
    cache.start_migration(**BURST, AutoCutover=True, ClearTargetCacheData=True)
    saw(paper, steps.begun, None)
    saw(paper, steps.copied, in_step=True)
    assert shown(cache) == ("modifying", "cutting-over"), "by itself"
    saw(paper, steps.not_completed, "its source has more")
    assert (shown(cache)[1], elsewhere(paper)) == ("syncing", {(SOURCE, 6379)})
    assert not behind(paper).shard.migration.cuts_over, "clients are not cut again and again"


@pytest.mark.usefixtures("burst")
def test_what_is_wrong_with_a_source_ends_the_preparation_and_only_stops_the_sync(cache, paper):
    cache.prepare_migration(**WHERE)
    saw(paper, steps.looked_at, "10.0.0.241:6379: NOAUTH")
    assert shown(cache) == ("available", None)
    assert cache.told("burst", "serverless-cache")[-2] == "Migration preparation failed: 10.0.0.241:6379: NOAUTH"

    prepare(cache, paper)
    cache.start_migration(**BURST)
    saw(paper, steps.begun, "it has gone")
    assert shown(cache) == ("modifying", "prepared")
    assert "Migration failed: it has gone" in cache.told("burst", "serverless-cache")[-1]

    cache.complete_migration(**BURST, Force=True)
    saw(paper, steps.completed)
    saw(paper, steps.returned)
    change_mode(paper)
    saw(paper, steps.returned)
    assert shown(cache) == ("available", None)


@pytest.mark.usefixtures("burst")
def test_what_cannot_be_done_is_refused_by_name_and_changes_nothing(cache, paper, make):
    before = list(paper.world)
    for call in (cache.start_migration, cache.stop_migration, cache.complete_migration):
        assert code(call, **BURST) == NOT_UNDER
        assert code(call, ServerlessCacheName="no") == "ServerlessCacheNotFoundFault"
    secret = {"SecretManagerConfig": {"SecretArn": "arn:aws:secretsmanager:us-east-1:0:secret:x"}}
    for name, more in (
        ("Secrets Manager", {"SourceAuthenticationConfiguration": secret}),
        ("SourceTlsMode=verify-ca", {"SourceTlsConfiguration": {"SourceTlsMode": "verify-ca"}}),
        ("SourceTlsCertificate", {"SourceTlsConfiguration": {"SourceTlsCertificate": "x"}}),
        ("exactly one endpoint", {"CustomerNodeEndpointList": [AT, AT]}),
    ):
        assert name in refusal(cache.prepare_migration, **WHERE | more)[1]
    assert code(cache.complete_migration, **BURST, ReplicationGroupId="rg") == "InvalidParameterCombination"
    assert code(cache.start_migration) == "InvalidParameterValue"
    assert list(paper.world) == before

    cache.prepare_migration(**WHERE, SourceTlsConfiguration={"SourceTlsMode": "none"})
    assert code(cache.prepare_migration, **WHERE) == "ServerlessCacheAlreadyUnderMigrationFault"
    assert code(cache.start_migration, **BURST) == STATE, "it is not prepared yet"
    assert code(cache.complete_migration, **BURST, Force=True) == STATE
    assert code(cache.delete_serverless_cache, **BURST) == STATE
    make("mem", "memcached")
    assert "for Valkey" in refusal(cache.prepare_migration, **WHERE | {"ServerlessCacheName": "mem"})[1]


@pytest.mark.parametrize(
    ("source", "target", "more", "why"),
    [
        ({"role": "master", "db0": "keys=1"}, {}, {}, None),
        ({"role": "master", "db3": "keys=1"}, {}, {}, "other databases than 0"),
        ({"role": "slave"}, {}, {}, "name its primary"),
        ({"role": "master"}, {"db0": "keys=1"}, {}, "ClearTargetCacheData"),
        ({"role": "master"}, {"db0": "keys=1"}, {"clears": True}, None),
        ({"role": "master"}, {"db0": "keys=1"}, {"stage": "preparing"}, None),
    ],
)
def test_a_source_and_a_target_must_suit_a_serverless_cache(source, target, more, why):
    migration = Migration(**{"address": SOURCE, "port": 6379, "stage": "starting"} | more)

    found = steps.trouble_of_serverless(source, target, migration)

    assert found is None if why is None else why in found
