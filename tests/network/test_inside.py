"""A machine's own firewall: what its rules, as the machine prints them, do to a packet."""

import json
from ipaddress import IPv4Address, IPv6Address

import pytest

from atoll.host.linux.discovery_rules import TABLE
from atoll.network.flow import ICMP, TCP, UDP, Packet
from atoll.network.inside import iptables, judge, nftables
from atoll.network.inside.firewall import Look
from atoll.network.inside.seen import Inside, Listener, read

APP, WEB = IPv4Address("10.0.0.10"), IPv4Address("10.0.1.20")
REQUEST = Packet(APP, WEB, TCP, 40000, 80)


def saved(*rules, policy="ACCEPT", table="filter", chains=()):
    heads = [f":{name} {policy} [0:0]" for name in ("INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING")]
    return "\n".join(["# made by a test", f"*{table}", *heads, *(f":{c} - [0:0]" for c in chains), *rules, "COMMIT"])


def said(text, look=None, hook="input"):
    (ruling,) = iptables.read(text).rulings(hook, look or Look(REQUEST, "eth0"))
    return ruling.dropped, ruling.sure


@pytest.mark.parametrize(
    ("rule", "dropped"),
    [
        ("-A INPUT -j DROP", True),
        ("-A INPUT -p tcp -m tcp --dport 80 -j DROP", True),
        ("-A INPUT -p tcp -m tcp --dport 81 -j DROP", False),
        ("-A INPUT -p tcp -m tcp --dport 79:90 -j REJECT --reject-with icmp-port-unreachable", True),
        ("-A INPUT -p tcp -m multiport --dports 22,80 -j DROP", True),
        ("-A INPUT -p udp -m udp --dport 80 -j DROP", False),
        ("-A INPUT -s 10.0.0.0/24 -j DROP", True),
        ("-A INPUT ! -s 10.0.0.0/24 -j DROP", False),
        ("-A INPUT -d 10.0.1.20/32 -i eth0 -j DROP", True),
        ("-A INPUT -i lo -j DROP", False),
        ("-A INPUT -i eth+ -j DROP", True),
        ("-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j DROP", False),
        ("-A INPUT -m state --state NEW -j DROP", True),
        ("-A FORWARD -j DROP", False),
        ("[3:180] -A INPUT -p tcp -j DROP", True),
        ('-A INPUT -p tcp -m comment --comment "no -j ACCEPT here" -j DROP', True),
        ('-A INPUT -j LOG --log-prefix "x"', False),
    ],
)
def test_a_rule_of_iptables_drops_what_it_fits(rule, dropped):
    assert said(saved(rule)) == (dropped, True)


def test_the_first_rule_that_fits_decides():
    assert said(saved("-A INPUT -p tcp --dport 80 -j ACCEPT", "-A INPUT -j DROP")) == (False, True)


def test_a_policy_drops_what_no_rule_fits():
    assert said(saved(policy="DROP")) == (True, True)
    assert said(saved("-A INPUT -p tcp -j ACCEPT", policy="DROP")) == (False, True)


def test_a_chain_is_called_and_returns():
    jump = saved("-A INPUT -j OWN", "-A OWN -s 10.0.0.10/32 -j RETURN", "-A OWN -j DROP", chains=["OWN"])
    assert said(jump) == (False, True)
    goto = saved("-A INPUT -g OWN", "-A INPUT -j DROP", "-A OWN -p udp -j DROP", chains=["OWN"])
    assert said(goto) == (False, True)


@pytest.mark.parametrize("rule", ["-A INPUT -m geoip --source-country XX -j DROP", "-A INPUT -j NOBODY_KNOWS"])
def test_what_is_not_understood_is_said_to_be_unsure(rule):
    assert said(saved(rule)) == (False, False)


def test_every_table_that_drops_is_named():
    text = saved("-A INPUT -j DROP") + "\n" + saved("-A INPUT -j DROP", table="mangle")
    found = iptables.read(text).rulings("input", Look(REQUEST, "eth0"))
    assert [r.because.split(":")[0] for r in found] == ["ip mangle INPUT", "ip filter INPUT"]


def test_a_counter_is_told():
    (ruling,) = iptables.read(saved("[7:420] -A INPUT -j DROP")).rulings("input", Look(REQUEST, "eth0"))
    assert ruling.because == "ip filter INPUT: -A INPUT -j DROP (it has counted 7 packets)"


