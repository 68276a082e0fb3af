"""The parts of a plan, each with exactly the inputs it depends on."""

from collections.abc import Container, Iterable, Iterator, Mapping
from functools import partial
from ipaddress import IPv4Address
from typing import TypeAlias, cast

from atoll.model.acl import NetworkAcl
from atoll.model.balancer import KIND as BALANCER
from atoll.model.endpoint import KIND as ENDPOINT
from atoll.model.endpoint import VpcEndpoint
from atoll.model.flow_log import FlowLog
from atoll.model.group import SecurityGroup
from atoll.model.interface import AWS_TIMEOUTS, Interface
from atoll.model.internet import OutsideHost
from atoll.model.ip import Net
from atoll.model.names import link_name
from atoll.model.nat_gateway import NatGateway
from atoll.model.prefix_list import PrefixList, managed
from atoll.model.resource import unlike
from atoll.model.route import Route, RouteTable
from atoll.model.subnet import Subnet
from atoll.network.compile import groups as security_groups
from atoll.network.compile import internet
from atoll.network.compile.balancers import balancers
from atoll.network.compile.circles import circle
from atoll.network.compile.endpoints import endpoint
from atoll.network.compile.faults import cuts
from atoll.network.compile.flow_logs import counting, logged
from atoll.network.compile.fragment import Fragment, Memo, Part, Wanted, no_facts, part
from atoll.network.compile.gateway_endpoints import endpoint_link, gateway_endpoint
from atoll.network.compile.inputs import Inputs
from atoll.network.compile.interfaces import Seat, Standing, interface
from atoll.network.compile.marks import EGRESS_ONLY_LINK, GATEWAY_LINK
from atoll.network.compile.nat_gateways import KIND as NAT_GATEWAY
from atoll.network.compile.nat_gateways import nat_gateway
from atoll.network.compile.peering import peering
from atoll.network.compile.router import router
from atoll.network.compile.subnets import Way, acl, routes, subnet
from atoll.network.compile.tracking import patience, timeouts
from atoll.network.compile.version import V4, V6

PartKey: TypeAlias = tuple[str, str]  # VPC or "", kind
KINDS = (
    "router", "acls", "peerings", "groups", "profiles", "gateway", "egress_only", "subnets", "interfaces",
    "nat_gateways", "balancers", "endpoints", "gateway_endpoints", "circles", "routes", "flow_logs", "tracking",
    "cuts",
)  # fmt: skip
APPLIANCES = (NAT_GATEWAY, BALANCER, ENDPOINT)  # kinds of interfaces behind which no guest is


def internet_part(hosts: tuple[OutsideHost, ...], old: Part | None) -> Part:
    """Return the part of the internet and its outside hosts."""

    def wanted() -> Wanted:
        yield "internet", (), internet.internet
        for host in hosts:
            yield host.id, (host,), partial(internet.outside, host)

    return part("", "internet", old, hosts, wanted)


def vpc_parts(it: Inputs, old: Mapping[PartKey, Part]) -> Iterator[tuple[PartKey, Part]]:
    """Yield the parts of a VPC.  The order is that in which they can be applied one by one."""
    gateway = next(iter(it.gateways.values()), None)
    links = tuple((peer.link.id, peer.link.name) for peer in it.peers)
    placed = (it.interfaces, it.subnets, it.tables, it.silent, it.nat_gateways, it.cuts.dead)
    standing = (it.interfaces, *_standing_of(it))
    networked = (it.vpc, gateway is not None, it.egress_only, *placed, links, it.prefix_lists, it.endpoints)
    makers = (
        ("router", (it.vpc,), lambda: [("router", (it.vpc,), partial(router, it.vpc))]),
        ("acls", (it.acls, it.has_ipv6), partial(_acls, it)),
        ("peerings", (it.peers,), partial(_peerings, it)),
        (
            "groups",
            (it.groups, it.has_ipv6, it.prefix_lists, *((p.link.id, p.named) for p in it.peers)),
            partial(_groups, it),
        ),
        ("profiles", (it.interfaces, it.groups, it.has_ipv6, it.prefix_lists), partial(_profiles, it)),
        ("gateway", (gateway, it.publics, *networked), partial(_gateway, it)),
        ("egress_only", (gateway is None, it.vpc, it.egress_only), partial(_egress_only, it)),
        ("subnets", (it.subnets, it.has_ipv6), partial(_subnets, it)),
        ("interfaces", (gateway, *standing), partial(_interfaces, it, old.get((it.vpc.id, "interfaces")))),
        ("nat_gateways", (gateway, it.vpc, *standing), partial(_nat_gateways, it)),
        (
            "balancers",
            (*placed, it.publics, gateway is not None, it.balancers, it.listeners, it.target_groups, it.wires),
            partial(_balancers, it),
        ),
        ("endpoints", (it.interfaces, it.subnets, it.endpoints, it.wires, it.cuts.dead), partial(_endpoints, it)),
        ("gateway_endpoints", (it.vpc, it.endpoints), partial(_gateway_endpoints, it)),
        ("circles", (it.circles,), partial(_circles, it)),
        ("routes", (gateway, *networked), partial(_routes, it)),
        ("flow_logs", (it.flow_logs, it.has_ipv6, it.flow_logs and it.interfaces), partial(_flow_logs, it)),
        ("tracking", (it.interfaces, it.has_ipv6), partial(_tracking, it)),
        ("cuts", (it.cuts, it.has_ipv6), partial(_cuts, it)),
    )
    for kind, made_from, wanted in makers:
        key = it.vpc.id, kind
        yield key, part(*key, old.get(key), made_from, cast("partial[Wanted]", wanted))


