"""VPCs: list, create, details with what is in them, settings, delete."""

from atoll.console import tables
from atoll.console.ask import Answered, Ask, by, name_of, named
from atoll.console.parts import NAME, Act, Button, Facts, Field, Rows, deleting, detail, form, listing, one
from atoll.console.site import act, home, menu, page
from atoll.console.tables import column

UP = ("/vpc/vpcs", "vpc.vpcs")
COLUMNS = (
    tables.NAME,
    column("id", "common.id", "VpcId", "id"),
    column("state", "common.state", "State", "status"),
    column("cidr", "vpc.cidr", lambda v: ", ".join(a["CidrBlock"] for a in v["CidrBlockAssociationSet"]), "code"),
    column("default", "vpc.is_default", "IsDefault", "yes"),
    column("dhcp", "vpc.dhcp", "DhcpOptionsId", "code"),
)
menu("vpc", "/vpc/vpcs", "vpc.vpcs", order=10)
home("vpc", "/vpc/vpcs/{id}")


@page("/vpc/vpcs")
async def vpcs(ask: Ask) -> Answered:
    """List them."""
    found = await ask.aws_all("ec2", "DescribeVpcs", "Vpcs")
    return listing(ask, "vpc.vpcs", found, COLUMNS, kinds=("Vpc",), create="/vpc/vpcs/create")


@page("/vpc/vpcs/create")
async def new(ask: Ask) -> Answered:
    """Ask for the range of a new one."""
    fields = [
        NAME,
        Field(name="cidr", text="vpc.cidr", hint="vpc.cidr_hint", required=True, placeholder="10.0.0.0/16"),
        Field(name="ipv6", text="vpc.with_ipv6", shows="tick"),
    ]
    return form(ask, "vpc.create_vpc", "/vpc/vpcs/create", fields, up=UP)


@act("/vpc/vpcs/create", back="/vpc/vpcs/create")
async def create(ask: Ask) -> Answered:
    """Create it."""
    made = await ask.aws(
        "ec2",
        "CreateVpc",
        CidrBlock=ask.form.get("cidr"),
        AmazonProvidedIpv6CidrBlock="true" if "ipv6" in ask.form else None,
        TagSpecifications=named("vpc", ask.form.get("name")),
    )
    return ask.go(f"/vpc/vpcs/{made['Vpc']['VpcId']}", "vpc.done_created", id=made["Vpc"]["VpcId"])


@page("/vpc/vpcs/{id}")
async def vpc(ask: Ask) -> Answered:
    """Show one, and what is in it."""
    id = ask.parts["id"]
    found = one((await ask.aws("ec2", "DescribeVpcs", VpcIds=[id]))["Vpcs"])
    support = await ask.aws("ec2", "DescribeVpcAttribute", VpcId=id, Attribute="enableDnsSupport")
    hostnames = await ask.aws("ec2", "DescribeVpcAttribute", VpcId=id, Attribute="enableDnsHostnames")
    subnets = await ask.aws_all("ec2", "DescribeSubnets", "Subnets", Filters=by(vpc_id=id))
    tables_ = await ask.aws_all("ec2", "DescribeRouteTables", "RouteTables", Filters=by(vpc_id=id))
    gateways = await ask.aws("ec2", "DescribeInternetGateways", Filters=by(attachment__vpc_id=id))
    dns = support["EnableDnsSupport"]["Value"], hostnames["EnableDnsHostnames"]["Value"]
    facts = Facts(
        title="common.details",
        facts=[
            ("common.id", id, "code"),
            ("common.state", found["State"], "status"),
            ("vpc.cidr", ", ".join(a["CidrBlock"] for a in found["CidrBlockAssociationSet"]), "code"),
            (
                "vpc.cidr6",
                ", ".join(a["Ipv6CidrBlock"] for a in found.get("Ipv6CidrBlockAssociationSet", ())),
                "code",
            ),
            ("vpc.is_default", found["IsDefault"], "yes"),
            ("vpc.tenancy", found["InstanceTenancy"], "text"),
            ("vpc.dhcp", found["DhcpOptionsId"], "code"),
            ("vpc.dns_support", dns[0], "yes"),
            ("vpc.dns_hostnames", dns[1], "yes"),
            ("vpc.internet_gateways", [g["InternetGatewayId"] for g in gateways["InternetGateways"]], "ids"),
            ("common.tags", found.get("Tags"), "tags"),
        ],
    )
    switch = [
        Act(path=f"/vpc/vpcs/{id}/dns", text=text, fields={"attribute": attribute, "value": str(not now).lower()})
        for attribute, now, text in (
            ("EnableDnsSupport", dns[0], "vpc.dns_support_off" if dns[0] else "vpc.dns_support_on"),
            ("EnableDnsHostnames", dns[1], "vpc.dns_hostnames_off" if dns[1] else "vpc.dns_hostnames_on"),
        )
    ]
    return detail(
        ask,
        "vpc.vpc",
        id,
        name=name_of(found),
        up=UP,
        kinds=("Vpc", "Subnet", "RouteTable", "InternetGateway"),
        parts=[facts, _subnets(subnets, id), _tables(tables_)],
        buttons=[Button(path=f"/map/{id}", text="vpc.resource_map", primary=True)],
        acts=[
            *switch,
            deleting(f"/vpc/vpcs/{id}/delete", id),
        ],
    )


def _subnets(found: list[dict[str, object]], id: str) -> Rows:
    columns = (
        tables.NAME,
        column("id", "common.id", "SubnetId", "id"),
        column("cidr", "vpc.cidr", "CidrBlock", "code"),
        column("zone", "vpc.zone", "AvailabilityZone"),
        column("free", "vpc.free_addresses", "AvailableIpAddressCount", "number"),
    )
    button = Button(path=f"/vpc/subnets/create/{id}", text="vpc.create_subnet")
    return Rows(title="vpc.subnets", columns=columns, rows=found, buttons=[button])


def _tables(found: list[dict[str, object]]) -> Rows:
    columns = (
        tables.NAME,
        column("id", "common.id", "RouteTableId", "id"),
        column(
            "subnets", "vpc.subnets", lambda t: [a["SubnetId"] for a in t["Associations"] if "SubnetId" in a], "ids"
        ),
        column("routes", "vpc.routes", lambda t: ", ".join(_destination(r) for r in t["Routes"]), "wrap"),
    )
    return Rows(title="vpc.route_tables", columns=columns, rows=found)


def _destination(route: dict[str, str]) -> str:
    known = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
    return next(route[name] for name in known if name in route)


@act("/vpc/vpcs/{id}/dns", back="/vpc/vpcs/{id}")
async def dns(ask: Ask) -> Answered:
    """Switch what the resolver does."""
    id, attribute = ask.parts["id"], ask.form.get("attribute")
    if attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        await ask.aws("ec2", "ModifyVpcAttribute", VpcId=id, **{attribute: {"Value": ask.form.get("value")}})
    return ask.go(f"/vpc/vpcs/{id}")


@act("/vpc/vpcs/{id}/delete", back="/vpc/vpcs/{id}")
async def delete(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.parts["id"]
    await ask.aws("ec2", "DeleteVpc", VpcId=id)
    return ask.go("/vpc/vpcs", "vpc.done_deleted", id=id)
