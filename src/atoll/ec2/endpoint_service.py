"""Endpoint services: load balancers that others may reach through endpoints of theirs (PrivateLink).

Source: EC2 API Reference, ServiceConfiguration; AWS PrivateLink guide, "Share your services".
"""

import re
from collections.abc import Sequence

from atoll.aws.errors import AwsError, Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors
from atoll.ec2.endpoint_change import unsuccessful
from atoll.ec2.endpoint_errors import CONNECTED, INVALID
from atoll.ec2.filters import Table, listing
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model.balancer import LoadBalancer
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.endpoint_lookup import zones_of
from atoll.model.world import Tx, World
from atoll.model.zones import zone

NO_BALANCER = Err("InvalidParameter", "The load balancer {arn} does not exist")
OFFERED = Err("InvalidParameter", "The load balancer {arn} is already associated with the VPC endpoint service {id}")
_DOMAIN = re.compile(r"(?:[a-z0-9*](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
CONNECTED_STATES = ("pendingAcceptance", "pending", "available")

FILTERS: Table = {
    "service-id": "id",
    "service-name": "service_name",
    "service-state": "state",
    "supported-ip-address-types": lambda _w, _s: "ipv4",
}


@operation("ec2", "CreateVpcEndpointServiceConfiguration")
def create_vpc_endpoint_service_configuration(
    tx: Tx,
    *,
    network_load_balancer_arns: Sequence[str] = (),
    acceptance_required: bool = True,
    private_dns_name: str | None = None,
    supported_ip_address_types: Sequence[str] = (),
    client_token: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Offer load balancers as a service."""
    if not network_load_balancer_arns:
        raise errors.MISSING(name="NetworkLoadBalancerArns")
    _check_versions(supported_ip_address_types)
    service = tx.make(
        EndpointService, tx.new_id("vpce-svc"), acceptance_required=acceptance_required, created=tx.now,
        balancer_ids=_balancers(tx.world, network_load_balancer_arns, None),
        private_dns_name=_domain(private_dns_name), tags=tags_for("vpc-endpoint-service", tag_specifications),
    )  # fmt: skip
    return {"ServiceConfiguration": render(tx.world, service), "ClientToken": client_token}


def _check_versions(types: Sequence[str]) -> None:
    for type in types:
        if type != "ipv4":
            raise errors.UNSUPPORTED(what=f"SupportedIpAddressType {type} of an endpoint service")


def _balancers(world: World, arns: Sequence[str], service_id: str | None) -> tuple[str, ...]:
    for arn in arns:
        if world.get(LoadBalancer, arn) is None:
            raise NO_BALANCER(arn=arn)
        for other in world.all(EndpointService):
            if arn in other.balancer_ids and other.id != service_id:
                raise OFFERED(arn=arn, id=other.id)
    return tuple(dict.fromkeys(arns))


def _domain(name: str | None) -> str | None:
    if name is not None and not _DOMAIN.fullmatch(name.lower()):
        raise INVALID(why=f"The private DNS name {name} is not a valid domain name.")
    return name.lower() if name else None


@operation("ec2", "ModifyVpcEndpointServiceConfiguration", network=True)
def modify_vpc_endpoint_service_configuration(
    tx: Tx,
    *,
    service_id: str,
    private_dns_name: str | None = None,
    remove_private_dns_name: bool = False,
    acceptance_required: bool | None = None,
    add_network_load_balancer_arns: Sequence[str] = (),
    remove_network_load_balancer_arns: Sequence[str] = (),
    add_supported_ip_address_types: Sequence[str] = (),
) -> Shape:
    """Change a service: its load balancers, whether it wants to be asked, its private name."""
    service = find(tx.world, EndpointService, service_id)
    _check_versions(add_supported_ip_address_types)
    if remove_private_dns_name and private_dns_name:
        raise errors.BOTH(one="RemovePrivateDnsName", other="PrivateDnsName")
    more = _balancers(tx.world, add_network_load_balancer_arns, service.id)
    for arn in remove_network_load_balancer_arns:
        if arn not in service.balancer_ids:
            raise NO_BALANCER(arn=arn)
    kept = [id for id in service.balancer_ids if id not in remove_network_load_balancer_arns]
    balancers = tuple(dict.fromkeys([*kept, *more]))
    if not balancers:
        raise INVALID(why=f"The VPC endpoint service {service.id} must have at least one load balancer.")
    name = None if remove_private_dns_name else _domain(private_dns_name) or service.private_dns_name
    required = service.acceptance_required if acceptance_required is None else acceptance_required
    tx.put(service.but(balancer_ids=balancers, private_dns_name=name, acceptance_required=required))
    return {"Return": True}


@operation("ec2", "DescribeVpcEndpointServiceConfigurations")
def describe_vpc_endpoint_service_configurations(
    world: World,
    *,
    service_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the caller's services."""
    found, token = listing(
        world, EndpointService, FILTERS, ids=service_ids, filters=filters, max_results=max_results,
        next_token=next_token, ids_name="serviceIds",
    )  # fmt: skip
    return {"ServiceConfigurations": [render(world, s) for s in found], "NextToken": token}


@operation("ec2", "DeleteVpcEndpointServiceConfigurations", network=True)
def delete_vpc_endpoint_service_configurations(tx: Tx, *, service_ids: Sequence[str]) -> Shape:
    """Withdraw services to which nobody is connected; says which could not be withdrawn."""
    failed = []
    for id in dict.fromkeys(service_ids):
        try:
            service = find(tx.world, EndpointService, id)
            connected = tx.world.seen_by(None).all(VpcEndpoint, service_id=id)
            if any(endpoint.state in CONNECTED_STATES for endpoint in connected):
                raise CONNECTED(id=id)
        except AwsError as error:
            failed.append(unsuccessful(id, error))
        else:
            tx.delete(service)
    return {"Unsuccessful": failed}


def render(world: World, s: EndpointService) -> Shape:
    """Return a service as its owner sees it."""
    names = zones_of(world, s)
    shape: Shape = {
        "ServiceType": [{"ServiceType": "Interface"}],
        "ServiceId": s.id,
        "ServiceName": s.service_name,
        "ServiceState": s.state,
        "AvailabilityZones": list(names),
        "AvailabilityZoneIds": [found.id for name in names if (found := zone(s.region, name))],
        "AcceptanceRequired": s.acceptance_required,
        "ManagesVpcEndpoints": False,
        "NetworkLoadBalancerArns": list(s.balancer_ids),
        "SupportedIpAddressTypes": ["ipv4"],
        "BaseEndpointDnsNames": [f"{s.id}.{s.region}.vpce.amazonaws.com"],
        "Tags": render_tags(s),
        "SupportedRegions": [{"Region": s.region, "ServiceState": s.state}],
        "RemoteAccessEnabled": False,
    }
    if s.private_dns_name:
        shape["PrivateDnsName"] = s.private_dns_name
        shape["PrivateDnsNameConfiguration"] = {
            "State": "verified",  # no domain has another owner here
            "Type": "TXT",
            "Name": f"_{s.id[-12:]}",
            "Value": f"vpce:{s.id[-17:]}",
        }
    return shape
