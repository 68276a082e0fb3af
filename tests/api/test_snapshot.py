"""Snapshots through boto3: CreateSnapshot, CopySnapshot, DescribeSnapshots, DeleteSnapshot, and final ones."""

from datetime import timedelta

import pytest

from atoll.elasticache import buckets
from tests.api import caches
from tests.api.paper import ACCOUNT, code, refusal
from tests.api.snapshots import MIB, fail, settle, shown, statuses


@pytest.fixture
def one(cache, paper):
    """A Redis OSS cluster that stands alone."""
    cache.redis("one")
    caches.settle(paper)
    return "one"


@pytest.fixture
def group(cache, paper):
    """A Valkey group of a primary and a replica."""
    cache.group("rg")
    caches.settle(paper)
    return "rg"


@pytest.fixture
def bucket():
    """A bucket, `exports`, in which objects appear when a test puts them there."""

    class Buckets:
        def __init__(self):
            self.objects = {}

        def has_bucket(self, bucket):
            return bucket == "exports"

        def beginning(self, bucket, key):
            return self.objects.get((bucket, key))

    before, made = buckets.buckets(), Buckets()
    buckets.look_with(made)
    yield made
    buckets.look_with(before)


def test_a_snapshot_is_available_when_its_file_is_there(cache, paper, one):
    made = cache.create_snapshot(SnapshotName="First", CacheClusterId="ONE")["Snapshot"]

    assert (made["SnapshotName"], made["SnapshotStatus"], made["SnapshotSource"]) == ("first", "creating", "manual")
    assert cache.cluster(one)["CacheClusterStatus"] == "snapshotting"

    settle(paper)

    found = shown(cache)["first"]
    assert found["SnapshotStatus"] == "available"
    assert cache.cluster(one)["CacheClusterStatus"] == "available"
    assert cache.told(one, "cache-cluster")[-1] == (
        "Snapshot succeeded for snapshot with ID 'first' of cache cluster with ID 'one'"
    )
    (part,) = found["NodeSnapshots"]
    assert (part["CacheNodeId"], part["CacheSize"]) == ("0001", "3 MB")
    assert part["SnapshotCreateTime"] > part["CacheNodeCreateTime"]
    assert found["ARN"] == f"arn:aws:elasticache:us-east-1:{ACCOUNT}:snapshot:first"
    assert (found["Engine"], found["EngineVersion"], found["Port"]) == ("redis", "7.0.15", 6379)
    assert found["CacheNodeType"] == caches.NODE


def test_a_group_is_snapshotting_meanwhile_and_nothing_else_is_done_to_it(cache, paper, group):
    cache.create_snapshot(SnapshotName="g", ReplicationGroupId=group)

    assert cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "snapshotting"
    assert cache.cluster("rg-002")["CacheClusterStatus"] == "snapshotting", "the replica is taken from"
    assert cache.cluster("rg-001")["CacheClusterStatus"] == "available"
    assert refusal(cache.delete_replication_group, ReplicationGroupId=group) == (
        "InvalidReplicationGroupState",
        "Cache cluster rg-002 is not in a valid state to be deleted.",
    )
    assert code(cache.create_snapshot, SnapshotName="h", ReplicationGroupId=group) == "InvalidReplicationGroupState"

    settle(paper)

    assert cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "available"
    found = shown(cache)["g"]
    assert (found["ReplicationGroupId"], found["NumNodeGroups"]) == ("rg", 1)
    assert cache.told(group, "replication-group")[-1] == (
        "Snapshot succeeded for snapshot with ID 'g' of replication group with ID 'rg'"
    )


def test_a_snapshot_that_fails_says_why_and_lets_its_source_go_on(cache, paper, one):
    cache.create_snapshot(SnapshotName="first", CacheClusterId=one)

    fail(paper, "the disk is full")

    assert statuses(cache) == {"first": "failed"}
    assert cache.cluster(one)["CacheClusterStatus"] == "available"
    assert cache.told(one, "cache-cluster")[-1] == (
        "Snapshot failed for snapshot with ID 'first' of cache cluster with ID 'one': the disk is full"
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ("InvalidParameterCombination", "One of CacheClusterId or ReplicationGroupId must be provided.")),
        (
            {"CacheClusterId": "one", "ReplicationGroupId": "rg"},
            ("InvalidParameterCombination", "Only one of CacheClusterId or ReplicationGroupId can be provided."),
        ),
        ({"CacheClusterId": "absent"}, ("CacheClusterNotFound", "CacheCluster not found: absent")),
        (
            {"CacheClusterId": "mem"},
            (
                "SnapshotFeatureNotSupportedFault",
                "Snapshots are not supported for cache clusters of the engine memcached.",
            ),
        ),
    ],
)
@pytest.mark.usefixtures("one")
def test_a_snapshot_is_of_one_cache_that_can_have_one(cache, paper, asked, expected):
    cache.memcached("mem")
    caches.settle(paper)

    assert refusal(cache.create_snapshot, SnapshotName="s", **asked) == expected


