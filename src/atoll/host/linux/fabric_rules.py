"""Rules into the kernel: elements by raw netlink, everything else as text, each change one transaction."""

from collections.abc import Collection, Iterable

from atoll.host.linux import nfnl
from atoll.host.linux.fabric_space import Space
from atoll.model.ip import Ip
from atoll.network import nft
from atoll.network.facts import IPV4, IPV6, NETDEV, Container, Element, Fact, Field, NftFact, Table
from atoll.network.rules import Range, Verdict

FAMILIES = {IPV4: nfnl.IPV4, IPV6: nfnl.IPV6, NETDEV: nfnl.NETDEV}


def change_rules(space: Space, family: str, removed: Collection[Fact], added: Collection[Fact]) -> None:
    """Change what is different in one family; in force when it returns.  Raises HostError."""
    out = [f for f in nft.nft_facts(removed) if f.family == family]
    come = [f for f in nft.nft_facts(added) if f.family == family]
    if not out and not come:
        return
    if nft.only_elements(out, come):
        _change_elements(space, out, come, family)
    elif family == NETDEV:  # no element there refers to a chain: they need not go through the parser
        _change_elements(space, _elements(out), (), family)
        space.nft.run(nft.transaction(_others(out), _others(come)))
        _change_elements(space, (), _elements(come), family)
    else:
        space.nft.run(nft.transaction(out, come))


def load_rules(space: Space, family: str, _removed: Collection[Fact], facts: Iterable[Fact]) -> None:
    """Replace all rules of one family in one instant: no packet sees the old ones gone and the new ones not there.

    What there was goes, tables of others included: no need to name it (those of a family that is none of ours go with
    version 4's).  Open flows stay: connection tracking knows
    nothing of tables.
    """
    wanted = [f for f in nft.nft_facts(facts) if f.family == family]
    mine = {f.table for f in wanted if isinstance(f, Table)}
    listed = [line.split() for line in space.nft.run("list tables").splitlines()]
    gone = [
        (of, table)
        for _, of, table in listed
        if (of == family and table not in mine) or (family == IPV4 and of not in FAMILIES)
    ]
    text = "".join(f"delete table {of} {table}\n" for of, table in gone) + nft.full(wanted)
    if text:
        space.nft.run(text)


def put_back(space: Space, counts: Iterable[tuple[Container, list[nfnl.Element]]]) -> None:
    """Let sets go on counting from where they were.  Raises HostError."""
    for container, elements in counts:
        changes = [nfnl.Change(container.name, add=elements)]
        space.elements.apply(container.table, changes, family=FAMILIES[container.family])


def _elements(facts: Iterable[NftFact]) -> list[NftFact]:
    return [f for f in facts if isinstance(f, Element)]


def _others(facts: Iterable[NftFact]) -> list[NftFact]:
    return [f for f in facts if not isinstance(f, Element)]


def _change_elements(space: Space, removed: Iterable[NftFact], added: Iterable[NftFact], family: str) -> None:
    changes: dict[tuple[str, str], tuple[list[nfnl.Element], list[nfnl.Element]]] = {}
    for which, facts in enumerate((removed, added)):
        for fact in facts:
            if isinstance(fact, Element):
                lists = changes.setdefault((fact.table, fact.container), ([], []))
                lists[which].append(pack_element(fact, with_value=which == 1))
    for table in {table for table, _ in changes}:
        of_table = [
            nfnl.Change(name, delete=out, add=come)
            for (where, name), (out, come) in changes.items()
            if where == table
        ]
        space.elements.apply(table, of_table, family=FAMILIES[family])


def pack_element(it: Element, *, with_value: bool = True) -> nfnl.Element:
    """Return an element in the kernel's form."""
    value = pack_value(it.value) if with_value and it.value is not None else None
    comment = it.comment if with_value else ""
    first = it.key[0]
    if isinstance(first, Range):
        spanned = nfnl.span(first.first, first.last + 1)
        return nfnl.Element(spanned.key, end=spanned.end, interval=True, comment=comment)
    fields = [pack_field(f) for f in it.key]
    key = fields[0] if len(fields) == 1 else nfnl.concat(*fields)
    return nfnl.Element(key, value=value, comment=comment)


def pack_field(it: Field) -> bytes:
    """Return a field of a key in the kernel's form."""
    if isinstance(it, Range):
        raise ValueError("a range is a key of its own")
    if isinstance(it, str):
        return nfnl.ether(bytes.fromhex(it.replace(":", ""))) if nft.is_mac(it) else nfnl.link_name(it)
    return nfnl.mark(it) if isinstance(it, int) else nfnl.address(it)


def pack_value(it: int | str | Ip | Verdict) -> bytes | nfnl.Verdict:
    """Return what a map says in the kernel's form."""
    return nfnl.Verdict(it.action, it.chain) if isinstance(it, Verdict) else pack_field(it)
