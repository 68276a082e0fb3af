"""Route tables: list, create, details with routes and associations to edit, delete."""

from typing import Any

from atoll.console import choices, tables
from atoll.console.ask import Answered, Ask, by, name_of, named
from atoll.console.parts import NAME, Act, Button, Facts, Field, Rows, deleting, detail, form, listing, one
from atoll.console.site import act, home, menu, page
from atoll.console.tables import Row, column

UP = ("/vpc/route-tables", "vpc.route_tables")
DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
TARGETS = (
    "GatewayId", "NatGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId", "EgressOnlyInternetGatewayId",
    "InstanceId",
)  # fmt: skip
BY_PREFIX = {
    "igw": "GatewayId", "vpce": "VpcEndpointId", "nat": "NatGatewayId", "eni": "NetworkInterfaceId",
    "pcx": "VpcPeeringConnectionId", "eigw": "EgressOnlyInternetGatewayId", "i": "InstanceId", "local": "GatewayId",
}  # fmt: skip
COLUMNS = (
    tables.NAME,
    column("id", "common.id", "RouteTableId", "id"),
    column("vpc", "vpc.vpc", "VpcId", "id"),
    column("main", "vpc.is_main", lambda t: any(a.get("Main") for a in t["Associations"]), "yes"),
    column("subnets", "vpc.subnets", lambda t: [a["SubnetId"] for a in t["Associations"] if "SubnetId" in a], "ids"),
    column("routes", "vpc.routes", lambda t: ", ".join(destination(r) for r in t["Routes"]), "wrap"),
)
menu("vpc", "/vpc/route-tables", "vpc.route_tables", order=30)
home("rtb", "/vpc/route-tables/{id}")


def destination(route: Row) -> str:
    """Return where a route leads packets for."""
    return next(str(route[name]) for name in DESTINATIONS if name in route)


def target(route: Row) -> str:
    """Return what a route hands packets to."""
    return next((str(route[name]) for name in TARGETS if name in route), "")


@page("/vpc/route-tables")
async def route_tables(ask: Ask) -> Answered:
    """List them."""
    found = await ask.aws_all("ec2", "DescribeRouteTables", "RouteTables")
    return listing(ask, "vpc.route_tables", found, COLUMNS, kinds=("RouteTable",), create="/vpc/route-tables/create")


@page("/vpc/route-tables/create")
async def new(ask: Ask) -> Answered:
    """Ask for the VPC of a new one."""
    vpcs = await choices.vpcs(ask)
    fields = [Field(name="vpc", text="vpc.vpc", shows="select", choices=vpcs, required=True), NAME]
    return form(ask, "vpc.create_route_table", "/vpc/route-tables/create", fields, up=UP)


@act("/vpc/route-tables/create", back="/vpc/route-tables/create")
async def create(ask: Ask) -> Answered:
    """Create it."""
    tags = named("route-table", ask.form.get("name"))
    made = await ask.aws("ec2", "CreateRouteTable", VpcId=ask.form.get("vpc"), TagSpecifications=tags)
    id = made["RouteTable"]["RouteTableId"]
    return ask.go(f"/vpc/route-tables/{id}", "vpc.done_created", id=id)


@page("/vpc/route-tables/{id}")
async def route_table(ask: Ask) -> Answered:
    """Show one, with its routes and what follows them."""
    id = ask.parts["id"]
    found = one((await ask.aws("ec2", "DescribeRouteTables", RouteTableIds=[id]))["RouteTables"])
    is_main = any(a.get("Main") for a in found["Associations"])
    facts = Facts(
        title="common.details",
        facts=[
            ("common.id", id, "code"),
            ("vpc.vpc", found["VpcId"], "id"),
            ("vpc.is_main", is_main, "yes"),
            ("common.tags", found.get("Tags"), "tags"),
        ],
    )
    return detail(
        ask,
        "vpc.route_table",
        id,
        name=name_of(found),
        up=UP,
        kinds=("RouteTable",),
        parts=[_routes(found), _associations(found), facts],
        acts=[deleting(f"/vpc/route-tables/{id}/delete", id)],
    )  # fmt: skip


def _routes(found: Row) -> Rows:
    id = found["RouteTableId"]
    columns = (
        column("destination", "vpc.destination", destination, "code"),
        column("target", "vpc.target", target, "id"),
        column("state", "common.state", "State", "status"),
        column("origin", "vpc.origin", "Origin"),
    )

    def acts(route: Row) -> list[Act]:
        if route["Origin"] != "CreateRoute":
            return []
        given = {name: str(route[name]) for name in DESTINATIONS if name in route}
        gone = {"id": destination(route), **given}
        path = f"/vpc/route-tables/{id}/routes/delete"
        return [Act(path=path, text="common.delete", fields=gone, sure="common.sure_delete", danger=True)]

    button = Button(path=f"/vpc/route-tables/{id}/routes/create", text="vpc.add_route", primary=True)
    return Rows(title="vpc.routes", columns=columns, rows=found["Routes"], acts=acts, buttons=[button])


def _associations(found: Row) -> Rows:
    id = found["RouteTableId"]
    columns = (
        column("subnet", "vpc.followed_by", lambda a: a.get("SubnetId") or a.get("GatewayId"), "id"),
        column("main", "vpc.is_main", lambda a: a.get("Main", False), "yes"),
        column("id", "vpc.association", "RouteTableAssociationId", "code"),
    )

    def acts(association: Row) -> list[Act]:
        if association.get("Main"):
            return []
        fields = {"id": association["RouteTableAssociationId"]}
        return [Act(path=f"/vpc/route-tables/{id}/disassociate", text="vpc.disassociate", fields=fields)]

    button = Button(path=f"/vpc/route-tables/{id}/associate", text="vpc.associate")
    return Rows(
        title="vpc.associations", columns=columns, rows=found["Associations"], acts=acts, buttons=[button],
        about="vpc.associations_about",
    )  # fmt: skip


