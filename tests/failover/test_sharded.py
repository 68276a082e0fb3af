"""Cluster mode with real engines: nine nodes, a cluster client, and shards that lose their primaries."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.daemon.atoll import own_mode, running, until
from tests.failover.conftest import NODE, Ward
from tests.failover.sharded import Sharded

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


@pytest.fixture(scope="module", params=["valkey", "redis"])
def sharded(request: pytest.FixtureRequest) -> Iterator[Sharded]:
    with running(own_mode()) as atoll:
        engines = atoll.client("elasticache").describe_cache_engine_versions()["CacheEngineVersions"]
        if request.param not in {v["Engine"] for v in engines}:
            pytest.skip(f"NOT TESTED: no {request.param} on this machine")
        yield Sharded(Ward(atoll, request.param, group=False))


def test_a_cluster_client_finds_all_slots_by_the_configuration_endpoint(sharded):
    said = sharded.run("""
        for n in range(300):
            client.set(f"k{n}", n)
        print(all(client.get(f"k{n}") == str(n).encode() for n in range(300)))
        print(sorted({node.host for node in client.get_primaries()}), len(client.get_replicas()))
        """)

    answer, nodes = said.splitlines()
    assert answer == "True"
    assert nodes == f"{sorted(sharded.addresses()[name] for name in sharded.primaries().values())} 6"
    assert sharded.everybody("CLUSTER", "INFO").count("cluster_state:ok") == 9
    until(lambda: sharded.everybody("CLUSTER", "INFO").count("cluster_known_nodes:9") == 9, what="them all")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_primary_is_replaced_and_the_other_shards_do_not_notice(sharded, number):
    old = sharded.primaries()
    lost, key = old["0002"], sharded.key("0002")
    assert sharded.run(f"print(client.set({key!r}, 'yes'))") == "True"

    os.kill(sharded.ward.pid(lost), number)
    until(lambda: sharded.primaries()["0002"] not in (lost, None), 20.0, "a new primary")
    sharded.ward.available("shards")

    new = sharded.primaries()
    assert {k: v for k, v in new.items() if k != "0002"} == {k: v for k, v in old.items() if k != "0002"}
    assert sharded.run(f"print(client.get({key!r}), client.set({key!r}, 1))") == "b'yes' True"
    assert "role:slave" in sharded.redis(lost, "INFO", "replication")
    events = sharded.ward.messages("shards")
    assert events[-1] == f"Failover from primary node {lost} to replica node {new['0002']} completed"


def test_test_failover_of_one_shard_replaces_its_primary_and_clients_go_on(sharded):
    old = sharded.primaries()
    pid = sharded.ward.pid(old["0003"])

    sharded.ward.cache.test_failover(ReplicationGroupId="shards", NodeGroupId="0003")
    sharded.ward.available("shards")

    new = sharded.primaries()
    assert new["0003"] != old["0003"]
    assert (new["0001"], new["0002"]) == (old["0001"], old["0002"])
    assert sharded.ward.pid(old["0003"]) != pid
    assert "Test Failover API called for node group 0003" in sharded.ward.messages("shards")
    acts = [step["act"] for step in sharded.steps("0003") if step["act"] != "follow"]
    assert acts[-3:] == ["pause", "promote", "publish"]


def test_replicas_come_into_all_shards_and_leave_without_a_trace(sharded):
    cache = sharded.ward.cache
    asked = {"ReplicationGroupId": "shards", "ApplyImmediately": True}

    cache.increase_replica_count(**asked, ReplicaConfiguration=[{"NodeGroupId": "0001", "NewReplicaCount": 3}])
    sharded.ward.available("shards")
    until(lambda: sharded.everybody("CLUSTER", "INFO").count("cluster_known_nodes:10") == 10, what="that all know it")
    until(lambda: sharded.run("print(len(client.get_replicas()))") == "7", what="that all list it")

    cache.decrease_replica_count(**asked, ReplicasToRemove=["shards-0001-004"])
    sharded.ward.available("shards")
    until(lambda: sharded.everybody("CLUSTER", "INFO").count("cluster_known_nodes:9") == 9, what="that all forget it")


def test_a_group_that_is_lost_as_a_whole_comes_back_empty_with_all_its_slots(sharded):
    for name in sharded.members():
        os.kill(sharded.ward.pid(name), signal.SIGKILL)

    until(lambda: sharded.ward.described("shards")["Status"] == "modifying", what="that it is noticed")
    sharded.ward.available("shards")

    assert sharded.run("print(client.dbsize(), sum(client.set(f'new{n}', n) for n in range(100)))") == "0 100"
    whole = "cluster_slots_ok:16384"
    until(lambda: sharded.everybody("CLUSTER", "INFO").count(whole) == 9, what="that all know of every slot")


def test_the_next_daemon_finishes_the_failover_of_a_shard_and_adopts_the_rest(sharded):
    lost = sharded.primaries()["0001"]
    pids = {name: sharded.ward.pid(name) for name in sharded.members() if name != lost}
    key = sharded.key("0001")
    assert sharded.run(f"print(client.set({key!r}, 'yes'))") == "True"
    begun = sharded.atoll.log.stat().st_size

    os.kill(sharded.ward.pid(lost), signal.SIGKILL)
    until(lambda: '"act": "choose"' in sharded.atoll.said(begun), what="a choice")
    sharded.atoll.kill()
    sharded.atoll.up()

    until(lambda: sharded.primaries()["0001"] != lost, 20.0, "a new primary")
    sharded.ward.available("shards")
    assert sharded.run(f"print(client.get({key!r}), client.set('after', 1))") == "b'yes' True"
    assert {name: sharded.ward.pid(name) for name in pids} == pids


def test_the_next_daemon_finishes_a_group_that_was_being_created(sharded):
    sharded.ward.cache.create_replication_group(
        ReplicationGroupId="more",
        ReplicationGroupDescription="x",
        Engine=sharded.ward.engine,
        NodeGroupConfiguration=[{"Slots": "0-99"}, {"Slots": "100-16383", "ReplicaCount": 1}],
        AutomaticFailoverEnabled=True,
        ClusterMode="enabled",
        **NODE,
    )
    sharded.atoll.kill()
    sharded.atoll.up()

    sharded.ward.available("more")
    assert [s["Slots"] for s in sharded.ward.described("more")["NodeGroups"]] == ["0-99", "100-16383"]
    endpoint = sharded.ward.described("more")["ConfigurationEndpoint"]["Address"]
    assert sharded.run("print(sum(client.set(f'k{n}', n) for n in range(300)))", endpoint) == "300"
    sharded.ward.cache.delete_replication_group(ReplicationGroupId="more")
    until(lambda: len(sharded.ward.cache.describe_replication_groups()["ReplicationGroups"]) == 1, 20.0, "its end")


@pytest.mark.parametrize("fault", ["kill", "partition", "planned"])
def test_a_drill_of_the_first_shard_loses_no_acknowledged_write(sharded, fault):
    old = sharded.primaries()["0001"]

    found = sharded.drill(fault)

    assert found["lost"] == []
    assert found["outage_ms"] is not None
    assert sharded.primaries()["0001"] != old
    print(f"{sharded.ward.engine} {fault}: {found['outage_ms']} ms")
