"""Cluster mode with real engines: nine nodes, a cluster client, and shards that lose their primaries."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.daemon.atoll import own_mode, running, until
from tests.failover.conftest import Ward
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
    said = sharded.everybody("CLUSTER", "INFO")
    assert said.count("cluster_state:ok") == said.count("cluster_known_nodes:9") == 9


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_primary_is_replaced_and_the_other_shards_do_not_notice(sharded, number):
    old = sharded.primaries()
    sharded.run("client.set('kept{b}', 'yes')\nprint(client.get('kept{b}'))")
    lost = old["0002"]

    os.kill(sharded.ward.pid(lost), number)
    until(lambda: sharded.primaries()["0002"] not in (lost, None), 20.0, "a new primary")
    sharded.ward.available("shards")

    new = sharded.primaries()
    assert {k: v for k, v in new.items() if k != "0002"} == {k: v for k, v in old.items() if k != "0002"}
    assert sharded.run("print(client.get('kept{b}'), client.set('after{b}', 1))") == "b'yes' True"
    assert "role:slave" in sharded.redis(lost, "INFO", "replication")
    events = sharded.ward.messages("shards")
    assert events[-1] == f"Failover from primary node {lost} to replica node {new['0002']} completed"
