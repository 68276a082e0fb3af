"""Launch instances."""

import base64
from typing import Any

from atoll.console import choices
from atoll.console.ask import Answered, Ask, named
from atoll.console.parts import NAME, Field, form
from atoll.console.site import act, page
from atoll.model.image import CANONICAL

UP = ("/ec2/instances", "ec2.instances")
PUBLISHERS = ["amazon", CANONICAL]
USUAL_TYPE = "t3.micro"


@page("/ec2/instances/launch")
async def new(ask: Ask) -> Answered:
    """Ask what to launch, and where."""
    found = (await ask.aws("ec2", "DescribeImages", Owners=PUBLISHERS))["Images"]
    images = sorted(found, key=lambda image: image["CreationDate"], reverse=True)  # the newest Amazon Linux is usual
    types = await ask.aws_all("ec2", "DescribeInstanceTypes", "InstanceTypes")
    keys = (await ask.aws("ec2", "DescribeKeyPairs"))["KeyPairs"]
    sizes = sorted((t["VCpuInfo"]["DefaultVCpus"], t["MemoryInfo"]["SizeInMiB"], t["InstanceType"]) for t in types)
    fields = [
        NAME,
        Field(name="image", text="ec2.image", shows="select", required=True,
              choices=[(i["ImageId"], f"{i.get('Description') or i['Name']} ({i['ImageId']})") for i in images]),
        Field(name="type", text="ec2.type", shows="select", required=True, value=USUAL_TYPE,
              choices=[(name, f"{name} · {cores} vCPU · {mib / 1024:g} GiB") for cores, mib, name in sizes]),
        Field(name="key", text="ec2.key_pair", shows="select", choices=[(k["KeyName"], k["KeyName"]) for k in keys],
              hint="ec2.key_hint"),
        Field(name="subnet", text="vpc.subnet", shows="select", choices=await choices.subnets(ask),
              hint="ec2.subnet_hint"),
        Field(name="group", text="vpc.groups", shows="several", choices=await choices.groups(ask),
              hint="ec2.groups_hint"),
        Field(name="public", text="ec2.public_address", shows="one", value="",
              choices=[("", ask.t("ec2.public_as_subnet"), ""), ("true", ask.t("common.yes"), ""),
                       ("false", ask.t("common.no"), "")]),
        Field(name="address", text="vpc.private_address", hint="vpc.private_address_hint"),
        Field(name="user_data", text="ec2.tab_user_data", shows="area", hint="ec2.user_data_hint",
              placeholder="#!/bin/bash"),
        Field(name="count", text="ec2.count", shows="number", value="1", required=True),
    ]  # fmt: skip
    return form(ask, "ec2.launch", "/ec2/instances/launch", fields, up=UP, submit="ec2.launch")


@act("/ec2/instances/launch", back="/ec2/instances/launch")
async def launch(ask: Ask) -> Answered:
    """Launch them."""
    sent = ask.form
    script = sent.get("user_data").replace("\r\n", "\n")
    made = await ask.aws(
        "ec2",
        "RunInstances",
        **sent.given(ImageId="image", InstanceType="type", KeyName="key", MinCount="count", MaxCount="count"),
        **_place(ask),
        UserData=base64.b64encode(f"{script}\n".encode()).decode() if script else None,
        TagSpecifications=named("instance", sent.get("name")),
    )
    first = made["Instances"][0]["InstanceId"]
    where = f"/ec2/instances/{first}" if len(made["Instances"]) == 1 else "/ec2/instances"
    return ask.go(where, "ec2.done_launched", id=", ".join(i["InstanceId"] for i in made["Instances"][:5]))


def _place(ask: Ask) -> dict[str, Any]:
    """Return where it goes: a choice about its public address belongs to its first interface, and then all does."""
    sent, groups = ask.form, ask.form.all("group")
    if not sent.get("public"):
        return {**sent.given(SubnetId="subnet", PrivateIpAddress="address"), "SecurityGroupIds": groups or None}
    interface: dict[str, Any] = {
        "DeviceIndex": 0,
        "AssociatePublicIpAddress": sent.get("public"),
        **sent.given(SubnetId="subnet", PrivateIpAddress="address"),
    }
    return {"NetworkInterfaces": [interface | ({"Groups": groups} if groups else {})]}
