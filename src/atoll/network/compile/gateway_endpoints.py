"""Gateway endpoints: a namespace beside the router, to which routes of a service's prefix list lead.

    out      from an address of the VPC; the sender's groups and ACL have been asked, and the flow is tracked
    in       answers only, through the ACL of the subnet that they come into; nothing is opened from there

Behind it is the service itself, as far as there is one here: sockets of the daemon's, opened in the namespace.
"""

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network

from atoll.model.endpoint import S3_ADDRESS, VpcEndpoint
from atoll.model.names import digest
from atoll.network.compile.marks import (
    EVERYWHERE,
    FROM_ENDPOINT,
    GUEST_LINK,
    INSIDE_MTU,
    NEXT_HOP,
    ROUTER,
    TABLE,
    chain,
    element,
    far_mac,
)
from atoll.network.compile.refusals import refusals
from atoll.network.facts import IPV4, Address, Fact, Hook, Namespace, Neighbour, Route, Table, Veth
from atoll.network.rules import ACCEPT, Rule, SetBits, equal, goto, jump, other, refuse, rule
from atoll.network.rules import chain_name as name_of

PORTS = (80, 443)
LOCAL = 32  # prefix length of a host


def endpoint_link(endpoint_id: str) -> str:
    """Return the name of the router's link to a gateway endpoint: at most 15 characters, as Linux asks."""
    return "s" + digest(endpoint_id, 12)


def gateway_endpoint(it: VpcEndpoint, cidrs: tuple[IPv4Network, ...]) -> Iterator[Fact]:
    """Yield the facts of a gateway endpoint; `cidrs` are the ranges of its VPC."""
    vpc, link = it.vpc_id, endpoint_link(it.id)
    near, far = far_mac(f"{link} near"), far_mac(f"{link} far")
    yield Namespace(it.id, ROUTER)
    yield Veth(vpc, link, near, it.id, GUEST_LINK, far, INSIDE_MTU)
    yield Neighbour(vpc, link, NEXT_HOP, far)
    yield Neighbour(it.id, GUEST_LINK, NEXT_HOP, near)
    yield Route(it.id, EVERYWHERE, link=GUEST_LINK, via=NEXT_HOP)
    coming, going = name_of(it.id, "in"), name_of(it.id, "out")
    yield chain(vpc, coming, rule(SetBits("meta mark", FROM_ENDPOINT)), rule(ACCEPT))
    outside = refuse("source outside the VPC", other("ip saddr", *cidrs))
    yield chain(vpc, going, rule(jump("acls")), outside, rule(ACCEPT))
    yield element(vpc, "arrivals", link, to=goto(coming))
    yield element(vpc, "departures", link, to=goto(going))
    yield element(vpc, "groups_in", link, to=goto("track_receiving"))
    yield element(vpc, "trackers", link)
    yield Table(it.id, IPV4, TABLE)
    yield from refusals(it.id)
    served: tuple[Rule, ...] = ()
    if it.serves_objects:
        yield Address(it.id, "lo", IPv4Interface((S3_ADDRESS, LOCAL)))
        served = (rule(equal("ip daddr", S3_ADDRESS), equal("tcp dport", *PORTS), ACCEPT),)
    yield chain(
        it.id,
        "asked",
        rule(equal("iifname", "lo"), ACCEPT),
        rule(equal("ct state", "established", "related"), ACCEPT),
        *served,
        refuse("nobody listens"),
        hook=Hook("filter", "prerouting", -90, accepts=True),
    )
