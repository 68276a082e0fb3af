"""Why a flow does not arrive: everything at once, in AWS's words, and inside the machines."""

import random
from dataclasses import replace

import pytest

from atoll.model.interface import Interface
from atoll.network import mend as mending
from atoll.network.flow import Code
from atoll.network.inside.judge import Beyond
from atoll.network.inside.seen import Inside, read
from atoll.network.mend import remedies
from atoll.network.why import Named, Question, Why, explain, to_json, why
from tests.network.test_inside import saved
from tests.network.worlds import Lab, random_probes, random_world

NODE = "sessions-001-0001"
CLIENT = "198.51.100.27"


def guest(*rules, listeners=(), forwards=False, table="filter", **more) -> Inside:
    """Return what is seen in a machine: rules of iptables, and who listens ("0.0.0.0:80")."""
    sockets = [["tcp", *one.rsplit(":", 1)] for one in listeners]
    return read(
        {"ip_forward": str(int(forwards)), "iptables": saved(*rules, table=table), "listeners": sockets, **more}
    )


def ask(lab: Lab, sender: str, destination: str, port: int = 80, **more: object) -> Why:
    inside = {f"eni-{name}": seen for name, seen in more.pop("inside", {}).items()}  # type: ignore[attr-defined]
    target = None if destination[0].isdigit() else f"eni-{destination}"
    question = Question(
        sender=lab.at(sender), destination=lab.address(destination), protocol="tcp", port=port,
        target_id=target, inside=inside, **more,
    )  # fmt: skip
    return why(lab.world, question)


def codes(answer: Why) -> list[str]:
    return [str(b.code) for b in answer.blockers]


SERVES = guest(listeners=["0.0.0.0:6379"], engine="+PONG")


def test_nothing_in_the_way_is_reachable(prod):
    answer = ask(prod, "app", NODE, 6379, inside={"app": guest(), NODE: SERVES})

    assert answer.reachable
    assert answer.blockers == ()
    assert explain(prod.world, answer)[0] == "✓ tcp 10.0.1.10:40000 -> 10.0.1.230:6379 is reachable"


def test_everything_in_the_way_is_named_at_once(prod):
    """Groups out and in, ACLs there and back, and the machines at both ends."""
    prod.group("mute", egress=[])
    prod.put(prod.world[Interface, "eni-bastion"], group_ids=("sg-mute",))
    prod.acl("tight", ingress=["100 allow tcp 22 0.0.0.0/0"], egress=["100 allow tcp 22 0.0.0.0/0"])
    prod.use_acl("private", "tight")
    inside = {"bastion": guest("-A OUTPUT -j DROP"), NODE: guest()}

    answer = ask(prod, "bastion", NODE, 6379, inside=inside)

    assert codes(answer) == [
        "SG_HAS_NO_RULES", "ENI_SG_RULES_MISMATCH", "SUBNET_ACL_RESTRICTION", "SUBNET_ACL_RESTRICTION",
        "GUEST_FIREWALL", "GUEST_NO_LISTENER",
    ]  # fmt: skip
    assert [b.layer for b in answer.blockers] == [
        "egress-groups", "ingress-groups", "acl-in", "acl-out", "inside", "inside",
    ]  # fmt: skip
    assert all(b.mends for b in answer.blockers)
    assert not answer.reachable


@pytest.mark.parametrize(
    ("where", "rule"),
    [("app", "-A OUTPUT -p tcp --dport 6379 -j DROP"), ("app", "-A INPUT -j DROP"), (NODE, "-A INPUT -j DROP"),
     (NODE, "-A OUTPUT -m conntrack --ctstate ESTABLISHED -j DROP")],
)  # fmt: skip
def test_a_machines_own_firewall_is_named_with_its_rule(prod, where, rule):
    inside = {"app": guest(), NODE: SERVES} | {where: replace(SERVES, firewall=guest(rule).firewall)}

    (found,) = ask(prod, "app", NODE, 6379, inside=inside).blockers

    assert found.code is Beyond.GUEST_FIREWALL
    assert rule in found.because
    assert found.mends[0].command.startswith("atoll exec ")


def test_an_answer_passes_a_firewall_that_knows_connections(prod):
    strict = guest("-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT", "-A INPUT -j DROP")
    assert ask(prod, "app", NODE, 6379, inside={"app": strict, NODE: SERVES}).reachable


