"""Caches that begin with data, through boto3: what is asked of the source, and what is refused."""

import pytest

from atoll.cache.plan import nodes
from atoll.elasticache import buckets
from atoll.model.cache import CacheCluster
from tests.api import caches
from tests.api.paper import code, refusal
from tests.api.snapshots import MIB, settle, shown, statuses

SHARDS = {"NumNodeGroups": 2, "ReplicasPerNodeGroup": 1, "AutomaticFailoverEnabled": True}


@pytest.fixture
def snapshot(cache, paper):
    """A snapshot of a group at another port, of 3 MB."""
    cache.group("rg", Port=7000)
    caches.settle(paper)
    cache.create_snapshot(SnapshotName="s", ReplicationGroupId="rg")
    settle(paper)
    return "s"


@pytest.fixture
def sharded(cache, paper):
    """A snapshot of two shards."""
    make(cache, "two", Engine="valkey", CacheNodeType=caches.NODE, **SHARDS)
    caches.settle(paper)
    cache.create_snapshot(SnapshotName="shards", ReplicationGroupId="two")
    settle(paper)
    return "shards"


def make(cache, name="new", **asked):
    """Make a group that says as little as possible."""
    made = cache.create_replication_group(ReplicationGroupId=name, ReplicationGroupDescription="x", **asked)
    return made["ReplicationGroup"]


def seeds(paper):
    """Return the files that processes begin with, by the names of their clusters."""
    named = {c.id: c.name for c in paper.world.all(CacheCluster)}
    return {named[plan.cluster_id]: [seed.path for seed in plan.seeds] for plan in nodes(paper.world) if plan.seeds}


def test_what_is_not_said_is_as_it_was_and_the_primary_loads_the_file(cache, paper, snapshot):
    made = make(cache, SnapshotName=snapshot, NumCacheClusters=2)

    assert (made["Engine"], made["CacheNodeType"]) == ("valkey", caches.NODE)
    (path,) = seeds(paper)["new-001"]
    assert path.startswith("snapshots/")
    assert path.endswith("-0001.rdb")
    assert list(seeds(paper)) == ["new-001"], "the replica copies from the primary"
    assert statuses(cache) == {"s": "restoring"}
    assert code(cache.delete_snapshot, SnapshotName="s") == "InvalidSnapshotState"

    caches.settle(paper)

    assert seeds(paper) == {}, "a later boot begins empty"
    assert statuses(cache) == {"s": "available"}
    assert cache.shard("new")["PrimaryEndpoint"]["Port"] == 7000


def test_what_is_said_wins(cache, snapshot):
    made = make(cache, SnapshotName=snapshot, CacheNodeType="cache.t3.small", Port=6380)

    assert made["CacheNodeType"] == "cache.t3.small"


def test_a_redis_snapshot_can_begin_a_cluster_or_a_valkey_group(cache, paper):
    cache.redis("one")
    caches.settle(paper)
    cache.create_snapshot(SnapshotName="r", CacheClusterId="one")
    settle(paper, header="REDIS0010")

    made = cache.create_cache_cluster(CacheClusterId="again", SnapshotName="r")["CacheCluster"]
    assert (made["Engine"], made["EngineVersion"], made["CacheNodeType"]) == ("redis", "7.0.15", caches.NODE)
    assert make(cache, SnapshotName="r", Engine="valkey")["Engine"] == "valkey"
    assert set(seeds(paper)) == {"again", "new-001"}


@pytest.mark.parametrize(
    ("asked", "expected", "words"),
    [
        (
            {"Engine": "redis"},
            "InvalidParameterValue",
            "snapshot s cannot be restored with redis 7.0.15: it is an RDB",
        ),
        ({"PrimaryClusterId": "one"}, "InvalidParameterCombination", "Cannot specify SnapshotName or SnapshotArns"),
        ({"SnapshotArns": ["x"]}, "InvalidParameterCombination", "Only one of SnapshotName or SnapshotArns"),
        ({"SnapshotName": "absent"}, "SnapshotNotFoundFault", "Snapshot not found: absent"),
    ],
)
def test_what_cannot_come_to_a_good_end_is_refused(cache, snapshot, asked, expected, words):
    got, said = refusal(make, cache, **({"SnapshotName": snapshot} | asked))

    assert got == expected
    assert said.startswith(words)
    assert len(cache.describe_replication_groups()["ReplicationGroups"]) == 1


def test_a_node_type_that_is_too_small_is_refused(cache, paper):
    cache.group("rg", CacheNodeType="cache.m5.large")
    caches.settle(paper)
    cache.create_snapshot(SnapshotName="large", ReplicationGroupId="rg")
    settle(paper, data_bytes=600 * MIB)

    got, said = refusal(make, cache, SnapshotName="large", CacheNodeType="cache.t3.micro")

    assert got == "InvalidParameterValue"
    assert said.startswith("The cache node type cache.t3.micro is too small for snapshot large: ")
    make(cache, SnapshotName="large")


