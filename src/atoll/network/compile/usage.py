"""What a NAT gateway counts of itself: the numbers that CloudWatch has of AWS's.

    prerouting  -89  came      behind `asked`: what is to be translated, by direction of its flow
    postrouting 300  left      behind `translate`, by direction of its flow; connections asked for, and answered

The sets hold one entry for each direction and protocol.
"""

from collections.abc import Iterator

from atoll.network.compile.marks import TABLE, chain
from atoll.network.facts import IPV4, Container, Fact, Hook
from atoll.network.flow import TCP
from atoll.network.rules import Tally, bits, equal, rule

CAME, LEFT, ATTEMPTS, ESTABLISHED, IDLE = "came", "left", "attempts", "established", "idle"
KEYS = {
    CAME: ("ct_dir", "inet_proto"),
    LEFT: ("ct_dir", "inet_proto"),
    ATTEMPTS: ("inet_proto",),
    ESTABLISHED: ("inet_proto",),
    IDLE: ("inet_proto",),
}
ORIGINAL, REPLY = 0, 1  # directions, as the kernel numbers them
ENTRIES_MAX = 64  # a handful: three protocols pass a gateway
SYN, ACK = 2, 0x10


def usage(namespace: str) -> Iterator[Fact]:
    """Yield what counts in a gateway's namespace."""
    for name, key in KEYS.items():
        yield Container(namespace, IPV4, TABLE, name, key, entries_max=ENTRIES_MAX)
    both, protocol = ("ct direction", "meta l4proto"), ("meta l4proto",)
    yield chain(namespace, "count_in", rule(Tally(both, CAME)), hook=Hook("filter", "prerouting", -89, accepts=True))
    asks = (equal("meta l4proto", TCP), bits("tcp flags", SYN | ACK, SYN))
    answers = (equal("meta l4proto", TCP), bits("tcp flags", SYN | ACK, SYN | ACK))
    yield chain(
        namespace,
        "count_out",
        rule(Tally(both, LEFT)),
        rule(*asks, Tally(protocol, ATTEMPTS)),
        rule(*answers, Tally(protocol, ESTABLISHED)),
        hook=Hook("filter", "postrouting", 300, accepts=True),
    )
