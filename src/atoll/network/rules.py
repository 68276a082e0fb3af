"""Rules of nftables as data: a small tree that `nft` writes as text and `decide` executes.

A key is named as nftables spells it: "ip saddr", "iifname", "meta mark", "ct direction" ...  A statement that does
not match ends its rule.  Only what the plan needs exists here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TypeAlias

from atoll.model.ip import Ip, Net
from atoll.model.names import digest


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers (ports, or addresses as numbers) from `first` to `last`, both included."""

    first: int
    last: int
    version: int = 4  # of addresses


Value: TypeAlias = int | str | Ip | Net | Range


@dataclass(frozen=True, slots=True)
class Match:
    """The key, masked if there is a mask, equals one of the values (or, negated, none of them)."""

    key: str
    values: tuple[Value, ...]
    negated: bool = False
    mask: int | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """The keys, joined, are (or, negated, are not) in a set."""

    keys: tuple[str, ...]
    container: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class SetBits:
    """Switch bits on in "meta mark" or "ct mark"."""

    key: str
    bits: int


@dataclass(frozen=True, slots=True)
class SetFrom:
    """Give `key` the value that a map has for the keys; without one the rule ends."""

    key: str
    keys: tuple[str, ...]
    container: str


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Do what a verdict map says for the keys; without an entry the rule ends."""

    keys: tuple[str, ...]
    container: str


@dataclass(frozen=True, slots=True)
class Translate:
    """Give a flow one of these source addresses, and keep its source port if it is one of `ports` and free there.

    With several addresses the flow's own source chooses.  Only in a chain of kind "nat", which is asked once a flow.
    """

    addresses: tuple[IPv4Address, ...]
    ports: Range | None = None  # None: a protocol without ports


@dataclass(frozen=True, slots=True)
class Forward:
    """Give a flow one of these destinations (address, port; None: the port stays).

    With several the flow's own source chooses: its address and port or, sticky, its address alone.  Only in a chain
    of kind "nat", which is asked once a flow.
    """

    choices: tuple[tuple[IPv4Address, int | None], ...]
    sticky: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """End the rule: "accept", "drop", "return", or "jump" and "goto" with a chain; RESET drops and tells the sender.

    accept ends only its base chain, at any depth; the base chains behind it still run.
    """

    action: str
    chain: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Count packets and bytes under the joined keys, in a set that fills itself; when it is full the rule ends."""

    keys: tuple[str, ...]
    container: str


@dataclass(frozen=True, slots=True)
class Exceeds:
    """More packets than `a_second` come under the joined keys, and the `burst` is used up; the set fills itself.

    When the set is full, nobody new exceeds anything.
    """

    keys: tuple[str, ...]
    container: str
    a_second: int
    burst: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Drop, and count it: what for (the rule's comment), between which links, and who refused it.

    "out"  the sender's side: its groups, its subnet's network ACL
    "in"   the receiver's side
    "way"  what is between, when the sender's side had nothing against it: gateways, peerings, the destination check
    ""     who had no right to send it at all, or sent it to nobody
    """

    side: str = ""


@dataclass(frozen=True, slots=True)
class SetTimeout:
    """Have a flow that begins be forgotten as a policy says (facts.TimeoutPolicy)."""

    policy: str


SIDES = ("", "out", "in", "way")
REASON_BITS = 30


def reason_number(side: str, comment: str) -> int:
    """Return the mark that a refused packet is counted under: who refused it, in the two highest bits, and why."""
    return SIDES.index(side) << REASON_BITS | int(digest(f"{side} {comment}", 8), 16) >> 32 - REASON_BITS


@dataclass(frozen=True, slots=True)
class Text:
    """A statement of the ARP responder, as nftables spells it; `decide` knows what the responder does as a whole."""

    text: str


Statement: TypeAlias = (
    Match
    | Lookup
    | SetBits
    | SetFrom
    | Dispatch
    | Translate
    | Forward
    | Verdict
    | Tally
    | Exceeds
    | Refuse
    | SetTimeout
    | Text
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; its comment says which resource it comes from."""

    statements: tuple[Statement, ...]
    comment: str = ""


ACCEPT, DROP, RETURN = Verdict("accept"), Verdict("drop"), Verdict("return")
RESET = Verdict("reject with tcp reset")


def jump(chain: str) -> Verdict:
    """Call a chain, and go on behind this rule when it returns."""
    return Verdict("jump", chain)


def goto(chain: str) -> Verdict:
    """Call a chain and return to our own caller when it returns."""
    return Verdict("goto", chain)


def equal(key: str, *values: Value) -> Match:
    """Match one of the values."""
    return Match(key, values)


def other(key: str, *values: Value) -> Match:
    """Match none of the values."""
    return Match(key, values, negated=True)


def bits(key: str, mask: int, value: int | None = None, *, negated: bool = False) -> Match:
    """Match when the masked key equals `value`; without one, when all bits of the mask are on."""
    return Match(key, (mask if value is None else value,), negated, mask)


def known(container: str, *keys: str) -> Lookup:
    """Match when the joined keys are in a set."""
    return Lookup(keys, container)


def unknown(container: str, *keys: str) -> Lookup:
    """Match when the joined keys are not in a set."""
    return Lookup(keys, container, negated=True)


def rule(*statements: Statement, comment: str = "") -> Rule:
    """Return a rule."""
    return Rule(statements, comment)


def refuse(comment: str, *statements: Statement, side: str = "") -> Rule:
    """Return a rule that drops and says why; `side` as in Refuse.  Its table needs the chain of `refusals`."""
    return Rule((*statements, Refuse(side)), comment)


def chain_name(id: str, suffix: str = "") -> str:
    """Return an id as nftables can spell it in a name."""
    return id.replace("-", "_") + (f"_{suffix}" if suffix else "")


def texts(*lines: str) -> Sequence[Rule]:
    """Return rules of plain text."""
    return [Rule((Text(line),)) for line in lines]
