"""Sampling: what a host says becomes samples, and text for Prometheus."""

import asyncio
from datetime import timedelta
from ipaddress import IPv4Address

import pytest

from atoll.admin.metrics import exposition
from atoll.cache.node import NodePlan
from atoll.cloudwatch.samples import KEPT_SECONDS, POINTS_MAX, Metric, Samples
from atoll.control.metrics import Sampler
from atoll.host.contract import HostError, LinkCount
from atoll.model.names import link_name
from atoll.model.nat_gateway import NatGateway
from tests.cache.worlds import ACCOUNT, NOW, REGION, Life, cluster, node

METRIC = Metric(ACCOUNT, REGION, "AWS/ElastiCache", "CurrItems", (("CacheClusterId", "c"),), "Count")
NAME = f"{ACCOUNT}/{REGION}/c"
PLAN = NodePlan(
    name=f"{NAME}:0001", cluster_id=NAME, node_id="0001", interface_id="eni-1", vpc_id="vpc-1", engine="memcached",
    version="1.6.18", boot=1, address=IPv4Address("10.0.1.9"), port=11211, memory_bytes=1000,
)  # fmt: skip
GATEWAY = NatGateway(
    id="nat-1", account=ACCOUNT, region=REGION, vpc_id="vpc-1", subnet_id="subnet-1", zone="us-east-1a",
    state="available", created=NOW, interface_id="eni-2",
)  # fmt: skip


class Lab:
    """A Memcached node and a NAT gateway that say what the test tells them to."""

    def __init__(self):
        life = Life()
        life.put(cluster("c", node("eni-1"), engine="memcached"), GATEWAY)
        self.machines, self.now, self.said, self.counts = {PLAN.process: PLAN}, NOW, {}, []
        self.link = LinkCount(0, 0, 0, 0)
        self.sampler = Sampler(lambda: life.world, lambda: self.machines, self, self, self._gateways, self._now, 60.0)

    async def statistics(self, plan):
        if self.said is None:
            raise HostError("it is silent", f"ask {plan.name}")
        return self.said

    async def traffic(self, vpc_ids, _):
        return {vpc: {link_name("eni-1"): self.link} for vpc in vpc_ids}, {}

    async def _gateways(self):
        return self.counts

    def _now(self):
        return self.now

    def look(self, said, seconds=60):
        """Let time pass, sample, and return the newest values by metric and dimensions."""
        self.now, self.said = self.now + timedelta(seconds=seconds), said
        asyncio.run(self.sampler.sample())
        at = self.now.timestamp()
        found = {}
        for metric in self.sampler.samples.metrics(ACCOUNT, REGION):
            for _, value in self.sampler.samples.points(metric, at, at + 1):
                found[metric.name] = value
        return found


@pytest.fixture
def lab():
    return Lab()


def test_what_was_counted_before_the_first_look_is_not_new(lab):
    assert "GetHits" not in lab.look({"get_hits": "900", "curr_items": "3"})
    found = lab.look({"get_hits": "905", "curr_items": "4"})
    assert (found["GetHits"], found["CurrItems"]) == (5.0, 4.0)


def test_a_node_that_came_later_is_new_altogether(lab):
    lab.machines = {}
    lab.look({})
    lab.machines = {PLAN.process: PLAN}
    assert lab.look({"get_hits": "7"})["GetHits"] == 7.0


def test_a_node_that_is_silent_has_no_sample_and_loses_nothing(lab):
    lab.look({"get_hits": "10"})
    assert "GetHits" not in lab.look(None)
    assert lab.look({"get_hits": "14"})["GetHits"] == 4.0


def test_a_node_that_booted_again_counts_anew(lab):
    lab.look({"get_hits": "10"})
    again = NodePlan(**{f: getattr(PLAN, f) for f in PLAN.__slots__} | {"boot": 2})
    lab.machines = {again.process: again}
    assert lab.look({"get_hits": "12"})["GetHits"] == 12.0


