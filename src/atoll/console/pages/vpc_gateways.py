"""Internet gateways and NAT gateways: list, create, attach and detach, delete."""

from atoll.console import choices, tables
from atoll.console.ask import Answered, Ask, named
from atoll.console.parts import NAME, Act, Field, deleting, form, listing
from atoll.console.site import act, home, menu, page
from atoll.console.tables import Row, column

IGWS, NATS = ("/vpc/internet-gateways", "vpc.internet_gateways"), ("/vpc/nat-gateways", "vpc.nat_gateways")
IGW_COLUMNS = (
    tables.NAME,
    column("id", "common.id", "InternetGatewayId", "id"),
    column("state", "common.state", lambda g: "attached" if g["Attachments"] else "detached", "status"),
    column("vpc", "vpc.vpc", lambda g: [a["VpcId"] for a in g["Attachments"]], "ids"),
)
NAT_COLUMNS = (
    tables.NAME,
    column("id", "common.id", "NatGatewayId", "id"),
    column("state", "common.state", "State", "status"),
    column("type", "vpc.connectivity", "ConnectivityType"),
    column("subnet", "vpc.subnet", "SubnetId", "id"),
    column("vpc", "vpc.vpc", "VpcId", "id"),
    column("public", "vpc.public_address", lambda n: _addresses(n, "PublicIp"), "code"),
    column("private", "vpc.private_address", lambda n: _addresses(n, "PrivateIp"), "code"),
    column("created", "common.created", "CreateTime", "time"),
    column("why", "vpc.failure", "FailureMessage", "wrap"),
)
menu("vpc", IGWS[0], IGWS[1], order=40)
menu("vpc", NATS[0], NATS[1], order=50)
home("igw", "/vpc/internet-gateways?q={id}")
home("nat", "/vpc/nat-gateways?q={id}")


def _addresses(gateway: Row, member: str) -> str:
    return ", ".join(a[member] for a in gateway["NatGatewayAddresses"] if member in a)


@page("/vpc/internet-gateways")
async def internet_gateways(ask: Ask) -> Answered:
    """List them."""
    found = await ask.aws_all("ec2", "DescribeInternetGateways", "InternetGateways")
    return listing(
        ask,
        IGWS[1],
        found,
        IGW_COLUMNS,
        kinds=("InternetGateway",),
        create="/vpc/internet-gateways/create",
        acts=_acts,
    )


def _acts(gateway: Row) -> list[Act]:
    id = gateway["InternetGatewayId"]
    attached = [
        Act(path="/vpc/internet-gateways/detach", text="vpc.detach", fields={"id": id, "vpc": a["VpcId"]},
            sure="vpc.sure_detach", danger=True)
        for a in gateway["Attachments"]
    ]  # fmt: skip
    if attached:
        return attached
    return [
        deleting("/vpc/internet-gateways/delete", id),
    ]  # fmt: skip


@page("/vpc/internet-gateways/create")
async def new_internet_gateway(ask: Ask) -> Answered:
    """Ask for its name and its VPC."""
    fields = [NAME, Field(name="vpc", text="vpc.attach_to", shows="select", choices=await choices.vpcs(ask))]
    return form(ask, "vpc.create_internet_gateway", "/vpc/internet-gateways/create", fields, up=IGWS)


@act("/vpc/internet-gateways/create", back="/vpc/internet-gateways/create")
async def create_internet_gateway(ask: Ask) -> Answered:
    """Create it, and attach it if a VPC was chosen."""
    tags = named("internet-gateway", ask.form.get("name"))
    made = await ask.aws("ec2", "CreateInternetGateway", TagSpecifications=tags)
    id = made["InternetGateway"]["InternetGatewayId"]
    if vpc := ask.form.get("vpc"):
        await ask.aws("ec2", "AttachInternetGateway", InternetGatewayId=id, VpcId=vpc)
    return ask.go(IGWS[0], "vpc.done_created", id=id)


@page("/vpc/internet-gateways/attach")
async def new_attachment(ask: Ask) -> Answered:
    """Ask for the VPC of a gateway."""
    fields = [
        Field(name="gateway", text="vpc.internet_gateway", required=True, placeholder="igw-0123456789abcdef0"),
        Field(name="vpc", text="vpc.vpc", shows="select", choices=await choices.vpcs(ask), required=True),
    ]
    return form(ask, "vpc.attach", "/vpc/internet-gateways/attach", fields, up=IGWS, submit="vpc.attach")


