"""Read what `nft -j list ruleset` prints; `nft -a list ruleset` says how each rule is spelt."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, ip_network
from typing import Any

from atoll.network.inside.firewall import Action, Chain, Condition, Firewall, Rule, Value

FAMILIES = ("ip", "ip6", "inet")
META = {"iifname": "iif", "oifname": "oif", "l4proto": "protocol", "iif": "iif", "oif": "oif"}
FIELDS = {"saddr", "daddr", "sport", "dport"}
HANDLE = re.compile(r"^\s*(.*?)\s*# handle (\d+)$")
HARMLESS = "inet atoll_discovery"  # ours, in Memcached nodes: drops nothing (host/linux/discovery_rules.py)
TABLE = re.compile(r"^table (\S+) (\S+) \{")


def read(ruleset: Mapping[str, Any], spelt: str = "", *, but: tuple[str, ...] = ()) -> Firewall:
    """Return the firewall; `but`: tables that another reader has read, such as "ip filter"."""
    texts = dict(_spellings(spelt))
    items = [next(iter(item.items())) for item in ruleset.get("nftables", ()) if item]
    sets = {(s["family"], s["table"], s["name"]): s.get("elem", []) for kind, s in items if kind == "set"}
    chains: dict[tuple[str, str], Chain] = {}
    for kind, item in items:
        if item.get("family") not in FAMILIES:
            continue
        table = f"{item['family']} {item.get('table', item.get('name'))}"
        if table in (*but, HARMLESS):
            continue
        if kind == "chain":
            chains[table, item["name"]] = _chain(table, item)
        elif kind == "rule" and (table, item["chain"]) in chains:
            chain = chains[table, item["chain"]]
            rule = _rule(item, sets, texts.get((table, item["handle"]), f"rule with handle {item['handle']}"))
            chains[table, item["chain"]] = replace(chain, rules=(*chain.rules, rule))
    return Firewall(tuple(chains.values()))


def _spellings(spelt: str) -> Iterator[tuple[tuple[str, int], str]]:
    table = ""
    for line in spelt.splitlines():
        if head := TABLE.match(line):
            table = f"{head[1]} {head[2]}"
        elif found := HANDLE.match(line):
            yield (table, int(found[2])), found[1]


def _chain(table: str, item: Mapping[str, Any]) -> Chain:
    return Chain(
        table, item["name"], hook=item.get("hook"), is_nat=item.get("type") == "nat", priority=item.get("prio", 0),
        policy=item.get("policy", "accept"),
    )  # fmt: skip


def _rule(item: Mapping[str, Any], sets: Mapping[tuple[str, str, str], list[Any]], text: str) -> Rule:
    conditions: list[Condition] = []
    action, packets = Action("go on"), None
    for expression in item.get("expr", ()):
        ((kind, value),) = expression.items()
        if kind == "match":
            conditions += _conditions(value, lambda name: sets.get((item["family"], item["table"], name), []))
        elif kind == "counter" and isinstance(value, dict):
            packets = value.get("packets")
        elif found := _action(kind, value):
            action = found
        elif kind not in ("log", "counter", "comment", "mangle", "notrack"):
            conditions.append(Condition(kind, ()))
    return Rule(tuple(conditions), action, text, packets)


def _conditions(match: Mapping[str, Any], elements: Callable[[str], list[Any]]) -> list[Condition]:
    """Read a match; one on a port of TCP asks for TCP, too."""
    left, operator = match.get("left"), match.get("op")
    key = _key(left)
    right = match.get("right")
    if isinstance(right, str) and right.startswith("@"):
        right = {"set": elements(right[1:])}
    values = tuple(_values(right))
    if key is None or operator not in ("==", "!=", "in") or None in values:
        return [Condition("unknown", ())]
    found = Condition(key, tuple(v for v in values if v is not None), operator == "!=")
    protocol = left["payload"]["protocol"] if isinstance(left, dict) and "payload" in left else None
    return [Condition("protocol", (protocol,)), found] if protocol in ("tcp", "udp") else [found]


def _key(left: Any) -> str | None:
    if not isinstance(left, dict):
        return None
    if "meta" in left:
        return META.get(left["meta"].get("key"))
    if "ct" in left:
        return "state" if left["ct"].get("key") == "state" else None
    payload = left.get("payload", {})
    if payload.get("protocol") == "ip" and payload.get("field") == "protocol":
        return "protocol"
    field = payload.get("field")
    return field if field in FIELDS and payload.get("protocol") in ("ip", "ip6", "tcp", "udp", "th") else None


def _values(right: Any) -> Iterator[Value | None]:
    """Yield what a match compares with; `None` for what is not understood."""
    if isinstance(right, list):
        for element in right:
            yield from _values(element)
    elif isinstance(right, dict) and "set" in right:
        yield from _values(right["set"])
    elif isinstance(right, dict) and "elem" in right:
        yield from _values(right["elem"].get("val"))
    elif isinstance(right, dict) and "prefix" in right:
        yield ip_network(f"{right['prefix']['addr']}/{right['prefix']['len']}", strict=False)
    elif isinstance(right, dict) and "range" in right:
        low, high = right["range"]
        yield range(low, high + 1) if isinstance(low, int) and isinstance(high, int) else None
    elif isinstance(right, int):
        yield range(right, right + 1)
    elif isinstance(right, str):
        yield _word(right)
    else:
        yield None


def _word(text: str) -> Value:
    if text.replace(".", "").isdigit() and text.count(".") == 3:
        return ip_network(text)
    return text


def _action(kind: str, value: Any) -> Action | None:
    if kind in ("accept", "drop", "reject", "return"):
        return Action(kind)
    if kind in ("jump", "goto"):
        return Action(kind, value["target"])
    if kind == "masquerade":
        return Action(kind)
    if kind in ("dnat", "snat", "redirect"):
        value = value or {}
        address, port = value.get("addr"), value.get("port")
        plain = isinstance(address, str) and address.count(".") == 3
        return Action(
            kind, address=IPv4Address(address) if plain else None, port=port if isinstance(port, int) else None
        )
    return None
