"""VPC peering connections: request, accept, reject, delete, describe, options.

Both sides see a connection, each in its own region, and each may do what is its own to do; see `model/peering.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2 import errors, quotas
from atoll.ec2.filters import Table, select
from atoll.ec2.kinds import NOUNS, check_id, find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model import quota
from atoll.model.lifecycle import PEERING
from atoll.model.peering import Peering, PeeringEnd, peerings_of, seen, visible
from atoll.model.quota import allowed, granted
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

NOT_FOUND = Err("InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID '{id}' does not exist")
MALFORMED = Err("InvalidVpcPeeringConnectionId.Malformed", errors.MALFORMED_MESSAGE)
EXISTS = Err(
    "VpcPeeringConnectionAlreadyExists",
    "A VPC peering connection already exists between VPC '{one}' and VPC '{other}'",
)
BAD_TRANSITION = Err(
    "InvalidStateTransition",
    "Invalid state transition for {id}, attempted to transition from {status} to {wanted}",
)
NOT_YOURS = Err("OperationNotPermitted", "User ({account}) cannot {verb} peering {id}")
WRONG_REGION = Err(
    "OperationNotPermitted",
    "Incorrect region ({region}) specified for this request. VPC peering connection {id} must be {verb}ed in region "
    "{right}",
)
NOT_ACTIVE = Err(
    "OperationNotPermitted",
    "Peering {id} is not active. Peering options can be added only to active peerings.",
)

FAILED = "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"
REQUEST_KEPT = timedelta(days=7)  # VPC Peering Guide, "VPC peering connection lifecycle"
DNS_OPTION = "AllowDnsResolutionFromRemoteVpc"
CLASSIC_LINK = ("AllowEgressFromLocalClassicLinkToRemoteVpc", "AllowEgressFromLocalVpcToRemoteClassicLink")


def _cidrs(world: World, end: PeeringEnd) -> list[str]:
    """Return the ranges of a side's VPC; none once it has gone."""
    vpc = world.seen_by(None).get(Vpc, end.vpc_id)
    return [str(cidr) for cidr in vpc.cidrs] if vpc else []


def _cidrs6(world: World, end: PeeringEnd) -> list[str]:
    vpc = world.seen_by(None).get(Vpc, end.vpc_id)
    return [str(cidr) for cidr in vpc.cidrs6] if vpc else []


FILTERS: Table = {
    "accepter-vpc-info.cidr-block": lambda w, p: _cidrs(w, p.accepter),
    "accepter-vpc-info.owner-id": "accepter.account",
    "accepter-vpc-info.vpc-id": "accepter.vpc_id",
    "expiration-time": lambda _w, p: p.expires.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "requester-vpc-info.cidr-block": lambda w, p: _cidrs(w, p.requester),
    "requester-vpc-info.owner-id": "requester.account",
    "requester-vpc-info.vpc-id": "requester.vpc_id",
    "status-code": "status",
    "status-message": "message",
    "vpc-peering-connection-id": "id",
}


