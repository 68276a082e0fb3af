"""Security groups: for each a chain per direction, sets for its ranges, and a set of its members.

    cidr rules     grouped by protocol and ports; a group's ranges of one such class are one interval set, so that the
                   cost of a packet does not depend on their number, and a new range is one new element
    group rules    one rule each: the address is a member's *and* the member itself is the other end of the link, so
                   a rule does not match across a machine that forwards

A *profile* is a list of groups that interfaces carry: it calls their chains in turn.  A flow that is allowed from
everywhere, while the other direction lets every answer out, is not tracked (EC2 User Guide, "Untracked connections"):
such rules sit in chains of their own, which accept without leaving a bit in the flow's mark.  A flow to or from a
NAT gateway is tracked all the same ("Automatically tracked connections").
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from atoll.model.group import Rule as Permission
from atoll.model.group import SecurityGroup
from atoll.model.names import digest
from atoll.model.prefix_list import PrefixList
from atoll.network.compile.marks import chain, element, plain_set
from atoll.network.compile.matching import is_every_port, layer_four
from atoll.network.compile.version import V4, V6, Version, versions
from atoll.network.facts import Chain, Element, Fact
from atoll.network.flow import ALL, PROTOCOLS, TCP, UDP, protocol_name, protocol_number
from atoll.network.rules import ACCEPT, Range, Rule, equal, goto, jump, known, refuse, rule, unknown
from atoll.network.rules import chain_name as name_of

COMMENT_MAX = 127  # bytes, as nftables asks
Class: TypeAlias = tuple[int, int, int]  # protocol, first and last port (ICMP: type and code)


@dataclass(frozen=True, slots=True)
class Direction:
    """One of the two directions of rules, and how the kernel's chains spell it."""

    egress: bool
    suffix: str
    link: str
    track: str
    dispatch: str

    def address(self, of: Version) -> str:
        """Return the key of the other end's address."""
        return of.destination if self.egress else of.source


INGRESS = Direction(False, "in", "iifname", "track_receiving", "groups_in")
EGRESS = Direction(True, "out", "oifname", "track_sending", "groups_out")


def members(group_id: str) -> str:
    """Return the name of the set of a group's member addresses."""
    return name_of(group_id, "members")


def group(
    it: SecurityGroup,
    siblings: frozenset[str],
    peered: frozenset[tuple[str, str]] = frozenset(),
    lists: tuple[PrefixList, ...] = (),
    has_ipv6: bool = False,
) -> Iterator[Fact]:
    """Yield the facts of a group.

    `siblings` are the groups of its VPC, `peered` those of peers with the link to each, and `lists` the prefix lists
    that its rules name: a rule that names another matches nothing.
    """
    all_rules = tuple(spelled_out(it.rules, lists))
    for of in versions(has_ipv6):
        yield plain_set(it.vpc_id, members(it.id), of.address, of=of)
        yield from _rules(it, all_rules, siblings, dict(peered), of)


def _rules(
    it: SecurityGroup,
    all_rules: tuple[Permission, ...],
    siblings: frozenset[str],
    links: Mapping[str, str],
    of: Version,
) -> Iterator[Fact]:
    for direction in (INGRESS, EGRESS):
        permissions = [r for r in all_rules if r.egress is direction.egress]
        rules: list[Rule] = []
        untracked: list[Rule] = []
        for key, ranged in _classes(permissions, of).items():
            spans = merged(ranged)
            what = f"{it.id} {direction.suffix} {_spell(key)}"
            if (spans[0].first, spans[0].last) == (0, of.top):
                comment = _listed(r.id for r in ranged if r.cidr is not None and r.cidr.prefixlen == 0) or what
                rules.append(rule(*layer_four(*key), goto(direction.track), comment=comment))
                if any(r.cidr == of.everywhere for r in ranged):  # two halves of it are tracked
                    untracked += _untracked(key, comment)
                continue
            name = name_of(it.id, f"{direction.suffix}_{'_'.join(map(str, key)).replace('-1', 'any')}")
            yield plain_set(it.vpc_id, name, of.address, interval=True, of=of)
            for span in spans:
                yield _range(it.vpc_id, name, span.first, span.last, _listed(span.ids), of)
            admitted = known(name, direction.address(of))
            rules.append(rule(*layer_four(*key), admitted, goto(direction.track), comment=what))
        rules += _references(permissions, siblings, direction, of)
        rules += _peer_references(permissions, links, direction, of)
        yield chain(it.vpc_id, name_of(it.id, direction.suffix), *rules, of=of)
        yield chain(it.vpc_id, name_of(it.id, f"{direction.suffix}_untracked"), *untracked, of=of)


