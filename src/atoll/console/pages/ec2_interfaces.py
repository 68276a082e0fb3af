"""Network interfaces: list, create, details, attach and detach, the source/destination check, delete."""

from atoll.console import choices, tables
from atoll.console.ask import Answered, Ask, name_of, named
from atoll.console.parts import NAME, Act, Button, Facts, Field, deleting, detail, form, listing, one, titled
from atoll.console.site import act, home, menu, page
from atoll.console.tables import Row, column

UP = ("/ec2/interfaces", "vpc.interfaces")
COLUMNS = (
    tables.NAME,
    column("id", "common.id", "NetworkInterfaceId", "id"),
    column("state", "common.state", "Status", "status"),
    column("address", "vpc.private_address", "PrivateIpAddress", "code"),
    column("public", "vpc.public_address", lambda i: i.get("Association", {}).get("PublicIp"), "code"),
    column("type", "vpc.type", "InterfaceType"),
    column("instance", "ec2.instance", lambda i: i.get("Attachment", {}).get("InstanceId"), "id"),
    column("subnet", "vpc.subnet", "SubnetId", "id"),
    column("groups", "vpc.groups", lambda i: [g["GroupId"] for g in i["Groups"]], "ids"),
    column("about", "common.description", "Description"),
)
menu("ec2", "/ec2/interfaces", "vpc.interfaces", order=40)
home("eni", "/ec2/interfaces/{id}")


@page("/ec2/interfaces")
async def interfaces(ask: Ask) -> Answered:
    """List them."""
    found = await ask.aws_all("ec2", "DescribeNetworkInterfaces", "NetworkInterfaces")
    kinds = ("Interface", "ElasticIp")
    return listing(ask, "vpc.interfaces", found, COLUMNS, kinds=kinds, create="/ec2/interfaces/create")


@page("/ec2/interfaces/create")
async def new(ask: Ask) -> Answered:
    """Ask for its subnet."""
    subnets, groups = await choices.subnets(ask), await choices.groups(ask)
    fields = [
        NAME,
        Field(name="subnet", text="vpc.subnet", shows="select", choices=subnets, required=True),
        Field(name="address", text="vpc.private_address", hint="vpc.private_address_hint"),
        Field(name="group", text="vpc.groups", shows="several", choices=groups),
        Field(name="description", text="common.description"),
    ]
    return form(ask, "vpc.create_interface", "/ec2/interfaces/create", fields, up=UP)


@act("/ec2/interfaces/create", back="/ec2/interfaces/create")
async def create(ask: Ask) -> Answered:
    """Create it."""
    made = await ask.aws(
        "ec2",
        "CreateNetworkInterface",
        **ask.form.given(SubnetId="subnet", PrivateIpAddress="address", Description="description"),
        Groups=ask.form.all("group") or None,
        TagSpecifications=named("network-interface", ask.form.get("name")),
    )
    id = made["NetworkInterface"]["NetworkInterfaceId"]
    return ask.go(f"/ec2/interfaces/{id}", "vpc.done_created", id=id)


@page("/ec2/interfaces/{id}")
async def interface(ask: Ask) -> Answered:
    """Show one."""
    id = ask.parts["id"]
    found = await ask.aws("ec2", "DescribeNetworkInterfaces", NetworkInterfaceIds=[id])
    it = one(found["NetworkInterfaces"])
    facts = Facts(
        title="common.details",
        facts=[
            ("common.id", id, "code"),
            ("common.state", it["Status"], "status"),
            ("common.description", it["Description"], "text"),
            ("vpc.type", it["InterfaceType"], "text"),
            ("vpc.vpc", it["VpcId"], "id"),
            ("vpc.subnet", it["SubnetId"], "id"),
            ("vpc.zone", it["AvailabilityZone"], "text"),
            ("vpc.groups", [g["GroupId"] for g in it["Groups"]], "ids"),
            ("vpc.private_address", ", ".join(a["PrivateIpAddress"] for a in it["PrivateIpAddresses"]), "code"),
            ("vpc.public_address", it.get("Association", {}).get("PublicIp"), "code"),
            ("vpc.ipv6_addresses", ", ".join(a["Ipv6Address"] for a in it["Ipv6Addresses"]), "code"),
            ("vpc.mac", it["MacAddress"], "code"),
            ("vpc.source_check", it["SourceDestCheck"], "yes"),
            ("ec2.instance", it.get("Attachment", {}).get("InstanceId"), "id"),
            ("common.tags", it.get("TagSet"), "tags"),
        ],
    )
    named_as = name_of({"Tags": it.get("TagSet", ())})
    return detail(
        ask, "vpc.interface", id, name=named_as, up=UP, kinds=("Interface", "ElasticIp"), parts=[facts],
        acts=_acts(it), buttons=_buttons(it),
    )  # fmt: skip


