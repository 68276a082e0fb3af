"""Protocols and ports, as groups and ACLs write them, to matches."""

from atoll.network.flow import ALL, ICMP, ICMPV6, TCP, UDP
from atoll.network.rules import Match, Range, equal

PORT_MAX = 65535


def is_every_port(first: int, last: int) -> bool:
    """Tell whether a range covers all ports; EC2 writes -1 for "any"."""
    return (first <= 0 and last >= PORT_MAX) or first == -1


def layer_four(protocol: int, first: int, last: int) -> tuple[Match, ...]:
    """Return the matches for a protocol with its ports, or for ICMP with its type and code (-1: any)."""
    if protocol == ALL:
        return ()
    if protocol in (ICMP, ICMPV6):
        name = "icmp" if protocol == ICMP else "icmpv6"
        kind = (equal(f"{name} type", first),) if first >= 0 else ()
        code = (equal(f"{name} code", last),) if first >= 0 and last >= 0 else ()
        return equal("meta l4proto", protocol), *kind, *code
    if protocol not in (TCP, UDP) or is_every_port(first, last):
        return (equal("meta l4proto", protocol),)
    port = "tcp dport" if protocol == TCP else "udp dport"
    return (equal(port, first if first == last else Range(first, last)),)
