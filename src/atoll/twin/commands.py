"""Which commands describe an account, the file that each of them fills, and the script that runs them all.

The user runs it with credentials of their own, which never come near Atoll.
"""

from dataclasses import dataclass

SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Command:
    """A command whose output is a file: `describe-vpcs.json`, of further pages `describe-vpcs-2.json`."""

    service: str  # as the AWS CLI and botocore name it
    verb: str  # as the AWS CLI names it, and the beginning of the file's name
    member: str  # of the output: what is read
    options: str = ""
    is_needed: bool = False  # without it nothing can be said of any packet
    each: str = ""  # once for each of something: a line of shell that lists them
    per: str = ""  # the options that name one of them, as "$id"

    @property
    def action(self) -> str:
        """The operation as the service's model names it."""
        return "".join(part.capitalize() for part in self.verb.split("-"))


COMMANDS = (
    Command("sts", "get-caller-identity", "Account"),
    Command("ec2", "describe-availability-zones", "AvailabilityZones"),
    Command("ec2", "describe-vpcs", "Vpcs", is_needed=True),
    Command(
        "ec2", "describe-vpc-attribute", "VpcId",
        each="aws ec2 describe-vpcs --query 'Vpcs[].[VpcId]' --output text", per="--vpc-id $id",
    ),
    Command("ec2", "describe-dhcp-options", "DhcpOptions"),
    Command("ec2", "describe-subnets", "Subnets", is_needed=True),
    Command("ec2", "describe-route-tables", "RouteTables", is_needed=True),
    Command("ec2", "describe-network-acls", "NetworkAcls", is_needed=True),
    Command("ec2", "describe-security-groups", "SecurityGroups", is_needed=True),
    Command("ec2", "describe-security-group-rules", "SecurityGroupRules"),
    Command("ec2", "describe-managed-prefix-lists", "PrefixLists"),
    Command(
        "ec2", "get-managed-prefix-list-entries", "Entries",
        each="aws ec2 describe-managed-prefix-lists --query 'PrefixLists[].[PrefixListId]' --output text",
        per="--prefix-list-id $id",
    ),
    Command("ec2", "describe-internet-gateways", "InternetGateways"),
    Command("ec2", "describe-egress-only-internet-gateways", "EgressOnlyInternetGateways"),
    Command("ec2", "describe-addresses", "Addresses"),
    Command("ec2", "describe-network-interfaces", "NetworkInterfaces", is_needed=True),
    Command("ec2", "describe-nat-gateways", "NatGateways"),
    Command("ec2", "describe-vpc-peering-connections", "VpcPeeringConnections"),
    Command("ec2", "describe-vpc-endpoints", "VpcEndpoints"),
    Command("ec2", "describe-instances", "Reservations"),
    Command("elasticache", "describe-cache-subnet-groups", "CacheSubnetGroups"),
    Command("elasticache", "describe-cache-parameter-groups", "CacheParameterGroups"),
    Command("elasticache", "describe-replication-groups", "ReplicationGroups"),
    Command("elasticache", "describe-cache-clusters", "CacheClusters", "--show-cache-node-info"),
    Command("elasticache", "describe-serverless-caches", "ServerlessCaches"),
    Command("elbv2", "describe-load-balancers", "LoadBalancers"),
)  # fmt: skip
ATTRIBUTES = {"EnableDnsSupport": "enableDnsSupport", "EnableDnsHostnames": "enableDnsHostnames"}


def command_of(file: str) -> tuple[Command, str] | None:
    """Return the command that filled a file, and what the rest of its name says; `None`: no command's."""
    stem = file.removesuffix(SUFFIX)
    fitting = [c for c in COMMANDS if stem == c.verb or stem.startswith(f"{c.verb}-")]
    if not fitting or stem == file:
        return None
    found = max(fitting, key=lambda c: len(c.verb))
    return found, stem.removeprefix(found.verb).removeprefix("-")


def script() -> str:
    """Return the shell script that describes an account into a directory.  It only reads, and asks AWS alone."""
    lines = [
        "#!/bin/sh",
        "# Describe one region of an AWS account into a directory, for `atoll import DIR`.",
        "# Run it with your own credentials: sh describe.sh DIR.  It only reads.",
        "set -eu",
        "directory=${1:?usage: sh describe.sh DIR}",
        'mkdir -p "$directory"',
        'cd "$directory"',
        "export AWS_PAGER=",
    ]
    for one in COMMANDS:
        lines += _lines(one)
    return "\n".join([*lines, 'echo "Now: atoll import $directory" >&2', ""])


def _lines(one: Command) -> list[str]:
    words = f"aws {one.service} {one.verb}"
    if one.verb == "describe-vpc-attribute":
        body = [
            f"  {words} {one.per} --attribute {attribute} --output json > {one.verb}-$id-{attribute}{SUFFIX}"
            for attribute in ATTRIBUTES.values()
        ]
    elif one.each:
        body = [f"  {words} {one.per} --output json > {one.verb}-$id{SUFFIX}"]
    else:
        file = f"{one.verb}{SUFFIX}"
        asked = f"{words}{f' {one.options}' if one.options else ''} --output json > {file}"
        return [asked if one.is_needed else f"{asked} || rm {file}"]  # an older AWS CLI may lack it; the report tells
    return [f"for id in $({one.each}); do", *body, "done"]
