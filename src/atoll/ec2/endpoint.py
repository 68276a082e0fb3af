"""VPC endpoints: create, describe.  What is changed later is in `endpoint_change.py`.

Source: EC2 API Reference, CreateVpcEndpoint, VpcEndpoint; AWS PrivateLink guide.
"""

import json
from collections.abc import Sequence

from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors, quotas
from atoll.ec2.endpoint_errors import BAD_POLICY, ENDPOINT_LIMIT, INVALID, NO_SERVICE
from atoll.ec2.endpoint_place import check_private_dns, checked_subnets, furnish
from atoll.ec2.endpoint_route import lead
from atoll.ec2.filters import Table, listing
from atoll.ec2.group import groups_for
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model import quota
from atoll.model.endpoint import EndpointService, VpcEndpoint
from atoll.model.endpoint_lookup import OwnService, own_services, service_named
from atoll.model.group import SecurityGroup
from atoll.model.route import RouteTable
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World

HOSTED_ZONE = "Z7HUB22UULQXV"  # of PrivateLink in us-east-1
FULL_ACCESS = json.dumps(
    {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}, indent=2
)
POLICY_CHARS_MAX = 20_480
NUMBERS = range(1, 0x7E00)  # of the endpoints of one service: their addresses at the provider
ONLY_GATEWAY = "Route table IDs are only supported for Gateway type VPC Endpoint."
ONLY_INTERFACE = "{name} are only supported for Interface type VPC Endpoint."

FILTERS: Table = {
    "ip-address-type": lambda _w, _e: "ipv4",
    "service-name": "service_name",
    "service-region": "region",
    "vpc-endpoint-id": "id",
    "vpc-endpoint-state": "state",
    "vpc-endpoint-type": "type",
    "vpc-id": "vpc_id",
}


