"""What a running engine must be told when its parameter group changes."""

import pytest

from atoll.cache import transitions
from atoll.cache.plan import Planner, nodes
from atoll.cache.tuning import APPLYING, IN_SYNC, PENDING_REBOOT, state
from atoll.model.cache import CacheCluster
from tests.cache.worlds import Life, cluster, interface, node, parameters

LIMIT = "client-output-buffer-limit"


def lived(*values, has=(), status="available", version="7.0.15"):
    life = Life()
    one = cluster("one", node("eni-1", status=status, parameters=has), version=version, parameter_group="custom")
    life.put(interface("eni-1", "10.0.1.4"), one, parameters(*values))
    return life


def orders(life):
    (plan,) = nodes(life.world)
    return plan.tuning and {(o.directive, o.value): o.parameters for o in plan.tuning.orders}


def test_a_node_with_its_groups_values_is_told_nothing():
    assert orders(lived(("timeout", "60"), has=(("timeout", "60"),))) is None


@pytest.mark.parametrize(
    ("says", "has", "told"),
    [
        ((("timeout", "60"),), (), {("timeout", "60"): ("timeout",)}),
        ((), (("timeout", "60"),), {("timeout", "0"): ("timeout",)}),
        ((), (("notify-keyspace-events", "KEA"),), {("notify-keyspace-events", ""): ("notify-keyspace-events",)}),
        ((("databases", "20"),), (), None),
        (  # two parameters of one directive are told together
            ((f"{LIMIT}-pubsub-hard-limit", "9"), (f"{LIMIT}-pubsub-soft-limit", "8")),
            (),
            {(LIMIT, "pubsub 9 8 60"): (f"{LIMIT}-pubsub-hard-limit", f"{LIMIT}-pubsub-soft-limit")},
        ),
        (  # what AWS sets in relation to the memory follows it
            (("reserved-memory-percent", "50"),),
            (),
            {("maxmemory", "268435456"): ("reserved-memory-percent",),
             (LIMIT, "replica 26843545 26843545 60"): ("reserved-memory-percent",)},
        ),
        ((("cluster-allow-reads-when-down", "yes"),), (), {}),  # to be noted only: there is no cluster here
    ],
)  # fmt: skip
def test_an_engine_is_told_the_directives_that_differ(says, has, told):
    assert orders(lived(*says, has=has)) == told


@pytest.mark.parametrize("status", ["creating", "rebooting"])
def test_an_engine_that_does_not_serve_yet_is_told_nothing(status):
    assert orders(lived(("timeout", "60"), status=status)) is None


@pytest.mark.parametrize(
    ("says", "has", "expected"),
    [
        ((), (), IN_SYNC),
        ((("timeout", "60"),), (), APPLYING),
        ((("databases", "20"),), (), PENDING_REBOOT),
        ((("databases", "20"), ("timeout", "60")), (), APPLYING),
        ((("databases", "20"), ("timeout", "60")), (("timeout", "60"),), PENDING_REBOOT),
        ((), (("databases", "20"),), PENDING_REBOOT),
    ],
)
def test_the_status_says_how_far_a_node_is(says, has, expected):
    made = cluster("one", node("eni-1", parameters=has, status="available"), version="7.0.15")

    assert state(made, made.nodes[0], says) == expected


def test_an_engine_whose_answer_was_lost_is_told_again_also_when_the_change_is_taken_back():
    life = lived(("timeout", "60"), ("databases", "20"))
    (plan,) = nodes(life.world)
    life.write(transitions.node_being_tuned, plan.cluster_id, "0001", 1, plan.tuning)

    life.put(parameters())

    (one,) = life.world.all(CacheCluster)
    assert state(one, one.nodes[0], ()) == APPLYING
    assert orders(life) == {("timeout", "0"): ("timeout",)}
    (plan,) = nodes(life.world)
    life.write(transitions.node_tuned, plan.cluster_id, "0001", 1, plan.tuning, {})
    assert orders(life) is None
    (one,) = life.world.all(CacheCluster)
    assert state(one, one.nodes[0], ()) == IN_SYNC


def test_a_changed_group_changes_the_plans_of_its_clusters():
    life, planner = lived(), Planner()
    (before,) = planner.nodes(life.world)
    assert planner.nodes(life.world)[0] is before

    life.put(parameters(("timeout", "60")))

    assert planner.nodes(life.world)[0].tuning