def inside(*rules, forwards=True):
    return Inside(forwards=forwards, firewall=iptables.read(saved(*rules, table="nat")))


def test_the_documented_forward_is_followed():
    nat = inside(
        "-A PREROUTING -i eth0 -p tcp -m tcp --dport 6380 -j DNAT --to-destination 10.0.1.231:6379",
        "-A POSTROUTING -o eth0 -j MASQUERADE",
    )
    own = IPv4Address("10.0.0.55")
    came = Packet(IPv4Address("198.51.100.27"), own, TCP, 40000, 6380)
    assert nat.forwarded(came, own) == Packet(own, IPv4Address("10.0.1.231"), TCP, 40000, 6379)
    assert nat.forwarded(came.but(port=6381), own) == came.but(port=6381, source=own)


def test_a_source_is_translated_to_what_the_rule_says():
    nat = inside("-A POSTROUTING -s 10.0.1.0/24 -j SNAT --to-source 10.0.0.99")
    packet = Packet(WEB, APP, UDP, 1, 2)
    assert nat.forwarded(packet, APP).source == IPv4Address("10.0.0.99")
    assert nat.forwarded(packet.but(source=APP), APP).source == APP


def nft(*expressions, policy="accept", kind="filter", hook="input", sets=()):
    base = {"family": "inet", "table": "t"}
    chain = {**base, "name": "c", "handle": 1, "type": kind, "hook": hook, "prio": 0, "policy": policy}
    rules = [{"rule": {**base, "chain": "c", "handle": n, "expr": e}} for n, e in enumerate(expressions, 2)]
    return {"nftables": [{"metainfo": {}}, {"table": {"family": "inet", "name": "t"}}, {"chain": chain},
                         *({"set": {**base, **s}} for s in sets), *rules]}  # fmt: skip


def match(left, right, op="=="):
    return {"match": {"op": op, "left": left, "right": right}}


DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
SADDR = {"payload": {"protocol": "ip", "field": "saddr"}}


@pytest.mark.parametrize(
    ("expression", "dropped", "sure"),
    [
        ([match(DPORT, 80), {"drop": None}], True, True),
        ([match(DPORT, 81), {"drop": None}], False, True),
        ([match(DPORT, 80, "!="), {"drop": None}], False, True),
        ([match(DPORT, {"set": [22, {"range": [79, 81]}]}), {"counter": {"packets": 0, "bytes": 0}}, {"drop": None}],
         True, True),
        ([match({"payload": {"protocol": "udp", "field": "dport"}}, 81, "!="), {"drop": None}], False, True),
        ([match(SADDR, {"prefix": {"addr": "10.0.0.0", "len": 24}}), {"reject": None}], True, True),
        ([match(SADDR, "10.0.0.10"), {"drop": None}], True, True),
        ([match(SADDR, "@bad"), {"drop": None}], True, True),
        ([match({"meta": {"key": "iifname"}}, "eth0"), {"drop": None}], True, True),
        ([match({"ct": {"key": "state"}}, ["established", "related"], "in"), {"drop": None}], False, True),
        ([match({"meta": {"key": "skuid"}}, 0), {"drop": None}], False, False),
        ([{"xt": {"type": "match", "name": "string"}}, {"drop": None}], False, False),
    ],
)  # fmt: skip
def test_a_rule_of_nftables_drops_what_it_fits(expression, dropped, sure):
    ruleset = nft(expression, sets=[{"name": "bad", "elem": ["10.0.0.10"]}])
    (ruling,) = nftables.read(ruleset).rulings("input", Look(REQUEST, "eth0"))
    assert (ruling.dropped, ruling.sure) == (dropped, sure)


def test_a_rule_of_nftables_is_told_as_nft_spells_it():
    spelt = "table inet t {\n\tchain c {\n\t\ttcp dport 80 drop # handle 2\n\t}\n}"
    firewall = nftables.read(nft([match(DPORT, 80), {"drop": None}]), spelt)
    (ruling,) = firewall.rulings("input", Look(REQUEST, "eth0"))
    assert ruling.because == "inet t c: tcp dport 80 drop"


