"""Write an AWS call as the AWS CLI command that a person would type.

    command("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"})      aws ec2 create-vpc --cidr-block 10.0.0.0/16

Parameters are in AWS's member names with the values that boto3 takes.  The printed command, run by the AWS CLI (1.29
or 2.13 and later), makes exactly this call: `tests/recipe/test_cli.py` has the CLI itself say so, for every operation
that Atoll supports.  What the CLI would read as something else, such as a name that looks like a file's, goes through
`--cli-input-json`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore import xform_name

from atoll.aws.models import Model, Ref, Shape, service
from atoll.recipe.options import OPPOSITES, flag, given_specially, option_name
from atoll.recipe.secrets import hidden
from atoll.recipe.shell import Variable, is_plain, word
from atoll.recipe.spelled import COMPLEX, NotShort, as_json, plain, scalar, shorthand

# The CLI reads what such a value names instead of the value.
REFERENCES = ("file://", "fileb://", "http://", "https://")
WIDE = 100  # columns, of a command that `wrapped` leaves in one line
DOOR = "--cli-input-json"


class ByDoor(Exception):
    """This parameter has to go through `--cli-input-json`."""


def command(
    name: str,
    operation: str,
    parameters: Mapping[str, Any],
    *,
    region: str | None = None,
    secrets: bool = True,
    waiter: bool = False,
) -> str:
    """Return the command in one line, unless a value has several.

    `secrets=False` puts variables in place of passwords and the like; `waiter`: the operation is a waiter's name.
    Raises KeyError for an operation that AWS does not know.
    """
    return " ".join(words(name, operation, parameters, region=region, secrets=secrets, waiter=waiter))


def wrapped(name: str, operation: str, parameters: Mapping[str, Any], **options: Any) -> str:
    """Return the command with each option in a line of its own, if it is long."""
    found = words(name, operation, parameters, **options)
    if len(" ".join(found)) <= WIDE:
        return " ".join(found)
    return " \\\n  ".join([" ".join(found[:3]), *found[3:]])


def words(
    name: str,
    operation: str,
    parameters: Mapping[str, Any],
    *,
    region: str | None = None,
    secrets: bool = True,
    waiter: bool = False,
) -> list[str]:
    """Return the command's parts: the program and what is asked of it, then each option with its value."""
    shown = parameters if secrets else hidden(parameters)
    verb = xform_name(operation, "-").replace("_", "-")
    start = ["aws", name, "wait " + verb] if waiter else ["aws", name, verb]
    place = [f"--region {word(region)}"] if region else []
    if waiter:
        return [*start, *(f"--{xform_name(member, '-')} {_loose(value)}" for member, value in shown.items()), *place]
    return [*start, *_options(name, operation, shown), *place]


def _options(name: str, operation: str, parameters: Mapping[str, Any]) -> list[str]:
    model = service(name)
    members = model.input(operation).members
    special, rest = given_specially(name, operation, parameters)
    found, by_door = [word_pair(option, value) for option, value in special], {}
    for member, value in rest.items():
        try:
            found.append(_option(model, member, members[member], value))
        except ByDoor:
            by_door[member] = value
    if by_door:
        found.append(word_pair(DOOR, as_json(by_door)))
    return found


def word_pair(option: str, value: str | None) -> str:
    """Return an option with its value; with `=` if the value looks like an option."""
    if value is None:
        return option
    return f"{option}={word(value)}" if value.startswith("-") else f"{option} {word(value)}"


def _option(model: Model, member: str, ref: Ref, value: Any) -> str:
    shape = model.shape(ref)
    option = option_name(member)
    if option is None:
        raise ByDoor
    match shape.type, value:
        case "boolean", bool():
            return OPPOSITES.get(found := flag(option, on=value), found)
        case "blob", _:
            return _blob(option, value)
        case "list", (list() | tuple()):
            return f"{option} {_list(model, shape, value)}"
        case (("structure" | "map"), Mapping()):
            return _structure(model, option, shape, value)
        case (("structure" | "map" | "list" | "boolean"), _):
            raise ByDoor  # not what the model says: the CLI will tell the same as we were told
        case _:
            return word_pair(option, _scalar(value))


def _scalar(value: Any) -> str:
    if isinstance(value, Variable):
        return str(value)
    text = plain(value)
    if text.startswith(REFERENCES) or not is_plain(text):
        raise ByDoor
    return text


def _blob(option: str, value: Any) -> str:
    """Have the shell make a file of the bytes: each version of the CLI takes it as it is.  Needs bash or zsh."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    if not is_plain(text):
        raise ByDoor
    return f"{option} fileb://<(printf %s {word(text)})"


def _list(model: Model, shape: Shape, value: Sequence[Any]) -> str:
    """Spell a list as several words; in JSON if one of them could be misread."""
    assert shape.member is not None, "a list of the model has members"
    member = model.shape(shape.member)
    try:
        if not value:
            raise NotShort
        if member.type in COMPLEX:
            if member.type == "list":
                raise NotShort
            items = [shorthand(model, member, item) for item in value]
        else:
            items = [scalar(member, item) for item in value]
        if any(item.startswith(("-", *REFERENCES)) for item in items):
            raise NotShort
    except NotShort:
        return word(as_json(value))
    return " ".join(word(item) for item in items)


def _structure(model: Model, option: str, shape: Shape, value: Mapping[str, Any]) -> str:
    only = model.shape(shape.members["Value"]).type if set(shape.members) == {"Value"} else None
    if model.name == "ec2" and only == "boolean" and isinstance(value.get("Value"), bool):
        return flag(option, on=value["Value"])
    try:
        if only == "string":
            return word_pair(option, scalar(model.shape(shape.members["Value"]), value.get("Value", "")))
        return word_pair(option, shorthand(model, shape, value))
    except NotShort:
        return word_pair(option, as_json(value))


def _loose(value: Any) -> str:
    """Spell a parameter of a waiter, whose model we need not ask: a name, or several."""
    items = value if isinstance(value, list | tuple) else [value]
    return " ".join(word(str(item)) for item in items)
