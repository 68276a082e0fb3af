"""Write facts as nftables text: whole tables, or a change to them as one transaction.

full(facts)              everything of one namespace, replacing what its tables hold now, atomically
transaction(change)      what changed; the empty string if nothing of nftables did
only_elements(change)    then the host need not parse text: it sends the elements themselves
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias, assert_never

from atoll.model.ip import Ip
from atoll.network.facts import Chain, Container, Element, Fact, Field, Hook, NftFact, Table, TimeoutPolicy
from atoll.network.rules import (
    Dispatch,
    Exceeds,
    Forward,
    Lookup,
    Match,
    Range,
    Refuse,
    Rule,
    SetBits,
    SetFrom,
    SetTimeout,
    Statement,
    Tally,
    Text,
    Translate,
    Value,
    Verdict,
    reason_number,
)

TableName: TypeAlias = tuple[str, str]  # family, name
NFT = (Table, Container, Element, Chain, TimeoutPolicy)
REFUSED = "refused"  # the chain in which every refusal ends (compile/refusals.py)
JHASH_SEED = 0x1  # any, but always the same one


def full(facts: Iterable[Fact]) -> str:
    """Return text that makes the tables of one namespace from nothing, or anew in the same instant."""
    wanted = tuple(nft_facts(facts))
    tables = [f for f in wanted if isinstance(f, Table)]
    again = "".join(f"add table {t.family} {t.table}\ndelete table {t.family} {t.table}\n" for t in tables)
    return again + _added(wanted)


def nft_facts(facts: Iterable[Fact]) -> Iterator[NftFact]:
    """Yield the facts that are nftables'."""
    return (f for f in facts if isinstance(f, NFT))


def only_elements(removed: Iterable[NftFact], added: Iterable[NftFact]) -> bool:
    """Tell whether a change of nftables touches nothing but elements."""
    return all(type(f) is Element for f in removed) and all(type(f) is Element for f in added)


def transaction(removed: Iterable[NftFact], added: Iterable[NftFact]) -> str:
    """Return a change as one transaction: what refers goes first and comes last."""
    removed, added = tuple(removed), tuple(added)
    gone = {(f.family, f.table) for f in removed if isinstance(f, Table)}
    stays = [f for f in removed if (f.family, f.table) not in gone]
    chains = {_name(f): f for f in stays if isinstance(f, Chain)}
    containers = {_name(f): f for f in stays if isinstance(f, Container)}
    kept = {_name(f) for f in added if isinstance(f, Chain)}
    elements = [f for f in stays if isinstance(f, Element) and (f.family, f.table, f.container) not in containers]
    lines = list(_elements("delete", elements))
    lines += [f"flush chain {' '.join(name)}\n" for name in chains]
    lines.append(_added(added))
    lines += [f"delete chain {' '.join(name)}\n" for name in chains if name not in kept]
    lines += [f"delete {_kind(c)} {' '.join(name)}\n" for name, c in containers.items()]
    lines += [f"delete ct timeout {' '.join(_name(f))}\n" for f in stays if isinstance(f, TimeoutPolicy)]
    lines += [f"delete table {family} {table}\n" for family, table in sorted(gone)]
    return "".join(lines)


def _name(fact: Chain | Container | TimeoutPolicy) -> tuple[str, str, str]:
    return fact.family, fact.table, fact.name


def _added(facts: tuple[NftFact, ...]) -> str:
    tables: dict[TableName, list[str]] = {}
    for fact in facts:
        block = tables.setdefault((fact.family, fact.table), [])
        if isinstance(fact, TimeoutPolicy):
            block.append(_policy(fact))
        elif isinstance(fact, Container):
            block.append(_container(fact))
        elif isinstance(fact, Chain):
            block.append(_chain(fact))
    blocks = [f"table {family} {name} {{\n{''.join(lines)}}}\n" for (family, name), lines in tables.items() if lines]
    empty = [f"add table {f.family} {f.table}\n" for f in facts if isinstance(f, Table)]
    return "".join((*empty, *blocks, *_elements("add", [f for f in facts if isinstance(f, Element)])))


def _kind(container: Container) -> str:
    return "map" if container.value else "set"


def _container(it: Container) -> str:
    kind = " . ".join(it.key) + (f" : {it.value}" if it.value else "")
    flags = " flags interval;" if it.interval else ""
    if it.entries_max:
        seconds = f",timeout; timeout {it.forget_seconds}s" if it.forget_seconds else ""
        flags = f" size {it.entries_max}; flags dynamic{seconds};"
    return f"  {_kind(it)} {it.name} {{ type {kind};{flags} }}\n"


def _policy(it: TimeoutPolicy) -> str:
    seconds = ", ".join(f"{state}: {seconds}" for state, seconds in it.seconds)
    return f"  ct timeout {it.name} {{ protocol {it.protocol}; l3proto {it.family}; policy = {{ {seconds} }}; }}\n"


def _chain(it: Chain) -> str:
    rules = "".join(f"    {rule_text(r)}\n" for r in it.rules)
    return f"  chain {it.name} {{\n{_hook(it.hook) if it.hook else ''}{rules}  }}\n"


