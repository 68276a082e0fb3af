"""Subnets: list, create, details, the setting for public addresses, delete."""

from atoll.console import choices, tables
from atoll.console.ask import Answered, Ask, by, name_of, named
from atoll.console.parts import NAME, Act, Facts, Field, Rows, deleting, detail, form, listing, one
from atoll.console.site import act, home, menu, page
from atoll.console.tables import column

UP = ("/vpc/subnets", "vpc.subnets")
COLUMNS = (
    tables.NAME,
    column("id", "common.id", "SubnetId", "id"),
    column("state", "common.state", "State", "status"),
    column("vpc", "vpc.vpc", "VpcId", "id"),
    column("cidr", "vpc.cidr", "CidrBlock", "code"),
    column("zone", "vpc.zone", "AvailabilityZone"),
    column("free", "vpc.free_addresses", "AvailableIpAddressCount", "number"),
    column("public", "vpc.maps_public", "MapPublicIpOnLaunch", "yes"),
)
menu("vpc", "/vpc/subnets", "vpc.subnets", order=20)
home("subnet", "/vpc/subnets/{id}")


@page("/vpc/subnets")
async def subnets(ask: Ask) -> Answered:
    """List them."""
    found = await ask.aws_all("ec2", "DescribeSubnets", "Subnets")
    return listing(ask, "vpc.subnets", found, COLUMNS, kinds=("Subnet", "Interface"), create="/vpc/subnets/create")


@page("/vpc/subnets/create")
@page("/vpc/subnets/create/{vpc}")
async def new(ask: Ask) -> Answered:
    """Ask for the range of a new one."""
    fields = [
        Field(name="vpc", text="vpc.vpc", shows="select", choices=await choices.vpcs(ask), required=True,
              value=ask.parts.get("vpc", "")),
        NAME,
        Field(name="cidr", text="vpc.cidr", hint="vpc.subnet_cidr_hint", required=True, placeholder="10.0.1.0/24"),
        Field(name="zone", text="vpc.zone", shows="select", choices=await choices.zones(ask)),
    ]  # fmt: skip
    return form(ask, "vpc.create_subnet", "/vpc/subnets/create", fields, up=UP)


@act("/vpc/subnets/create", back="/vpc/subnets/create")
async def create(ask: Ask) -> Answered:
    """Create it."""
    given = ask.form.given(VpcId="vpc", CidrBlock="cidr", AvailabilityZone="zone")
    made = await ask.aws("ec2", "CreateSubnet", **given, TagSpecifications=named("subnet", ask.form.get("name")))
    id = made["Subnet"]["SubnetId"]
    return ask.go(f"/vpc/subnets/{id}", "vpc.done_created", id=id)


@page("/vpc/subnets/{id}")
async def subnet(ask: Ask) -> Answered:
    """Show one, with its routes and who is in it."""
    id = ask.parts["id"]
    found = one((await ask.aws("ec2", "DescribeSubnets", SubnetIds=[id]))["Subnets"])
    own = await ask.aws_all("ec2", "DescribeRouteTables", "RouteTables", Filters=by(association__subnet_id=id))
    acls = await ask.aws("ec2", "DescribeNetworkAcls", Filters=by(association__subnet_id=id))
    inside = await ask.aws_all("ec2", "DescribeNetworkInterfaces", "NetworkInterfaces", Filters=by(subnet_id=id))
    public = found["MapPublicIpOnLaunch"]
    facts = Facts(
        title="common.details",
        facts=[
            ("common.id", id, "code"),
            ("common.state", found["State"], "status"),
            ("vpc.vpc", found["VpcId"], "id"),
            ("vpc.cidr", found["CidrBlock"], "code"),
            ("vpc.zone", f"{found['AvailabilityZone']} ({found['AvailabilityZoneId']})", "text"),
            ("vpc.free_addresses", found["AvailableIpAddressCount"], "text"),
            ("vpc.route_table", [t["RouteTableId"] for t in own], "ids"),
            ("vpc.acl", [a["NetworkAclId"] for a in acls["NetworkAcls"]], "ids"),
            ("vpc.maps_public", public, "yes"),
            ("vpc.is_default", found["DefaultForAz"], "yes"),
            ("common.tags", found.get("Tags"), "tags"),
        ],
    )
    columns = (
        column("id", "common.id", "NetworkInterfaceId", "id"),
        column("address", "vpc.private_address", "PrivateIpAddress", "code"),
        column("type", "vpc.type", "InterfaceType"),
        column("instance", "ec2.instance", lambda i: i.get("Attachment", {}).get("InstanceId"), "id"),
        column("about", "common.description", "Description", "wrap"),
    )
    switch = Act(
        path=f"/vpc/subnets/{id}/public",
        text="vpc.maps_public_off" if public else "vpc.maps_public_on",
        fields={"value": str(not public).lower()},
    )
    gone = deleting(f"/vpc/subnets/{id}/delete", id)
    return detail(
        ask,
        "vpc.subnet",
        id,
        name=name_of(found),
        up=UP,
        kinds=("Subnet", "Interface", "RouteTable", "NetworkAcl"),
        parts=[facts, Rows(title="vpc.interfaces", columns=columns, rows=inside)],
        acts=[switch, gone],
    )


@act("/vpc/subnets/{id}/public", back="/vpc/subnets/{id}")
async def public(ask: Ask) -> Answered:
    """Switch whether instances get public addresses."""
    id = ask.parts["id"]
    await ask.aws("ec2", "ModifySubnetAttribute", SubnetId=id, MapPublicIpOnLaunch={"Value": ask.form.get("value")})
    return ask.go(f"/vpc/subnets/{id}")


@act("/vpc/subnets/{id}/delete", back="/vpc/subnets/{id}")
async def delete(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.parts["id"]
    await ask.aws("ec2", "DeleteSubnet", SubnetId=id)
    return ask.go("/vpc/subnets", "vpc.done_deleted", id=id)
