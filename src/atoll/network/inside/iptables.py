"""Read what `iptables-save -c` prints."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, ip_network

from atoll.network.flow import protocol_name, protocol_number
from atoll.network.inside.firewall import Action, Chain, Condition, Firewall, Rule, Value

HOOKS = {"PREROUTING": "prerouting", "INPUT": "input", "FORWARD": "forward", "OUTPUT": "output",
         "POSTROUTING": "postrouting"}  # fmt: skip
PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
KEYS = {"-s": "saddr", "--source": "saddr", "-d": "daddr", "--destination": "daddr", "-i": "iif", "-o": "oif",
        "-p": "protocol", "--dport": "dport", "--sport": "sport", "--dports": "dport", "--sports": "sport",
        "--ctstate": "state", "--state": "state"}  # fmt: skip
ENDS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return", "MASQUERADE": "masquerade"}
GO_ON = ("LOG", "NFLOG", "MARK", "CONNMARK", "TRACE", "TCPMSS", "CT", "CHECKSUM", "TTL", "DSCP")


def read(text: str, family: str = "ip") -> Firewall:
    """Return the firewall that the text says; a line that says nothing known is a rule that nobody knows.

    `family`: "ip", or "ip6" for what `ip6tables-save` prints.
    """
    chains: dict[tuple[str, str], Chain] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            chains[table, name] = _chain(family, table, name, policy)
        elif (at := line.find("-A ")) >= 0 and not line.startswith("#"):
            name, rule = _rule(line, at)
            chain = chains.get((table, name)) or _chain(family, table, name, "-")
            chains[table, name] = replace(chain, rules=(*chain.rules, rule))
    return Firewall(tuple(chains.values()))


def _chain(family: str, table: str, name: str, policy: str) -> Chain:
    return Chain(
        f"{family} {table}", name, hook=HOOKS.get(name), is_nat=table == "nat", priority=PRIORITIES.get(table, 0),
        policy="drop" if policy == "DROP" else "accept",
    )  # fmt: skip


def _rule(line: str, at: int) -> tuple[str, Rule]:
    counted = line[:at].strip().strip("[]").partition(":")[0]
    text = line[at:].strip()
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    conditions, action = _read(words[2:])
    packets = int(counted) if counted.isdigit() else None
    return words[1], Rule(tuple(conditions), action, text, packets)


def _read(words: list[str]) -> tuple[list[Condition], Action]:
    conditions: list[Condition] = []
    action = Action("go on")
    negated = False
    rest = iter(words)
    for word in rest:
        if word == "!":
            negated = True
            continue
        if word in ("-j", "-g"):
            action = _action(next(rest, ""), word == "-g", rest)
        elif word in KEYS:
            conditions.append(Condition(KEYS[word], tuple(_values(KEYS[word], next(rest, ""))), negated))
        elif word in ("-m", "--comment"):
            next(rest, "")
        else:  # a match that this does not know, with or without words of its own
            conditions.append(Condition(word, ()))
        negated = False
    return _known(conditions), action


def _known(conditions: list[Condition]) -> list[Condition]:
    """Let several words of one unknown match be one condition."""
    known = [c for c in conditions if c.key in KEYS.values()]
    unknown = [c for c in conditions if c.key not in KEYS.values()]
    return known + unknown[:1]


def _values(key: str, word: str) -> Iterator[Value]:
    for part in word.split(","):
        if key in ("saddr", "daddr"):
            yield ip_network(part, strict=False)
        elif key in ("sport", "dport"):
            low, _, high = part.partition(":")
            yield range(int(low or 0), int(high or (65535 if ":" in part else low)) + 1)
        elif key == "state":
            yield part.lower()
        elif key == "protocol":
            yield protocol_name(protocol_number(part)) if part.isdigit() else part.replace("ipv6-icmp", "icmpv6")
        else:
            yield part


def _action(target: str, goto: bool, rest: Iterator[str]) -> Action:
    words = list(rest)  # options of a target end its rule
    if target in ENDS:
        return Action(ENDS[target])
    if target in ("DNAT", "SNAT", "REDIRECT"):
        return _translation(target.lower(), words)
    if target in GO_ON:
        return Action("go on")
    return Action("goto" if goto else "jump", target)


def _translation(kind: str, words: list[str]) -> Action:
    option = {"dnat": "--to-destination", "snat": "--to-source", "redirect": "--to-ports"}[kind]
    value = words[words.index(option) + 1] if option in words[:-1] else ""
    if kind == "redirect":
        return Action(kind, port=_number(value))
    address, _, port = value.partition(":")
    first = address.partition("-")[0]
    is_plain = first.count(".") == 3  # of IPv6 nobody here follows a translation
    return Action(kind, address=IPv4Address(first) if is_plain else None, port=_number(port))


def _number(text: str) -> int | None:
    first = text.partition("-")[0]
    return int(first) if first.isdigit() else None
