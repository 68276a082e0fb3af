"""A change that waits for its maintenance window is made in it, and not before."""

from datetime import UTC, datetime, timedelta

import pytest

from atoll.cache import transitions
from atoll.control.maintenance import maintain
from atoll.ec2.defaults import open_territory
from atoll.elasticache.cluster_change import modify_cache_cluster
from atoll.elasticache.cluster_create import create_cache_cluster
from atoll.model.cache import CacheCluster
from atoll.model.kinds import KINDS
from atoll.model.world import Caller
from atoll.store.sqlite import Store

OWNER = Caller(account="111122223333", region="us-east-1", arn="arn:aws:iam::111122223333:root")
SUNDAY_FIVE = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "atoll.db", KINDS, clock=lambda: SUNDAY_FIVE - timedelta(days=1))
    store.write(open_territory, caller=OWNER)
    store.write(
        lambda tx: create_cache_cluster(
            tx,
            cache_cluster_id="mc",
            engine="memcached",
            cache_node_type="cache.t3.micro",
            num_cache_nodes=1,
            preferred_maintenance_window="sun:05:00-sun:06:00",
        ),
        caller=OWNER,
    )
    (cluster,) = store.world.all(CacheCluster)
    store.write(lambda tx: transitions.node_answered(tx, cluster.id, "0001"))
    store.write(lambda tx: transitions.settle(tx, cluster.id))
    store.write(
        lambda tx: modify_cache_cluster(tx, cache_cluster_id="mc", num_cache_nodes=3, apply_immediately=False),
        caller=OWNER,
    )
    return store


def nodes(store):
    return [len(c.nodes) for c in store.world.all(CacheCluster)]


@pytest.mark.parametrize(
    ("now", "count"),
    [(SUNDAY_FIVE - timedelta(hours=1), 1), (SUNDAY_FIVE, 3), (SUNDAY_FIVE + timedelta(hours=1), 1)],
    ids=["before the window", "in it", "after it"],
)
def test_nodes_are_added_in_the_window(store, now, count):
    maintain(store, now)
    assert nodes(store) == [count]


def test_what_was_done_is_not_done_again(store):
    maintain(store, SUNDAY_FIVE)
    revision = store.world.revision
    maintain(store, SUNDAY_FIVE)
    assert store.world.revision == revision