def test_what_a_router_sends_a_node_receives(lab):
    lab.look({"curr_items": "0"})
    lab.link = LinkCount(received=1, received_bytes=100, sent=2, sent_bytes=200)
    found = lab.look({"curr_items": "0"})
    assert (found["NetworkBytesIn"], found["NetworkBytesOut"]) == (200.0, 100.0)
    assert (found["NetworkPacketsIn"], found["NetworkPacketsOut"]) == (2.0, 1.0)


def test_gateways_have_theirs(lab):
    lab.machines, lab.counts = {}, [(GATEWAY, {"BytesOutToDestination": 10, "ActiveConnectionCount": 2})]
    lab.look({})
    lab.counts = [(GATEWAY, {"BytesOutToDestination": 15, "ActiveConnectionCount": 1})]
    assert lab.look({}) == {"BytesOutToDestination": 5.0, "ActiveConnectionCount": 1.0}
    units = {m.name: (m.unit, m.dimensions) for m in lab.sampler.samples.metrics(ACCOUNT, REGION)}
    of = (("NatGatewayId", "nat-1"),)
    assert units == {"BytesOutToDestination": ("Bytes", of), "ActiveConnectionCount": ("Count", of)}


def test_a_reset_forgets_all(lab):
    lab.look({"get_hits": "10"})
    lab.sampler.forget()
    assert lab.sampler.samples.metrics(ACCOUNT, REGION) == []
    assert "GetHits" not in lab.look({"get_hits": "11"})


def test_a_reset_while_nodes_are_asked_keeps_nothing_of_them(lab):
    async def reset_and_answer(_):
        lab.sampler.forget()
        return {"curr_items": "1"}

    lab.statistics = reset_and_answer
    assert lab.look({}) == {}


def test_prometheus_reads_totals_and_gauges_with_their_labels(lab):
    lab.said, lab.counts = {"get_hits": "900", "curr_items": "3"}, [(GATEWAY, {"ActiveConnectionCount": 2})]
    lines = exposition(asyncio.run(lab.sampler.measure())).splitlines()
    labels = f'{{account="{ACCOUNT}",region="{REGION}",cache_cluster_id="c",cache_node_id="0001"}}'
    first = lines.index("# TYPE atoll_elasticache_get_hits_total counter")
    assert lines[first + 1] == f"atoll_elasticache_get_hits_total{labels} 900.0"
    assert f"atoll_elasticache_curr_items{labels} 3.0" in lines
    gateway = f'{{account="{ACCOUNT}",region="{REGION}",nat_gateway_id="nat-1"}}'
    assert f"atoll_nat_gateway_active_connection_count{gateway} 2.0" in lines
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(types) == len(set(types))


def test_nothing_measured_is_no_text():
    assert exposition([]) == ""


def test_samples_are_kept_for_three_hours_and_no_metric_for_longer():
    samples = Samples()
    samples.add(0.0, {METRIC: 1.0})
    samples.add(KEPT_SECONDS, {METRIC: 2.0})
    assert list(samples.points(METRIC, 0.0, 1e9)) == [(0.0, 1.0), (KEPT_SECONDS, 2.0)]
    samples.add(KEPT_SECONDS + 1, {})
    assert list(samples.points(METRIC, 0.0, 1e9)) == [(KEPT_SECONDS, 2.0)]
    samples.add(3 * KEPT_SECONDS, {})
    assert samples.metrics(ACCOUNT, REGION) == []


def test_a_metric_that_is_sampled_often_keeps_its_newest_points():
    samples = Samples()
    for second in range(POINTS_MAX + 5):
        samples.add(float(second), {METRIC: 0.0})
    assert [at for at, _ in samples.points(METRIC, 0.0, 1e9)] == [float(s) for s in range(5, POINTS_MAX + 5)]


def test_points_begin_at_the_begin_and_end_before_the_end():
    samples = Samples()
    for second in range(4):
        samples.add(float(second), {METRIC: float(second)})
    assert list(samples.points(METRIC, 1.0, 3.0)) == [(1.0, 1.0), (2.0, 2.0)]


def test_samples_of_others_are_not_ours():
    samples = Samples()
    samples.add(0.0, {METRIC: 1.0})
    assert samples.metrics(ACCOUNT, "eu-west-1") == samples.metrics("222222222222", REGION) == []
