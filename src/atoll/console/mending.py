"""What mends a refusal, as a call: the AWS CLI commands that `network/mend.py` writes, read back.

    call_of("aws ec2 start-instances --instance-ids i-1")      ("ec2", "StartInstances", {"InstanceIds": ["i-1"]})

Only what those commands are made of is understood: options of the models, and the AWS CLI's own ones for rules.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from botocore import xform_name

from atoll.aws.models import Model, Ref, service

Call = tuple[str, str, dict[str, Any]]
OPEN = re.compile(r"\$\(|\b[A-Z]{5,}\b")  # what only a person, or a shell, can fill in
TOKEN = re.compile(r"[=,\[\]{}]|[^=,\[\]{}]+")
RULES = ("AuthorizeSecurityGroup", "RevokeSecurityGroup")  # whose rule the AWS CLI takes in pieces
OPPOSITES = {"no-source-dest-check": ("source-dest-check", False)}


def call_of(command: str) -> Call | None:
    """Return the call that a command makes; `None`: it is none, or somebody has to fill something in."""
    try:
        return _read(command)
    except (KeyError, ValueError, IndexError, AssertionError):
        return None


def _read(command: str) -> Call | None:
    if OPEN.search(re.sub(r"IpProtocol|AZ|TCP|UDP", "", command)):
        return None
    words = shlex.split(command)
    if len(words) < 3 or words[0] != "aws":
        return None
    model = service(words[1])
    action = next((name for name in model if xform_name(name, "-") == words[2]), None)
    if action is None:
        return None
    shape = model.input(action)
    members = {xform_name(member, "-"): (member, ref) for member, ref in shape.members.items()}
    given: dict[str, Any] = {}
    for option, values in _options(words[3:]):
        if not _special(action, option, values, given):
            option, truth = OPPOSITES.get(option, (option, True))
            member, ref = members[option]
            given[member] = _value(model, ref, values, truth=truth)
    return words[1], action, _rules(action, given)


def _options(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for word in words:
        if word.startswith("--"):
            found.append((word[2:], []))
        else:
            found[-1][1].append(word)
    return found


def _special(action: str, option: str, values: Sequence[str], given: dict[str, Any]) -> bool:
    """Take an option that the AWS CLI has of its own; tell whether it was one."""
    if action == "CreateNetworkAclEntry":
        match option:
            case "ingress" | "egress":
                given["Egress"] = option == "egress"
            case "protocol":
                given["Protocol"] = {"tcp": "6", "udp": "17", "icmp": "1", "all": "-1"}.get(values[0], values[0])
            case _:
                return False
        return True
    if action.startswith(RULES) and option in ("protocol", "port", "cidr", "source-group"):
        given[f"--{option}"] = values[0]
        return True
    return False


def _rules(action: str, given: dict[str, Any]) -> dict[str, Any]:
    """Put the options of a rule together, as the AWS CLI does."""
    protocol = given.pop("--protocol", None)
    if not action.startswith(RULES) or protocol is None:
        return given
    port = given.pop("--port", "-1")
    low, high = (port, port) if port.lstrip("-").isdigit() else port.split("-")
    permission: dict[str, Any] = {"IpProtocol": protocol, "FromPort": low, "ToPort": high}
    if cidr := given.pop("--cidr", None):
        permission["IpRanges"] = [{"CidrIp": cidr}]
    if group := given.pop("--source-group", None):
        permission["UserIdGroupPairs"] = [{"GroupId": group}]
    return {**given, "IpPermissions": [permission]}


def _value(model: Model, ref: Ref, values: Sequence[str], *, truth: bool) -> Any:
    shape = model.shape(ref)
    if not values:
        return {"Value": truth} if shape.type == "structure" else truth
    if shape.type == "list":
        return [_shorthand(value) for value in values]
    return _shorthand(values[0]) if shape.type == "structure" else values[0]


def _shorthand(text: str) -> Any:
    """Read the AWS CLI's short form: "From=1,To=2", "IpRanges=[{CidrIp=10.0.0.0/8}]"; other text is itself."""
    if "=" not in text or text.startswith("arn:"):
        return text
    found, rest = _structure(TOKEN.findall(text))
    assert not rest, "what we wrote ends where it ends"
    return found


def _structure(tokens: list[str]) -> tuple[Mapping[str, Any], list[str]]:
    found: dict[str, Any] = {}
    while tokens and tokens[0] not in ("}", "]"):
        if tokens[0] == ",":
            tokens = tokens[1:]
        name, _, *tokens = tokens
        found[name], tokens = _one(tokens)
    return found, tokens


def _one(tokens: list[str]) -> tuple[Any, list[str]]:
    if tokens[0] == "{":
        inner, rest = _structure(tokens[1:])
        return inner, rest[1:]
    if tokens[0] == "[":
        items, rest = [], tokens[1:]
        while rest[0] != "]":
            item, rest = _one(rest[1:] if rest[0] == "," else rest)
            items.append(item)
        return items, rest[1:]
    return tokens[0], tokens[1:]