def _acls(it: Inputs) -> Wanted:
    for network_acl in cast("Mapping[str, NetworkAcl]", it.acls).values():
        yield network_acl.id, (network_acl, it.has_ipv6), partial(acl, network_acl, it.has_ipv6)


def _groups_named_by(it: SecurityGroup) -> frozenset[str]:
    return frozenset(r.group_id for r in it.rules if r.group_id)


def _lists_named_by(it: SecurityGroup) -> frozenset[str]:
    return frozenset(r.prefix_list_id for r in it.rules if r.prefix_list_id)


_mentioned = Memo(_groups_named_by)
_listed = Memo(_lists_named_by)
_openness = Memo(security_groups.openness)
_NO_LINKS: frozenset[tuple[str, str]] = frozenset()


def _lists(it: Inputs, group: SecurityGroup) -> tuple[PrefixList, ...]:
    """Return the prefix lists that a group's rules name; mostly none."""
    if not (ids := _listed(group)):
        return ()
    found = (_list(it, id) for id in sorted(ids))
    return tuple(one for one in found if one)


def _list(it: Inputs, id: str) -> PrefixList | None:
    listed = cast("PrefixList | None", it.prefix_lists.get(id))
    return listed or next((one for one in managed(it.vpc.region) if one.id == id), None)


def _groups(it: Inputs) -> Wanted:
    siblings = frozenset(it.groups)
    links = {id: peer.link.name for peer in it.peers for id in peer.named}
    for group in cast("Mapping[str, SecurityGroup]", it.groups).values():
        mentioned = _mentioned(group)
        named = siblings & mentioned if mentioned else mentioned  # most name nobody, and all are asked each time
        peered = frozenset((id, links[id]) for id in mentioned if id in links) if mentioned else _NO_LINKS
        made_from = group, named, peered, _lists(it, group), it.has_ipv6
        yield group.id, made_from, partial(security_groups.group, *made_from)


def _peerings(it: Inputs) -> Wanted:
    for peer in it.peers:
        yield peer.link.id, (peer.link, peer.members), partial(peering, peer.link, peer.members)


def _profiles(it: Inputs) -> Wanted:
    all_groups = cast("Mapping[str, SecurityGroup]", it.groups)
    interfaces = cast("Mapping[str, Interface]", it.interfaces).values()
    used = {i.group_ids for i in interfaces if i.group_ids or i.kind not in APPLIANCES}
    ways = {id: _open_ways(it, all_groups[id]) for ids in used for id in ids}
    for ids in used:
        mine = {id: ways[id] for id in ids}
        name = security_groups.profile_name(ids)
        made_from = frozenset(mine.items()), it.has_ipv6
        yield name, made_from, partial(security_groups.profile, it.vpc.id, ids, mine, it.has_ipv6)


def _open_ways(it: Inputs, group: SecurityGroup) -> tuple[security_groups.Openness, security_groups.Openness]:
    lists = _lists(it, group)
    return security_groups.openness(group, lists) if lists else _openness(group)


def _subnets(it: Inputs) -> Wanted:
    for one in cast("Mapping[str, Subnet]", it.subnets).values():
        yield one.id, (one, it.has_ipv6), partial(subnet, one, it.has_ipv6)


def _interfaces(it: Inputs, old: Part | None) -> Wanted:
    """Want those of which something may have changed anew, and the others as they are."""
    kept = _untouched(it, old) if old else {}
    anew = {one.id: (one, standing) for one, standing in _standing(it, kept)}
    for id, resource in it.interfaces.items():
        if fragment := kept.get(id):
            yield id, fragment.made_from, no_facts
        elif cast(Interface, resource).kind not in APPLIANCES:
            yield id, anew[id], partial(interface, *anew[id])


