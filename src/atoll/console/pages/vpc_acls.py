"""Network ACLs: list, create, entries to add and delete, the subnets they guard, delete."""

from typing import Any

from atoll.console import choices, tables
from atoll.console.ask import Answered, Ask, by, name_of, named
from atoll.console.parts import NAME, Act, Button, Facts, Field, Rows, deleting, detail, form, listing, one
from atoll.console.site import act, home, menu, page
from atoll.console.tables import Row, column

UP = ("/vpc/acls", "vpc.acls")
LAST = 32767  # the rule * of each direction
PROTOCOLS = {"-1": "all", "6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
COLUMNS = (
    tables.NAME,
    column("id", "common.id", "NetworkAclId", "id"),
    column("vpc", "vpc.vpc", "VpcId", "id"),
    column("default", "vpc.is_default", "IsDefault", "yes"),
    column("subnets", "vpc.subnets", lambda a: [one["SubnetId"] for one in a["Associations"]], "ids"),
    column("entries", "vpc.entries", lambda a: len(a["Entries"]), "number"),
)
menu("vpc", "/vpc/acls", "vpc.acls", order=110)
home("acl", "/vpc/acls/{id}")


@page("/vpc/acls")
async def acls(ask: Ask) -> Answered:
    """List them."""
    found = await ask.aws_all("ec2", "DescribeNetworkAcls", "NetworkAcls")
    return listing(ask, "vpc.acls", found, COLUMNS, kinds=("NetworkAcl", "Subnet"), create="/vpc/acls/create")


@page("/vpc/acls/create")
async def new(ask: Ask) -> Answered:
    """Ask for the VPC of a new one."""
    vpcs = await choices.vpcs(ask)
    fields = [NAME, Field(name="vpc", text="vpc.vpc", shows="select", choices=vpcs, required=True)]
    return form(ask, "vpc.create_acl", "/vpc/acls/create", fields, up=UP, about="vpc.acls_about")


@act("/vpc/acls/create", back="/vpc/acls/create")
async def create(ask: Ask) -> Answered:
    """Create it."""
    tags = named("network-acl", ask.form.get("name"))
    made = await ask.aws("ec2", "CreateNetworkAcl", VpcId=ask.form.get("vpc"), TagSpecifications=tags)
    id = made["NetworkAcl"]["NetworkAclId"]
    return ask.go(f"/vpc/acls/{id}", "vpc.done_created", id=id)


@page("/vpc/acls/{id}")
async def acl(ask: Ask) -> Answered:
    """Show one, with its entries in the order in which they are asked."""
    id = ask.parts["id"]
    found = one((await ask.aws("ec2", "DescribeNetworkAcls", NetworkAclIds=[id]))["NetworkAcls"])
    facts = Facts(
        title="common.details",
        facts=[
            ("common.id", id, "code"),
            ("vpc.vpc", found["VpcId"], "id"),
            ("vpc.is_default", found["IsDefault"], "yes"),
            ("common.tags", found.get("Tags"), "tags"),
        ],
    )
    gone = deleting(f"/vpc/acls/{id}/delete", id)
    return detail(
        ask,
        "vpc.acl",
        id,
        name=name_of(found),
        up=UP,
        kinds=("NetworkAcl", "Subnet"),
        parts=[_entries(found, egress=False), _entries(found, egress=True), _guarded(found), facts],
        acts=[] if found["IsDefault"] else [gone],
    )


def _entries(found: Row, *, egress: bool) -> Rows:
    id, way = found["NetworkAclId"], "out" if egress else "in"
    rows = sorted((e for e in found["Entries"] if e["Egress"] is egress), key=lambda e: e["RuleNumber"])
    columns = (
        column("number", "vpc.rule_number", lambda e: "*" if e["RuleNumber"] == LAST else e["RuleNumber"], "number"),
        column("action", "vpc.action", lambda e: "allow" if e["RuleAction"] == "allow" else "deny", "status"),
        column("protocol", "vpc.protocol", lambda e: PROTOCOLS.get(e["Protocol"], e["Protocol"])),
        column("ports", "vpc.ports", _ports),
        column(
            "cidr", "vpc.to" if egress else "vpc.from", lambda e: e.get("CidrBlock") or e.get("Ipv6CidrBlock"), "code"
        ),
    )

    def acts(entry: Row) -> list[Act]:
        if entry["RuleNumber"] == LAST:
            return []
        fields = {"id": str(entry["RuleNumber"]), "egress": str(egress).lower()}
        path = f"/vpc/acls/{id}/entries/delete"
        return [Act(path=path, text="common.delete", fields=fields, sure="common.sure_delete", danger=True)]

    button = Button(path=f"/vpc/acls/{id}/entries/{way}", text="vpc.add_entry", primary=not egress)
    title = "vpc.outbound_entries" if egress else "vpc.inbound_entries"
    return Rows(title=title, columns=columns, rows=rows, acts=acts, buttons=[button], about="vpc.entries_about")


def _ports(entry: Row) -> str:
    if icmp := entry.get("IcmpTypeCode"):
        return f"{icmp['Type']}/{icmp['Code']}"
    ports = entry.get("PortRange")
    if ports is None:
        return "0-65535" if entry["Protocol"] in ("6", "17") else ""
    return str(ports["From"]) if ports["From"] == ports["To"] else f"{ports['From']}-{ports['To']}"


def _guarded(found: Row) -> Rows:
    columns = (
        column("subnet", "vpc.subnet", "SubnetId", "id"),
        column("id", "vpc.association", "NetworkAclAssociationId", "code"),
    )
    button = Button(path=f"/vpc/acls/{found['NetworkAclId']}/associate", text="vpc.associate")
    return Rows(title="vpc.guarded_subnets", columns=columns, rows=found["Associations"], buttons=[button])


@page("/vpc/acls/{id}/entries/{way}")
async def new_entry(ask: Ask) -> Answered:
    """Ask for an entry."""
    id, way = ask.parts["id"], "out" if ask.parts["way"] == "out" else "in"
    protocols = [("tcp", "TCP"), ("udp", "UDP"), ("icmp", "ICMP"), ("-1", str(ask.t("vpc.all_traffic")))]
    actions = [("allow", str(ask.t("common.status_allow"))), ("deny", str(ask.t("common.status_deny")))]
    fields = [
        Field(name="number", text="vpc.rule_number", shows="number", required=True, hint="vpc.rule_number_hint",
              placeholder="100"),
        Field(name="action", text="vpc.action", shows="select", choices=actions, required=True),
        Field(name="protocol", text="vpc.protocol", shows="select", choices=protocols, required=True),
        Field(name="ports", text="vpc.ports", hint="vpc.ports_hint", placeholder="6379"),
        Field(name="cidr", text="vpc.to" if way == "out" else "vpc.from", required=True, placeholder="0.0.0.0/0"),
    ]  # fmt: skip
    title = "vpc.add_outbound_entry" if way == "out" else "vpc.add_inbound_entry"
    path = f"/vpc/acls/{id}/entries/{way}"
    return form(ask, title, path, fields, up=(f"/vpc/acls/{id}", "vpc.acl"), submit="common.add")


@act("/vpc/acls/{id}/entries/{way}", back="/vpc/acls/{id}/entries/{way}")
async def create_entry(ask: Ask) -> Answered:
    """Add it."""
    id, form = ask.parts["id"], ask.form
    cidr, protocol = form.get("cidr"), form.get("protocol")
    more: dict[str, Any] = {"Ipv6CidrBlock" if ":" in cidr else "CidrBlock": cidr}
    if protocol == "icmp":
        more["IcmpTypeCode"] = {"Type": -1, "Code": -1}
    elif protocol != "-1":
        low, _, high = (form.get("ports") or "0-65535").partition("-")
        more["PortRange"] = {"From": low.strip(), "To": (high or low).strip()}
    await ask.aws(
        "ec2",
        "CreateNetworkAclEntry",
        NetworkAclId=id,
        RuleNumber=form.get("number"),
        Protocol=protocol,
        RuleAction=form.get("action"),
        Egress=ask.parts["way"] == "out",
        **more,
    )
    return ask.go(f"/vpc/acls/{id}", "vpc.done_created", id=form.get("number"))


@act("/vpc/acls/{id}/entries/delete", back="/vpc/acls/{id}")
async def delete_entry(ask: Ask) -> Answered:
    """Delete an entry."""
    id, number = ask.parts["id"], ask.form.get("id")
    egress = ask.form.get("egress")
    await ask.aws("ec2", "DeleteNetworkAclEntry", NetworkAclId=id, RuleNumber=number, Egress=egress)
    return ask.go(f"/vpc/acls/{id}", "vpc.done_deleted", id=number)


@page("/vpc/acls/{id}/associate")
async def new_association(ask: Ask) -> Answered:
    """Ask which subnet it should guard."""
    id = ask.parts["id"]
    found = one((await ask.aws("ec2", "DescribeNetworkAcls", NetworkAclIds=[id]))["NetworkAcls"])
    subnets = await choices.subnets(ask, found["VpcId"])
    fields = [Field(name="subnet", text="vpc.subnet", shows="select", choices=subnets, required=True)]
    path = f"/vpc/acls/{id}/associate"
    return form(ask, "vpc.associate", path, fields, up=(f"/vpc/acls/{id}", "vpc.acl"), submit="vpc.associate")


@act("/vpc/acls/{id}/associate", back="/vpc/acls/{id}/associate")
async def associate(ask: Ask) -> Answered:
    """Have it guard a subnet: the subnet's association moves from the ACL that it has."""
    id, subnet = ask.parts["id"], ask.form.get("subnet")
    now = await ask.aws("ec2", "DescribeNetworkAcls", Filters=by(association__subnet_id=subnet))
    held = [a for acl in now["NetworkAcls"] for a in acl["Associations"] if a["SubnetId"] == subnet]
    for association in held:
        moved = association["NetworkAclAssociationId"]
        await ask.aws("ec2", "ReplaceNetworkAclAssociation", AssociationId=moved, NetworkAclId=id)
    return ask.go(f"/vpc/acls/{id}", "vpc.done_changed", id=subnet)


@act("/vpc/acls/{id}/delete", back="/vpc/acls/{id}")
async def delete(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.parts["id"]
    await ask.aws("ec2", "DeleteNetworkAcl", NetworkAclId=id)
    return ask.go("/vpc/acls", "vpc.done_deleted", id=id)
