"""Idle timeouts of connection tracking that interfaces have of their own.

A flow between two such interfaces is forgotten when the first of them forgets it.  Only a VPC with such an interface
has any of this, and only the first packet of a flow asks:

    forward  15  timeouts   behind the groups: the longer timeouts first, so that the shortest is the one that stays

Source: EC2 User Guide, "Idle connection tracking timeout".
"""

from collections.abc import Iterator

from atoll.model.interface import Interface, Timeouts
from atoll.model.names import link_name
from atoll.network.compile.marks import TABLE, chain, element, plain_set
from atoll.network.compile.version import versions
from atoll.network.facts import Fact, Hook, TimeoutPolicy
from atoll.network.flow import TCP, UDP
from atoll.network.rules import ACCEPT, Rule, SetTimeout, equal, known, rule

BEHIND_GROUPS = 15  # priority in forward
UDP_SECONDS, UDP_STREAM_SECONDS, TCP_SECONDS = 30, 180, 432_000  # unless an interface has others


def policies(it: Timeouts) -> Iterator[tuple[int, tuple[tuple[str, int], ...]]]:
    """Yield the protocols for which an interface has timeouts of its own, with the kernel's names of the states."""
    if it.tcp_established is not None:
        yield TCP, (("established", it.tcp_established),)
    if it.udp is not None or it.udp_stream is not None:
        yield UDP, (("unreplied", it.udp or UDP_SECONDS), ("replied", it.udp_stream or UDP_STREAM_SECONDS))


def _name(protocol: int, policy: tuple[tuple[str, int], ...]) -> str:
    return "_".join(("tcp" if protocol == TCP else "udp", *(str(seconds) for _, seconds in policy)))


def timeouts(vpc_id: str, used: frozenset[Timeouts], has_ipv6: bool) -> Iterator[Fact]:
    """Yield what sets the timeouts of flows in a router."""
    wanted = {policy for it in used for policy in policies(it)}
    ordered = sorted(wanted, key=lambda p: (p[0], [-seconds for _, seconds in p[1]]))
    for of in versions(has_ipv6):
        rules: list[Rule] = [rule(equal("ct state", "established", "related"), ACCEPT)]
        for protocol, policy in ordered:
            name = _name(protocol, policy)
            yield TimeoutPolicy(vpc_id, of.family, TABLE, name, "tcp" if protocol == TCP else "udp", policy)
            yield plain_set(vpc_id, f"{name}_links", "ifname", of=of)
            for link in ("iifname", "oifname"):
                rules.append(rule(equal("meta l4proto", protocol), known(f"{name}_links", link), SetTimeout(name)))
        hook = Hook("filter", "forward", BEHIND_GROUPS, accepts=True)
        yield chain(vpc_id, "timeouts", *rules, hook=hook, of=of)


def patience(it: Interface, has_ipv6: bool) -> Iterator[Fact]:
    """Yield what gives an interface its timeouts."""
    for protocol, policy in policies(it.timeouts):
        for of in versions(has_ipv6):
            yield element(it.vpc_id, f"{_name(protocol, policy)}_links", link_name(it.id), of=of)