def _untouched(it: Inputs, old: Part) -> Mapping[str, Fragment]:
    """Return the fragments of interfaces that stand as before: only some interfaces, and not theirs, have changed."""
    gateway, interfaces, *others = old.made_from
    if (gateway, *others) != (next(iter(it.gateways.values()), None), *_standing_of(it)):
        return {}
    was = cast("Mapping[str, Interface]", interfaces)
    changed = [cast(Interface, one) for one in unlike(was, it.interfaces)]
    gone = {one.id for one in changed}
    machines = {one.instance_id for one in changed if one.instance_id}  # the seats of all of their interfaces
    gone |= {id for id, one in was.items() if one.instance_id in machines} if machines else set()
    return {id: fragment for id, fragment in old.fragments.items() if id not in gone}


def _standing_of(it: Inputs) -> tuple[object, ...]:
    """Return what the standing of interfaces is made from, beside them."""
    return it.subnets, it.silent, it.publics, it.cuts.dead


def _nat_gateways(it: Inputs) -> Wanted:
    for one, standing in _standing(it) if it.nat_gateways else ():
        if one.kind == NAT_GATEWAY and standing.is_live:
            yield one.id, (one, standing, it.vpc.cidrs), partial(nat_gateway, one, standing, it.vpc.cidrs)


def _balancers(it: Inputs) -> Wanted:
    if not it.balancers:
        return ()
    return balancers(_standing(it), it.wires, it.balancers, it.listeners, it.target_groups, it.silent, it.interfaces)


def _endpoints(it: Inputs) -> Wanted:
    own = {
        foot.interface_id: one.service_id is None
        for one in cast("Mapping[str, VpcEndpoint]", it.endpoints).values()
        for foot in one.feet
    }
    for one, standing in _standing(it) if own else ():
        if one.id in own and standing.is_live:
            mine = it.wires.get(one.id, ())
            made_from = (one, standing, mine, own[one.id])
            yield one.id, made_from, partial(endpoint, one, standing, mine, is_api=own[one.id])


def _gateway_endpoints(it: Inputs) -> Wanted:
    for one in cast("Mapping[str, VpcEndpoint]", it.endpoints).values():
        if one.type == "Gateway" and one.stands:
            yield one.id, (one, it.vpc.cidrs), partial(gateway_endpoint, one, it.vpc.cidrs)


def _standing(it: Inputs, without: Container[str] = ()) -> Iterator[tuple[Interface, Standing]]:
    """Yield interfaces, `without` all of some machines, or some of none, and where they stand."""
    subnets = cast("Mapping[str, Subnet]", it.subnets)
    interfaces = [one for id, one in cast("Mapping[str, Interface]", it.interfaces).items() if id not in without]
    seats = _seats(interfaces)
    elastic: dict[str, dict[IPv4Address, IPv4Address]] = {}
    for eip in it.publics if it.gateways else ():
        if eip.interface_id is not None and eip.private_ip is not None:
            elastic.setdefault(eip.interface_id, {})[eip.private_ip] = eip.public_ip
    for one in interfaces:
        publics = {one.address: one.public_ip} if one.public_ip and it.gateways else {}
        publics |= elastic.get(one.id, {})
        seat = seats.get(one.id) or Seat(one.id)
        standing = Standing(subnets[one.subnet_id], _is_live(it, one), tuple(publics.items()), seat)
        yield one, standing


def _seats(interfaces: Iterable[Interface]) -> Mapping[str, Seat]:
    """Return where the interfaces of instances with several are; the others are at home."""
    of_instances: dict[str, dict[int, Interface]] = {}
    for one in interfaces:
        if one.instance_id and one.attachment:
            of_instances.setdefault(one.instance_id, {})[one.attachment.device_index] = one
    found: dict[str, Seat] = {}
    for mine in of_instances.values():
        if len(mine) > 1 and 0 in mine:
            first6 = min((index for index, one in mine.items() if one.ipv6_addresses), default=0)
            found |= {one.id: Seat(mine[0].id, index, index == first6) for index, one in mine.items()}
    return found


def _circles(it: Inputs) -> Wanted:
    for one in it.circles:
        yield one.id, (one,), partial(circle, it.vpc.id, one)


def _tracking(it: Inputs) -> Wanted:
    own = [i for i in cast("Mapping[str, Interface]", it.interfaces).values() if i.timeouts != AWS_TIMEOUTS]
    if own:
        used = frozenset(i.timeouts for i in own)
        yield it.vpc.id, (used, it.has_ipv6), partial(timeouts, it.vpc.id, used, it.has_ipv6)
    for one in own:
        yield one.id, (one.timeouts, it.has_ipv6), partial(patience, one, it.has_ipv6)


def _flow_logs(it: Inputs) -> Wanted:
    if not it.flow_logs:
        return
    yield it.vpc.id, (it.has_ipv6,), partial(counting, it.vpc.id, it.has_ipv6)
    wanted = {log.resource_id for log in cast("Mapping[str, FlowLog]", it.flow_logs).values()}
    for one in cast("Mapping[str, Interface]", it.interfaces).values():
        if not wanted.isdisjoint((one.id, one.subnet_id, one.vpc_id)):
            yield one.id, (one.number, it.has_ipv6), partial(logged, one, it.has_ipv6)


