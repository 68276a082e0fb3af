"""What a form offers to choose from: what the account has, as (id, what people know it by)."""

from typing import Any

from atoll.console.ask import Ask, by
from atoll.console.parts import titled

Choices = list[tuple[str, str]]


async def vpcs(ask: Ask) -> Choices:
    """Return the VPCs."""
    found = await ask.aws_all("ec2", "DescribeVpcs", "Vpcs")
    return [titled(vpc, "VpcId", vpc["CidrBlock"]) for vpc in found]


async def subnets(ask: Ask, vpc_id: str = "") -> Choices:
    """Return the subnets, of a VPC or of all."""
    found = await ask.aws_all("ec2", "DescribeSubnets", "Subnets", Filters=by(vpc_id=vpc_id) or None)
    return [titled(subnet, "SubnetId", subnet["CidrBlock"], subnet["AvailabilityZone"]) for subnet in found]


async def groups(ask: Ask, vpc_id: str = "") -> Choices:
    """Return the security groups, of a VPC or of all."""
    found = await ask.aws_all("ec2", "DescribeSecurityGroups", "SecurityGroups", Filters=by(vpc_id=vpc_id) or None)
    return [titled(group, "GroupId", group["GroupName"]) for group in found]


async def route_tables(ask: Ask, vpc_id: str = "") -> Choices:
    """Return the route tables, of a VPC or of all."""
    found = await ask.aws_all("ec2", "DescribeRouteTables", "RouteTables", Filters=by(vpc_id=vpc_id) or None)
    return [titled(table, "RouteTableId") for table in found]


async def zones(ask: Ask) -> Choices:
    """Return the Availability Zones."""
    found = await ask.aws("ec2", "DescribeAvailabilityZones")
    return [(zone["ZoneName"], f"{zone['ZoneName']} ({zone['ZoneId']})") for zone in found["AvailabilityZones"]]


async def instances(ask: Ask) -> list[dict[str, Any]]:
    """Return the instances themselves."""
    found = await ask.aws_all("ec2", "DescribeInstances", "Reservations")
    return [instance for reservation in found for instance in reservation["Instances"]]


async def interfaces(ask: Ask, vpc_id: str = "") -> Choices:
    """Return the network interfaces of instances and of nobody: what an address or a route may lead to."""
    found = await ask.aws_all(
        "ec2", "DescribeNetworkInterfaces", "NetworkInterfaces", Filters=by(vpc_id=vpc_id) or None
    )
    mine = (i for i in found if not i.get("RequesterManaged"))
    return [
        (i["NetworkInterfaceId"], " ".join((i["NetworkInterfaceId"], i["PrivateIpAddress"], _holder(i))))
        for i in mine
    ]


async def free_addresses(ask: Ask) -> Choices:
    """Return the Elastic IPs that nothing uses."""
    found = (await ask.aws("ec2", "DescribeAddresses"))["Addresses"]
    return [(a["AllocationId"], f"{a['PublicIp']} {a['AllocationId']}") for a in found if "AssociationId" not in a]


def _holder(interface: dict[str, Any]) -> str:
    return str(interface.get("Attachment", {}).get("InstanceId", ""))
