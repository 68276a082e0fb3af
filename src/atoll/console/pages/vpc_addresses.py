"""Elastic IPs: list, allocate, associate, disassociate, release."""

from atoll.console import choices, tables
from atoll.console.ask import Answered, Ask, named
from atoll.console.parts import NAME, Act, Button, Field, form, listing, titled
from atoll.console.site import act, home, menu, page
from atoll.console.tables import Row, column

UP = ("/vpc/addresses", "vpc.addresses")
COLUMNS = (
    tables.NAME,
    column("address", "vpc.public_address", "PublicIp", "code"),
    column("id", "vpc.allocation", "AllocationId", "code"),
    column("instance", "ec2.instance", "InstanceId", "id"),
    column("interface", "vpc.interface", "NetworkInterfaceId", "id"),
    column("private", "vpc.private_address", "PrivateIpAddress", "code"),
)
menu("vpc", "/vpc/addresses", "vpc.addresses", order=60)
home("eipalloc", "/vpc/addresses?q={id}")


@page("/vpc/addresses")
async def addresses(ask: Ask) -> Answered:
    """List them."""
    found = (await ask.aws("ec2", "DescribeAddresses"))["Addresses"]
    return listing(
        ask, "vpc.addresses", found, COLUMNS, kinds=("ElasticIp", "Interface"), acts=_acts,
        buttons=[
            Button(path="/vpc/addresses/associate", text="vpc.associate_address"),
            Button(path="/vpc/addresses/create", text="vpc.allocate", primary=True),
        ],
    )  # fmt: skip


def _acts(address: Row) -> list[Act]:
    if association := address.get("AssociationId"):
        fields = {"id": address["PublicIp"], "association": association}
        path = "/vpc/addresses/disassociate"
        return [Act(path=path, text="vpc.disassociate", fields=fields, sure="vpc.sure_disassociate", danger=True)]
    fields = {"id": address["PublicIp"], "allocation": address["AllocationId"]}
    return [
        Act(path="/vpc/addresses/release", text="vpc.release", fields=fields, sure="vpc.sure_release", danger=True)
    ]


@page("/vpc/addresses/create")
async def new(ask: Ask) -> Answered:
    """Ask for a name."""
    return form(ask, "vpc.allocate_address", "/vpc/addresses/create", [NAME], up=UP, submit="vpc.allocate",
                about="vpc.addresses_about")  # fmt: skip


@act("/vpc/addresses/create", back="/vpc/addresses/create")
async def allocate(ask: Ask) -> Answered:
    """Allocate one."""
    tags = named("elastic-ip", ask.form.get("name"))
    made = await ask.aws("ec2", "AllocateAddress", Domain="vpc", TagSpecifications=tags)
    return ask.go("/vpc/addresses", "vpc.done_created", id=made["PublicIp"])


@page("/vpc/addresses/associate")
async def new_association(ask: Ask) -> Answered:
    """Ask which address is whose."""
    instances = [titled(i, "InstanceId") for i in await choices.instances(ask) if i["State"]["Name"] != "terminated"]
    targets = [*instances, *await choices.interfaces(ask)]
    fields = [
        Field(name="allocation", text="vpc.address", shows="select", choices=await choices.free_addresses(ask),
              required=True),
        Field(name="target", text="vpc.address_target", shows="select", choices=targets, required=True),
    ]  # fmt: skip
    return form(ask, "vpc.associate_address", "/vpc/addresses/associate", fields, up=UP, submit="vpc.associate")


@act("/vpc/addresses/associate", back="/vpc/addresses/associate")
async def associate(ask: Ask) -> Answered:
    """Give an address to an instance or an interface."""
    target = ask.form.get("target")
    member = "NetworkInterfaceId" if target.startswith("eni-") else "InstanceId"
    allocation = ask.form.get("allocation")
    await ask.aws("ec2", "AssociateAddress", AllocationId=allocation, **{member: target})
    return ask.go("/vpc/addresses", "vpc.done_changed", id=target)


@act("/vpc/addresses/disassociate", back="/vpc/addresses")
async def disassociate(ask: Ask) -> Answered:
    """Take an address from whoever has it."""
    await ask.aws("ec2", "DisassociateAddress", AssociationId=ask.form.get("association"))
    return ask.go("/vpc/addresses", "vpc.done_changed", id=ask.form.get("id"))


@act("/vpc/addresses/release", back="/vpc/addresses")
async def release(ask: Ask) -> Answered:
    """Give an address back."""
    await ask.aws("ec2", "ReleaseAddress", AllocationId=ask.form.get("allocation"))
    return ask.go("/vpc/addresses", "vpc.done_deleted", id=ask.form.get("id"))
