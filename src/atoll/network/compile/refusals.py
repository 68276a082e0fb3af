"""Where every refused packet ends: counted by reason and by the links between which it was to pass, then dropped.

Nothing of this is on the way of a packet that passes.  A refusal gives its packet a mark (rules.reason_number) and
goes to the chain `refused`; what the mark means is read from the plan again, so nobody keeps a table of reasons.

    drops       reason, link it came from, link it was to leave by (none before it was routed) -> packets and bytes
    refused_tcp, refused_udp
                reason, link it came from, the two addresses, port -> packets and bytes; soon forgotten
    refusals    link -> what else is done with packets that are refused on their way from or to it (flow logs)
"""

from collections.abc import Iterable, Iterator

from atoll.network.compile.marks import TABLE
from atoll.network.compile.version import V4, V6
from atoll.network.facts import IPV4, Chain, Container, Fact
from atoll.network.flow import TCP, UDP
from atoll.network.nft import REFUSED
from atoll.network.rules import DROP, Dispatch, Refuse, Tally, equal, reason_number, rule

DROPS, ON_REFUSAL = "drops", "refusals"
KEYS = ("meta mark", "iifname", "oifname")
REASONS_MAX = 2048  # reason and two links: some 50 bytes each.  What comes beyond is dropped uncounted
REFUSED_FLOWS = {"refused_tcp": TCP, "refused_udp": UDP}  # two: a protocol in the key would be one field too many
FLOWS_MAX, FORGET_SECONDS = 1024, 600  # some 100 bytes each; who scans ports fills it, and the rest is in `drops`


def refusals(namespace: str, family: str = IPV4) -> Iterator[Fact]:
    """Yield what a table needs in which rules refuse."""
    yield Container(namespace, family, TABLE, DROPS, ("mark", "ifname", "ifname"), entries_max=REASONS_MAX)
    yield Container(namespace, family, TABLE, ON_REFUSAL, ("ifname",), "verdict")
    of = V4 if family == IPV4 else V6
    key = ("mark", "ifname", of.address, of.address, "inet_service")
    for name in REFUSED_FLOWS:
        yield Container(namespace, family, TABLE, name, key, entries_max=FLOWS_MAX, forget_seconds=FORGET_SECONDS)
    flow = ("meta mark", "iifname", of.source, of.destination, "th dport")
    rules = (
        rule(Tally(KEYS, DROPS)),
        *(rule(equal("meta l4proto", protocol), Tally(flow, name)) for name, protocol in REFUSED_FLOWS.items()),
        rule(Dispatch(("iifname",), ON_REFUSAL)),
        rule(Dispatch(("oifname",), ON_REFUSAL)),
        rule(DROP),
    )
    yield Chain(namespace, family, TABLE, REFUSED, rules)


def reasons(facts: Iterable[Fact]) -> dict[int, tuple[str, str]]:
    """Return what refusals of these facts say: mark -> who refuses (as in Refuse), and why."""
    found = {}
    for fact in facts:
        if isinstance(fact, Chain):
            for it in fact.rules:
                last = it.statements[-1] if it.statements else None
                if isinstance(last, Refuse):
                    found[reason_number(last.side, it.comment)] = last.side, it.comment
    return found
