"""Who may connect to an endpoint service, who has asked to, and which services there are.

Source: EC2 API Reference, ModifyVpcEndpointServicePermissions, VpcEndpointConnection, DescribeVpcEndpointServices.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from atoll.aws.errors import AwsError, Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2 import errors
from atoll.ec2.endpoint import render_names, service_of
from atoll.ec2.endpoint_change import unsuccessful
from atoll.ec2.endpoint_errors import BAD_STATE
from atoll.ec2.filters import Table, select
from atoll.ec2.kinds import NOUNS, check_id, find
from atoll.ec2.tags import render_tags
from atoll.model.endpoint import Admission, EndpointService, VpcEndpoint
from atoll.model.endpoint_lookup import OwnService, may_connect, own_services, zones_of
from atoll.model.lifecycle import VPC_ENDPOINT
from atoll.model.world import Tx, World
from atoll.model.zones import zone

Offered: TypeAlias = EndpointService | OwnService
BAD_PRINCIPAL = Err("InvalidPrincipal", "Invalid principal: {principal}")
NO_ADMISSION = Err("InvalidPrincipal", "The principal {principal} is not permitted to the service {id}")
_PRINCIPAL = re.compile(r"\*|\d{12}|arn:aws:(?:iam|sts)::\d{12}:(?:root|(?:user|role|assumed-role)/.+)")
TYPES = {"root": "Account", "user": "User", "role": "Role", "assumed-role": "Role"}
PRINCIPALS_MAX = 1000

PERMISSION_FILTERS: Table = {
    "principal": "principal",
    "principal-type": lambda _w, a: _principal_type(a.principal),
}
CONNECTION_FILTERS: Table = {
    "ip-address-type": lambda _w, _e: "ipv4",
    "service-id": "service_id",
    "vpc-endpoint-id": "id",
    "vpc-endpoint-owner": "account",
    "vpc-endpoint-region": "region",
    "vpc-endpoint-state": "state",
}
SERVICE_FILTERS: Table = {
    "owner": lambda _w, s: _owner(s),
    "service-name": lambda _w, s: _name(s),
    "service-region": "region",
    "service-type": lambda _w, s: s.type if isinstance(s, OwnService) else "Interface",
    "supported-ip-address-types": lambda _w, _s: "ipv4",
}


@operation("ec2", "ModifyVpcEndpointServicePermissions")
def modify_vpc_endpoint_service_permissions(
    tx: Tx,
    *,
    service_id: str,
    add_allowed_principals: Sequence[str] = (),
    remove_allowed_principals: Sequence[str] = (),
) -> Shape:
    """Say who may ask for a service; endpoints that are connected stay."""
    service = find(tx.world, EndpointService, service_id)
    known = {admission.principal: admission for admission in service.admissions}
    for principal in remove_allowed_principals:
        if known.pop(principal, None) is None:
            raise NO_ADMISSION(principal=principal, id=service.id)
    added = []
    for principal in dict.fromkeys(add_allowed_principals):
        if not _PRINCIPAL.fullmatch(principal):
            raise BAD_PRINCIPAL(principal=principal)
        if principal not in known:
            known[principal] = Admission(id=tx.new_id("vpce-svc-perm"), principal=principal)
            added.append(known[principal])
    if len(known) > PRINCIPALS_MAX:
        raise errors.BAD_COMBINATION(why=f"A service has at most {PRINCIPALS_MAX} allowed principals.")
    tx.put(service.but(admissions=tuple(known.values())))
    return {"AddedPrincipals": [_admission(service, a) for a in added], "ReturnValue": True}


@operation("ec2", "DescribeVpcEndpointServicePermissions")
def describe_vpc_endpoint_service_permissions(
    world: World,
    *,
    service_id: str,
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List who may ask for a service."""
    service = find(world, EndpointService, service_id)
    found = select(world, service.admissions, filters, PERMISSION_FILTERS, tags=lambda _: {})
    shown, token = page_ec2(found, lambda a: a.id, max_results, next_token)
    return {"AllowedPrincipals": [_admission(service, a) | {"Tags": []} for a in shown], "NextToken": token}


def _admission(service: EndpointService, admission: Admission) -> Shape:
    return {
        "PrincipalType": _principal_type(admission.principal),
        "Principal": admission.principal,
        "ServicePermissionId": admission.id,
        "ServiceId": service.id,
    }


def _principal_type(principal: str) -> str:
    if principal == "*":
        return "All"
    return TYPES.get(principal.rpartition(":")[2].partition("/")[0], "Account")