def test_a_name_is_taken_once(cache, paper, one):
    cache.create_snapshot(SnapshotName="s", CacheClusterId=one)
    settle(paper)

    assert code(cache.create_snapshot, SnapshotName="S", CacheClusterId=one) == "SnapshotAlreadyExistsFault"
    assert code(cache.create_snapshot, SnapshotName="a--b", CacheClusterId=one) == "InvalidParameterValue"
    cache.copy_snapshot(SourceSnapshotName="s", TargetSnapshotName="t")
    settle(paper)
    assert code(cache.copy_snapshot, SourceSnapshotName="s", TargetSnapshotName="t") == "SnapshotAlreadyExistsFault"


def test_twenty_manual_snapshots_in_a_day_are_the_most_deleted_ones_too(cache, paper, one):
    for n in range(20):
        cache.create_snapshot(SnapshotName=f"s{n}", CacheClusterId=one)
        settle(paper)
        cache.delete_snapshot(SnapshotName=f"s{n}")
        settle(paper)

    assert refusal(cache.create_snapshot, SnapshotName="more", CacheClusterId=one) == (
        "SnapshotQuotaExceededFault",
        "The maximum number of manual snapshots for this cluster taken within 24 hours has been reached",
    )
    paper.clock += timedelta(hours=24)
    cache.create_snapshot(SnapshotName="more", CacheClusterId=one)


def test_the_list_is_narrowed_and_paged(cache, paper, one, group):
    for name, of in (("a", {"CacheClusterId": one}), ("b", {"ReplicationGroupId": group})):
        cache.create_snapshot(SnapshotName=name, **of)
        settle(paper)
    for n in range(20):
        cache.copy_snapshot(SourceSnapshotName="a", TargetSnapshotName=f"c{n:02d}")
    settle(paper)

    assert set(shown(cache, ReplicationGroupId="RG")) == {"b"}
    assert len(shown(cache, CacheClusterId=one)) == 21
    assert set(shown(cache, SnapshotName="B")) == {"b"}
    assert shown(cache, SnapshotSource="system") == {}
    assert len(shown(cache, SnapshotSource="user")) == 22
    first = cache.describe_snapshots(MaxRecords=20)
    rest = cache.describe_snapshots(MaxRecords=20, Marker=first["Marker"])
    assert [len(first["Snapshots"]), len(rest["Snapshots"])] == [20, 2]
    assert "Marker" not in rest
    assert code(cache.describe_snapshots, MaxRecords=51) == "InvalidParameterValue"
    assert code(cache.describe_snapshots, SnapshotName="absent") == "SnapshotNotFoundFault"
    assert code(cache.describe_snapshots, SnapshotSource="mine") == "InvalidParameterValue"
    (plain,), (more,) = (
        shown(cache, SnapshotName="b", ShowNodeGroupConfig=asked)["b"]["NodeSnapshots"] for asked in (False, True)
    )
    assert "NodeGroupConfiguration" not in plain
    assert more["NodeGroupConfiguration"]["ReplicaCount"] == 1


