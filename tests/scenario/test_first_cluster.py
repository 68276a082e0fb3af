"""Rows 79 to 82 and 85: a first cluster, the application that uses it, and the network that is its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.shop import Shop
from tests.scenario.stage import ANYWHERE, CLIENT, NODE_TYPE, QUICK, Stage, refused_with

# An application as it was before it moved: it knows a host name and a port, and nothing of AWS.
APPLICATION = """
import redis, sys
from redis.backoff import NoBackoff
from redis.retry import Retry
once = {"socket_timeout": 3, "retry": Retry(NoBackoff(), 0)}
cache = redis.Redis(sys.argv[1], int(sys.argv[2]), decode_responses=True, **once)
try:
    with cache.pipeline() as pipe:
        pipe.delete("visits", "board").incr("visits").zadd("board", {"ann": 3, "bob": 5}).execute()
    print(cache.get("visits"), cache.zrevrange("board", 0, -1), cache.expire("board", 60))
except redis.exceptions.RedisError as error:
    print(type(error).__name__)
"""
EXPECTED = "1 ['bob', 'ann'] True"


def aws(stage: Stage, *words: str) -> Any:
    """Run the AWS CLI with AWS_ENDPOINT_URL alone; returns its answer."""
    program = shutil.which("aws", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("NO AWS CLI: it is not installed beside Python; bin/setup installs it")
    done = stage.atoll.start_process([program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.communicate(timeout=60)[0].decode()
    assert done.returncode == 0, f"aws {' '.join(words)} -> {done.returncode}: {said}"
    return json.loads(said) if said.strip() else None


def test_row_079_one_cluster_is_made_changed_and_deleted_by_different_clients(stage: Stage, shop: Shop) -> None:
    """By the SDK and by the CLI here; tests/clients/test_terraform_scenario.py does it with Terraform."""
    name = stage.cluster("memcached", shop.subnet_group, shop.group)
    (seen,) = aws(stage, "elasticache", "describe-cache-clusters", "--cache-cluster-id", name)["CacheClusters"]
    assert (seen["CacheClusterStatus"], seen["NumCacheNodes"]) == ("available", 1)

    change = ("--cache-cluster-id", name, "--num-cache-nodes", "2", "--apply-immediately")
    aws(stage, "elasticache", "modify-cache-cluster", *change)
    stage.cache.get_waiter("cache_cluster_available").wait(CacheClusterId=name, WaiterConfig=QUICK)
    assert len(stage.endpoints(name)) == 2  # scaled for the other client, too

    aws(stage, "elasticache", "delete-cache-cluster", "--cache-cluster-id", name)
    stage.cache.get_waiter("cache_cluster_deleted").wait(CacheClusterId=name, WaiterConfig=QUICK)
    refused_with("CacheClusterNotFound", stage.cache.describe_cache_clusters, CacheClusterId=name)


def test_row_080_an_application_moves_with_nothing_but_another_host_name(stage: Stage, shop: Shop) -> None:
    def says(host: str, port: int) -> str:
        return stage.run(shop.app, [stage.python, "-c", APPLICATION, host, str(port)]).output.strip()

    (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=shop.valkey)["ReplicationGroups"]
    primary = found["NodeGroups"][0]["PrimaryEndpoint"]
    endpoints = [*stage.endpoints(shop.redis), (primary["Address"], primary["Port"])]
    assert [says(host, port) for host, port in endpoints] == [EXPECTED] * 2
    with stage.without(shop.group, 6379, ANYWHERE):
        assert says(*endpoints[0]) == "TimeoutError"


def test_row_081_an_application_needs_a_name_and_a_port(stage: Stage, shop: Shop) -> None:
    """The name and the port that the API tells are all that is typed; from outside they lead nowhere."""
    for cluster in (shop.redis, shop.memcached):
        name, port = stage.endpoints(cluster)[0]
        assert stage.typed(shop.app, f"getent hosts {name}").split()[0] in stage.node_addresses(cluster)
        assert stage.connects(shop.app, name, port)
        assert not stage.reach(CLIENT, name, port, seconds=0.6).startswith("connected")
    without = stage.cache.describe_cache_clusters(CacheClusterId=shop.redis)["CacheClusters"][0]
    assert "CacheNodes" not in without  # ShowCacheNodeInfo asks for them


def test_row_082_a_redis_cluster_is_the_first_thing_to_create(stage: Stage, shop: Shop) -> None:
    cluster = stage.cluster("redis", shop.subnet_group, shop.group)
    group = stage.replication_group("redis", shop.subnet_group, shop.group, 1)
    for node in (cluster, *stage.members(group)):
        assert stage.redis(shop.app, stage.node_addresses(node)[0], 6379, "PING") == "PONG"
    call = {"CacheClusterId": cluster, "Engine": "redis", "CacheNodeType": NODE_TYPE, "NumCacheNodes": 1}
    refused_with("CacheClusterAlreadyExists", stage.cache.create_cache_cluster, **call)
    call = {"CacheClusterId": stage.name("redis"), "Engine": "redis", "CacheNodeType": NODE_TYPE, "NumCacheNodes": 2}
    refused_with("InvalidParameterValue", stage.cache.create_cache_cluster, **call)
    stage.delete_cluster(cluster)
    stage.delete_replication_group(group)


def test_row_085_one_network_is_split_into_parts_that_do_not_see_each_other(stage: Stage, shop: Shop) -> None:
    """Two VPCs of one account, on one machine: nothing that one sends arrives in the other, whatever it opens."""
    other = stage.vpc("10.9.0.0/16")
    group = stage.group(other)
    for port in (22, 6379, 11211):
        stage.allow(group, port, ANYWHERE)
    stranger = stage.instance(stage.subnet(other, "10.9.0.0/24"), group)
    fellow = stage.instance(shop.private, shop.group)
    targets = [(stage.node_addresses(shop.redis)[0], 6379), (stage.node_addresses(shop.memcached)[0], 11211)]
    for address, port in targets:
        assert stage.connects(fellow, address, port)
        assert stage.is_dropped(stranger, address, port)
        assert stage.refusal(stranger, address, port).code == "NO_ROUTE_TO_DESTINATION"
    assert stage.is_dropped(fellow, stage.address(stranger), 22)
    assert stage.connects(stranger, stage.address(stranger), 22)
    stage.terminate(stranger, fellow)
