"""From parameters to a call: find the operation, and hand it the parameters that it supports.

What AWS does not know, what Atoll does not support, and what is missing are three errors, each with its name.  Two
parameters of EC2 never reach an operation: `DryRun` and `ClientToken` mean the same everywhere, and `answer.py` sees
to them.  An operation may name `client_token` all the same, when its result shows it.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

from atoll.aws.dialect import DIALECTS, clip
from atoll.aws.models import protocol, service
from atoll.aws.operation import Operation, find
from atoll.aws.parse import wire_name

EVERYWHERE = ("DryRun", "ClientToken")


@dataclass(frozen=True, slots=True)
class Bound:
    """An operation and what it is called with."""

    operation: Operation
    arguments: Mapping[str, Any]
    dry_run: bool
    client_token: str | None


def check(name: str, action: str) -> None:
    """Refuse an action that AWS does not know, or that Atoll does not support."""
    model, words = service(name), DIALECTS[name]
    if action not in model:
        raise words.invalid_action(action=clip(action), version=model.version)
    if find(name, action) is None:
        raise words.unsupported_action(action=action)


def bind(name: str, action: str, given: Mapping[str, Any]) -> Bound:
    """Return the call that parameters, by their names in the model, ask for; the action has been checked.

    Raises AwsError in the service's words.
    """
    operation, words = find(name, action), DIALECTS[name]
    assert operation, "the action has been checked"
    members = snake_names(name, action)
    arguments: dict[str, Any] = {}
    for member, value in given.items():
        if members[member] in operation.parameters:
            arguments[members[member]] = value
        elif name != "ec2" or member not in EVERYWHERE:
            raise words.unsupported(name=_spell(name, action, member), action=action)
    for member, parameter in members.items():
        if parameter in operation.required and parameter not in arguments:
            raise words.missing(name=_spell(name, action, member))
    ec2 = given if name == "ec2" else {}
    return Bound(operation, arguments, ec2.get("DryRun", False), ec2.get("ClientToken"))


def _spell(name: str, action: str, member: str) -> str:
    return member if protocol(name) == "json" else wire_name(name, action, member)


@functools.cache
def snake_names(name: str, action: str) -> Mapping[str, str]:
    """Return the members of an operation's input and their names in snake case, as boto3 and the CLI write them."""
    return {member: xform_name(member) for member in service(name).input(action).members}