@operation("ec2", "CreateVpcPeeringConnection")
def create_vpc_peering_connection(
    tx: Tx,
    *,
    vpc_id: str,
    peer_vpc_id: str | None = None,
    peer_owner_id: str | None = None,
    peer_region: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Ask the owner of another VPC for a connection with it.

    A wrong VPC, or one whose ranges overlap, is no refusal: the call answers, and the connection fails.
    """
    vpc = find(tx.world, Vpc, vpc_id)
    if not peer_vpc_id:
        raise errors.MISSING(name="peerVpcId")
    check_id(peer_vpc_id, "vpc", NOUNS[Vpc].malformed)
    tags = tags_for("vpc-peering-connection", tag_specifications)
    near = PeeringEnd(account=vpc.account, region=vpc.region, vpc_id=vpc.id, tags=tags)
    far = PeeringEnd(account=peer_owner_id or tx.account, region=peer_region or tx.region, vpc_id=peer_vpc_id)
    for other in peerings_of(tx.world, vpc.id):
        if other.has(far.vpc_id) and (other.is_open or other.status == "pending-acceptance"):
            if other.status == "pending-acceptance" and other.requester.vpc_id == vpc.id:
                return {"VpcPeeringConnection": render(tx.world, other)}
            raise EXISTS(one=vpc.id, other=far.vpc_id)
    waiting = sum(p.status == "pending-acceptance" and p.requester.owner == near.owner for p in visible(tx.world))
    quotas.check(waiting, allowed(tx.world, quota.PEERING_REQUESTS), quotas.PEERING_REQUEST_LIMIT)
    asked = Peering(
        id=tx.new_id("pcx"),
        account="",
        region="",
        requester=near,
        accepter=far,
        status=PEERING.initial,
        message=f"Initiating Request to {far.account}",
        expires=tx.now + REQUEST_KEPT,
    )
    answer = render(tx.world, asked)
    if _may_be_peered(tx.world, vpc, far):
        sent = PEERING.after(asked.status, "sent")
        tx.put(asked.but(status=sent, message=f"Pending Acceptance by {far.account}"))
    else:
        tx.put(asked.but(status=PEERING.after(asked.status, "refused"), message=FAILED, ended=tx.now))
    return {"VpcPeeringConnection": answer}


def _may_be_peered(world: World, vpc: Vpc, far: PeeringEnd) -> bool:
    other = world.seen_by(None).get(Vpc, far.vpc_id)
    if other is None or other.owner != far.owner:
        return False
    return not any(one.overlaps(another) for one in vpc.cidrs for another in other.cidrs)


@operation("ec2", "AcceptVpcPeeringConnection", network=True)
def accept_vpc_peering_connection(tx: Tx, *, vpc_peering_connection_id: str) -> Shape:
    """Agree to a request; the connection is `active` once the network was seen to obey it."""
    peering = find_peering(tx.world, vpc_peering_connection_id)
    _check_accepter(tx, peering, "accept")
    if not PEERING.allows(peering.status, "accept") or tx.now >= peering.expires:
        raise BAD_TRANSITION(id=peering.id, status=peering.status, wanted="active")
    if not _may_be_peered(tx.world, tx.world[Vpc, peering.requester.vpc_id], peering.accepter):
        failed = peering.but(status=PEERING.after(peering.status, "refused"), message=FAILED, ended=tx.now)
        return {"VpcPeeringConnection": render(tx.world, tx.put(failed))}
    for end in (peering.requester, peering.accepter):
        active = sum(p.is_open for p in peerings_of(tx.world, end.vpc_id))
        quotas.check(active, granted(tx.world, end.account, end.region, quota.PEERINGS), quotas.PEERING_LIMIT)
    status = PEERING.after(peering.status, "accept")
    accepted = tx.put(peering.but(status=status, message="Provisioning"))
    return {"VpcPeeringConnection": render(tx.world, accepted)}


@operation("ec2", "RejectVpcPeeringConnection")
def reject_vpc_peering_connection(tx: Tx, *, vpc_peering_connection_id: str) -> Shape:
    """Refuse a request."""
    peering = find_peering(tx.world, vpc_peering_connection_id)
    _check_accepter(tx, peering, "reject")
    _end(tx, peering, "reject", "Rejected")
    return {"Return": True}


@operation("ec2", "DeleteVpcPeeringConnection", network=True)
def delete_vpc_peering_connection(tx: Tx, *, vpc_peering_connection_id: str) -> Shape:
    """End a connection, as either side, or withdraw one's own request; routes to it become blackholes."""
    peering = find_peering(tx.world, vpc_peering_connection_id)
    if peering.status == "pending-acceptance" and peering.requester.owner != (tx.account, tx.region):
        raise NOT_YOURS(account=tx.account, verb="delete", id=peering.id)
    _end(tx, peering, "delete", "Deleted")
    return {"Return": True}


def _check_accepter(tx: Tx, peering: Peering, verb: str) -> None:
    if peering.accepter.account != tx.account:
        raise NOT_YOURS(account=tx.account, verb=verb, id=peering.id)
    if peering.accepter.region != tx.region:
        raise WRONG_REGION(region=tx.region, id=peering.id, verb=verb, right=peering.accepter.region)


def _end(tx: Tx, peering: Peering, event: str, said: str) -> None:
    if not PEERING.allows(peering.status, event):
        raise BAD_TRANSITION(
            id=peering.id, status=peering.status, wanted="deleting" if event == "delete" else "rejected"
        )
    withdraw(tx, peering, event, said)


def withdraw(tx: Tx, peering: Peering, event: str = "delete", said: str = "Deleted") -> None:
    """Let a connection end by the caller's hand."""
    status = PEERING.after(peering.status, event)
    owner = (tx.account, tx.region)
    tx.put(peering.but(status=status, message=f"{said} by {tx.account}", ended=tx.now, ended_by=owner))


@operation("ec2", "DescribeVpcPeeringConnections", pure=True)
def describe_vpc_peering_connections(
    world: World,
    *,
    vpc_peering_connection_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the connections that the caller asked for, or was asked for."""
    if vpc_peering_connection_ids and max_results is not None:
        raise errors.BOTH(one="vpcPeeringConnectionIds", other="maxResults")
    ids = dict.fromkeys(vpc_peering_connection_ids)
    items: Iterable[Peering] = [find_peering(world, id) for id in ids] if ids else visible(world)
    found = select(world, items, filters, FILTERS, tags=lambda p: tags_of(world, p))
    page, token = page_ec2(found, lambda p: p.id, max_results, next_token)
    return {"VpcPeeringConnections": [render(world, p) for p in page], "NextToken": token}


@operation("ec2", "ModifyVpcPeeringConnectionOptions")
def modify_vpc_peering_connection_options(
    tx: Tx,
    *,
    vpc_peering_connection_id: str,
    accepter_peering_connection_options: Shape | None = None,
    requester_peering_connection_options: Shape | None = None,
) -> Shape:
    """Let the other side's instances see private addresses behind our public names; each side for itself."""
    peering = find_peering(tx.world, vpc_peering_connection_id)
    asked = {
        "accepter": accepter_peering_connection_options,
        "requester": requester_peering_connection_options,
    }
    given = {side: options for side, options in asked.items() if options is not None}
    if not given:
        raise errors.MISSING(name="accepterPeeringConnectionOptions or requesterPeeringConnectionOptions")
    if peering.status != "active":
        raise NOT_ACTIVE(id=peering.id)
    answer: Shape = {}
    for side, options in given.items():
        end: PeeringEnd = getattr(peering, side)
        if end.owner != (tx.account, tx.region):
            raise NOT_YOURS(account=tx.account, verb=f"modify the {side} options of", id=peering.id)
        peering = tx.put(peering.but(**{side: replace(end, allow_dns=_allow_dns(options, end))}))
        answer[f"{side.capitalize()}PeeringConnectionOptions"] = _options(getattr(peering, side))
    return answer


def _allow_dns(options: Shape, end: PeeringEnd) -> bool:
    for name, value in options.items():
        if name in CLASSIC_LINK and not value:
            continue
        if name != DNS_OPTION:
            raise errors.UNSUPPORTED(what=f"{name} of a peering connection")
    return bool(options.get(DNS_OPTION, end.allow_dns))


def find_peering(world: World, id: str) -> Peering:
    """Return a connection of which the caller may know; raises NOT_FOUND, MALFORMED."""
    if found := seen(world, id):
        return found
    check_id(id, "pcx", MALFORMED)
    raise NOT_FOUND(id=id)


def retag(tx: Tx, id: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
    """Change the tags that the caller gave a connection."""
    peering = find_peering(tx.world, id)
    side = "requester" if peering.requester.owner == (tx.account, tx.region) else "accepter"
    end: PeeringEnd = getattr(peering, side)
    tx.put(peering.but(**{side: replace(end, tags=change(end.tags))}))


def tags_of(world: World, peering: Peering) -> Mapping[str, str]:
    """Return the tags that the caller gave a connection."""
    assert world.caller, "only a caller has tags"
    return peering.tags_of((world.caller.account, world.caller.region))


def tagged_peerings(world: World) -> Iterator[tuple[Peering, Mapping[str, str]]]:
    """Yield the caller's connections, each with the caller's tags."""
    for peering in visible(world):
        yield peering, tags_of(world, peering)


def render(world: World, p: Peering) -> Shape:
    """Return a connection as AWS shows it to the caller: the ranges of the accepter only once it is active."""
    shape: Shape = {
        "VpcPeeringConnectionId": p.id,
        "RequesterVpcInfo": _side(world, p, p.requester, with_ranges=p.status != "failed"),
        "AccepterVpcInfo": _side(world, p, p.accepter, with_ranges=p.is_open),
        "Status": {"Code": p.status, "Message": p.message},
        "Tags": render_tags(tags_of(world, p)),
    }
    if p.status in (PEERING.initial, "pending-acceptance", "expired"):
        shape["ExpirationTime"] = p.expires
    return shape


def _side(world: World, p: Peering, end: PeeringEnd, *, with_ranges: bool) -> Shape:
    shape: Shape = {"OwnerId": end.account, "Region": end.region, "VpcId": end.vpc_id}
    cidrs = _cidrs(world, end) if with_ranges else []
    if cidrs:
        shape |= {"CidrBlock": cidrs[0], "CidrBlockSet": [{"CidrBlock": cidr} for cidr in cidrs]}
        shape["Ipv6CidrBlockSet"] = [{"Ipv6CidrBlock": cidr} for cidr in _cidrs6(world, end)]
    if p.is_open:
        shape["PeeringOptions"] = _options(end)
    return shape


def _options(end: PeeringEnd) -> Shape:
    return {DNS_OPTION: end.allow_dns, **dict.fromkeys(CLASSIC_LINK, False)}