@act("/vpc/internet-gateways/attach", back="/vpc/internet-gateways/attach")
async def attach(ask: Ask) -> Answered:
    """Attach it."""
    id, vpc = ask.form.get("gateway"), ask.form.get("vpc")
    await ask.aws("ec2", "AttachInternetGateway", InternetGatewayId=id, VpcId=vpc)
    return ask.go(IGWS[0], "vpc.done_changed", id=id)


@act("/vpc/internet-gateways/detach", back="/vpc/internet-gateways")
async def detach(ask: Ask) -> Answered:
    """Detach it."""
    id = ask.form.get("id")
    await ask.aws("ec2", "DetachInternetGateway", InternetGatewayId=id, VpcId=ask.form.get("vpc"))
    return ask.go(IGWS[0], "vpc.done_changed", id=id)


@act("/vpc/internet-gateways/delete", back="/vpc/internet-gateways")
async def delete_internet_gateway(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.form.get("id")
    await ask.aws("ec2", "DeleteInternetGateway", InternetGatewayId=id)
    return ask.go(IGWS[0], "vpc.done_deleted", id=id)


@page("/vpc/nat-gateways")
async def nat_gateways(ask: Ask) -> Answered:
    """List them."""
    found = await ask.aws_all("ec2", "DescribeNatGateways", "NatGateways")
    return listing(
        ask, NATS[1], found, NAT_COLUMNS, kinds=("NatGateway",), create="/vpc/nat-gateways/create", acts=_nat_acts
    )


def _nat_acts(gateway: Row) -> list[Act]:
    if gateway["State"] not in ("pending", "available", "failed"):
        return []
    fields = {"id": gateway["NatGatewayId"]}
    path = "/vpc/nat-gateways/delete"
    return [Act(path=path, text="common.delete", fields=fields, sure="common.sure_delete", danger=True)]


@page("/vpc/nat-gateways/create")
async def new_nat_gateway(ask: Ask) -> Answered:
    """Ask for its subnet and its address."""
    kinds = [("public", ask.t("vpc.nat_public"), ask.t("vpc.nat_public_about")),
             ("private", ask.t("vpc.nat_private"), ask.t("vpc.nat_private_about"))]  # fmt: skip
    addresses = [("new", str(ask.t("vpc.new_address"))), *await choices.free_addresses(ask)]
    fields = [
        NAME,
        Field(name="subnet", text="vpc.subnet", shows="select", choices=await choices.subnets(ask), required=True,
              hint="vpc.nat_subnet_hint"),
        Field(name="type", text="vpc.connectivity", shows="one", choices=kinds, value="public"),
        Field(name="address", text="vpc.address", shows="select", choices=addresses, value="new",
              hint="vpc.nat_address_hint"),
    ]  # fmt: skip
    return form(ask, "vpc.create_nat_gateway", "/vpc/nat-gateways/create", fields, up=NATS)


@act("/vpc/nat-gateways/create", back="/vpc/nat-gateways/create")
async def create_nat_gateway(ask: Ask) -> Answered:
    """Create it, with a new address if that was chosen."""
    form = ask.form
    address = form.get("address") if form.get("type") != "private" else ""
    if address == "new":
        address = (await ask.aws("ec2", "AllocateAddress", Domain="vpc"))["AllocationId"]
    made = await ask.aws(
        "ec2",
        "CreateNatGateway",
        **form.given(SubnetId="subnet", ConnectivityType="type"),
        AllocationId=address or None,
        TagSpecifications=named("natgateway", form.get("name")),
    )
    return ask.go(NATS[0], "vpc.done_created", id=made["NatGateway"]["NatGatewayId"])


@act("/vpc/nat-gateways/delete", back="/vpc/nat-gateways")
async def delete_nat_gateway(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.form.get("id")
    await ask.aws("ec2", "DeleteNatGateway", NatGatewayId=id)
    return ask.go(NATS[0], "vpc.done_deleted", id=id)
