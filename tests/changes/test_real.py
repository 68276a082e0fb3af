"""Changes of engine, version and node type with real engines, and clients that write meanwhile."""

import pytest

from tests.daemon.atoll import until

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


def versions(yard, name):
    members = yard.described(name)["MemberClusters"]
    return {(c["Engine"], c["EngineVersion"].rpartition(".")[0]) for c in map(yard.cluster, members)}


def test_a_group_is_upgraded_from_redis_oss_to_valkey_and_no_acknowledged_write_is_lost(yard):
    yard.needs("redis", "7.0")
    yard.needs("valkey", "9.1")
    yard.group("up", "redis", "7.0", 3)
    old = yard.primary("up")

    with yard.writing(yard.endpoint("up")) as said:
        shown = yard.change("up", Engine="valkey", EngineVersion="9.1")
        assert shown["Status"] == "modifying"
        yard.available("up")

    assert said["lost"] == []
    assert versions(yard, "up") == {("valkey", "9.1")}
    assert yard.described("up")["Engine"] == "valkey"
    assert yard.cluster("up-001")["CacheParameterGroup"]["CacheParameterGroupName"] == "default.valkey9"
    assert yard.primary("up") != old
    assert "valkey_version:9.1" in yard.redis(yard.endpoint("up"), "INFO", "server")
    assert yard.redis(yard.endpoint("up"), "WAIT", "2", "3000") == "2"


def test_a_node_without_a_replica_keeps_its_data_through_two_upgrades(yard):
    yard.needs("redis", "6.2")
    yard.needs("redis", "7.0")
    yard.needs("valkey", "9.1")
    yard.group("one", "redis", "6.2", 1)
    address = yard.endpoint("one")
    yard.redis(address, "SET", "kept", "yes")

    with yard.writing(address) as said:
        yard.change("one", EngineVersion="7.0", CacheParameterGroupName="default.redis7")
        yard.available("one")
    assert said["lost"] == []
    assert versions(yard, "one") == {("redis", "7.0")}
    with yard.writing(address) as said:
        yard.change("one", Engine="valkey", EngineVersion="9.1")
        yard.available("one")

    assert said["lost"] == []
    assert versions(yard, "one") == {("valkey", "9.1")}
    assert yard.redis(address, "GET", "kept") == "yes"


def test_a_node_type_changes_in_place_and_clients_do_not_notice(yard):
    yard.needs("valkey", "9.1")
    yard.group("size", "valkey", "9.1", 2)
    address, pid = yard.endpoint("size"), yard.pid("size-001")

    with yard.writing(address) as said:
        yard.change("size", CacheNodeType="cache.t3.small")
        yard.available("size")

    assert said["lost"] == []
    assert said["errors"] == []
    assert yard.described("size")["CacheNodeType"] == "cache.t3.small"
    assert {yard.cluster(c)["CacheNodeType"] for c in ("size-001", "size-002")} == {"cache.t3.small"}
    assert yard.pid("size-001") == pid
    assert "maxmemory:1103269724" in yard.redis(address, "INFO", "memory")


def test_a_single_cluster_keeps_its_data_and_is_not_made_too_small(yard):
    yard.needs("redis", "6.2")
    yard.needs("redis", "7.0")
    tight = {"ParameterName": "reserved-memory-percent", "ParameterValue": "99"}
    for family in ("redis6.x", "redis7"):
        yard.cache.create_cache_parameter_group(
            CacheParameterGroupName=family.replace(".", ""), CacheParameterGroupFamily=family, Description="x"
        )
        yard.cache.modify_cache_parameter_group(
            CacheParameterGroupName=family.replace(".", ""), ParameterNameValues=[tight]
        )
    yard.cache.create_cache_cluster(
        CacheClusterId="alone", Engine="redis", EngineVersion="6.2", NumCacheNodes=1,
        CacheNodeType="cache.t3.small", CacheParameterGroupName="redis6x",
    )  # fmt: skip
    yard.cluster_available("alone")
    address = yard.cluster("alone")["CacheNodes"][0]["Endpoint"]["Address"]
    yard.redis(address, "SETRANGE", "large", "8000000", "x")

    yard.cache.modify_cache_cluster(CacheClusterId="alone", CacheNodeType="cache.t3.micro", ApplyImmediately=True)
    yard.cluster_available("alone")
    assert yard.cluster("alone")["CacheNodeType"] == "cache.t3.small"
    told = "Failed applying modification to cache node type to cache.t3.micro."
    assert yard.told("alone", "cache-cluster")[-1] == told

    yard.cache.modify_cache_cluster(
        CacheClusterId="alone", EngineVersion="7.0", CacheParameterGroupName="redis7", ApplyImmediately=True
    )
    yard.cluster_available("alone")

    assert yard.cluster("alone")["EngineVersion"].startswith("7.0.")
    assert yard.redis(address, "STRLEN", "large") == "8000001"
    assert "maxmemory:14710262" in yard.redis(address, "INFO", "memory")


