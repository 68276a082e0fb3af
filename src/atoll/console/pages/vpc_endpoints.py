"""VPC endpoints, and the services behind load balancers that others reach by them."""

from collections.abc import Mapping
from typing import Any

from atoll.aws.errors import AwsError
from atoll.console import choices, tables
from atoll.console.ask import Answered, Ask, name_of, named
from atoll.console.parts import NAME, Act, Facts, Field, Rows, deleting, detail, form, listing, one
from atoll.console.site import act, home, menu, page
from atoll.console.tables import Row, column

UP, SERVICES = ("/vpc/endpoints", "vpc.endpoints"), ("/vpc/endpoint-services", "vpc.endpoint_services")
COLUMNS = (
    tables.NAME,
    column("id", "common.id", "VpcEndpointId", "id"),
    column("state", "common.state", "State", "status"),
    column("type", "vpc.type", "VpcEndpointType"),
    column("service", "vpc.service", "ServiceName", "code"),
    column("vpc", "vpc.vpc", "VpcId", "id"),
    column("created", "common.created", "CreationTimestamp", "time"),
)
SERVICE_COLUMNS = (
    tables.NAME,
    column("id", "common.id", "ServiceId", "id"),
    column("state", "common.state", "ServiceState", "status"),
    column("name", "vpc.service", "ServiceName", "code"),
    column("accept", "vpc.acceptance", "AcceptanceRequired", "yes"),
    column("balancers", "vpc.balancers", lambda s: ", ".join(_balancer(a) for a in s["NetworkLoadBalancerArns"])),
)
menu("vpc", UP[0], UP[1], order=80)
menu("vpc", SERVICES[0], SERVICES[1], order=90)
home("vpce", "/vpc/endpoints/{id}")
home("vpce-svc", "/vpc/endpoint-services/{id}")


def _balancer(arn: str) -> str:
    return arn.split("/")[2]


@page("/vpc/endpoints")
async def endpoints(ask: Ask) -> Answered:
    """List them."""
    found = await ask.aws_all("ec2", "DescribeVpcEndpoints", "VpcEndpoints")
    return listing(ask, UP[1], found, COLUMNS, kinds=("VpcEndpoint",), create="/vpc/endpoints/create")


@page("/vpc/endpoints/create")
async def new(ask: Ask) -> Answered:
    """Ask for its service and its place."""
    offered = await ask.aws_all("ec2", "DescribeVpcEndpointServices", "ServiceDetails")
    kinds = {s["ServiceName"]: s["ServiceType"][0]["ServiceType"] for s in offered}
    services = [(f"{kind} {name}", f"{name} ({kind})") for name, kind in kinds.items()]
    fields = [
        NAME,
        Field(name="service", text="vpc.service", shows="select", choices=services, required=True),
        Field(name="vpc", text="vpc.vpc", shows="select", choices=await choices.vpcs(ask), required=True),
        Field(name="subnet", text="vpc.endpoint_subnets", shows="several", choices=await choices.subnets(ask)),
        Field(name="group", text="vpc.endpoint_groups", shows="several", choices=await choices.groups(ask)),
        Field(name="private_dns", text="vpc.private_dns_on", shows="tick", value=True, hint="vpc.private_dns_hint"),
        Field(name="table", text="vpc.endpoint_tables", shows="several", choices=await choices.route_tables(ask)),
    ]
    return form(ask, "vpc.create_endpoint", "/vpc/endpoints/create", fields, up=UP, about="vpc.create_endpoint_about")


