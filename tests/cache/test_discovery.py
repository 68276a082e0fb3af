"""What nodes tell clients of their cluster."""

from atoll.cache import transitions
from atoll.cache.discovery import payload, version_of
from atoll.cache.plan import of_cluster
from tests.cache.worlds import Life, cluster, interface, node


def world_with(*nodes, **more):
    life = Life()
    made = cluster("myCluster".lower(), *nodes, engine="memcached", version="1.6.18", **more)
    life.put(*(interface(f"eni-{n}", f"10.0.1.{n}") for n in range(1, 5)), made)
    return life, made


def told(life, made):
    """Return the version and the nodes' addresses that are told."""
    version, nodes, end = payload(life.world, life.world[type(made), made.id]).decode().split("\n")
    assert end == ""
    return int(version), [node.split("|")[1] for node in nodes.split(" ") if node]


def test_the_answer_has_the_documented_form():
    life, made = world_with(node("eni-2", id="0002"), node("eni-1"), configuration_version=12, port=11300)

    found = payload(life.world, made)

    name = "mycluster.q7io1l.{}.use1.cache.amazonaws.com"
    assert found.decode() == f"12\n{name.format('0001')}|10.0.1.1|11300 {name.format('0002')}|10.0.1.2|11300\n"
    assert version_of(found) == 12


def test_a_new_node_is_told_when_it_serves_and_one_that_leaves_at_once():
    nodes = node("eni-1", status="available"), node("eni-2", id="0002", status="rebooting")
    life, made = world_with(*nodes, node("eni-3", id="0003"), status="modifying")
    assert told(life, made) == (1, ["10.0.1.1", "10.0.1.2"]), "a node that is started again stays"

    life.write(transitions.node_answered, made.id, "0003")
    assert told(life, made) == (2, ["10.0.1.1", "10.0.1.2", "10.0.1.3"])


def test_a_node_that_leaves_runs_until_the_others_have_told_so():
    leaving = node("eni-2", id="0002", status="deleting")
    life, made = world_with(
        node("eni-1", status="available"), leaving, status="modifying", configuration_version=2, announced_version=1
    )
    assert told(life, made) == (2, ["10.0.1.1"])
    assert [plan.node_id for plan in of_cluster(life.world, made)] == ["0001", "0002"]

    life.write(transitions.announced, made.id, 2)

    assert [plan.node_id for plan in of_cluster(life.world, life.world[type(made), made.id])] == ["0001"]