def test_a_firewall_that_cannot_be_read_is_said_to_be_unsure(prod):
    odd = guest("-A OUTPUT -m geoip --source-country XX -j ACCEPT", "-A OUTPUT -j DROP")
    (found,) = ask(prod, "app", NODE, 6379, inside={"app": odd, NODE: SERVES}).blockers
    assert not found.sure
    assert "(perhaps: not every rule could be read)" in "\n".join(
        explain(prod.world, ask(prod, "app", NODE, 6379, inside={"app": odd, NODE: SERVES}))
    )


def test_a_listener_on_loopback_only_is_told_apart_from_none(prod):
    def found(*listeners):
        (one,) = ask(prod, "app", NODE, 6379, inside={NODE: guest(listeners=listeners)}).blockers
        return one.code, one.because

    assert found("127.0.0.1:6379") == (
        Beyond.GUEST_LISTENS_ELSEWHERE, "tcp 6379 listens on 127.0.0.1:6379 only, not on 10.0.1.230",
    )  # fmt: skip
    assert found("0.0.0.0:6380") == (Beyond.GUEST_NO_LISTENER, "nothing listens on tcp 6379")


@pytest.mark.parametrize(
    ("engine", "client", "code"),
    [
        ("+PONG", {}, None),
        ("VERSION 1.6.38", {}, None),
        ("-NOAUTH Authentication required.", {}, "ENGINE_WANTS_PASSWORD"),
        ("-NOAUTH Authentication required.", {"auth": True}, None),
        ("tls", {}, "ENGINE_WANTS_TLS"),
        ("tls", {"tls": True}, None),
        ("+PONG", {"tls": True}, "ENGINE_SPEAKS_NO_TLS"),
        ("-ERR max number of clients reached", {}, "ENGINE_FULL"),
        ("ERROR Too many open connections", {}, "ENGINE_FULL"),
        ("-DENIED Redis is running in protected mode", {}, "ENGINE_REFUSES"),
        ("", {}, "ENGINE_SILENT"),
    ],
)
def test_what_the_engine_says_is_understood(prod, engine, client, code):
    inside = {NODE: replace(SERVES, engine=engine)}
    assert codes(ask(prod, "app", NODE, 6379, inside=inside, **client)) == ([code] if code else [])


# ---- machines that forward


def forwards(*nat: str, forward: bool = True, listeners: tuple[str, ...] = ("0.0.0.0:22",)) -> Inside:
    return guest(*nat, table="nat", forwards=forward, listeners=listeners)


DNAT = "-A PREROUTING -p tcp -m tcp --dport 6380 -j DNAT --to-destination 10.0.1.230:6379"
MASQUERADE = "-A POSTROUTING -o eth0 -j MASQUERADE"


def opened(prod: Lab) -> Lab:
    prod.group("nat", ingress=["tcp 6379-6381 0.0.0.0/0"])
    return prod


def test_the_documented_way_through_a_nat_instance_is_followed(prod):
    inside = {"nat": forwards(DNAT, MASQUERADE), NODE: SERVES}

    answer = ask(opened(prod), CLIENT, "203.0.113.73", 6380, inside=inside)

    assert answer.reachable, answer.blockers
    assert answer.trace.receiver == f"eni-{NODE}"
    assert str(answer.trace.received) == "tcp 10.0.0.55:40000 -> 10.0.1.230:6379"
    assert set(answer.look_into) == {"eni-nat", f"eni-{NODE}"}


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (forwards(DNAT, MASQUERADE, forward=False), "GUEST_NOT_FORWARDING"),
        (forwards(DNAT), "GUEST_NO_TRANSLATION"),
        (forwards(MASQUERADE), "GUEST_NO_LISTENER"),
        (replace(forwards(DNAT, MASQUERADE), firewall=guest("-A FORWARD -j DROP").firewall), "GUEST_NO_LISTENER"),
    ],
    ids=["does not forward", "no masquerade", "no forward of the port", "its rules flushed"],
)
def test_what_a_nat_instance_lacks_is_named(prod, seen, code):
    answer = ask(
        opened(prod),
        CLIENT,
        "203.0.113.73",
        6380,
        inside={"nat": seen, NODE: SERVES},
    )
    assert code in codes(answer)


def test_a_port_that_is_not_forwarded_is_to_be(prod):
    answer = ask(opened(prod), CLIENT, "203.0.113.73", 6380, inside={"nat": forwards(MASQUERADE)})
    (found,) = answer.blockers
    assert "-j DNAT --to-destination ADDRESS:PORT" in found.mends[1].command


