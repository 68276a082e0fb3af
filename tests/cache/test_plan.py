"""Which processes must exist."""

import random
from dataclasses import replace
from ipaddress import IPv4Address
from operator import attrgetter

import pytest

from atoll.cache import plan
from atoll.cache.plan import LONE, Planner, nodes, of_cluster, sources
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.interface import Interface
from atoll.model.looks import witness
from atoll.model.stamp import STEPS_KEPT
from tests.cache.worlds import Life, cluster, group, interface, node, parameters


def lived():
    life = Life()
    first = cluster("rg-001", node("eni-1"), group_id="000000000000/us-east-1/rg")
    second = cluster("rg-002", node("eni-2"), group_id=first.group_id)
    alone = cluster("mem", node("eni-3"), node("eni-4", id="0002", boot=3), engine="memcached", version="1.6.18")
    life.put(*(interface(f"eni-{n}", f"10.0.1.{n}") for n in range(1, 5)), first, second, alone)
    life.put(group("rg", first, second))
    return life, first, second, alone


def test_every_node_is_a_process_with_a_name_of_its_own():
    life, *_ = lived()

    found = nodes(life.world)

    assert [(n.name.rpartition("/")[2], n.process.rpartition("#")[2]) for n in found] == [
        ("rg-001:0001", "1"),
        ("rg-002:0001", "1"),
        ("mem:0001", "1"),
        ("mem:0002", "3"),
    ]
    assert [n.memory_bytes for n in found] == [536870912] * 4


def test_what_is_being_deleted_runs_no_more():
    life, _, _, alone = lived()
    going = replace(alone.nodes[0], status="deleting")

    life.put(alone.but(nodes=(going, alone.nodes[1])))
    assert [n.node_id for n in nodes(life.world)[2:]] == ["0002"]
    life.put(alone.but(status="deleting"))
    assert len(nodes(life.world)) == 2


def test_a_deleted_groups_plan_needs_no_primary():
    life, first, second, _ = lived()
    life.put(first.but(status="deleting"), second.but(status="deleting"))
    life.write(lambda tx: tx.delete(first))

    assert [n.engine for n in nodes(life.world)] == ["memcached", "memcached"]


def test_an_untouched_clusters_plan_is_the_same_object():
    life, first, _, alone = lived()
    planner = Planner()
    before = {n.name: n for n in planner.nodes(life.world)}

    life.put(alone.but(port=11212))
    after = {n.name: n for n in planner.nodes(life.world)}

    changed = {name for name in before if after[name] is not before[name]}
    assert changed == {f"{alone.id}:0001", f"{alone.id}:0002"}
    assert after[f"{first.id}:0001"] is before[f"{first.id}:0001"]


def test_a_plan_of_a_cluster_without_a_group_is_made_of_no_other_cluster_and_of_its_own_interfaces():
    life, *_ = lived()
    life.put(interface("eni-5", "10.0.1.5"), cluster("lone", node("eni-5")))
    lone = [one for one in life.world.all(CacheCluster) if one.group_id is None]

    for one in lone:
        seen = witness(life.world.noted())
        assert of_cluster(seen, one)
        looks = {kind: look for kind, look in (seen.seen or {}).items() if kind in LONE}
        assert not any(look.is_whole or look.buckets for look in looks.values())
        ids = {id for look in looks.values() for id in look.resources}
        assert ids <= {one.id, *(node.interface_id for node in one.nodes)}

    assert len(lone) == 2


def test_plans_that_are_kept_are_those_of_the_world_alone():
    life, first, second, _ = lived()
    dice, planner = random.Random(7), Planner()
    names = [f"lone-{n}" for n in range(4)]
    rg = life.world[ReplicationGroup, first.group_id]
    life.put(parameters())

    def move():
        one = dice.choice(list(life.world.all(Interface)))
        life.put(one.but(private_ips=(IPv4Address(f"10.0.2.{dice.randrange(1, 250)}"),)))

    def make():
        name = dice.choice(names)
        life.put(interface(f"eni-{name}", "10.0.1.9"), cluster(name, node(f"eni-{name}"), parameter_group="custom"))

    def drop():
        if one := life.world.get(CacheCluster, cluster(dice.choice(names)).id):
            life.write(lambda tx: [tx.delete(one), tx.delete(tx.world[Interface, one.nodes[0].interface_id])])

    def join():
        one = life.world.get(CacheCluster, cluster(names[0]).id)
        if one and one.group_id is None:
            members = first, second, one
            life.put(one.but(group_id=rg.id), group("rg", *members))
        elif one:
            life.put(one.but(group_id=None), group("rg", first, second))

    def reconfigure():
        life.put(parameters(("maxmemory-samples", str(dice.randrange(1, 9)))))

    for _ in range(200):
        for _ in range(dice.choice((1, 1, 1, 3, 2 * STEPS_KEPT + 1))):
            dice.choice((move, move, make, drop, join, reconfigure))()
        key = attrgetter("name")
        assert sorted(planner.nodes(life.world), key=key) == sorted(nodes(life.world), key=key)


def test_a_planner_asks_nothing_of_clusters_whose_sources_are_as_they_were(monkeypatch):
    life, *_ = lived()
    life.put(interface("eni-5", "10.0.1.5"), cluster("lone", node("eni-5")), interface("eni-6", "10.0.1.6"))
    planner, asked = Planner(), []
    before = planner.processes(life.world)
    monkeypatch.setattr(plan, "sources", lambda world, one: asked.append(one.name) or sources(world, one))

    life.put(interface("eni-6", "10.0.1.7"))
    assert planner.processes(life.world) is before
    life.put(interface("eni-5", "10.0.1.8"))
    planner.nodes(life.world)

    assert asked == ["lone"]


def test_a_plan_of_a_cluster_without_a_group_follows_its_interfaces():
    life, *_, alone = lived()
    planner = Planner()
    planner.nodes(life.world)

    life.put(interface("eni-4", "10.0.1.77"))

    found = {n.name: n for n in planner.nodes(life.world)}
    assert str(found[f"{alone.id}:0002"].address) == "10.0.1.77"


def test_a_planner_that_failed_does_not_take_what_has_changed_for_known(monkeypatch):
    life, *_ = lived()
    life.put(interface("eni-5", "10.0.1.5"), lone := cluster("lone", node("eni-5")))
    planner = Planner()
    planner.nodes(life.world)
    life.put(interface("eni-5", "10.0.1.77"))

    with monkeypatch.context() as patched:
        patched.setattr(plan, "of_cluster", _fails)
        with pytest.raises(AssertionError, match="planted"):
            planner.nodes(life.world)

    found = {n.name: n for n in planner.nodes(life.world)}
    assert str(found[f"{lone.id}:0001"].address) == "10.0.1.77"


def _fails(*_):
    raise AssertionError("planted")


def test_a_replicas_plan_follows_its_primarys_address():
    life, _, second, _ = lived()
    planner = Planner()
    planner.nodes(life.world)

    life.put(interface("eni-1", "10.0.1.77"))

    found = {n.name: n for n in planner.nodes(life.world)}
    assert str(found[f"{second.id}:0001"].primary.address) == "10.0.1.77"


def test_a_plan_that_did_not_change_in_content_is_equal():
    life, _, _, alone = lived()
    before = nodes(life.world)

    life.put(alone.but(notification_active=False))

    assert nodes(life.world) == before
