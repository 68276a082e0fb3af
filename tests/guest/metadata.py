"""A world for the metadata tests: one instance that has everything, as its owner made it through the API."""

import asyncio
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from atoll.aws.http import Answer, Request
from atoll.guest.imds import TOKEN_HEADER, TTL_HEADER, Answers, Reply
from atoll.guest.issuer import Issuer
from tests.api.machines import launch_running
from tests.api.paper import Paper

USER_DATA = b"#!/bin/sh\necho \xff\n"


@dataclass
class Guest:
    """An instance, and how it asks."""

    paper: Paper
    ec2: Any
    vpc: str
    instance: dict[str, Any]
    ip: str

    @property
    def id(self) -> str:
        return self.instance["InstanceId"]

    @property
    def interface(self) -> dict[str, Any]:
        return self.instance["NetworkInterfaces"][0]

    def reply(self, method: str, path: str, **headers: str) -> Reply:
        named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        issuer = Issuer(self.paper.store, lambda: self.paper.clock)
        answers = Answers(self.vpc, lambda: self.paper.world, issuer, lambda: self.paper.clock)
        return asyncio.run(answers.reply(Request(method, path, "", named, b"", self.ip)))

    def ask(self, path: str, token: str | None = None, method: str = "GET") -> Answer:
        headers = {} if token is None else {TOKEN_HEADER: token}
        return self.reply(method, path, **headers).answer

    def get(self, path: str) -> str | int:
        """Return what is read at a path under meta-data, or the status that refuses it."""
        answer = self.ask(f"/latest/meta-data/{path}")
        return answer.body.decode() if answer.status == 200 else answer.status

    def token(self, seconds: int = 60) -> str:
        answer = self.reply("PUT", "/latest/api/token", **{TTL_HEADER: str(seconds)}).answer
        assert answer.status == 200
        return answer.body.decode()

    def options(self, **changes: Any) -> None:
        self.ec2.modify_instance_metadata_options(InstanceId=self.id, **changes)

    def at(self, ip: str) -> "Guest":
        return Guest(self.paper, self.ec2, self.vpc, self.instance, ip)


def guest(paper: Paper, ec2: Any, *, vpc: str, subnet: str, **launch: Any) -> Guest:
    """Launch an instance that any image would allow to be asked without a token."""
    found = launch_running(paper, ec2, SubnetId=subnet, MetadataOptions={"HttpTokens": "optional"}, **launch)
    return Guest(paper, ec2, vpc, found, str(IPv4Address(found["PrivateIpAddress"])))


def rich(paper: Paper, ec2: Any, *, vpc: str, subnet: str) -> Guest:
    """Launch an instance with a key, a role, user data, tags, a public name, two groups and a second address."""
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    groups = [ec2.create_security_group(GroupName=n, Description=n, VpcId=vpc)["GroupId"] for n in ("web", "admin")]
    ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    made = guest(
        paper,
        ec2,
        vpc=vpc,
        subnet=subnet,
        KeyName="mine",
        SecurityGroupIds=groups,
        PrivateIpAddress="10.0.1.20",
        IamInstanceProfile={"Name": "web-role"},
        UserData=USER_DATA,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web 1"}]}],
    )
    interface = made.interface["NetworkInterfaceId"]
    ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.1.21"])
    for private in ("10.0.1.20", "10.0.1.21"):
        allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
        ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=interface, PrivateIpAddress=private)
    return made