def test_a_copy_is_like_its_source_and_outlives_it(cache, paper, one):
    cache.create_snapshot(SnapshotName="s", CacheClusterId=one, Tags=[{"Key": "k", "Value": "v"}])
    settle(paper, data_bytes=7 * MIB)
    cache.copy_snapshot(SourceSnapshotName="s", TargetSnapshotName="t", KmsKeyId="key-1")

    assert code(cache.delete_snapshot, SnapshotName="s") == "InvalidSnapshotState", "its files are still read"
    assert code(cache.delete_snapshot, SnapshotName="t") == "InvalidSnapshotState"
    settle(paper)
    cache.delete_snapshot(SnapshotName="s")
    assert statuses(cache) == {"s": "deleting", "t": "available"}
    settle(paper)

    found = shown(cache)
    assert set(found) == {"t"}
    assert found["t"]["NodeSnapshots"][0]["CacheSize"] == "7 MB"
    assert found["t"]["KmsKeyId"] == "key-1"
    assert code(cache.copy_snapshot, SourceSnapshotName="s", TargetSnapshotName="u") == "SnapshotNotFoundFault"
    assert cache.list_tags_for_resource(ResourceName=found["t"]["ARN"])["TagList"] == []


def test_an_export_needs_a_bucket_without_such_objects(cache, paper, one, bucket):
    cache.create_snapshot(SnapshotName="s", CacheClusterId=one)
    settle(paper)
    asked = {"SourceSnapshotName": "s", "TargetSnapshotName": "out"}

    assert refusal(cache.copy_snapshot, TargetBucket="nowhere", **asked) == (
        "InvalidParameterValue",
        "The S3 bucket nowhere does not exist.",
    )
    assert cache.copy_snapshot(TargetBucket="exports", **asked)["Snapshot"]["SnapshotStatus"] == "exporting"
    assert code(cache.delete_snapshot, SnapshotName="s") == "InvalidSnapshotState"
    settle(paper)
    assert statuses(cache) == {"s": "available"}
    bucket.objects["exports", "out-0001.rdb"] = ("objects/exports/out-0001.rdb", 10, b"REDIS0010")
    assert refusal(cache.copy_snapshot, TargetBucket="exports", **asked) == (
        "InvalidParameterValue",
        "The S3 bucket exports already contains an object with key out-0001.rdb.",
    )


def test_a_group_goes_when_its_final_snapshot_is_there(cache, paper, group):
    gone = cache.delete_replication_group(ReplicationGroupId=group, FinalSnapshotIdentifier="last")

    assert gone["ReplicationGroup"]["Status"] == "deleting"
    assert cache.cluster("rg-002")["CacheClusterStatus"] == "deleting", "also to those who wait for its end"
    caches.settle(paper)
    assert len(cache.describe_replication_groups()["ReplicationGroups"]) == 1, "not before the snapshot is there"

    settle(paper)
    caches.settle(paper)

    assert cache.describe_replication_groups()["ReplicationGroups"] == []
    assert statuses(cache) == {"last": "available"}


def test_what_cannot_have_its_final_snapshot_stays(cache, paper, group, one):
    cache.delete_replication_group(ReplicationGroupId=group, FinalSnapshotIdentifier="last")
    cache.delete_cache_cluster(CacheClusterId=one, FinalSnapshotIdentifier="last-of-one")

    fail(paper)

    assert cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "available"
    assert cache.cluster(one)["CacheClusterStatus"] == "available"


@pytest.mark.usefixtures("group")
def test_a_cluster_and_a_replica_can_have_a_final_snapshot(cache, paper, one):
    for name in (one, "rg-002"):
        gone = cache.delete_cache_cluster(CacheClusterId=name, FinalSnapshotIdentifier=f"last-of-{name}")
        assert gone["CacheCluster"]["CacheClusterStatus"] == "deleting"
    settle(paper)
    caches.settle(paper)

    left = [c["CacheClusterId"] for c in cache.describe_cache_clusters()["CacheClusters"]]
    assert left == ["rg-001"]
    assert cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "available"
    assert statuses(cache) == {"last-of-one": "available", "last-of-rg-002": "available"}


def test_memcached_has_no_final_snapshot_and_a_taken_name_deletes_nothing(cache, paper, one):
    cache.memcached("mem")
    caches.settle(paper)
    cache.create_snapshot(SnapshotName="s", CacheClusterId=one)
    settle(paper)

    final = {"CacheClusterId": "mem", "FinalSnapshotIdentifier": "x"}
    assert code(cache.delete_cache_cluster, **final) == "SnapshotFeatureNotSupportedFault"
    final = {"CacheClusterId": one, "FinalSnapshotIdentifier": "s"}
    assert code(cache.delete_cache_cluster, **final) == "SnapshotAlreadyExistsFault"
    assert cache.cluster(one)["CacheClusterStatus"] == "available"