def test_a_forward_chain_that_drops_is_named(prod):
    both = saved(DNAT, MASQUERADE, table="nat") + "\n" + saved("-A FORWARD -p tcp -j DROP")
    seen = read({"ip_forward": "1", "iptables": both})
    answer = ask(opened(prod), CLIENT, "203.0.113.73", 6380, inside={"nat": seen, NODE: SERVES})
    assert codes(answer) == ["GUEST_FIREWALL", "GUEST_FIREWALL"]  # the request and its answer
    assert answer.blockers[0].mends[0].command == (
        "atoll exec i-nat -- iptables -t filter -I FORWARD -p tcp -s 198.51.100.27 --dport 6379 -j ACCEPT"
    )


def test_a_machine_that_was_seen_to_masquerade_is_not_told_to(prod):
    prod.put(prod.world[Interface, "eni-nat"], source_dest_check=False, group_ids=("sg-wide",))
    prod.group("wide", ingress=["all 0.0.0.0/0"])
    prod.table("private", {"0.0.0.0/0": "i-nat"}, subnets=["private"])
    blind = ask(prod, "app", CLIENT, 443)
    seeing = ask(prod, "app", CLIENT, 443, inside={"nat": forwards(MASQUERADE)})
    lacking = ask(prod, "app", CLIENT, 443, inside={"nat": forwards()})
    assert codes(blind) == ["IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"]
    assert seeing.reachable
    assert codes(lacking) == ["IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", "GUEST_NO_TRANSLATION"]


def test_behind_a_refusal_the_way_is_followed_to_its_real_end(prod):
    """What refuses first does not make the NAT instance the one who is asked to listen."""
    opened(prod).group("cache", ingress=[])
    answer = ask(prod, CLIENT, "203.0.113.73", 6380, inside={"nat": forwards(DNAT, MASQUERADE), NODE: guest()})
    assert codes(answer) == ["SG_HAS_NO_RULES", "GUEST_NO_LISTENER"]
    assert [b.at for b in answer.blockers] == [f"eni-{NODE}", "sessions-001:0001"]
    assert answer.blockers[1].mends[0].command.startswith("aws elasticache reboot-cache-cluster")


# ---- names


def test_a_name_that_means_nothing_comes_first(prod):
    names = (Named("x", "the resolver of vpc-prod knows no x", Beyond.NAME_UNKNOWN),)
    answer = ask(prod, "app", NODE, 6380, names=names)
    assert codes(answer) == ["NAME_UNKNOWN", "ENI_SG_RULES_MISMATCH"]
    assert explain(prod.world, answer)[1] == "✗ name                 the resolver of vpc-prod knows no x"


@pytest.mark.parametrize(
    ("resolvers", "code"), [(["10.0.0.2"], []), (["169.254.169.253"], []), (["8.8.8.8"], ["OTHER_RESOLVER"])]
)
def test_a_machine_that_asks_another_resolver_is_told_so(prod, resolvers, code):
    names = (Named("x", "x is 10.0.1.230 in vpc-prod"),)
    answer = ask(prod, "app", NODE, 6379, names=names, inside={"app": guest(resolvers=resolvers), NODE: SERVES})
    assert codes(answer) == code


def test_the_same_as_data(prod):
    told = to_json(prod.world, ask(prod, "bastion", NODE, 6379))
    assert told["reachable"] is False
    (blocker,) = told["blockers"]
    assert (blocker["code"], blocker["layer"]) == ("ENI_SG_RULES_MISMATCH", "ingress-groups")
    assert blocker["mend"][0]["command"].startswith("aws ec2 authorize-security-group-ingress")


# ---- the closed set of reasons


@pytest.mark.parametrize("code", list(Code), ids=str)
def test_every_reason_has_a_mend_or_says_why_there_is_none(code):
    assert code in mending._MENDS
    if mending._MENDS[code] is mending._only_said:
        assert len(mending.NO_COMMAND[code].split()) > 5


def test_every_refusal_of_random_worlds_is_in_awss_words_and_has_advice():
    seen = set()
    for seed in range(60):
        rnd = random.Random(seed)
        world = random_world(rnd)
        for probe in random_probes(world, rnd, 40):
            found = replace(probe, options={**probe.options, "thorough": True}).ask(world)
            for step, mends in remedies(world, found):
                assert step.code in Code
                assert mends, f"{step.layer}: {step.because}"
                assert all(m.says for m in mends)
                seen.add(step.code)
    assert len(seen) > 8