@page("/vpc/route-tables/{id}/routes/create")
async def new_route(ask: Ask) -> Answered:
    """Ask for a destination and a target."""
    id = ask.parts["id"]
    found = one((await ask.aws("ec2", "DescribeRouteTables", RouteTableIds=[id]))["RouteTables"])
    fields = [
        Field(name="destination", text="vpc.destination", hint="vpc.destination_hint", required=True,
              placeholder="0.0.0.0/0"),
        Field(name="target", text="vpc.target", shows="select", required=True,
              choices=await _targets(ask, found["VpcId"])),
    ]  # fmt: skip
    up = (f"/vpc/route-tables/{id}", "vpc.route_table")
    return form(ask, "vpc.add_route", f"/vpc/route-tables/{id}/routes/create", fields, up=up, submit="common.add")


async def _targets(ask: Ask, vpc_id: str) -> list[tuple[str, str]]:
    """Return what routes of a VPC may lead to."""
    igws = await ask.aws("ec2", "DescribeInternetGateways", Filters=by(attachment__vpc_id=vpc_id))
    nats = await ask.aws_all("ec2", "DescribeNatGateways", "NatGateways", Filter=by(vpc_id=vpc_id))
    peerings = await ask.aws_all("ec2", "DescribeVpcPeeringConnections", "VpcPeeringConnections")
    eigws = await ask.aws("ec2", "DescribeEgressOnlyInternetGateways")
    found = [(g["InternetGatewayId"], g) for g in igws["InternetGateways"]]
    found += [(n["NatGatewayId"], n) for n in nats if n["State"] in ("pending", "available")]
    found += [(p["VpcPeeringConnectionId"], p) for p in peerings if _joins(p, vpc_id)]
    found += [
        (e["EgressOnlyInternetGatewayId"], e)
        for e in eigws["EgressOnlyInternetGateways"]
        if any(a["VpcId"] == vpc_id for a in e["Attachments"])
    ]
    named = [(id, " ".join(part for part in (id, name_of(one)) if part)) for id, one in found]
    return [*named, *await choices.interfaces(ask, vpc_id), ("local", "local")]


def _joins(peering: Row, vpc_id: str) -> bool:
    return vpc_id in (peering["RequesterVpcInfo"].get("VpcId"), peering["AccepterVpcInfo"].get("VpcId"))


@act("/vpc/route-tables/{id}/routes/create", back="/vpc/route-tables/{id}/routes/create")
async def create_route(ask: Ask) -> Answered:
    """Create it."""
    id, to, via = ask.parts["id"], ask.form.get("destination"), ask.form.get("target")
    member = BY_PREFIX.get(via.partition("-")[0], "GatewayId")
    await ask.aws("ec2", "CreateRoute", RouteTableId=id, **_destination_of(to), **{member: via})
    return ask.go(f"/vpc/route-tables/{id}", "vpc.done_created", id=to)


def _destination_of(text: str) -> dict[str, Any]:
    if text.startswith("pl-"):
        return {"DestinationPrefixListId": text}
    return {"DestinationIpv6CidrBlock" if ":" in text else "DestinationCidrBlock": text}


@act("/vpc/route-tables/{id}/routes/delete", back="/vpc/route-tables/{id}")
async def delete_route(ask: Ask) -> Answered:
    """Delete a route."""
    id = ask.parts["id"]
    given = ask.form.given(**{name: name for name in DESTINATIONS})
    await ask.aws("ec2", "DeleteRoute", RouteTableId=id, **given)
    return ask.go(f"/vpc/route-tables/{id}", "vpc.done_deleted", id=ask.form.get("id"))


@page("/vpc/route-tables/{id}/associate")
async def new_association(ask: Ask) -> Answered:
    """Ask which subnet should follow a table."""
    id = ask.parts["id"]
    found = one((await ask.aws("ec2", "DescribeRouteTables", RouteTableIds=[id]))["RouteTables"])
    subnets = await choices.subnets(ask, found["VpcId"])
    fields = [Field(name="subnet", text="vpc.subnet", shows="select", choices=subnets, required=True)]
    up = (f"/vpc/route-tables/{id}", "vpc.route_table")
    return form(ask, "vpc.associate", f"/vpc/route-tables/{id}/associate", fields, up=up, submit="vpc.associate")


@act("/vpc/route-tables/{id}/associate", back="/vpc/route-tables/{id}/associate")
async def associate(ask: Ask) -> Answered:
    """Have a subnet follow a table."""
    id, subnet = ask.parts["id"], ask.form.get("subnet")
    await ask.aws("ec2", "AssociateRouteTable", RouteTableId=id, SubnetId=subnet)
    return ask.go(f"/vpc/route-tables/{id}", "vpc.done_changed", id=subnet)


@act("/vpc/route-tables/{id}/disassociate", back="/vpc/route-tables/{id}")
async def disassociate(ask: Ask) -> Answered:
    """Have a subnet follow the main table again."""
    id = ask.parts["id"]
    await ask.aws("ec2", "DisassociateRouteTable", AssociationId=ask.form.get("id"))
    return ask.go(f"/vpc/route-tables/{id}", "vpc.done_changed", id=ask.form.get("id"))


@act("/vpc/route-tables/{id}/delete", back="/vpc/route-tables/{id}")
async def delete(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.parts["id"]
    await ask.aws("ec2", "DeleteRouteTable", RouteTableId=id)
    return ask.go("/vpc/route-tables", "vpc.done_deleted", id=id)
