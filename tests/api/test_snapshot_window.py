"""Automatic snapshots: days pass, and each leaves one, for as long as it is to be kept."""

from datetime import UTC, datetime, timedelta

import pytest

from atoll.cache import backup
from atoll.elasticache import snapshot_create, snapshot_delete
from atoll.model.world import Caller
from tests.api import caches
from tests.api.paper import code
from tests.api.snapshots import settle, shown, statuses

WINDOW = {"SnapshotWindow": "03:00-04:00", "PreferredMaintenanceWindow": "sun:10:00-sun:11:00"}
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)


def look(paper):
    """Do what the loop does every few seconds."""
    for it in backup.due(paper.world, paper.clock):
        owner = Caller(account=it.account, region=it.region, arn="atoll")
        paper.store.write(lambda tx, it=it: snapshot_create.take_automatic(tx, it), caller=owner)
    for snapshot in backup.expired(paper.world, paper.clock):
        paper.write(lambda tx, s=snapshot: snapshot_delete.start_deleting(tx, s))
    settle(paper)


def pass_days(paper, days):
    """Let days pass, with a look every quarter of an hour."""
    for _ in range(days * 96):
        paper.clock += timedelta(minutes=15)
        look(paper)


@pytest.fixture(autouse=True)
def midnight(paper):
    paper.clock = MIDNIGHT


def test_each_day_leaves_a_snapshot_and_old_ones_go(cache, paper):
    cache.redis("one", SnapshotRetentionLimit=3, **WINDOW)
    caches.settle(paper)

    pass_days(paper, 1)
    (name,) = shown(cache)
    assert name.startswith("automatic.one-2026-11-21-03-0")
    assert shown(cache)[name]["SnapshotSource"] == "automated"
    pass_days(paper, 9)

    kept = [name.removeprefix("automatic.one-")[:10] for name in shown(cache, SnapshotSource="system")]
    assert kept == ["2026-11-28", "2026-11-29", "2026-11-30"]


def test_without_retention_there_are_none_and_what_is_turned_on_later_begins_then(cache, paper):
    cache.redis("one", **WINDOW)
    caches.settle(paper)
    pass_days(paper, 2)
    assert shown(cache) == {}

    cache.modify_cache_cluster(CacheClusterId="one", SnapshotRetentionLimit=2)
    pass_days(paper, 1)
    assert len(shown(cache)) == 1

    cache.modify_cache_cluster(CacheClusterId="one", SnapshotRetentionLimit=0)
    pass_days(paper, 1)
    assert len(shown(cache)) == 1, "what was taken stays for its days"
    pass_days(paper, 1)
    assert shown(cache) == {}


def test_a_groups_are_of_its_replica_or_of_the_member_that_is_named(cache, paper):
    cache.group("rg", 3, SnapshotRetentionLimit=1, **WINDOW)
    caches.settle(paper)
    described = cache.describe_replication_groups()["ReplicationGroups"][0]
    assert (described["SnapshottingClusterId"], described["SnapshotRetentionLimit"]) == ("rg-002", 1)

    pass_days(paper, 1)
    assert [name[:17] for name in shown(cache)] == ["automatic.rg-002-"]

    cache.modify_replication_group(
        ReplicationGroupId="rg", SnapshottingClusterId="rg-003", SnapshotWindow="05:00-06:00"
    )
    pass_days(paper, 1)
    assert [name[:17] for name in shown(cache)] == ["automatic.rg-003-"]
    (name,) = shown(cache)
    assert name[-5:-3] == "05"


def test_a_snapshotting_cluster_is_a_member(cache, paper):
    cache.group("rg")
    cache.redis("one")
    caches.settle(paper)

    change = {"ReplicationGroupId": "rg", "SnapshottingClusterId": "one"}
    assert code(cache.modify_replication_group, **change) == "InvalidParameterValue"
    change = {"ReplicationGroupId": "rg", "SnapshottingClusterId": "none"}
    assert code(cache.modify_replication_group, **change) == "CacheClusterNotFound"


@pytest.mark.parametrize("days", [-1, 36])
def test_a_retention_is_of_0_to_35_days(cache, paper, days):
    cache.group("rg")
    caches.settle(paper)

    change = {"ReplicationGroupId": "rg", "SnapshotRetentionLimit": days}
    assert code(cache.modify_replication_group, **change) == "InvalidParameterValue"
    made = {"Engine": "redis", "CacheNodeType": caches.NODE, "NumCacheNodes": 1}
    assert code(cache.create_cache_cluster, CacheClusterId="x", SnapshotRetentionLimit=days, **made) == (
        "InvalidParameterValue"
    )


def test_memcached_has_no_retention(cache):
    made = {"CacheClusterId": "m", "Engine": "memcached", "CacheNodeType": caches.NODE, "NumCacheNodes": 1}

    assert code(cache.create_cache_cluster, SnapshotRetentionLimit=1, **made) == "InvalidParameterCombination"
    cache.create_cache_cluster(SnapshotRetentionLimit=0, **made)


def test_automatic_snapshots_go_with_their_cache_and_manual_ones_stay(cache, paper):
    cache.redis("one", SnapshotRetentionLimit=30, **WINDOW)
    caches.settle(paper)
    pass_days(paper, 2)
    cache.create_snapshot(SnapshotName="mine", CacheClusterId="one")
    settle(paper)
    assert len(shown(cache)) == 3

    cache.delete_cache_cluster(CacheClusterId="one")
    caches.settle(paper)
    pass_days(paper, 1)

    assert statuses(cache) == {"mine": "available"}


def test_an_unavailable_cache_is_waited_for_while_the_window_is_open(cache, paper):
    cache.redis("one", SnapshotRetentionLimit=1, **WINDOW)
    paper.clock = MIDNIGHT + timedelta(hours=3, minutes=5)
    look(paper)
    assert shown(cache) == {}

    caches.settle(paper)
    look(paper)
    assert len(shown(cache)) == 1


@pytest.mark.parametrize(
    ("window", "now", "begun"),
    [
        ("03:00-04:00", "2026-11-21T03:00", "2026-11-21T03:00"),
        ("03:00-04:00", "2026-11-21T03:59", "2026-11-21T03:00"),
        ("03:00-04:00", "2026-11-21T04:00", None),
        ("23:30-00:30", "2026-11-22T00:10", "2026-11-21T23:30"),
        ("23:30-00:30", "2026-11-22T00:30", None),
    ],
)
def test_a_window_may_cross_midnight(window, now, begun):
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    expected = datetime.fromisoformat(begun).replace(tzinfo=UTC) if begun else None

    assert backup.opened(window, at) == expected
