"""A plan is a set of facts: what did not change is the same object, and a difference applied is the next plan."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from atoll.model.fault import Fault
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network import nft
from atoll.network.facts import INTERNET, Chain, Container, Element, Namespace, Route, Veth
from atoll.network.plan import Plan, compile, difference, stands
from tests.network.worlds import Lab, prod_lab, random_world


def applied(plan: Plan, then: Plan) -> set:
    """Return the facts of a plan, changed by its difference to the next."""
    facts = set(plan.facts())
    for change in difference(plan, then).values():
        assert change.removed.keys() <= facts, "only what is there goes"
        assert not change.added.keys() & facts, "only what is not there comes"
        facts = (facts - change.removed.keys()) | change.added.keys()
    return facts


@pytest.mark.parametrize("seed", range(30))
def test_from_any_plan_to_any_other_the_difference_leads(seed):
    one, two = (compile(random_world(random.Random(n))) for n in (seed, seed + 1000))
    assert applied(one, two) == set(two.facts())
    assert applied(Plan(), one) == set(one.facts())
    assert applied(one, Plan()) == set()
    assert difference(one, one) == {}


@pytest.mark.parametrize("seed", range(30))
def test_compiling_on_top_of_any_plan_gives_the_plan_of_the_world_alone(seed):
    one, two = random_world(random.Random(seed)), random_world(random.Random(seed + 1000))
    assert set(compile(two, compile(one)).facts()) == set(compile(two).facts())


@pytest.mark.parametrize("seed", range(30))
def test_after_any_change_of_interfaces_the_plan_is_that_of_the_world_alone(seed):
    dice = random.Random(seed)
    world = random_world(dice, plugged=True)
    plan = compile(world)
    for _ in range(8):
        one = dice.choice([i for i in world.all(Interface) if i.instance_id])
        other = dice.choice([i for i in world.all(Interface, vpc_id=one.vpc_id) if i.instance_id])
        changes = {
            (Interface, one.id): one.but(attachment=other.attachment),
            (Interface, other.id): other.but(attachment=one.attachment, group_ids=one.group_ids),
        }
        lone = {(Interface, one.id): one.but(attachment=None)}
        world = world.after(changes if dice.random() < 0.8 or one is other else lone)
        if dice.random() < 0.5 and (instance := next(world.all(Instance), None)):
            state = dice.choice(["running", "stopped", "pending"])
            world = world.after({(Instance, instance.id): instance.but(state=state)})
        plan = compile(world, plan)
        assert set(plan.facts()) == set(compile(world).facts())


@pytest.mark.parametrize("seed", range(30))
def test_a_plan_stands_only_in_a_world_that_has_it(seed):
    dice = random.Random(seed)
    world = random_world(dice)
    plan = compile(world)
    assert stands(world, plan) is not any(isinstance(resource, Fault) for resource in world)
    for _ in range(20):
        resource = dice.choice(list(world))
        match resource:
            case SecurityGroup() if dice.random() < 0.5:
                changed = resource.but(rules=())
            case Instance():
                changed = resource.but(state=dice.choice(["pending", "running", "stopped"]))
            case Interface():
                changed = resource.but(source_dest_check=not resource.source_dest_check)
            case _:
                changed = resource.but(tags={"n": str(dice.random())})
        then = world.after({(type(resource), resource.id): changed})
        if stands(then, plan):
            assert set(compile(then).facts()) == set(plan.facts())
    assert not stands(random_world(random.Random(seed + 1000)), plan)


def test_a_plan_stands_whatever_changes_in_a_vpc_without_an_interface():
    lab = prod_lab()
    lab.vpc("idle", "10.7.0.0/16")
    lab.group("idle", vpc="idle")
    plan = compile(lab.world)
    add_rule(lab, "sg-idle", "tcp 6379 10.9.0.0/24")
    assert stands(lab.world, plan)
    add_rule(lab, "sg-cache", "tcp 6379 10.9.0.0/24")
    assert not stands(lab.world, plan)


def test_a_plan_does_not_stand_when_its_last_link_between_regions_has_gone():
    lab = prod_lab()
    plan = compile(lab.world)
    parts = dict(plan.parts)
    parts["", "backbone"] = replace(parts["", "internet"], fragments={"x": next(plan.fragments())})
    assert not stands(lab.world, replace(plan, parts=parts))


@pytest.mark.parametrize("seed", range(30))
def test_no_fact_is_said_twice_and_no_key_has_two_values(seed):
    plan = compile(random_world(random.Random(seed)))
    twice = [fact for fact, times in Counter(plan.facts()).items() if times > 1]
    assert twice == []
    keys = Counter((f.namespace, f.family, f.container, f.key) for f in plan.facts() if isinstance(f, Element))
    assert max(keys.values()) == 1
    places = Counter((f.namespace, f.table, f.network) for f in plan.facts() if isinstance(f, Route))
    assert max(places.values()) == 1


@pytest.mark.parametrize("seed", range(30))
def test_whatever_a_rule_refers_to_is_there(seed):
    facts = list(compile(random_world(random.Random(seed))).facts())
    chains = {(f.namespace, f.family, f.name) for f in facts if isinstance(f, Chain)}
    containers = {(f.namespace, f.family, f.name) for f in facts if isinstance(f, Container)}
    namespaces = {f.namespace for f in facts if isinstance(f, Namespace)}
    for fact in facts:
        assert fact.namespace in namespaces
        if isinstance(fact, Veth):
            assert fact.peer_namespace in namespaces
        if isinstance(fact, Element):
            assert (fact.namespace, fact.family, fact.container) in containers
            if chain := getattr(fact.value, "chain", ""):
                assert (fact.namespace, fact.family, chain) in chains
        for rule in fact.rules if isinstance(fact, Chain) else ():
            for statement in rule.statements:
                if container := getattr(statement, "container", ""):
                    assert (fact.namespace, fact.family, container) in containers
                if chain := getattr(statement, "chain", ""):
                    assert (fact.namespace, fact.family, chain) in chains


def test_the_same_world_gives_the_same_plan_object():
    world = prod_lab().world
    plan = compile(world)
    assert compile(world, plan) is plan


def test_a_change_elsewhere_gives_the_same_plan_object():
    lab = prod_lab()
    plan = compile(lab.world)
    lab.vpc("empty", "10.9.0.0/16")  # without an interface it is not in the kernel
    assert compile(lab.world, plan) is plan
    assert plan.vpc_ids == {"vpc-prod"}


def test_a_vpc_leaves_the_kernel_with_its_last_interface():
    lab = Lab()
    lab.vpc("one"), lab.subnet("a", "10.0.0.0/24")
    lone = lab.interface("x", "a")
    plan = compile(lab.world)
    lab.tx.delete(lone)
    then = compile(lab.world, plan)
    assert (plan.vpc_ids, then.vpc_ids) == ({"vpc-one"}, set())
    assert {f.namespace for f in then.facts()} == {INTERNET}


def test_one_new_rule_compiles_one_group_and_leaves_the_rest_alone():
    lab = prod_lab()
    lab.vpc("other", "10.0.0.0/16"), lab.subnet("o", "10.0.0.0/24", vpc="other"), lab.instance("o", "o")
    plan = compile(lab.world)
    add_rule(lab, "sg-cache", "tcp 6379 10.9.0.0/24")
    then = compile(lab.world, plan)
    anew = [f.key for f in then.fragments() if f is not plan[f.key]]
    assert [key.id for key in anew] == ["sg-cache"]
    changed = [key for key, part in plan.parts.items() if then.parts[key].fragments is not part.fragments]
    assert changed == [("vpc-prod", "groups")]


def test_one_more_range_of_a_known_port_is_one_element():
    lab = prod_lab()
    add_rule(lab, "sg-cache", "tcp 6379 10.9.0.0/24")
    plan = compile(lab.world)
    add_rule(lab, "sg-cache", "tcp 6379 10.9.7.0/24")
    (change,) = difference(plan, compile(lab.world, plan)).values()
    assert not change.removed
    (element,) = change.added
    assert (element.container, element.comment) == ("sg_cache_in_6_6379_6379", "sgr-13")
    assert nft.only_elements(change.removed, change.added)


def test_touching_ranges_become_one_because_the_kernel_refuses_overlaps():
    lab = prod_lab()
    for cidr in ("10.9.0.0/24", "10.9.1.0/24", "10.9.0.128/25", "10.9.3.0/24"):
        add_rule(lab, "sg-cache", f"tcp 6379 {cidr}")
    elements = [f for f in compile(lab.world).facts() if getattr(f, "container", "") == "sg_cache_in_6_6379_6379"]
    assert [(e.key[0].last - e.key[0].first + 1, e.comment) for e in elements] == [
        (512, "sgr-12 sgr-14 sgr-13"),
        (256, "sgr-15"),
    ]


def test_a_new_member_of_a_group_is_a_fact_of_its_interface():
    lab = prod_lab()
    plan = compile(lab.world)
    lab.instance("app2", "private", groups=["app"])
    then = compile(lab.world, plan)
    anew = {f.key.id for f in then.fragments() if f.key not in keys_of(plan)}
    assert anew == {"eni-app2"}
    members = {f.key for f in then.facts() if getattr(f, "container", "") == "sg_app_members"}
    assert (lab.address("app2"),) in members


def test_a_tag_changes_nothing_in_the_kernel():
    lab = prod_lab()
    plan = compile(lab.world)
    for kind, id in ((Interface, "eni-app"), (SecurityGroup, "sg-cache"), (Vpc, "vpc-prod")):
        lab.put(lab.world[kind, id], tags={"Name": "x"})
    assert difference(plan, compile(lab.world, plan)) == {}


def test_rules_carry_the_ids_they_come_from():
    text = nft.full(f for f in compile(prod_lab().world).facts() if f.namespace == "vpc-prod")
    for said in (
        'comment "sgr-9"',
        'comment "rule 100 of acl-prod"',
        'comment "rule * of acl-prod"',
        '"source check"',
    ):
        assert said in text


def test_facts_are_frozen():
    fact = next(iter(compile(prod_lab().world).facts()))
    assert replace(fact) == fact
    assert hash(replace(fact)) == hash(fact)


def add_rule(lab: Lab, group: str, text: str) -> None:
    old = lab.world[SecurityGroup, group]
    lab.put(old, rules=(*old.rules, lab._rule(text, egress=False)))


def keys_of(plan: Plan) -> set:
    return {f.key for f in plan.fragments()}


def test_a_caller_s_view_does_not_narrow_the_plan():
    world = prod_lab().tx.world
    assert isinstance(world, World)
    assert set(compile(world).facts()) == set(compile(world.seen_by(None)).facts())