def test_an_unfinished_snapshot_is_not_restored(cache, paper):
    cache.group("rg")
    caches.settle(paper)
    cache.create_snapshot(SnapshotName="s", ReplicationGroupId="rg")

    assert code(make, cache, SnapshotName="s") == "InvalidSnapshotState"


def test_memcached_and_replicas_begin_with_nothing(cache, snapshot):
    asked = {"CacheClusterId": "m", "Engine": "memcached", "CacheNodeType": caches.NODE, "NumCacheNodes": 1}
    assert code(cache.create_cache_cluster, SnapshotName=snapshot, **asked) == "InvalidParameterCombination"
    asked = {"CacheClusterId": "r", "ReplicationGroupId": "rg"}
    assert code(cache.create_cache_cluster, SnapshotName=snapshot, **asked) == "InvalidParameterCombination"


class Buckets:
    """A bucket with two objects."""

    def has_bucket(self, bucket):
        return bucket == "imports"

    def beginning(self, bucket, key):
        found = {"dump.rdb": b"REDIS0009", "notes.txt": b"dear read"}.get(key)
        return (f"objects/{bucket}/{key}", 100, found) if found else None


@pytest.fixture
def imports():
    before = buckets.buckets()
    buckets.look_with(Buckets())
    yield
    buckets.look_with(before)


@pytest.mark.usefixtures("imports")
def test_an_object_in_a_bucket_begins_a_group(cache, paper):
    cache.group("rg", SnapshotArns=["arn:aws:s3:::imports/dump.rdb"])

    assert seeds(paper) == {"rg-001": ["objects/imports/dump.rdb"]}


@pytest.mark.usefixtures("imports")
@pytest.mark.parametrize(
    ("arn", "words"),
    [
        ("dump.rdb", "Invalid value dump.rdb for SnapshotArns."),
        ("arn:aws:s3:::imports", "Invalid value arn:aws:s3:::imports for SnapshotArns."),
        ("arn:aws:s3:::imports/a,b.rdb", "Invalid value arn:aws:s3:::imports/a,b.rdb for SnapshotArns."),
        ("arn:aws:s3:::../dump.rdb", "Invalid value arn:aws:s3:::../dump.rdb for SnapshotArns."),
        ("arn:aws:s3:::other/dump.rdb", "The S3 bucket other does not exist."),
        ("arn:aws:s3:::imports/no.rdb", "The S3 bucket imports does not contain an object with key no.rdb."),
        ("arn:aws:s3:::imports/notes.txt", "The S3 object notes.txt in the bucket imports is not an RDB file."),
    ],
)
def test_an_object_is_there_and_an_rdb_file(cache, arn, words):
    got, said = refusal(make, cache, CacheNodeType=caches.NODE, SnapshotArns=[arn])

    assert got == "InvalidParameterValue"
    assert said.startswith(words)


def test_shards_come_back_as_they_were_or_in_other_numbers(cache, paper, sharded):
    made = make(cache, SnapshotName=sharded)
    assert made["ClusterEnabled"]
    assert {name: len(paths) for name, paths in seeds(paper).items()} == {"new-0001-001": 1, "new-0002-001": 1}
    assert len(made["MemberClusters"]) == 4, "with the replicas that it had"

    make(cache, "three", SnapshotName=sharded, NumNodeGroups=3, ReplicasPerNodeGroup=0)
    found = {name: len(paths) for name, paths in seeds(paper).items() if name.startswith("three")}
    assert found == {"three-0001-001": 1, "three-0002-001": 2, "three-0003-001": 1}, "each those of its slots"


def test_a_file_is_for_each_shard_and_shown_with_its_slots(cache, sharded):
    parts = shown(cache, ShowNodeGroupConfig=True)[sharded]["NodeSnapshots"]

    assert [part["NodeGroupConfiguration"]["Slots"] for part in parts] == ["0-8191", "8192-16383"]
    assert [part["NodeGroupConfiguration"]["ReplicaCount"] for part in parts] == [1, 1]


def test_cluster_mode_is_not_left_by_a_restore_and_can_be_entered(cache, paper, sharded, snapshot):
    got, said = refusal(make, cache, SnapshotName=sharded, ClusterMode="disabled")
    assert (got, said[:30]) == ("InvalidParameterCombination", "snapshot shards is of a replic")

    make(cache, SnapshotName=snapshot, ClusterMode="enabled", NumNodeGroups=2, AutomaticFailoverEnabled=True)
    assert [len(paths) for paths in seeds(paper).values()] == [1, 1], "each shard loads all, and keeps its own"


def test_a_member_of_shards_has_no_snapshot_of_its_own(cache, sharded):
    asked = {"SnapshotName": "x", "CacheClusterId": "two-0001-001"}

    assert sharded
    assert code(cache.create_snapshot, **asked) == "InvalidParameterCombination"