@operation("ec2", "DescribeVpcEndpointConnections")
def describe_vpc_endpoint_connections(
    world: World, *, filters: Sequence[Shape] = (), max_results: int | None = None, next_token: str | None = None
) -> Shape:
    """List the endpoints, of whomever, that lead to the caller's services."""
    services = {s.id: s for s in world.all(EndpointService)}
    theirs = [e for e in world.seen_by(None).all(VpcEndpoint) if e.service_id in services]
    found = select(world, theirs, filters, CONNECTION_FILTERS, tags=lambda _: {})
    shown, token = page_ec2(found, lambda e: e.id, max_results, next_token)
    return {
        "VpcEndpointConnections": [
            {
                "ServiceId": e.service_id,
                "VpcEndpointId": e.id,
                "VpcEndpointOwner": e.account,
                "VpcEndpointState": e.state,
                "VpcEndpointRegion": e.region,
                "CreationTimestamp": e.created,
                "DnsEntries": render_names(e),
                "NetworkLoadBalancerArns": list(services[e.service_id or ""].balancer_ids),
                "IpAddressType": "ipv4",
            }
            for e in shown
        ],
        "NextToken": token,
    }


@operation("ec2", "AcceptVpcEndpointConnections", network=True)
def accept_vpc_endpoint_connections(tx: Tx, *, service_id: str, vpc_endpoint_ids: Sequence[str]) -> Shape:
    """Let endpoints connect that have asked, or were rejected."""
    return _answer(tx, service_id, vpc_endpoint_ids, "accept")


@operation("ec2", "RejectVpcEndpointConnections", network=True)
def reject_vpc_endpoint_connections(tx: Tx, *, service_id: str, vpc_endpoint_ids: Sequence[str]) -> Shape:
    """Refuse endpoints; those that were connected are cut."""
    return _answer(tx, service_id, vpc_endpoint_ids, "reject")


def _answer(tx: Tx, service_id: str, ids: Sequence[str], verb: str) -> Shape:
    service, failed = find(tx.world, EndpointService, service_id), []
    noun = NOUNS[VpcEndpoint]
    for id in dict.fromkeys(ids):
        endpoint = tx.world.seen_by(None).get(VpcEndpoint, id)
        try:
            if endpoint is None or endpoint.service_id != service.id:
                check_id(id, noun.prefix, noun.malformed)
                raise noun.missing(id=id)
            if not VPC_ENDPOINT.allows(endpoint.state, verb):
                raise BAD_STATE(id=id, state=endpoint.state, verb=f"{verb}ed")
        except AwsError as error:
            failed.append(unsuccessful(id, error))
        else:
            tx.put(endpoint.but(state=VPC_ENDPOINT.after(endpoint.state, verb)))
    return {"Unsuccessful": failed}


@operation("ec2", "DescribeVpcEndpointServices")
def describe_vpc_endpoint_services(
    world: World,
    *,
    service_names: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the services to which the caller may make an endpoint: AWS's own, and those of others."""
    caller = world.caller
    assert caller, "an operation has a caller"
    offered: Iterable[Offered] = [
        *own_services(caller.region).values(),
        *(
            s
            for s in world.seen_by(None).all(EndpointService)
            if s.region == caller.region and may_connect(s, caller)
        ),
    ]
    if service_names:
        known = {_name(s): s for s in offered}
        for name in service_names:
            service_of(world, name, _type_of(known.get(name)), None)
        offered = [known[name] for name in dict.fromkeys(service_names)]
    found = select(world, offered, filters, SERVICE_FILTERS, tags=lambda s: getattr(s, "tags", {}))
    shown, token = page_ec2(found, _name, max_results, next_token)
    details = [_detail(world, s) for s in shown]
    return {"ServiceNames": [_name(s) for s in shown], "ServiceDetails": details, "NextToken": token}


def _name(service: Offered) -> str:
    return service.name if isinstance(service, OwnService) else service.service_name


def _owner(service: Offered) -> str:
    return "amazon" if isinstance(service, OwnService) else service.account


def _type_of(service: Offered | None) -> str:
    return service.type if isinstance(service, OwnService) else "Interface"


def _detail(world: World, s: Offered) -> Shape:
    names = s.zones if isinstance(s, OwnService) else zones_of(world, s)
    shape: Shape = {
        "ServiceName": _name(s),
        "ServiceType": [{"ServiceType": _type_of(s)}],
        "ServiceRegion": s.region,
        "AvailabilityZones": list(names),
        "AvailabilityZoneIds": [found.id for name in names if (found := zone(s.region, name))],
        "Owner": _owner(s),
        "ManagesVpcEndpoints": False,
        "VpcEndpointPolicySupported": isinstance(s, OwnService),
        "AcceptanceRequired": False if isinstance(s, OwnService) else s.acceptance_required,
        "SupportedIpAddressTypes": ["ipv4"],
        "Tags": [] if isinstance(s, OwnService) else render_tags(s),
    }
    if isinstance(s, OwnService):
        shape["BaseEndpointDnsNames"] = [f"{s.name.rpartition('.')[2]}.{s.region}.vpce.amazonaws.com"]
        private = s.private_name if s.type == "Interface" else None
    else:
        shape |= {"ServiceId": s.id, "BaseEndpointDnsNames": [f"{s.id}.{s.region}.vpce.amazonaws.com"]}
        private = s.private_dns_name
    if private:
        shape |= {"PrivateDnsName": private, "PrivateDnsNames": [{"PrivateDnsName": private}]}
        shape["PrivateDnsNameVerificationState"] = "verified"
    return shape
