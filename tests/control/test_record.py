"""What is seen of many nodes is written down together: a revision of each would make every loop look each time."""

import asyncio

import pytest

from atoll.cache.plan import Planner
from atoll.control import record
from atoll.control.record import Recorder
from atoll.host.paper import PaperHost
from atoll.model.cache import CacheCluster
from tests.api import caches
from tests.api.caches import NODE
from tests.api.paper import Paper
from tests.control.machine_loop import run_until

NODES = 7


@pytest.fixture
def paper():
    paper = Paper()
    caches.install(paper)
    cache, ec2 = paper.client("elasticache"), paper.client()
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="g", CacheSubnetGroupDescription="d", SubnetIds=[subnet]
    )
    for n in range(NODES):
        about = {"Engine": "redis", "CacheNodeType": NODE, "NumCacheNodes": 1, "CacheSubnetGroupName": "g"}
        cache.create_cache_cluster(CacheClusterId=f"c{n}", **about)
    return paper


def _plans(paper):
    return {node.process: node for node in Planner().nodes(paper.world)}


def _statuses(paper):
    return {node.status for cluster in paper.world.all(CacheCluster) for node in cluster.nodes}


def test_nodes_that_answer_together_are_one_revision(paper, monkeypatch):
    monkeypatch.setattr(record, "TOGETHER_MAX", NODES - 1)
    before = paper.world.revision

    Recorder(paper.store).answered(*_plans(paper).values())

    assert _statuses(paper) == {"available"}
    assert paper.world.revision == before + 2  # the seventh is too many for one


def test_nodes_that_are_missing_are_one_revision_and_only_those_that_were_there(paper):
    recorder, plans = Recorder(paper.store), list(_plans(paper).values())
    recorder.missing(plans)
    assert _statuses(paper) == {"creating"}
    recorder.answered(*plans)
    before = paper.world.revision

    recorder.missing([plan for plan in _plans(paper).values() if plan.name.endswith(("c0:0001", "c1:0001"))])

    assert _statuses(paper) == {"available", "rebooting"}
    assert paper.world.revision == before + 1


def test_the_machine_loop_writes_together_what_answers_while_it_wrote(paper):
    before = paper.world.revision

    asyncio.run(_until_serving(paper, NODES))

    assert _statuses(paper) == {"available"}
    assert paper.world.revision - before < NODES


def test_a_mistake_about_one_node_keeps_no_other_back(paper, monkeypatch):
    def answered(tx, cluster_id, node_id):
        assert not cluster_id.endswith("c0"), "planted"
        right(tx, cluster_id, node_id)

    right = record._answered
    monkeypatch.setattr(record, "_answered", answered)

    asyncio.run(_until_serving(paper, NODES - 1))

    assert _statuses(paper) == {"creating", "available"}


async def _until_serving(paper, count):
    """Run the machine loop until so many nodes are available."""

    def is_reached():
        return sum(cluster.nodes[0].status == "available" for cluster in paper.world.all(CacheCluster)) == count

    await run_until(paper, lambda: _plans(paper), PaperHost(), is_reached)