def _buttons(interface: Row) -> list[Button]:
    if interface["RequesterManaged"] or "Attachment" in interface:
        return []
    return [Button(path=f"/ec2/interfaces/{interface['NetworkInterfaceId']}/attach", text="vpc.attach")]


def _acts(interface: Row) -> list[Act]:
    id = interface["NetworkInterfaceId"]
    if interface["RequesterManaged"]:
        return []
    check = interface["SourceDestCheck"]
    acts = [
        Act(path=f"/ec2/interfaces/{id}/check", text="vpc.source_check_off" if check else "vpc.source_check_on",
            fields={"value": str(not check).lower()})
    ]  # fmt: skip
    attachment = interface.get("Attachment")
    if attachment is None:
        return [
            *acts,
            deleting(f"/ec2/interfaces/{id}/delete", id),
        ]  # fmt: skip
    if attachment.get("DeviceIndex"):
        acts.append(
            Act(path=f"/ec2/interfaces/{id}/detach", text="vpc.detach",
                fields={"id": id, "attachment": attachment["AttachmentId"]}, sure="vpc.sure_detach", danger=True)
        )  # fmt: skip
    return acts


@act("/ec2/interfaces/{id}/check", back="/ec2/interfaces/{id}")
async def check(ask: Ask) -> Answered:
    """Switch the source/destination check."""
    id, value = ask.parts["id"], ask.form.get("value")
    await ask.aws("ec2", "ModifyNetworkInterfaceAttribute", NetworkInterfaceId=id, SourceDestCheck={"Value": value})
    return ask.go(f"/ec2/interfaces/{id}", "vpc.done_changed", id=id)


@page("/ec2/interfaces/{id}/attach")
async def new_attachment(ask: Ask) -> Answered:
    """Ask which instance should have it."""
    id = ask.parts["id"]
    instances = [titled(i, "InstanceId") for i in await choices.instances(ask) if i["State"]["Name"] != "terminated"]
    fields = [
        Field(name="instance", text="ec2.instance", shows="select", choices=instances, required=True),
        Field(name="index", text="vpc.device_index", shows="number", value="1", required=True),
    ]
    up = (f"/ec2/interfaces/{id}", "vpc.interface")
    return form(ask, "vpc.attach", f"/ec2/interfaces/{id}/attach", fields, up=up, submit="vpc.attach")


@act("/ec2/interfaces/{id}/attach", back="/ec2/interfaces/{id}/attach")
async def attach(ask: Ask) -> Answered:
    """Attach it."""
    id = ask.parts["id"]
    given = ask.form.given(InstanceId="instance", DeviceIndex="index")
    await ask.aws("ec2", "AttachNetworkInterface", NetworkInterfaceId=id, **given)
    return ask.go(f"/ec2/interfaces/{id}", "vpc.done_changed", id=id)


@act("/ec2/interfaces/{id}/detach", back="/ec2/interfaces/{id}")
async def detach(ask: Ask) -> Answered:
    """Detach it."""
    id = ask.parts["id"]
    await ask.aws("ec2", "DetachNetworkInterface", AttachmentId=ask.form.get("attachment"))
    return ask.go(f"/ec2/interfaces/{id}", "vpc.done_changed", id=id)


@act("/ec2/interfaces/{id}/delete", back="/ec2/interfaces/{id}")
async def delete(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.parts["id"]
    await ask.aws("ec2", "DeleteNetworkInterface", NetworkInterfaceId=id)
    return ask.go("/ec2/interfaces", "vpc.done_deleted", id=id)