Openness: TypeAlias = tuple[bool, bool, bool, bool]  # tcp in, udp in, tcp out, udp out


def spelled_out(rules: Iterable[Permission], lists: tuple[PrefixList, ...]) -> Iterator[Permission]:
    """Yield rules, those that name a list once for each of its ranges."""
    ranges = {one.id: one.networks for one in lists}
    for permission in rules:
        if permission.prefix_list_id is None:
            yield permission
        for network in ranges.get(permission.prefix_list_id or "", ()):
            yield replace(permission, cidr=network)


def openness(it: SecurityGroup, lists: tuple[PrefixList, ...] = ()) -> tuple[Openness, Openness]:
    """Tell in which directions a group lets every packet of TCP and of UDP through: of version 4, of version 6."""
    return _openness(it, lists, V4), _openness(it, lists, V6)


def _openness(it: SecurityGroup, lists: tuple[PrefixList, ...], of: Version) -> Openness:
    anywhere = [r for r in spelled_out(it.rules, lists) if r.cidr == of.everywhere]
    ways = {
        (protocol, r.egress)
        for r in anywhere
        for protocol in (TCP, UDP)
        if protocol_number(r.protocol) == ALL
        or (protocol_number(r.protocol) == protocol and is_every_port(r.from_port, r.to_port))
    }
    return (TCP, False) in ways, (UDP, False) in ways, (TCP, True) in ways, (UDP, True) in ways


def profile_name(group_ids: tuple[str, ...]) -> str:
    """Return the name of the chains of a list of groups, in whatever order."""
    return "profile_" + digest("|".join(sorted(group_ids)), 10)


def profile(
    vpc_id: str, group_ids: tuple[str, ...], open_ways: Mapping[str, tuple[Openness, Openness]], has_ipv6: bool
) -> Iterator[Chain]:
    """Yield the two chains of a list of groups, for each version."""
    for n, of in enumerate(versions(has_ipv6)):
        yield from _profile(vpc_id, group_ids, {id: both[n] for id, both in open_ways.items()}, of)


def _profile(
    vpc_id: str, group_ids: tuple[str, ...], open_ways: Mapping[str, Openness], of: Version
) -> Iterator[Chain]:
    ways = [any(group) for group in zip(*(open_ways[g] for g in group_ids), strict=True)] or [False] * 4
    back = {INGRESS: ways[2:], EGRESS: ways[:2]}  # an answer goes the other way
    for direction, open_back in back.items():
        rules = [
            rule(
                equal("meta l4proto", protocol),
                unknown("trackers", direction.link),
                jump(name_of(g, f"{direction.suffix}_untracked")),
            )
            for protocol, is_open in zip((TCP, UDP), open_back, strict=True)
            if is_open
            for g in sorted(group_ids)
        ]
        rules += [rule(jump(name_of(g, direction.suffix))) for g in sorted(group_ids)]
        name = f"{profile_name(group_ids)}_{direction.suffix}"
        refusal = refuse(f"no rule {direction.suffix}", side=direction.suffix)
        yield chain(vpc_id, name, *rules, refusal, of=of)


@dataclass(slots=True)
class Span:
    """Addresses, as numbers from `first` to `last`, and the rules that allow them."""

    first: int
    last: int
    ids: list[str]


