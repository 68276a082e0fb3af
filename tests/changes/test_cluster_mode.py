"""From cluster mode disabled to enabled, and back from the middle, with real engines and clients that write."""

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


def mode(yard, name, to):
    shown = yard.change(name, ClusterMode=to)
    yard.available(name)
    return shown


@pytest.mark.parametrize(("engine", "version"), [("valkey", "9.1"), ("redis", "7.0")])
def test_a_group_goes_into_cluster_mode_and_serves_clients_of_both_protocols(yard, engine, version):
    yard.needs(engine, version)
    name = f"mode-{engine}"
    yard.group(name, engine, version, 3)
    endpoint = yard.endpoint(name)
    yard.redis(endpoint, "SET", "kept", "yes")

    with yard.writing(endpoint) as said:
        shown = mode(yard, name, "compatible")

    assert said["lost"] == []
    assert (shown["Status"], shown["PendingModifiedValues"]) == ("modifying", {"ClusterMode": "compatible"})
    group = yard.described(name)
    assert group["ClusterMode"] == "compatible"
    everywhere = group["ConfigurationEndpoint"]["Address"]
    assert yard.endpoint(name) == endpoint  # the names of cluster mode disabled are there still
    assert yard.redis(endpoint, "GET", "kept") == "yes"
    assert "cluster_state:ok" in yard.redis(everywhere, "CLUSTER", "INFO")
    assert yard.atoll.inside(yard.instance, f"redis-cli -c -h {everywhere} GET kept").strip() == "yes"
    assert yard.redis(endpoint, "WAIT", "2", "3000") == "2"
    gossip = yard.redis(endpoint, "CLUSTER", "NODES")
    assert (gossip.count("slave"), gossip.count("fail")) == (2, 0)

    with yard.writing(everywhere) as said:
        mode(yard, name, "enabled")

    assert (said["lost"], said["errors"]) == ([], [])
    (shard,) = yard.described(name)["NodeGroups"]
    assert (shard["Slots"], "PrimaryEndpoint" in shard) == ("0-16383", False)
    parameters = yard.cluster(f"{name}-001")["CacheParameterGroup"]["CacheParameterGroupName"]
    assert parameters.endswith(".cluster.on")


def test_a_compatible_group_goes_back_to_where_it_came_from(yard):
    yard.needs("valkey", "9.1")
    yard.group("back", "valkey", "9.1", 2)
    endpoint = yard.endpoint("back")
    mode(yard, "back", "compatible")
    yard.redis(endpoint, "SET", "kept", "yes")

    with yard.writing(endpoint) as said:
        mode(yard, "back", "disabled")

    assert said["lost"] == []
    assert "ConfigurationEndpoint" not in yard.described("back")
    assert yard.redis(endpoint, "GET", "kept") == "yes"
    assert "cluster_enabled:0" in yard.redis(endpoint, "INFO", "cluster")
    assert yard.redis(endpoint, "WAIT", "1", "3000") == "1"


def test_keys_in_another_database_keep_a_group_out_of_cluster_mode(yard):
    yard.needs("valkey", "9.1")
    yard.group("many", "valkey", "9.1", 2)
    endpoint = yard.endpoint("many")
    yard.redis(endpoint, "-n", "3", "SET", "a", "1")

    mode(yard, "many", "compatible")

    assert yard.described("many")["ClusterMode"] == "disabled"
    told = yard.told("many", "replication-group")
    assert any("there are keys in db3" in line for line in told), told
    assert yard.redis(endpoint, "-n", "3", "GET", "a") == "1"
