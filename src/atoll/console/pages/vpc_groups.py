"""Security groups: list, create, details, delete."""

from typing import Any

from atoll.console import choices, tables
from atoll.console.ask import Answered, Ask, by, name_of, named
from atoll.console.parts import NAME, Button, Facts, Field, Rows, deleting, detail, form, listing, one
from atoll.console.site import act, home, menu, page
from atoll.console.tables import Row, column

UP = ("/vpc/groups", "vpc.groups")
ALL = "-1"
COLUMNS = (
    tables.NAME,
    column("id", "common.id", "GroupId", "id"),
    column("group", "vpc.group_name", "GroupName"),
    column("vpc", "vpc.vpc", "VpcId", "id"),
    column("about", "common.description", "Description"),
    column("in", "vpc.inbound", lambda g: len(g["IpPermissions"]), "number"),
    column("out", "vpc.outbound", lambda g: len(g["IpPermissionsEgress"]), "number"),
)
menu("vpc", "/vpc/groups", "vpc.groups", order=100)
home("sg", "/vpc/groups/{id}")


def ports(rule: Row) -> str:
    """Return the ports of a rule as people write them."""
    if rule["IpProtocol"] == ALL or rule.get("FromPort", -1) == -1:
        return ""
    low, high = rule["FromPort"], rule["ToPort"]
    return f"{low}/{high}" if "icmp" in rule["IpProtocol"] else str(low) if low == high else f"{low}-{high}"


def source(rule: Row) -> str:
    """Return whom a rule names."""
    group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return str(rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId") or group)


async def rules_of(ask: Ask, id: str, *, egress: bool) -> list[dict[str, Any]]:
    """Return the rules of a group in one direction."""
    filters = by(group_id=id)
    found = await ask.aws_all("ec2", "DescribeSecurityGroupRules", "SecurityGroupRules", Filters=filters)
    return [rule for rule in found if rule["IsEgress"] is egress]


@page("/vpc/groups")
async def groups(ask: Ask) -> Answered:
    """List them."""
    found = await ask.aws_all("ec2", "DescribeSecurityGroups", "SecurityGroups")
    return listing(ask, "vpc.groups", found, COLUMNS, kinds=("SecurityGroup",), create="/vpc/groups/create")


@page("/vpc/groups/create")
async def new(ask: Ask) -> Answered:
    """Ask for its name and its VPC."""
    vpcs = await choices.vpcs(ask)
    fields = [
        Field(name="group", text="vpc.group_name", required=True),
        Field(name="description", text="common.description", required=True),
        Field(name="vpc", text="vpc.vpc", shows="select", choices=vpcs, required=True),
        NAME,
    ]
    return form(ask, "vpc.create_group", "/vpc/groups/create", fields, up=UP)


@act("/vpc/groups/create", back="/vpc/groups/create")
async def create(ask: Ask) -> Answered:
    """Create it."""
    given = ask.form.given(GroupName="group", Description="description", VpcId="vpc")
    tags = named("security-group", ask.form.get("name"))
    id = (await ask.aws("ec2", "CreateSecurityGroup", **given, TagSpecifications=tags))["GroupId"]
    return ask.go(f"/vpc/groups/{id}", "vpc.done_created", id=id)


@page("/vpc/groups/{id}")
async def group(ask: Ask) -> Answered:
    """Show one, with its rules and who carries it."""
    id = ask.parts["id"]
    it = one((await ask.aws("ec2", "DescribeSecurityGroups", GroupIds=[id]))["SecurityGroups"])
    inward, outward = await rules_of(ask, id, egress=False), await rules_of(ask, id, egress=True)
    carriers = await ask.aws_all("ec2", "DescribeNetworkInterfaces", "NetworkInterfaces", Filters=by(group_id=id))
    facts = Facts(
        title="common.details",
        facts=[
            ("common.id", id, "code"),
            ("vpc.group_name", it["GroupName"], "text"),
            ("common.description", it["Description"], "text"),
            ("vpc.vpc", it["VpcId"], "id"),
            ("common.account", it["OwnerId"], "code"),
            ("common.tags", it.get("Tags"), "tags"),
        ],
    )
    columns = (
        column("id", "common.id", "NetworkInterfaceId", "id"),
        column("instance", "ec2.instance", lambda i: i.get("Attachment", {}).get("InstanceId"), "id"),
        column("address", "vpc.private_address", "PrivateIpAddress", "code"),
        column("about", "common.description", "Description"),
    )
    acts = [deleting(f"/vpc/groups/{id}/delete", id)]  # fmt: skip
    return detail(
        ask,
        "vpc.group",
        id,
        name=name_of(it) or it["GroupName"],
        up=UP,
        kinds=("SecurityGroup", "Interface"),
        parts=[
            _rules(id, inward, egress=False),
            _rules(id, outward, egress=True),
            Rows(title="vpc.carriers", columns=columns, rows=carriers),
            facts,
        ],
        acts=[] if it["GroupName"] == "default" else acts,
    )


def _rules(id: str, found: list[dict[str, Any]], *, egress: bool) -> Rows:
    columns = (
        column("protocol", "vpc.protocol", lambda r: "all" if r["IpProtocol"] == ALL else r["IpProtocol"]),
        column("ports", "vpc.ports", ports, "code"),
        column("source", "vpc.to" if egress else "vpc.from", source, "id"),
        column("about", "common.description", "Description", "wrap"),
        column("id", "common.id", "SecurityGroupRuleId", "code"),
    )
    path = f"/vpc/groups/{id}/rules/{'out' if egress else 'in'}"
    button = Button(path=path, text="vpc.edit_outbound" if egress else "vpc.edit_inbound", primary=not egress)
    title = "vpc.outbound_rules" if egress else "vpc.inbound_rules"
    empty = "vpc.no_outbound" if egress else "vpc.no_inbound"
    return Rows(title=title, columns=columns, rows=found, buttons=[button], empty=empty)


@act("/vpc/groups/{id}/delete", back="/vpc/groups/{id}")
async def delete(ask: Ask) -> Answered:
    """Delete it."""
    id = ask.parts["id"]
    await ask.aws("ec2", "DeleteSecurityGroup", GroupId=id)
    return ask.go("/vpc/groups", "vpc.done_deleted", id=id)
