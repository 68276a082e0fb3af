"""Route tables, and the peering connections between VPCs."""

from datetime import timedelta

from atoll.model.acl import AclEntry, NetworkAcl
from atoll.model.ip import Net
from atoll.model.peering import Peering, PeeringEnd
from atoll.model.route import LOCAL, LOCAL_ORIGIN, Route, RouteAssociation, RouteTable
from atoll.model.subnet import Subnet
from atoll.model.vpc import CidrAssociation, Vpc
from atoll.twin.draft import STAND_IN, Draft
from atoll.twin.groups import list_of
from atoll.twin.networks import ANYWHERE
from atoll.twin.row import BadRecording, Row

# Members that name a route's target; those after the first five are of things that Atoll has not.
_TARGETS = (
    "NatGatewayId", "VpcPeeringConnectionId", "EgressOnlyInternetGatewayId", "NetworkInterfaceId", "GatewayId",
    "TransitGatewayId", "LocalGatewayId", "CarrierGatewayId", "CoreNetworkArn", "OdbNetworkArn",
)  # fmt: skip
_FOREIGN = {
    "tgw-": "a transit gateway", "vgw-": "a virtual private gateway (VPN, Direct Connect)", "lgw-": "a local gateway",
    "cagw-": "a carrier gateway", "arn:": "a core network",
}  # fmt: skip


def tables(draft: Draft) -> None:
    """Rebuild route tables.  A route whose target Atoll has not stays, and is a black hole."""
    for row in draft.recording.rows("describe-route-tables"):
        id = row.id("RouteTableId", "rtb")
        vpc = draft.need(row, "VpcId", Vpc, row.id("VpcId", "vpc"))
        routes = [route for one in row.rows("Routes") if (route := _route(draft, one, id)) is not None]
        routes += [_local(cidr) for cidr in vpc.cidrs if not any(r.destination == cidr for r in routes)]
        routes.sort(key=lambda route: not route.is_local)
        associations = tuple(_association(draft, one) for one in row.rows("Associations"))
        draft.make(
            row, RouteTable, id, vpc_id=vpc.id, routes=tuple(routes), associations=associations, tags=row.tags()
        )
    with_main = {table.vpc_id for table in draft.all(RouteTable) if table.is_main}
    for vpc in draft.all(Vpc):
        if vpc.id not in with_main:
            where = draft.places[Vpc, vpc.id]
            raise BadRecording(f"{where}: describe-route-tables.json has no main table of {vpc.id}")


def _local(cidr: Net) -> Route:
    return Route(destination=cidr, target=LOCAL, origin=LOCAL_ORIGIN)


def _association(draft: Draft, row: Row) -> RouteAssociation:
    subnet = row.maybe_id("SubnetId", "subnet")
    if subnet and draft.get(Subnet, subnet) is None:
        raise row.wrong("SubnetId", f"{subnet} is not in describe-subnets.json")
    id = row.id("RouteTableAssociationId", "rtbassoc")
    return RouteAssociation(id=id, main=row.flag("Main"), subnet_id=subnet, gateway_id=row.maybe("GatewayId"))


def _route(draft: Draft, row: Row, table: str) -> Route | None:
    listed = row.maybe_id("DestinationPrefixListId", "pl")
    destination = None
    if not listed:
        is_ipv6 = not row.has("DestinationCidrBlock")
        destination = row.net("DestinationIpv6CidrBlock" if is_ipv6 else "DestinationCidrBlock")
    target = next((row.text(member) for member in _TARGETS if row.has(member)), None)
    where = str(destination or listed)
    if target is None:
        draft.note("left out", table, f"its route to {where} has no target any more: packets there are dropped")
        return None
    if listed and list_of(draft, listed) is None:
        draft.note("left out", table, f"its route to {listed} ({target}): that prefix list was not recorded")
        return None
    foreign = next((what for prefix, what in _FOREIGN.items() if target.startswith(prefix)), None)
    if foreign:
        why = f"{foreign}: `why` ends at the route to {where} of {table}, as at a black hole"
        draft.note("left out", target, why)
    instance = row.maybe_id("InstanceId", "i") if target.startswith("eni-") else None
    origin = row.text("Origin", "CreateRoute")
    return Route(
        destination=destination, prefix_list_id=listed, target=target, instance_id=instance,
        origin=LOCAL_ORIGIN if target == LOCAL else origin,
    )  # fmt: skip


def peerings(draft: Draft) -> None:
    """Rebuild peering connections.  A VPC that was not described is there in outline: its ranges, nobody in it."""
    for row in draft.recording.rows("describe-vpc-peering-connections"):
        status = row.row("Status").text("Code")
        id = row.id("VpcPeeringConnectionId", "pcx")
        if status not in ("active", "provisioning"):
            draft.note("left out", id, f"it is {status}: it carries nothing")
            continue
        requester, accepter = (_end(draft, row, f"{side}VpcInfo") for side in ("Requester", "Accepter"))
        draft.make(
            row, Peering, id, account="", region="", requester=requester, accepter=accepter, status="active",
            message="Active", expires=draft.now + timedelta(days=7),
        )  # fmt: skip


def _end(draft: Draft, row: Row, member: str) -> PeeringEnd:
    side = row.row(member)
    vpc_id, recorded = side.id("VpcId", "vpc"), side.text("OwnerId", draft.account)
    vpc = draft.get(Vpc, vpc_id) or draft.world.seen_by(None).get(Vpc, vpc_id)
    if vpc is None:
        vpc = _outline(draft, side, vpc_id, recorded)
    is_ours = vpc.owner == (draft.account, draft.region)
    allow = side.row("PeeringOptions").flag("AllowDnsResolutionFromRemoteVpc")
    return PeeringEnd(
        account=vpc.account, region=vpc.region, vpc_id=vpc_id, allow_dns=allow, tags=row.tags() if is_ours else {}
    )


def _outline(draft: Draft, side: Row, id: str, account: str) -> Vpc:
    """Put a VPC of somebody else's as far as the connection tells of it: its ranges, and rules that let all pass."""
    if not (account.isdecimal() and len(account) == 12):
        raise side.wrong("OwnerId", f"{account[:40]!r} is no account")
    owner = {"account": account, "region": side.text("Region", draft.region)}
    cidrs = [one.net4("CidrBlock") for one in side.rows("CidrBlockSet")] or [side.net4("CidrBlock")]
    tags = {STAND_IN: "peer"}
    ranges = tuple(
        CidrAssociation(id=draft.new_id("vpc-cidr-assoc", f"{id} {cidr}"), cidr=cidr) for cidr in dict.fromkeys(cidrs)
    )
    vpc = draft.make(side, Vpc, id, ranges=ranges, dhcp_options_id="default", tags=tags, **owner)
    main = RouteAssociation(id=draft.new_id("rtbassoc", id), main=True)
    routes = tuple(map(_local, vpc.cidrs))
    table = draft.new_id("rtb", id)
    draft.make(side, RouteTable, table, vpc_id=id, routes=routes, associations=(main,), tags=tags, **owner)
    entries = tuple(
        AclEntry(number=100, egress=egress, protocol=-1, allow=True, cidr=ANYWHERE) for egress in (True, False)
    )
    acl = draft.new_id("acl", id)
    draft.make(side, NetworkAcl, acl, vpc_id=id, is_default=True, entries=entries, tags=tags, **owner)
    why = f"of account {account}, known from a peering connection only: its ranges are there, and nobody in it"
    draft.note("stand-in", id, why)
    return vpc