@operation("ec2", "CreateVpcEndpoint", network=True)
def create_vpc_endpoint(
    tx: Tx,
    *,
    vpc_id: str,
    service_name: str | None = None,
    vpc_endpoint_type: str = "Gateway",
    policy_document: str | None = None,
    route_table_ids: Sequence[str] = (),
    subnet_ids: Sequence[str] = (),
    subnet_configurations: Sequence[Shape] = (),
    security_group_ids: Sequence[str] = (),
    ip_address_type: str = "ipv4",
    dns_options: Shape | None = None,
    private_dns_enabled: bool | None = None,
    service_region: str | None = None,
    client_token: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Make an endpoint in a VPC; it is `available` when the network is seen to carry it, and its provider agrees."""
    vpc = find(tx.world, Vpc, vpc_id)
    if service_name is None:
        raise errors.MISSING(name="serviceName")
    check_version(ip_address_type, dns_options)
    if vpc_endpoint_type not in ("Interface", "Gateway"):
        raise errors.UNSUPPORTED(what=f"A VPC endpoint of type {vpc_endpoint_type}")
    service = service_of(tx.world, service_name, vpc_endpoint_type, service_region)
    _check_quota(tx.world, vpc, vpc_endpoint_type)
    tags, policy = tags_for("vpc-endpoint", tag_specifications), checked_policy(policy_document)
    made = VpcEndpoint(
        id=tx.new_id("vpce"), account=tx.account, region=tx.region, tags=tags, vpc_id=vpc.id, type=vpc_endpoint_type,
        service_name=service_name, state="pending", created=tx.now, policy=policy, digits=tx.new_hex(8),
    )  # fmt: skip
    if vpc_endpoint_type == "Gateway":
        subnets = subnet_ids or subnet_configurations
        _only_interface(subnets=subnets, security_groups=security_group_ids, private_dns=private_dns_enabled)
        made = tx.put(made.but(table_ids=checked_tables(tx.world, vpc, route_table_ids)))
        lead(tx, made, made.table_ids)
        return {"VpcEndpoint": render(tx.world, made), "ClientToken": client_token}
    if route_table_ids:
        raise INVALID(why=ONLY_GATEWAY)
    places = checked_subnets(tx.world, vpc, service, subnet_ids, subnet_configurations)
    groups = groups_for(tx.world, vpc.id, security_group_ids)
    wants_dns = private_dns_enabled if private_dns_enabled is not None else isinstance(service, OwnService)
    if isinstance(service, EndpointService):
        state = "pendingAcceptance" if service.acceptance_required else "pending"
        made = made.but(service_id=service.id, state=state, number=_number(tx.world, service))
    made = made.but(group_ids=groups, private_dns=wants_dns)
    if wants_dns:
        check_private_dns(tx.world, vpc, made)
    made = tx.put(made.but(feet=tuple(furnish(tx, made, *place) for place in places)))
    return {"VpcEndpoint": render(tx.world, made), "ClientToken": client_token}


def _check_quota(world: World, vpc: Vpc, type: str) -> None:
    if type == "Gateway":
        count, limit = len(list(world.all(VpcEndpoint, type=type))), quota.GATEWAY_ENDPOINTS
    else:
        count, limit = len(list(world.all(VpcEndpoint, vpc_id=vpc.id, type=type))), quota.INTERFACE_ENDPOINTS
    quotas.check(count, quota.allowed(world, limit), ENDPOINT_LIMIT)


def _only_interface(**given: object) -> None:
    for name, value in given.items():
        if value:
            raise INVALID(why=ONLY_INTERFACE.format(name=name.replace("_", " ").capitalize()))


def service_of(world: World, name: str, type: str, region: str | None) -> EndpointService | OwnService:
    """Return the service of a name that the caller may use; raises NO_SERVICE."""
    assert world.caller, "an operation has a caller"
    found: EndpointService | OwnService | None = own_services(world.caller.region).get(name)
    found = found or service_named(world, world.caller, name)
    if found is None or region not in (None, world.caller.region):
        raise NO_SERVICE(name=name)
    if _type(found) != type:
        raise INVALID(why=f"Endpoint type ({type}) does not match available service types ([{_type(found)}]).")
    return found


def _type(service: EndpointService | OwnService) -> str:
    return service.type if isinstance(service, OwnService) else "Interface"


def check_version(ip_address_type: str | None, dns_options: Shape | None) -> None:
    """Refuse everything that is not IPv4, and options of private DNS that mean nothing here."""
    if ip_address_type not in (None, "ipv4"):
        raise errors.UNSUPPORTED(what=f"A VPC endpoint with IpAddressType {ip_address_type}")
    for name, value in (dns_options or {}).items():
        if (name, value) not in (("DnsRecordIpType", "ipv4"), ("PrivateDnsOnlyForInboundResolverEndpoint", False)):
            raise errors.UNSUPPORTED(what=f"{name}={value} of a VPC endpoint")


def checked_policy(text: str | None) -> str:
    """Return a policy document, the one that allows everything if none is given.  It is shown; nobody obeys it."""
    if text is None:
        return FULL_ACCESS
    if len(text) > POLICY_CHARS_MAX:
        raise BAD_POLICY(why=f"it has more than {POLICY_CHARS_MAX} characters")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BAD_POLICY(why="it is not JSON") from error
    if not isinstance(document, dict) or "Statement" not in document:
        raise BAD_POLICY(why="it has no Statement")
    return text


def checked_tables(world: World, vpc: Vpc, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the route tables of a VPC that are named, each once."""
    found = [find(world, RouteTable, id) for id in dict.fromkeys(ids)]
    if any(table.vpc_id != vpc.id for table in found):
        raise errors.OTHER_NETWORK()
    return tuple(table.id for table in found)


def _number(world: World, service: EndpointService) -> int:
    used = {e.number for e in world.seen_by(None).all(VpcEndpoint, service_id=service.id)}
    number = next((n for n in NUMBERS if n not in used), None)
    if number is None:
        raise ENDPOINT_LIMIT()
    return number


@operation("ec2", "DescribeVpcEndpoints")
def describe_vpc_endpoints(
    world: World,
    *,
    vpc_endpoint_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List endpoints."""
    found, token = listing(
        world, VpcEndpoint, FILTERS, ids=vpc_endpoint_ids, filters=filters, max_results=max_results,
        next_token=next_token, ids_name="vpcEndpointIds",
    )  # fmt: skip
    return {"VpcEndpoints": [render(world, e) for e in found], "NextToken": token}


def render(world: World, e: VpcEndpoint) -> Shape:
    """Return an endpoint as AWS shows it."""
    groups = [group for id in e.group_ids if (group := world.get(SecurityGroup, id))]
    shape: Shape = {
        "VpcEndpointId": e.id,
        "VpcEndpointType": e.type,
        "VpcId": e.vpc_id,
        "ServiceName": e.service_name,
        "ServiceRegion": e.region,
        "State": e.state,
        "PolicyDocument": e.policy,
        "RouteTableIds": list(e.table_ids),
        "SubnetIds": [foot.subnet_id for foot in e.feet],
        "Groups": [{"GroupId": g.id, "GroupName": g.name} for g in groups],
        "PrivateDnsEnabled": e.private_dns,
        "RequesterManaged": False,
        "NetworkInterfaceIds": [foot.interface_id for foot in e.feet],
        "DnsEntries": render_names(e),
        "CreationTimestamp": e.created,
        "Tags": render_tags(e),
        "OwnerId": e.account,
    }
    if e.type == "Interface":
        shape |= {"IpAddressType": "ipv4", "DnsOptions": {"DnsRecordIpType": "ipv4"}}
    return shape


def render_names(e: VpcEndpoint) -> list[Shape]:
    """Return the DNS names of an interface endpoint."""
    if e.type != "Interface":
        return []
    names = list(e.dns_names)
    own = own_services(e.region).get(e.service_name)
    names += [own.private_name] if own and e.private_dns else []
    return [{"DnsName": name, "HostedZoneId": HOSTED_ZONE} for name in names]