def _cuts(it: Inputs) -> Wanted:
    if it.cuts.severed or it.cuts.zones:
        yield "cuts", (it.cuts, it.has_ipv6), partial(cuts, it.vpc.id, it.cuts, it.has_ipv6)


def _routes(it: Inputs) -> Wanted:
    main, own = _tables(it)
    resolved = {t.id: _ways(it, t) for t in (main, *own.values())}
    for one in cast("Mapping[str, Subnet]", it.subnets).values():
        ways = resolved[own.get(one.id, main).id]
        yield one.id, (one, ways, it.has_ipv6), partial(routes, one, ways, it.has_ipv6)


def _gateway(it: Inputs) -> Wanted:
    for gateway in it.gateways.values():
        table = _tables(it)[1].get(gateway.id)
        ways = tuple(_edge_way(it, way) for way in _ways(it, table)) if table else None
        made_from = it.vpc.id, it.vpc.cidrs6, ways
        yield gateway.id, (gateway, *made_from), partial(internet.gateway, *made_from)


def _egress_only(it: Inputs) -> Wanted:
    for gateway in it.egress_only.values() if it.has_ipv6 else ():
        made_from = it.vpc.id, it.vpc.cidrs6, not it.gateways
        yield gateway.id, (gateway, *made_from), partial(internet.egress_only_gateway, *made_from)


def _edge_way(it: Inputs, way: Way) -> Way:
    """Return a way from the internet: to a middlebox only if that has a public address; of version 6 each is."""
    if (
        way.kind != "unicast"
        or way.network.version == V6.number
        or any(way.link == link_name(id) for id in _public_ids(it))
    ):
        return way
    return Way(way.network, "blackhole")


def _public_ids(it: Inputs) -> Iterator[str]:
    yield from (one.interface_id for one in it.publics if one.interface_id)
    yield from (one.id for one in cast("Mapping[str, Interface]", it.interfaces).values() if one.public_ip)


def _tables(it: Inputs) -> tuple[RouteTable, dict[str, RouteTable]]:
    """Return the main route table, and those that subnets and gateways have of their own."""
    main, own = None, {}
    for table in cast("Mapping[str, RouteTable]", it.tables).values():
        for association in table.associations:
            if association.main:
                main = table
            elif user := association.subnet_id or association.gateway_id:
                own[user] = table
    assert main, "every VPC has a main route table"
    return main, own


def _ways(it: Inputs, table: RouteTable) -> tuple[Way, ...]:
    """Resolve a table: its own ranges, then those of prefix lists that it does not have yet.

    Two lists may have one range: the older route has it.
    """
    found = {r.destination: _way(it, r, r.destination) for r in table.routes if r.destination is not None}
    for route in table.routes:
        listed = _list(it, route.prefix_list_id) if route.prefix_list_id else None
        for network in listed.networks if listed else ():
            if network not in found:
                found[network] = _way(it, route, network)
    return tuple(found.values())


def _way(it: Inputs, route: Route, network: Net) -> Way:
    """Resolve a route; what leads nowhere (any more) is a blackhole."""
    of = V4 if network.version == V4.number else V6
    if route.target == "local":
        return Way(network, "throw")
    if route.target in it.gateways:
        return Way(network, "unicast", GATEWAY_LINK, of.next_hop)
    if route.target in it.egress_only and it.has_ipv6:
        return Way(network, "unicast", EGRESS_ONLY_LINK, of.next_hop)
    peer = next((peer for peer in it.peers if peer.link.id == route.target), None)
    if peer and of in peer.link.versions:
        return Way(network, "unicast", peer.link.name, of.next_hop)
    endpoint = cast("VpcEndpoint | None", it.endpoints.get(route.target))
    if endpoint is not None and endpoint.type == "Gateway" and endpoint.stands:
        return Way(network, "unicast", endpoint_link(endpoint.id), of.next_hop)
    nat = cast("NatGateway | None", it.nat_gateways.get(route.target))
    target = cast("Interface | None", it.interfaces.get((nat and nat.stands and nat.interface_id) or route.target))
    if target is not None and _is_live(it, target) and (of is V4 or target.ipv6_addresses):
        return Way(network, "unicast", link_name(target.id), target.address if of is V4 else of.next_hop)
    return Way(network, "blackhole")


def _is_live(it: Inputs, interface: Interface) -> bool:
    """Tell whether something runs behind an interface.  A service's interface counts as long as it is attached."""
    if interface.attachment is None or interface.id in it.cuts.dead:
        return False
    return interface.instance_id not in it.silent