def _hook(it: Hook) -> str:
    device = f' device "{it.device}"' if it.device else ""
    policy = "accept" if it.accepts else "drop"
    return f"    type {it.kind} hook {it.hook}{device} priority {it.priority}; policy {policy};\n"


def _elements(verb: str, elements: Iterable[Element]) -> Iterator[str]:
    by_container: dict[tuple[str, str, str], list[str]] = {}
    for it in elements:
        with_value = verb == "add" and it.value is not None
        comment = f' comment "{it.comment}"' if it.comment and verb == "add" else ""
        value = f" : {_written(it.value)}" if with_value and it.value is not None else ""
        text = f"{' . '.join(map(_field, it.key))}{comment}{value}"
        by_container.setdefault((it.family, it.table, it.container), []).append(text)
    for name, texts in by_container.items():
        yield f"{verb} element {' '.join(name)} {{ {', '.join(texts)} }}\n"


def is_mac(text: str) -> bool:
    """Tell a MAC address from the name of a link."""
    return ":" in text


def _field(it: Field) -> str:
    if isinstance(it, Range):
        address = IPv4Address if it.version == 4 else IPv6Address
        first, last = address(it.first), address(it.last)
        return f"{first}-{last}" if first != last else str(first)
    return _written(it)


def _written(it: int | str | Ip | Verdict) -> str:
    if isinstance(it, int):
        return hex(it)
    if isinstance(it, str):
        return it if is_mac(it) else f'"{it}"'
    return f"{it.action} {it.chain}".strip() if isinstance(it, Verdict) else str(it)


def rule_text(it: Rule) -> str:
    """Return a rule as nftables spells it."""
    comment = f' comment "{it.comment}"' if it.comment else ""
    said = [_refusal(s, it.comment) if isinstance(s, Refuse) else _statement(s) for s in it.statements]
    return " ".join(said) + comment


def _refusal(it: Refuse, comment: str) -> str:
    return f"meta mark set {reason_number(it.side, comment):#x} goto {REFUSED}"


def _statement(it: Statement) -> str:
    match it:
        case Match():
            return _match(it)
        case Lookup(keys, container, negated):
            return f"{' . '.join(keys)} {'!= ' if negated else ''}@{container}"
        case SetBits(key, bits):
            return f"{key} set {key} or {bits:#x}"
        case SetFrom(key, keys, container):
            return f"{key} set {' . '.join(keys)} map @{container}"
        case Dispatch(keys, container):
            return f"{' . '.join(keys)} vmap @{container}"
        case Translate():
            return _translate(it)
        case Forward():
            return _forward(it)
        case Verdict(action, chain):
            return f"{action} {chain}".strip()
        case Tally(keys, container):
            return f"update @{container} {{ {' . '.join(keys)} counter }}"
        case Exceeds(keys, container, a_second, burst):
            limit = f"limit rate over {a_second}/second burst {burst} packets"
            return f"update @{container} {{ {' . '.join(keys)} {limit} }}"
        case SetTimeout(policy):
            return f'ct timeout set "{policy}"'
        case Refuse():
            raise ValueError("a refusal needs its rule's comment")
        case Text(text):
            return text
        case _:
            assert_never(it)


def _translate(it: Translate) -> str:
    ports = f":{it.ports.first}-{it.ports.last}" if it.ports else ""
    if len(it.addresses) == 1:
        return f"snat ip to {it.addresses[0]}{ports}"
    keys = "ip saddr . th sport" if it.ports else "ip saddr"
    choices = ", ".join(f"{n} : {address}" for n, address in enumerate(it.addresses))
    return f"snat ip to jhash {keys} mod {len(it.addresses)} seed {JHASH_SEED:#x} map {{ {choices} }}{ports}"


def _forward(it: Forward) -> str:
    if len(it.choices) == 1:
        address, port = it.choices[0]
        return f"dnat ip to {address}" + (f":{port}" if port is not None else "")
    keys = "ip saddr" if it.sticky else "ip saddr . th sport"
    choices = ", ".join(f"{n} : {address} . {port}" for n, (address, port) in enumerate(it.choices))
    return f"dnat ip addr . port to jhash {keys} mod {len(it.choices)} seed {JHASH_SEED:#x} map {{ {choices} }}"


def _match(it: Match) -> str:
    values = [_value(it.key, v) for v in it.values]
    if it.key == "ct state":
        joined = ",".join(values)  # a bit mask: cheaper than a set
    else:
        joined = values[0] if len(values) == 1 else "{ " + ", ".join(values) + " }"
    masked = f" and {it.mask:#x}" if it.mask is not None else ""
    operator = "!= " if it.negated else ("== " if it.mask is not None else "")
    return f"{it.key}{masked} {operator}{joined}"


WORDS = ("ct state", "ct direction")


def _value(key: str, it: Value) -> str:
    if isinstance(it, Range):
        return f"{it.first}-{it.last}"
    if isinstance(it, int):
        return hex(it) if key.endswith("mark") else str(it)
    return it if isinstance(it, str) and key in WORDS else _written(it) if isinstance(it, str) else str(it)
