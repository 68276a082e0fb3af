"""What the control loop saw, written down: in order, late, or twice."""

import pytest

from atoll.cache import transitions
from atoll.cache.endpoint import configuration_name, node_name, primary_name, reader_name, resolve
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.event import Event
from atoll.model.interface import Interface
from tests.cache.worlds import Life, cluster, group, interface, node


@pytest.fixture
def life():
    return Life()


@pytest.fixture
def mem(life):
    """The id of a Memcached cluster of two nodes, creating."""
    made = cluster("mem", node("eni-1"), node("eni-2", id="0002"), engine="memcached", version="1.6.18")
    life.put(interface("eni-1", "10.0.1.4"), interface("eni-2", "10.0.1.5"), made)
    return made.id


def statuses(life, id):
    found = life.world[CacheCluster, id]
    return [found.status, *(n.status for n in found.nodes)]


def answer(life, id, node_id):
    life.write(transitions.node_answered, id, node_id)
    life.write(transitions.settle, id)


def test_a_cluster_is_available_when_its_last_node_answered(life, mem):
    answer(life, mem, "0002")
    assert statuses(life, mem) == ["creating", "creating", "available"]

    answer(life, mem, "0001")

    assert statuses(life, mem) == ["available", "available", "available"]
    assert [e.message for e in life.world.all(Event)] == ["Cache cluster created"]


def test_what_was_seen_twice_changes_nothing(life, mem):
    for id in ("0001", "0002", "0001", "0002"):
        answer(life, mem, id)
    before = life.world[CacheCluster, mem]

    answer(life, mem, "0001")

    assert life.world[CacheCluster, mem] is before
    assert len(list(life.world.all(Event))) == 1


@pytest.mark.parametrize(
    "seen",
    [
        transitions.node_answered,
        transitions.node_silent,
        transitions.node_gone,
        lambda tx, id, node: transitions.node_failed(tx, id, node, "x"),
        lambda tx, id, _: transitions.settle(tx, id),
        lambda tx, id, _: transitions.cluster_gone(tx, id),
    ],
    ids=["answered", "silent", "gone", "failed", "settle", "cluster gone"],
)
def test_what_is_gone_meanwhile_changes_nothing(life, seen):
    life.write(seen, "000000000000/us-east-1/nobody", "0001")

    assert len(life.world) == 0


def test_a_node_that_is_leaving_does_not_come_back(life, mem):
    found = life.world[CacheCluster, mem]
    life.put(
        found.but(
            status="deleting", nodes=tuple(node(n.interface_id, id=n.id, status="deleting") for n in found.nodes)
        )
    )

    answer(life, mem, "0001")
    life.write(transitions.node_silent, mem, "0002")

    assert statuses(life, mem) == ["deleting", "deleting", "deleting"]


def test_a_living_cluster_is_not_gone(life, mem):
    life.write(transitions.node_gone, mem, "0001")
    life.write(transitions.cluster_gone, mem)

    assert statuses(life, mem) == ["creating", "creating", "creating"]
    assert len(list(life.world.all(Interface))) == 2


def test_a_node_that_died_recovers(life, mem):
    for id in ("0001", "0002"):
        answer(life, mem, id)

    life.write(transitions.node_silent, mem, "0001")
    assert statuses(life, mem) == ["available", "rebooting", "available"]
    answer(life, mem, "0001")

    assert statuses(life, mem) == ["available", "available", "available"]
    assert [e.message for e in life.world.all(Event)][1:] == [
        "Recovering cache nodes 0001",
        "Finished recovery for cache nodes 0001",
    ]


def test_a_hosts_refusal_is_told_once_and_forgotten_when_the_node_answers(life, mem):
    for _ in range(3):
        life.write(transitions.node_failed, mem, "0001", "no such program")
    assert life.world[CacheCluster, mem].nodes[0].host_error == "no such program"
    assert [e.message for e in life.world.all(Event)] == ["Cache node 0001 cannot run: no such program"]

    answer(life, mem, "0001")

    assert life.world[CacheCluster, mem].nodes[0].host_error is None


def test_the_discovery_version_counts_each_node_that_joins_a_cluster_that_is_there(life, mem):
    for id in ("0001", "0002"):
        answer(life, mem, id)
    made = life.world[CacheCluster, mem]
    assert made.configuration_version == 1, "its first list has all its nodes"
    life.put(
        interface("eni-3", "10.0.1.6"), made.but(status="modifying", nodes=(*made.nodes, node("eni-3", id="0003")))
    )

    answer(life, mem, "0003")

    assert life.world[CacheCluster, mem].configuration_version == 2


def test_a_changed_cluster_is_available_when_its_nodes_tell_clients_of_the_change(life, mem):
    for id in ("0001", "0002"):
        answer(life, mem, id)
    made = life.world[CacheCluster, mem]
    life.put(
        interface("eni-3", "10.0.1.6"), made.but(status="modifying", nodes=(*made.nodes, node("eni-3", id="0003")))
    )
    answer(life, mem, "0003")
    assert life.world[CacheCluster, mem].status == "modifying"

    life.write(transitions.announced, mem, 1)
    assert life.world[CacheCluster, mem].status == "modifying", "that was an earlier list"
    life.write(transitions.announced, mem, 2)

    assert life.world[CacheCluster, mem].status == "available"


def test_names_lead_to_what_has_answered(life, mem):
    found = life.world[CacheCluster, mem]
    every, first = configuration_name(found), node_name(found, "0001")
    assert (resolve(life.world, every), resolve(life.world, first)) == ((), ())

    answer(life, mem, "0001")
    assert [str(a) for a in resolve(life.world, every)] == ["10.0.1.4"]
    life.write(transitions.node_silent, mem, "0001")

    assert [str(a) for a in resolve(life.world, first.upper() + ".")] == ["10.0.1.4"]
    for unknown in ("x." + first, first.replace("0001", "0009"), "cache.amazonaws.com", "example.com", ""):
        assert resolve(life.world, unknown) is None


def test_the_reader_name_leads_to_the_primary_until_a_replica_serves(life):
    first = cluster(
        "rg-001", node("eni-1", status="available"), status="available", group_id="000000000000/us-east-1/rg"
    )
    second = cluster("rg-002", node("eni-2"), group_id=first.group_id)
    life.put(interface("eni-1", "10.0.1.4"), interface("eni-2", "10.0.1.5"), first, second)
    made = group("rg", first, second)
    life.put(made)

    def found(name):
        return [str(address) for address in resolve(life.world, name)]

    assert found(reader_name(made)) == found(primary_name(made)) == ["10.0.1.4"]
    answer(life, second.id, "0001")
    assert (found(reader_name(made)), found(primary_name(made))) == (["10.0.1.5"], ["10.0.1.4"])
    assert life.world[ReplicationGroup, made.id].status == "available"
