"""Service updates: a newer patch on the machine, and what is asked about it."""

import pytest

from atoll.cache import updates
from atoll.cache.changes import steps
from atoll.cache.transitions import node_silent
from atoll.control.engines import Engines
from atoll.host.paper import PaperHost
from atoll.model.cache import CacheCluster
from atoll.model.engine import engine_build
from tests.api.caches import settle
from tests.api.paper import code
from tests.api.test_cache_engine_change import finish, take

NAME = "elasticache-redis-7-0-16-update"


class Found(PaperHost):
    """A host that finds these engines."""

    def __init__(self, *versions):
        super().__init__()
        self.versions = versions

    def builds(self):
        return [engine_build("redis", version) for version in self.versions]


@pytest.fixture
def caches(cache, paper, private):
    """A group of two and a lone node of Redis OSS 7.0.15; then the machine gets 7.0.16."""
    cache.group("rg", 2, Engine="redis", EngineVersion="7.0", CacheSubnetGroupName=private)
    cache.redis("one", EngineVersion="7.0", CacheSubnetGroupName=private)
    settle(paper)
    Engines(paper.store, Found("7.0.15", "7.0.16")).note()
    return cache


def actions(cache, **asked):
    return cache.describe_update_actions(**asked)["UpdateActions"]


def apply(cache, **asked):
    return cache.batch_apply_update_action(ServiceUpdateName=NAME, **asked)


def test_a_newer_patch_on_the_machine_is_an_update(caches, paper):
    (update,) = caches.describe_service_updates()["ServiceUpdates"]

    assert (update["ServiceUpdateName"], update["Engine"], update["EngineVersion"]) == (NAME, "redis", "7.0")
    assert update["ServiceUpdateStatus"] == "available"
    assert (
        update["ServiceUpdateReleaseDate"]
        == paper.world.bucket(type(engine_build("x", "1")), "version", "7.0.16")["redis/7.0.16"].found
    )
    assert caches.told("one", "cache-cluster")[-1] == "Service update is available for cache node 0001."


def test_without_a_newer_patch_there_is_none(cache, paper, private):
    cache.redis("one", EngineVersion="7.0", CacheSubnetGroupName=private)
    settle(paper)

    assert cache.describe_service_updates()["ServiceUpdates"] == []
    assert actions(cache) == []
    assert code(cache.describe_service_updates, ServiceUpdateName="x") == "ServiceUpdateNotFoundFault"


@pytest.mark.usefixtures("caches")
def test_a_strangers_caches_are_not_mine(paper):
    stranger = paper.client("elasticache", account="999999999999")

    assert stranger.describe_service_updates()["ServiceUpdates"] == []


def test_a_cache_shows_what_was_not_applied(caches):
    found = {a.get("ReplicationGroupId") or a["CacheClusterId"]: a for a in actions(caches)}

    assert set(found) == {"rg", "one"}
    assert (found["rg"]["UpdateActionStatus"], found["rg"]["NodesUpdated"]) == ("not-applied", "0/2")
    assert actions(caches, UpdateActionStatus=["complete"]) == []
    assert [a["CacheClusterId"] for a in actions(caches, CacheClusterIds=["one"])] == ["one"]


def test_an_update_is_applied_node_by_node_and_then_complete(caches, paper):
    (done,) = apply(caches, ReplicationGroupIds=["rg"])["ProcessedUpdateActions"]
    assert (done["ReplicationGroupId"], done["UpdateActionStatus"]) == ("rg", "in-progress")
    assert take(paper) == ["Restart"]

    (shown,) = actions(caches, ReplicationGroupIds=["rg"], ShowNodeLevelUpdateStatus=True)
    members = shown["NodeGroupUpdateStatus"][0]["NodeGroupMemberUpdateStatus"]
    assert [m["NodeUpdateStatus"] for m in members] == ["waiting-to-start", "in-progress"]
    settle(paper)
    assert finish(paper) == ["HandOver", "Restart"]
    paper.write(updates.settle)

    (shown,) = actions(caches, ReplicationGroupIds=["rg"])
    assert (shown["UpdateActionStatus"], shown["NodesUpdated"]) == ("complete", "2/2")
    assert caches.cluster("rg-001")["EngineVersion"] == "7.0.16"
    assert caches.cluster("one")["EngineVersion"] == "7.0.15"


def test_a_lone_node_keeps_its_data_through_an_update(caches, paper):
    apply(caches, CacheClusterIds=["one"])

    assert finish(paper) == ["Carry"]
    assert caches.cluster("one")["EngineVersion"] == "7.0.16"


def test_an_update_that_is_stopped_leaves_the_other_nodes_alone(caches, paper):
    apply(caches, ReplicationGroupIds=["rg"])
    take(paper)

    (done,) = caches.batch_stop_update_action(ServiceUpdateName=NAME, ReplicationGroupIds=["rg"])[
        "ProcessedUpdateActions"
    ]
    settle(paper)
    paper.write(updates.settle)

    assert done["UpdateActionStatus"] == "stopping"
    assert steps(paper.world) == []
    (shown,) = actions(caches, ReplicationGroupIds=["rg"])
    assert (shown["UpdateActionStatus"], shown["NodesUpdated"]) == ("stopped", "1/2")
    group = caches.describe_replication_groups(ReplicationGroupId="rg")["ReplicationGroups"][0]
    assert group["Status"] == "available"
    apply(caches, ReplicationGroupIds=["rg"])
    assert finish(paper) == ["HandOver", "Restart"], "it can be taken up again"


def test_each_cache_that_cannot_be_updated_says_why(caches):
    apply(caches, ReplicationGroupIds=["rg"])

    found = apply(caches, ReplicationGroupIds=["rg", "none"], CacheClusterIds=["rg-001", "one", "other"])

    assert [a["CacheClusterId"] for a in found["ProcessedUpdateActions"]] == ["one"]
    assert [
        (a.get("ReplicationGroupId") or a["CacheClusterId"], a["ErrorType"])
        for a in found["UnprocessedUpdateActions"]
    ] == [
        ("rg", "InvalidReplicationGroupState"),
        ("none", "ReplicationGroupNotFoundFault"),
        ("rg-001", "InvalidParameterValue"),
        ("other", "CacheClusterNotFound"),
    ]
    assert code(caches.batch_apply_update_action, ServiceUpdateName=NAME) == "InvalidParameterValue"
    assert code(caches.batch_apply_update_action, ServiceUpdateName="x", CacheClusterIds=["one"]) == (
        "ServiceUpdateNotFoundFault"
    )


@pytest.mark.usefixtures("caches")
def test_a_node_whose_version_is_gone_starts_with_its_successor(paper):
    Engines(paper.store, Found("7.0.16")).note()
    one = next(c for c in paper.world.all(CacheCluster) if c.name == "one")
    assert one.engine_version == "7.0.15", "as long as it runs"

    paper.write(lambda tx: node_silent(tx, one.id, "0001"))

    assert paper.world[CacheCluster, one.id].engine_version == "7.0.16"
