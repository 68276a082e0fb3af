"""How the AWS CLI calls an option, where it does not simply follow the member's name.

Source: the help of each command (`aws ec2 run-instances help`); the tests have the CLI read every one of them.
"""

from collections.abc import Mapping
from typing import Any

from botocore import xform_name

from atoll.recipe.shell import Variable, is_plain

# Options of the CLI itself.  A member of such a name is not reachable by an option.
GLOBAL = frozenset({"debug", "endpoint-url", "no-verify-ssl", "no-paginate", "output", "query", "profile", "region",
    "version", "color", "no-sign-request", "ca-bundle", "cli-read-timeout", "cli-connect-timeout", "v2-debug",
    "cli-input-json", "generate-cli-skeleton"})  # fmt: skip
# What switches it off has a name of its own.
OPPOSITES = {"--no-egress": "--ingress", "--no-disable-api-termination": "--enable-api-termination"}
RULES = ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress",
    "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")  # fmt: skip
PROTOCOLS = {"tcp": "tcp", "udp": "udp", "icmp": "icmp", "-1": "all"}  # of a rule of a group
NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp", "-1": "all"}  # of a rule of an ACL
ENTRIES = ("CreateNetworkAclEntry", "ReplaceNetworkAclEntry")

Special = list[tuple[str, str | None]]  # an option, and its value if it takes one


def option_name(member: str) -> str | None:
    """Return the option of a member; None if the CLI has none."""
    name = xform_name(member, "-")
    return None if name in GLOBAL else f"--{name}"


def flag(option: str, *, on: bool) -> str:
    """Return the option that switches something on or off."""
    return option if on else f"--no-{option.removeprefix('--')}"


def given_specially(service: str, operation: str, parameters: Mapping[str, Any]) -> tuple[Special, Mapping[str, Any]]:
    """Return the options that the CLI made up for this call, and the parameters that are left."""
    if service != "ec2":
        return [], parameters
    if operation == "RunInstances":
        return _count(parameters)
    if operation in RULES and (short := _rule(parameters.get("IpPermissions"), operation)):
        return short, {k: v for k, v in parameters.items() if k != "IpPermissions"}
    if operation in ENTRIES and (named := NUMBERS.get(str(parameters.get("Protocol")))):
        return [], {k: named if k == "Protocol" else v for k, v in parameters.items()}
    return [], parameters


def _count(parameters: Mapping[str, Any]) -> tuple[Special, Mapping[str, Any]]:
    least, most = parameters.get("MinCount", 1), parameters.get("MaxCount", 1)
    rest = {k: v for k, v in parameters.items() if k not in ("MinCount", "MaxCount")}
    if least == most:
        return ([("--count", str(least))] if least != 1 else []), rest
    return [("--count", f"{least}:{most}")], rest


def _rule(permissions: Any, operation: str) -> Special | None:
    """Spell one rule with one source as --protocol, --port and --cidr or --source-group.

    The CLI has no such options for a group as the destination of an outbound rule.
    """
    match permissions:
        case [{"IpProtocol": str(protocol), "FromPort": int(low), "ToPort": int(high), **source}]:
            ports = "all" if (low, high) == (-1, -1) else str(low) if low == high else f"{low}-{high}"
            if low < 0 and ports != "all":
                return None
            found: Special = [("--protocol", PROTOCOLS.get(protocol)), ("--port", ports)]
        case [{"IpProtocol": str(protocol), **source}] if "FromPort" not in source and "ToPort" not in source:
            found = [("--protocol", PROTOCOLS.get(protocol))]
        case _:
            return None
    if protocol not in PROTOCOLS:
        return None
    match source:
        case {"IpRanges": [{"CidrIp": cidr, **more}], **others} if _is_clean(cidr) and not more and not others:
            return [*found, ("--cidr", str(cidr))]
        case {"UserIdGroupPairs": [{"GroupId": group, **more}], **others} if not more and not others:
            if operation.endswith("Ingress") and _is_clean(group) and str(group).startswith(("sg-", "\0")):
                return [*found, ("--source-group", str(group))]
    return None


def _is_clean(value: Any) -> bool:
    """Tell whether a value may stand in a word as it is."""
    return isinstance(value, Variable) or (isinstance(value, str) and value != "" and is_plain(value))
