"""Instances: list, details, start, stop, reboot, terminate, console output, user data."""

import base64

from atoll.console import choices, tables
from atoll.console.ask import Answered, Ask, name_of
from atoll.console.parts import Act, Button, Code, Facts, Part, Rows, detail, listing, one
from atoll.console.site import act, home, menu, page
from atoll.console.tables import Row, column

UP = ("/ec2/instances", "ec2.instances")
TABS = ("details", "network", "user-data", "console")
COLUMNS = (
    tables.NAME,
    column("id", "common.id", "InstanceId", "id"),
    column("state", "common.state", lambda i: i["State"]["Name"], "status"),
    column("type", "ec2.type", "InstanceType"),
    column("zone", "vpc.zone", lambda i: i["Placement"]["AvailabilityZone"]),
    column("private", "vpc.private_address", "PrivateIpAddress", "code"),
    column("public", "vpc.public_address", "PublicIpAddress", "code"),
    column("groups", "vpc.groups", lambda i: [g["GroupId"] for g in i["SecurityGroups"]], "ids"),
    column("subnet", "vpc.subnet", "SubnetId", "id"),
    column("key", "ec2.key_pair", "KeyName"),
    column("launched", "ec2.launched", "LaunchTime", "time"),
)
# What may be asked of an instance in a state: operation's path, text, whether it cannot be undone.
ACTS = {
    "running": ("stop", "reboot", "terminate"),
    "stopped": ("start", "terminate"),
    "pending": ("terminate",),
    "stopping": ("terminate",),
}
OPERATIONS = {
    "start": "StartInstances",
    "stop": "StopInstances",
    "reboot": "RebootInstances",
    "terminate": "TerminateInstances",
}
menu("ec2", UP[0], UP[1], order=10)
home("i", "/ec2/instances/{id}")


def acts_of(instance: Row) -> list[Act]:
    """Return what can be asked of an instance in its state."""
    fields = {"id": instance["InstanceId"]}
    return [
        Act(
            path=f"/ec2/instances/{fields['id']}/{verb}",
            text=f"ec2.{verb}",
            fields=fields,
            sure=f"ec2.sure_{verb}" if verb in ("stop", "terminate") else "",
            danger=verb == "terminate",
        )
        for verb in ACTS.get(instance["State"]["Name"], ())
    ]


@page("/ec2/instances")
async def instances(ask: Ask) -> Answered:
    """List them."""
    found = await choices.instances(ask)
    launch = Button(path="/ec2/instances/launch", text="ec2.launch", primary=True)
    kinds = ("Instance", "Interface", "ElasticIp")
    return listing(ask, "ec2.instances", found, COLUMNS, kinds=kinds, buttons=[launch])


@page("/ec2/instances/{id}")
async def instance(ask: Ask) -> Answered:
    """Show one: a tab at a time."""
    id, tab = ask.parts["id"], ask.query.get("tab", "details")
    found = await ask.aws("ec2", "DescribeInstances", InstanceIds=[id])
    it = one([i for r in found["Reservations"] for i in r["Instances"]])
    parts: list[Part]
    match tab:
        case "network":
            parts = [_network(it), _groups(it)]
        case "user-data":
            parts = [await _user_data(ask, id)]
        case "console":
            parts = [await _console(ask, id)]
        case _:
            parts, tab = [_facts(it)], "details"
    running = it["State"]["Name"] == "running"
    terminal = [Button(path=f"/ec2/instances/{id}/terminal", text="ec2.terminal", primary=True)]
    return detail(
        ask,
        "ec2.instance",
        id,
        name=name_of(it),
        up=UP,
        kinds=("Instance", "Interface", "ElasticIp"),
        parts=parts,
        buttons=terminal if running else [],
        acts=acts_of(it),
        tabs=[
            (name, ask.t(f"ec2.tab_{name.replace('-', '_')}"), ask.url(f"/ec2/instances/{id}", tab=name))
            for name in TABS
        ],
        tab=tab,
    )


def _facts(it: Row) -> Facts:
    return Facts(
        title="common.details",
        facts=[
            ("common.id", it["InstanceId"], "code"),
            ("common.state", it["State"]["Name"], "status"),
            ("ec2.reason", it.get("StateReason", {}).get("Message"), "text"),
            ("ec2.type", it["InstanceType"], "text"),
            ("ec2.image", it["ImageId"], "code"),
            ("vpc.private_address", it.get("PrivateIpAddress"), "code"),
            ("vpc.public_address", it.get("PublicIpAddress"), "code"),
            ("ec2.private_name", it.get("PrivateDnsName"), "code"),
            ("ec2.public_name", it.get("PublicDnsName"), "code"),
            ("vpc.vpc", it.get("VpcId"), "id"),
            ("vpc.subnet", it.get("SubnetId"), "id"),
            ("vpc.zone", it["Placement"]["AvailabilityZone"], "text"),
            ("vpc.groups", [g["GroupId"] for g in it["SecurityGroups"]], "ids"),
            ("ec2.key_pair", it.get("KeyName"), "text"),
            ("vpc.source_check", it.get("SourceDestCheck", True), "yes"),
            ("ec2.metadata", it.get("MetadataOptions", {}).get("HttpTokens"), "text"),
            ("ec2.launched", it["LaunchTime"], "time"),
            ("common.tags", it.get("Tags"), "tags"),
        ],
    )


def _network(it: Row) -> Rows:
    columns = (
        column("id", "common.id", "NetworkInterfaceId", "id"),
        column("index", "vpc.device_index", lambda i: i["Attachment"]["DeviceIndex"], "number"),
        column("state", "common.state", "Status", "status"),
        column("private", "vpc.private_address", "PrivateIpAddress", "code"),
        column("public", "vpc.public_address", lambda i: i.get("Association", {}).get("PublicIp"), "code"),
        column("subnet", "vpc.subnet", "SubnetId", "id"),
        column("check", "vpc.source_check", "SourceDestCheck", "yes"),
        column("mac", "vpc.mac", "MacAddress", "code"),
    )
    return Rows(title="vpc.interfaces", columns=columns, rows=it["NetworkInterfaces"])


def _groups(it: Row) -> Rows:
    columns = (column("id", "common.id", "GroupId", "id"), column("name", "vpc.group_name", "GroupName"))
    return Rows(title="vpc.groups", columns=columns, rows=it["SecurityGroups"])


async def _user_data(ask: Ask, id: str) -> Code:
    said = await ask.aws("ec2", "DescribeInstanceAttribute", InstanceId=id, Attribute="userData")
    text = base64.b64decode(said.get("UserData", {}).get("Value", "")).decode(errors="replace")
    return Code(title="ec2.tab_user_data", text=text or str(ask.t("ec2.no_user_data")), id="user-data")


async def _console(ask: Ask, id: str) -> Code:
    said = await ask.aws("ec2", "GetConsoleOutput", InstanceId=id)
    text = base64.b64decode(said.get("Output", "")).decode(errors="replace")
    return Code(title="ec2.tab_console", text=text or str(ask.t("ec2.no_output")), id="console")


@act("/ec2/instances/{id}/{verb}", back="/ec2/instances/{id}")
async def change(ask: Ask) -> Answered:
    """Start, stop, reboot or terminate it."""
    id, verb = ask.parts["id"], ask.parts["verb"]
    if verb not in OPERATIONS:
        return ask.go(f"/ec2/instances/{id}")
    await ask.aws("ec2", OPERATIONS[verb], InstanceIds=[id])
    return ask.go(f"/ec2/instances/{id}", "ec2.done_asked", id=id)
