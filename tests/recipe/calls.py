"""Calls made up from AWS's models: what an operation takes, with ordinary values and with nasty ones."""

import random
from collections.abc import Iterator
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from atoll.aws.operation import LOADERS, OPERATIONS, find
from atoll.offer import offer_services

PLAIN = ("main", "sg-0a1b2c3d", "10.0.0.0/16", "cache.t3.micro", "us-east-1a", "tag:Name", "12", "true", "a b")
NASTY = (
    "it's", 'say "hi"', "a,b=c", "[x]", "{y}", "$(reboot)", "`id`", "\\", "-rf", "--help", "file:///etc/passwd",
    "http://127.0.0.1/", "캐시", "缓存 节点", "🦑", "a\nb", "\t", "x\x1b[31m", "\u202eabc", " lead", "trail ", "",
    "@x", "%s", "!!", "~",
    "*", "null", "a=b", "'", "=", ",", "#c", "${x}", "%{x}", "&", "<a>", "x'y\"z",
)  # fmt: skip
NUMBERS = (0, 1, 3, 6379, 65535, 2_000_000_000, -1)
DEPTH_MAX = 5
# Not to be made up: the CLI rewrites what AWS would refuse.
NEVER = {"NextToken", "Marker", "StartingToken", "ClientToken", "DryRun", "PageSize"}


def supported() -> list[tuple[str, str]]:
    """Return every operation of every service that Atoll supports."""
    offer_services()
    for name in list(LOADERS):
        find(name, "")
    return sorted(OPERATIONS)


_models: dict[str, ServiceModel] = {}


def model(service: str) -> ServiceModel:
    if service not in _models:
        _models[service] = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    return _models[service]


def generated(service: str, operation: str, seed: int) -> dict[str, Any]:
    """Return parameters: all required ones, and some of the others."""
    dice = random.Random(f"{service} {operation} {seed}")
    shape = model(service).operation_model(operation).input_shape
    if shape is None:
        return {}
    made = dict(_members(shape, dice, 0))
    if operation == "RunInstances":
        made |= {"MinCount": 1, "MaxCount": dice.choice((1, 3))}
        if "NetworkInterfaces" in made:  # then the CLI moves these into the first interface
            for name in ("SubnetId", "SecurityGroupIds", "PrivateIpAddress", "Ipv6AddressCount", "Ipv6Addresses",
                "EnablePrimaryIpv6"):  # fmt: skip
                made.pop(name, None)
    return made


def _members(shape: Shape, dice: random.Random, depth: int) -> Iterator[tuple[str, Any]]:
    for name, member in shape.members.items():
        wanted = name in shape.required_members
        if wanted or (name not in NEVER and depth < DEPTH_MAX and dice.random() < (0.4 if depth else 0.3)):
            yield name, _value(member, dice, depth + 1)


def _value(shape: Shape, dice: random.Random, depth: int) -> Any:
    match shape.type_name:
        case "structure":
            return dict(_members(shape, dice, depth))
        case "list":
            return [_value(shape.member, dice, depth + 1) for _ in range(dice.choice((0, 1, 1, 2, 3)))]
        case "map":
            keys = dice.sample(PLAIN + NASTY[:8], dice.choice((0, 1, 2)))
            return {key: _value(shape.value, dice, depth + 1) for key in keys if key}
        case "boolean":
            return dice.random() < 0.5
        case "integer" | "long":
            return dice.choice(NUMBERS)
        case "float" | "double":
            return dice.choice((0.5, 1.0, -2.25, 1e9))
        case "timestamp":
            return "2026-11-27T12:00:00Z"
        case "blob":
            return b"ssh-rsa AAAA it's"
        case _:
            return _string(shape, dice)


def _string(shape: Shape, dice: random.Random) -> str:
    if getattr(shape, "enum", None) and dice.random() < 0.7:
        return dice.choice(shape.enum)
    return dice.choice(PLAIN if dice.random() < 0.6 else NASTY)
