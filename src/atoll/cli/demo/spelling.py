"""Spell an AWS call as the command line that makes it; `tests/cli/test_spelling.py` gives it back to the AWS CLI."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from botocore import xform_name

RULES = ("AuthorizeSecurityGroup", "RevokeSecurityGroup")  # + Ingress, Egress


def spell(service: str, operation: str, parameters: Mapping[str, Any], *, verb: str = "") -> str:
    """Return the command: `aws ec2 create-vpc --cidr-block 10.0.0.0/16`; `verb` is "wait" for a waiter."""
    words = ["aws", service, *([verb] if verb else []), xform_name(operation, "-").replace("_", "-")]
    for name, value in parameters.items():
        if name in ("MinCount", "MaxCount") and value == 1:
            continue  # the CLI's default
        if name == "IpPermissions" and operation.startswith(RULES) and (short := _rule(value, operation)):
            words += short
        else:
            words += _option(name, value)
    return " ".join(words)


def _option(name: str, value: Any) -> list[str]:
    option = "--" + xform_name(name, "-")
    match value:
        case True:
            return [option]
        case False:
            return [option.replace("--", "--no-", 1)]
        case [str() | int(), *_]:
            return [option, *(shlex.quote(str(item)) for item in value)]
        case Mapping() | list() | tuple():
            return [option, shlex.quote(_tags(value) if name == "TagSpecifications" else json.dumps(value))]
        case _:
            return [option, shlex.quote(str(value))]


def _tags(specifications: Any) -> str:
    """Spell the tags of one resource in the CLI's shorthand, which is easier to read than JSON."""
    (one,) = specifications
    tags = ",".join(f"{{Key={tag['Key']},Value={tag['Value']}}}" for tag in one["Tags"])
    return f"ResourceType={one['ResourceType']},Tags=[{tags}]"


def _rule(permissions: Any, operation: str) -> list[str] | None:
    """Spell one rule with one source as --protocol, --port and --cidr or --source-group.

    The CLI has no such options for a group as the destination of an outbound rule.
    """
    match permissions:
        case [{"IpProtocol": protocol, "FromPort": low, "ToPort": high, **source}]:
            ports = ["--protocol", protocol, "--port", str(low) if low == high else f"{low}-{high}"]
        case _:
            return None
    match source:
        case {"IpRanges": [{"CidrIp": cidr}]}:
            return [*ports, "--cidr", cidr]
        case {"UserIdGroupPairs": [{"GroupId": group}]} if operation.endswith("Ingress"):
            return [*ports, "--source-group", group]
        case _:
            return None