def merged(permissions: Iterable[Permission]) -> list[Span]:
    """Return the ranges of rules, overlapping and touching ones as one: the kernel refuses overlaps."""
    spans = []
    for permission in permissions:
        cidr = permission.cidr
        assert cidr is not None, "only ranges are in a class"
        first = int(cidr.network_address)
        spans.append((first, first + (1 << cidr.max_prefixlen - cidr.prefixlen) - 1, permission.id))
    spans.sort()
    out: list[Span] = []
    for first, last, id in spans:
        if out and first <= out[-1].last + 1:
            out[-1].last = max(out[-1].last, last)
            if out[-1].ids[-1] != id:  # ranges of one list
                out[-1].ids.append(id)
        else:
            out.append(Span(first, last, [id]))
    return out


@lru_cache(maxsize=1 << 16)  # so that one more range among thousands makes one new element, and finds the others
def _range(vpc_id: str, container: str, first: int, last: int, comment: str, of: Version) -> Element:
    return element(vpc_id, container, Range(first, last, of.number), comment=comment, of=of)


def _classes(permissions: Iterable[Permission], of: Version) -> dict[Class, list[Permission]]:
    alike: dict[tuple[str, int, int], list[Permission]] = {}
    for permission in permissions:
        if permission.cidr is not None and permission.cidr.version == of.number:
            same = alike.setdefault((permission.protocol, permission.from_port, permission.to_port), [])
            same.append(permission)
    classes: dict[Class, list[Permission]] = {}
    for same in alike.values():
        classes.setdefault(_class(same[0]), []).extend(same)
    return classes


def _class(permission: Permission) -> Class:
    name = permission.protocol
    protocol = PROTOCOLS[name] if name in PROTOCOLS else protocol_number(name)
    return (ALL, -1, -1) if protocol == ALL else (protocol, permission.from_port, permission.to_port)


def _untracked(key: Class, comment: str) -> Iterator[Rule]:
    """Yield the rules that accept without tracking: AWS knows untracked flows of TCP and UDP only."""
    for protocol in (TCP, UDP):
        if key[0] in (ALL, protocol):
            matches = layer_four(protocol, *key[1:]) if key[0] == protocol else layer_four(protocol, -1, -1)
            yield rule(*matches, ACCEPT, comment=comment)


def _references(
    permissions: Iterable[Permission], siblings: frozenset[str], direction: Direction, of: Version
) -> Iterator[Rule]:
    for permission in permissions:
        if permission.group_id in siblings:
            assert permission.group_id, "a sibling"
            yield rule(
                *layer_four(*_class(permission)),
                known(members(permission.group_id), direction.address(of)),
                known("owners", direction.link, direction.address(of)),
                goto(direction.track),
                comment=permission.id,
            )


def _peer_references(
    permissions: Iterable[Permission], links: Mapping[str, str], direction: Direction, of: Version
) -> Iterator[Rule]:
    """Yield the rules that name groups of peers.  Only the peer is behind its link, so the address is enough."""
    for permission in permissions:
        if permission.group_id and permission.group_vpc_id and permission.group_id in links:
            yield rule(
                *layer_four(*_class(permission)),
                equal(direction.link, links[permission.group_id]),
                known(members(permission.group_id), direction.address(of)),
                goto(direction.track),
                comment=permission.id,
            )


def _spell(key: Class) -> str:
    protocol, first, last = key
    ports = (f" {first}" if first >= 0 else "") + (f"-{last}" if last not in (-1, first) else "")
    return protocol_name(protocol) + ports


def _listed(ids: Iterable[str]) -> str:
    """Join ids, as many as a comment holds."""
    if isinstance(ids, list) and len(ids) == 1:
        return str(ids[0])
    out = ""
    for id in ids:
        if len(out) + len(id) + 4 > COMMENT_MAX:
            return out + " ..."
        out += f" {id}" if out else id
    return out