def test_a_newer_patch_that_comes_while_nodes_run_is_applied_to_them(yard):
    yard.needs("redis", "7.0")
    yard.group("patch", "redis", "7.0", 2)
    yard.redis(yard.endpoint("patch"), "SET", "kept", "yes")
    yard.install_redis("7.0.99")
    updates = yard.cache.describe_service_updates
    until(lambda: updates()["ServiceUpdates"], 30.0, "an update")
    (update,) = updates()["ServiceUpdates"]

    yard.cache.batch_apply_update_action(ServiceUpdateName=update["ServiceUpdateName"], ReplicationGroupIds=["patch"])
    yard.available("patch")

    assert {yard.cluster(c)["EngineVersion"] for c in ("patch-001", "patch-002")} == {"7.0.99"}
    assert yard.redis(yard.endpoint("patch"), "GET", "kept") == "yes"
    asked = {"ReplicationGroupIds": ["patch"]}
    until(
        lambda: yard.cache.describe_update_actions(**asked)["UpdateActions"][0]["UpdateActionStatus"] == "complete",
        30.0,
        "a complete update",
    )


def test_a_group_in_cluster_mode_is_upgraded_whatever_replicas_its_shards_have(yard):
    yard.needs("redis", "7.0")
    yard.needs("valkey", "9.1")
    yard.cache.create_replication_group(
        ReplicationGroupId="wide", ReplicationGroupDescription="x", Engine="redis", EngineVersion="7.0",
        NumNodeGroups=2, NodeGroupConfiguration=[{"ReplicaCount": 1}, {"ReplicaCount": 0}],
        AutomaticFailoverEnabled=True, CacheNodeType="cache.t3.micro",
    )  # fmt: skip
    yard.available("wide")
    address = yard.described("wide")["ConfigurationEndpoint"]["Address"]
    every = "for n in 0 1 2 3 4 5 6 7; do redis-cli -c -h {} {}; done"  # in both shards
    yard.atoll.inside(yard.instance, every.format(address, "SET kept$n $n"))

    yard.change("wide", Engine="valkey", EngineVersion="9.1", CacheNodeType="cache.t3.small")
    yard.available("wide")

    found = [yard.cluster(cluster) for cluster in yard.described("wide")["MemberClusters"]]
    assert {(c["Engine"], c["CacheNodeType"]) for c in found} == {("valkey", "cache.t3.small")}
    assert found[0]["CacheParameterGroup"]["CacheParameterGroupName"] == "default.valkey9.cluster.on"
    assert yard.atoll.inside(yard.instance, every.format(address, "GET kept$n")).split() == list("01234567")


def test_tls_and_the_auth_token_outlive_an_upgrade(yard):
    yard.needs("redis", "7.0")
    yard.needs("valkey", "9.1")
    token = "sixteen-characters"
    yard.group("sealed", "redis", "7.0", 2, TransitEncryptionEnabled=True, AuthToken=token)
    address, asked = yard.endpoint("sealed"), ("--tls", "--insecure", "--no-auth-warning", "-a", token)
    yard.redis(address, *asked, "SET", "kept", "yes")

    yard.change("sealed", Engine="valkey", EngineVersion="9.1")
    yard.available("sealed")

    assert yard.redis(address, *asked, "GET", "kept") == "yes"
    assert "NOAUTH" in yard.redis(address, "--tls", "--insecure", "GET", "kept")
    assert yard.cluster("sealed-001")["Engine"] == "valkey"