@act("/vpc/endpoints/create", back="/vpc/endpoints/create")
async def create(ask: Ask) -> Answered:
    """Create it."""
    type, _, service = ask.form.get("service").partition(" ")
    made = await ask.aws(
        "ec2",
        "CreateVpcEndpoint",
        VpcId=ask.form.get("vpc"),
        VpcEndpointType=type,
        ServiceName=service,
        SubnetIds=ask.form.all("subnet") or None,
        SecurityGroupIds=ask.form.all("group") or None,
        RouteTableIds=ask.form.all("table") or None,
        PrivateDnsEnabled="private_dns" in ask.form if type == "Interface" else None,
        TagSpecifications=named("vpc-endpoint", ask.form.get("name")),
    )
    id = made["VpcEndpoint"]["VpcEndpointId"]
    return ask.go(f"/vpc/endpoints/{id}", "vpc.done_created", id=id)


@page("/vpc/endpoints/{id}")
async def endpoint(ask: Ask) -> Answered:
    """Show one."""
    id = ask.parts["id"]
    it = one((await ask.aws("ec2", "DescribeVpcEndpoints", VpcEndpointIds=[id]))["VpcEndpoints"])
    facts = Facts(
        title="common.details",
        facts=[
            ("common.id", id, "code"),
            ("common.state", it["State"], "status"),
            ("vpc.type", it["VpcEndpointType"], "text"),
            ("vpc.service", it["ServiceName"], "code"),
            ("vpc.vpc", it["VpcId"], "id"),
            ("vpc.subnets", it["SubnetIds"], "ids"),
            ("vpc.interfaces", it["NetworkInterfaceIds"], "ids"),
            ("vpc.route_tables", it["RouteTableIds"], "ids"),
            ("vpc.groups", [g["GroupId"] for g in it["Groups"]], "ids"),
            ("vpc.private_dns", it["PrivateDnsEnabled"], "yes"),
            ("common.created", it["CreationTimestamp"], "time"),
            ("common.tags", it["Tags"], "tags"),
        ],
    )
    names = Rows(
        title="vpc.dns_names", columns=[column("name", "common.name", "DnsName", "code")], rows=it["DnsEntries"]
    )
    gone = deleting(f"/vpc/endpoints/{id}/delete", id)
    return detail(
        ask, "vpc.endpoint", id, name=name_of(it), up=UP, kinds=("VpcEndpoint",), parts=[facts, names], acts=[gone]
    )


