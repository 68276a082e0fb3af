"""Interface endpoints: an interface in the consumer's subnet, and what is behind it.

Of an endpoint service: a wire to the load balancer's node in the same zone, which is told of one address only, this
endpoint's; the provider never opens a flow.

    prerouting -100  listeners  TCP and UDP that is sent to the endpoint goes on to the balancer
    prerouting  -90  asked      nothing else is for it
    forward       0  through    only that way
    postrouting 100  translate  the balancer sees the endpoint, not its client

Of Atoll's own API: sockets of the daemon's, which are opened in its namespace (`control/services`).
"""

from collections.abc import Iterator

from atoll.model.interface import Interface
from atoll.network.compile.appliances import appliance, one_way
from atoll.network.compile.balancers import TIMES, asked, pair, wire_network
from atoll.network.compile.interfaces import Standing
from atoll.network.compile.marks import GUEST_LINK, chain, far_mac
from atoll.network.compile.wires import DOOR, Wire
from atoll.network.facts import Chain, Fact, Hook, Neighbour, Route
from atoll.network.flow import TCP, UDP
from atoll.network.rules import ACCEPT, Forward, Translate, equal, rule

API_PORTS = (80, 443)


def endpoint(it: Interface, standing: Standing, wires: tuple[Wire, ...], *, is_api: bool) -> Iterator[Fact]:
    """Yield the facts of an endpoint's interface; `wires` is empty where nothing is behind it."""
    yield from appliance(it, standing, TIMES)
    if is_api:
        yield asked(it, it.private_ips, rule(equal("tcp dport", *API_PORTS), ACCEPT))
    else:
        yield asked(it, it.private_ips)
    for wire in wires:
        yield pair(wire)
        yield Route(it.id, wire_network(DOOR), link=wire.link)
        yield Neighbour(it.id, wire.link, DOOR, far_mac(f"{wire.link} far"))
        yield from _rules(it, wire)


def _rules(it: Interface, wire: Wire) -> Iterator[Chain]:
    yield chain(
        it.id,
        "listeners",
        rule(equal("ip daddr", *it.private_ips), equal("meta l4proto", TCP, UDP), Forward(((DOOR, None),))),
        hook=Hook("nat", "prerouting", -100, accepts=True),
    )
    yield one_way(it.id, rule(equal("iifname", GUEST_LINK), ACCEPT))
    yield chain(
        it.id,
        "translate",
        rule(equal("oifname", wire.link), Translate((wire.source,))),
        hook=Hook("nat", "postrouting", 100, accepts=True),
    )
