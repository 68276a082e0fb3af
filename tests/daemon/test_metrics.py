"""Metrics of real engines: what clients do is seen by a Prometheus server, by boto3 and by the AWS CLI."""

import json
import re
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from tests.daemon.atoll import running, until
from tests.daemon.stage import Stage

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

TALK = "exec 3<>/dev/tcp/{address}/{port}; printf '{lines}' >&3; timeout 1 cat <&3"
VALKEY = r"SET a 1\r\nGET a\r\nGET a\r\nGET none\r\n"
MEMCACHED = r"set a 0 0 1\r\n1\r\nget a\r\nget none\r\n"


def scrape(atoll):
    """Return the values of what is measured, by metric, cluster and node."""
    with urllib.request.urlopen(f"{atoll.url}/_atoll/metrics", timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    line = re.compile(r'^(\w+)\{.*cache_cluster_id="([^"]+)",cache_node_id="(\d+)"\} (\S+)$', re.M)
    return {(metric, cluster, node): float(value) for metric, cluster, node, value in line.findall(text)}


def test_prometheus_and_cloudwatch_see_what_clients_do():
    with running(started=False) as atoll:
        atoll.up("--metrics-seconds", "1")
        stage = Stage(atoll)
        for cache, lines in (("val-001", VALKEY), ("mem", MEMCACHED)):
            address, port = stage.node(cache)
            atoll.cli("exec", stage.instance, "bash", "-c", TALK.format(address=address, port=port, lines=lines),
                      ok=False)  # fmt: skip

        found = scrape(atoll)

        of = {name.removeprefix("atoll_elasticache_"): value for (name, cluster, node), value in found.items()
              if (cluster, node) == ("val-001", "0001")}  # fmt: skip
        assert (of["cache_hits_total"], of["cache_misses_total"]) == (2.0, 1.0)
        assert (of["is_master"], of["curr_items"]) == (1.0, 1.0)
        assert of["get_type_cmds_total"] == 3.0
        assert found["atoll_elasticache_is_master", "val-002", "0001"] == 0.0
        assert found["atoll_elasticache_master_link_health_status", "val-002", "0001"] == 1.0
        assert 0 < of["database_memory_usage_percentage"] < 100
        assert of["network_bytes_in_total"] > 0
        memcached = {node: found["atoll_elasticache_get_hits_total", "mem", node] for node in ("0001", "0002")}
        assert memcached == {"0001": 1.0, "0002": 0.0}
        assert found["atoll_elasticache_get_misses_total", "mem", "0001"] == 1.0

        cloudwatch = atoll.client("cloudwatch")
        until(lambda: summed(cloudwatch, "CacheHits", "val-001") == 2.0, what="the sample of the hits")
        until(lambda: summed(cloudwatch, "GetMisses", "mem") == 1.0, what="the sample of the misses")
        until(lambda: summed(cloudwatch, "NetworkBytesIn", "val-001") > 0, what="the sample of the bytes")
        assert summed(cloudwatch, "CacheHits", "val-002") == 0.0
        usage = cloudwatch.list_metrics(Namespace="AWS/ElastiCache", MetricName="EngineCPUUtilization")["Metrics"]
        assert {d["Value"] for m in usage for d in m["Dimensions"]} >= {"val-001", "val-002", "0001"}
        assert float(by_cli(atoll, "CacheHits", "val-001")) == 2.0

        atoll.reset()

        assert cloudwatch.list_metrics()["Metrics"] == []


def test_a_nat_gateway_is_measured_too():
    with running(started=False) as atoll:
        atoll.up("--metrics-seconds", "1")
        ec2, cloudwatch = atoll.client("ec2"), atoll.client("cloudwatch")
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
        ec2.get_waiter("nat_gateway_available").wait(
            NatGatewayIds=[gateway], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

        text = urllib.request.urlopen(f"{atoll.url}/_atoll/metrics", timeout=10).read().decode()

        line = rf'^atoll_nat_gateway_active_connection_count{{.*nat_gateway_id="{gateway}"}} 0.0$'
        assert re.search(line, text, re.M)
        of = {"Namespace": "AWS/NATGateway", "Dimensions": [{"Name": "NatGatewayId", "Value": gateway}]}
        until(lambda: cloudwatch.list_metrics(**of)["Metrics"], what="the sample of the gateway")
        names = {m["MetricName"] for m in cloudwatch.list_metrics(**of)["Metrics"]}
        assert names >= {"ActiveConnectionCount", "BytesOutToDestination", "ErrorPortAllocation", "PacketsDropCount"}


def over():
    now = datetime.now(UTC)
    return now - timedelta(minutes=10), now + timedelta(minutes=1)


def summed(cloudwatch, metric, cluster):
    begin, end = over()
    found = cloudwatch.get_metric_statistics(
        Namespace="AWS/ElastiCache", MetricName=metric, StartTime=begin, EndTime=end, Period=3600, Statistics=["Sum"],
        Dimensions=[{"Name": "CacheClusterId", "Value": cluster}],
    )["Datapoints"]  # fmt: skip
    return found[0]["Sum"] if found else None


def by_cli(atoll, metric, cluster):
    """Ask by the AWS CLI, as it is."""
    begin, end = over()
    stat = {"Metric": {"Namespace": "AWS/ElastiCache", "MetricName": metric,
            "Dimensions": [{"Name": "CacheClusterId", "Value": cluster}]}, "Period": 3600, "Stat": "Sum"}  # fmt: skip
    command = [
        *(sys.executable, "-m", "awscli", "cloudwatch", "get-metric-data"),
        *("--metric-data-queries", json.dumps([{"Id": "m", "MetricStat": stat}])),
        *("--start-time", begin.isoformat(), "--end-time", end.isoformat()),
        *("--query", "sum(MetricDataResults[0].Values)", "--output", "text"),
    ]
    process = atoll.start_process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    return said.decode()