@act("/vpc/endpoints/{id}/delete", back="/vpc/endpoints/{id}")
async def delete(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.parts["id"]
    _raise_first(await ask.aws("ec2", "DeleteVpcEndpoints", VpcEndpointIds=[id]))
    return ask.go(UP[0], "vpc.done_deleted", id=id)


def _raise_first(said: Mapping[str, Any]) -> None:
    """Raise what a call says of the one thing that it was asked to change, if it could not."""
    for failed in said.get("Unsuccessful", ()):
        raise AwsError(failed["Error"]["Code"], failed["Error"]["Message"])


@page("/vpc/endpoint-services")
async def services(ask: Ask) -> Answered:
    """List one's own services."""
    found = await ask.aws_all("ec2", "DescribeVpcEndpointServiceConfigurations", "ServiceConfigurations")
    kinds = ("EndpointService",)
    return listing(ask, SERVICES[1], found, SERVICE_COLUMNS, kinds=kinds, create="/vpc/endpoint-services/create")


@page("/vpc/endpoint-services/create")
async def new_service(ask: Ask) -> Answered:
    """Ask for its load balancers."""
    found = await ask.aws_all("elbv2", "DescribeLoadBalancers", "LoadBalancers")
    balancers = [(b["LoadBalancerArn"], b["LoadBalancerName"]) for b in found]
    fields = [
        NAME,
        Field(name="balancer", text="vpc.balancers", shows="several", choices=balancers, hint="vpc.balancers_hint"),
        Field(name="accept", text="vpc.acceptance", shows="tick", value=True),
    ]
    return form(ask, "vpc.create_service", "/vpc/endpoint-services/create", fields, up=SERVICES)


@act("/vpc/endpoint-services/create", back="/vpc/endpoint-services/create")
async def create_service(ask: Ask) -> Answered:
    """Create it."""
    made = await ask.aws(
        "ec2",
        "CreateVpcEndpointServiceConfiguration",
        NetworkLoadBalancerArns=ask.form.all("balancer") or None,
        AcceptanceRequired="accept" in ask.form,
        TagSpecifications=named("vpc-endpoint-service", ask.form.get("name")),
    )
    id = made["ServiceConfiguration"]["ServiceId"]
    return ask.go(f"/vpc/endpoint-services/{id}", "vpc.done_created", id=id)


@page("/vpc/endpoint-services/{id}")
async def service(ask: Ask) -> Answered:
    """Show one, with who is connected and who waits."""
    id = ask.parts["id"]
    found = await ask.aws("ec2", "DescribeVpcEndpointServiceConfigurations", ServiceIds=[id])
    it = one(found["ServiceConfigurations"])
    filters = [{"Name": "service-id", "Values": [id]}]
    connections = await ask.aws_all(
        "ec2", "DescribeVpcEndpointConnections", "VpcEndpointConnections", Filters=filters
    )
    facts = Facts(
        title="common.details",
        facts=[
            ("common.id", id, "code"),
            ("common.state", it["ServiceState"], "status"),
            ("vpc.service", it["ServiceName"], "code"),
            ("vpc.acceptance", it["AcceptanceRequired"], "yes"),
            ("vpc.balancers", ", ".join(_balancer(a) for a in it["NetworkLoadBalancerArns"]), "text"),
            ("common.tags", it.get("Tags"), "tags"),
        ],
    )
    columns = (
        column("id", "vpc.endpoint", "VpcEndpointId", "code"),
        column("owner", "common.account", "VpcEndpointOwner", "code"),
        column("state", "common.state", "VpcEndpointState", "status"),
        column("created", "common.created", "CreationTimestamp", "time"),
    )
    rows = Rows(title="vpc.connections", columns=columns, rows=connections, acts=lambda c: _connection_acts(id, c))
    gone = deleting(f"/vpc/endpoint-services/{id}/delete", id)
    return detail(
        ask, "vpc.endpoint_service", id, name=name_of(it), up=SERVICES, kinds=("World",),
        parts=[facts, rows], acts=[gone],
    )  # fmt: skip


def _connection_acts(service_id: str, connection: Row) -> list[Act]:
    fields, path = {"id": connection["VpcEndpointId"]}, f"/vpc/endpoint-services/{service_id}"
    accept = Act(path=f"{path}/accept", text="vpc.accept", fields=fields)
    reject = Act(path=f"{path}/reject", text="vpc.reject", fields=fields, sure="vpc.sure_reject", danger=True)
    return {"pendingAcceptance": [accept, reject], "available": [reject]}.get(connection["VpcEndpointState"], [])


@act("/vpc/endpoint-services/{id}/accept", back="/vpc/endpoint-services/{id}")
async def accept(ask: Ask) -> Answered:
    """Accept an endpoint."""
    return await _decide(ask, "AcceptVpcEndpointConnections")


@act("/vpc/endpoint-services/{id}/reject", back="/vpc/endpoint-services/{id}")
async def reject(ask: Ask) -> Answered:
    """Reject an endpoint."""
    return await _decide(ask, "RejectVpcEndpointConnections")


async def _decide(ask: Ask, operation: str) -> Answered:
    id, endpoint_id = ask.parts["id"], ask.form.get("id")
    _raise_first(await ask.aws("ec2", operation, ServiceId=id, VpcEndpointIds=[endpoint_id]))
    return ask.go(f"/vpc/endpoint-services/{id}", "vpc.done_changed", id=endpoint_id)


@act("/vpc/endpoint-services/{id}/delete", back="/vpc/endpoint-services/{id}")
async def delete_service(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.parts["id"]
    _raise_first(await ask.aws("ec2", "DeleteVpcEndpointServiceConfigurations", ServiceIds=[id]))
    return ask.go(SERVICES[0], "vpc.done_deleted", id=id)