def test_a_table_that_iptables_told_is_not_read_twice():
    ruleset = nft([match(DPORT, 80), {"drop": None}])
    assert nftables.read(ruleset, but=("inet t",)).chains == ()


@pytest.mark.parametrize("name", ["t;touch /tmp/mine", "t$(id)", "t\nid", "-t"])
def test_no_name_that_a_hostile_root_gave_stands_in_a_command(name):
    """A person on the machine gives the command to a shell; and so does `atoll why --apply`."""
    of_nft = json.loads(json.dumps(nft(policy="drop")).replace('"inet"', '"ip"').replace('"c"', '"INPUT"'))
    for item in of_nft["nftables"]:
        for kind in item.values():
            kind["table" if "table" in kind else "name"] = name
    firewalls = [nftables.read(of_nft), iptables.read(saved(policy="DROP", table=name))]

    for firewall in firewalls:
        (ruling,) = firewall.rulings("input", Look(REQUEST, "eth0"))
        assert ruling.dropped
        mend = judge._admit("i-1", ruling, REQUEST, "input", answers=False)
        assert name not in (mend.command or "")


def test_a_plain_table_of_iptables_has_its_command():
    (ruling,) = iptables.read(saved(policy="DROP")).rulings("input", Look(REQUEST, "eth0"))

    mend = judge._admit("i-1", ruling, REQUEST, "input", answers=False)

    assert mend.command == "atoll exec i-1 -- iptables -t filter -I INPUT -p tcp -s 10.0.0.10 --dport 80 -j ACCEPT"


def test_the_rules_of_auto_discovery_keep_nobody_away():
    table = nftables.HARMLESS.split()[1]
    assert table == TABLE
    ruleset = json.loads(json.dumps(nft([{"drop": None}])).replace('"table": "t"', f'"table": "{table}"'))
    assert nftables.read(ruleset).chains == ()


@pytest.mark.parametrize(
    ("address", "port", "hears"),
    [("0.0.0.0", 80, True), ("10.0.1.20", 80, True), ("127.0.0.1", 80, False), ("::", 80, True), ("::1", 80, False),
     ("0.0.0.0", 81, False), ("::ffff:10.0.1.20", 80, True)],
)  # fmt: skip
def test_a_listener_hears_its_own_address_and_port(address, port, hears):
    seen = read({"ip_forward": "0", "listeners": [["tcp", address, port]]})
    assert seen.listeners[0].hears(REQUEST) is hears


V6 = Packet(IPv6Address("2600::1"), IPv6Address("2600::2"), TCP, 40000, 80)


@pytest.mark.parametrize(("address", "hears"), [("0.0.0.0", False), ("::", True), ("2600::2", True), ("::1", False)])
def test_a_listener_of_ipv4_hears_no_ipv6(address, hears):
    seen = read({"ip_forward": "0", "listeners": [["tcp", address, 80]]})
    assert seen.listeners[0].hears(V6) is hears


def test_each_version_of_ip_has_its_own_firewall():
    drop = saved("-A INPUT -p tcp -j DROP")
    old, new = read({"ip_forward": "1", "iptables": drop}), read({"ip_forward": "0", "ip6tables": drop})
    assert [seen.firewall.rulings("input", Look(V6, "eth0"))[0].dropped for seen in (old, new)] == [False, True]
    assert [seen.firewall.rulings("input", Look(REQUEST, "eth0"))[0].dropped for seen in (old, new)] == [True, False]
    assert (old.sends_on(REQUEST), old.sends_on(V6)) == (True, False)


def test_a_listener_of_tcp_hears_no_udp():
    assert not Listener("tcp", WEB, 80).hears(Packet(APP, WEB, UDP, 1, 80))
    assert not Listener("tcp", WEB, 80).hears(Packet(APP, WEB, ICMP, 8, 0))


def test_what_a_machine_says_cannot_rule_a_terminal():
    rules = saved('-A INPUT -m comment --comment "\x1b]0;x" -j DROP')
    told = {
        "ip_forward": "1",
        "engine": "-ERR \x1b[2J",
        "iptables": rules,
        "nft": json.dumps(nft()),
        "unseen": ["\x07"],
    }
    seen = read(told)
    texts = [rule.text for chain in seen.firewall.chains for rule in chain.rules]
    assert all(c.isprintable() for c in "".join([*texts, seen.engine or "", *seen.unseen]))
