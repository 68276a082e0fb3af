"""Parameters of an operation, as its model describes them: those that Atoll supports, with ids that there are."""

import functools
from collections import deque
from collections.abc import Callable
from typing import Any

from atoll.aws.bind import snake_names
from atoll.aws.models import Model, Ref, service
from atoll.aws.operation import find
from tests.fuzz.dice import PLAUSIBLE, Dice

DEPTH_MAX = 5
KEPT = 12  # values of a name
ALIASES = {
    "resources": "id", "resourceid": "id", "resourceids": "id", "resourcearn": "arn", "resourcearns": "arn",
    "resourcename": "arn", "securitygroups": "groupid", "groups": "groupid", "groupids": "groupid",
    "securitygroupids": "groupid", "addsecuritygroupids": "groupid", "sourcesecuritygroupid": "groupid",
    "peervpcid": "vpcid", "vpcids": "vpcid", "allocationids": "allocationid", "publicips": "publicip",
    "instances": "instanceid", "subnets": "subnetid", "source": "id", "destination": "id", "targetid": "instanceid",
    "targets": "instanceid", "securitygroup": "groupid", "primaryclusterid": "cacheclusterid", "names": "name",
    "primaryreplicationgroupid": "replicationgroupid", "cachesecuritygroupnames": "cachesecuritygroupname",
    "usergroupidstoadd": "usergroupid", "useridstoadd": "userid", "useridstoremove": "userid",
    "parametergroupname": "cacheparametergroupname", "sourcesnapshotname": "snapshotname",
    "newprimaryclusterid": "cacheclusterid", "alarmnames": "alarmname", "tagkeys": "key", "tagkey": "key",
    "serverlesscachesnapshotname": "serverlesscachesnapshotname", "transitgatewayid": "vpcid",
}  # fmt: skip
# Names that a caller makes up, unless it wants to meet what is there.
MADE_UP = ("Create", "Copy", "Put", "Allocate", "Import")
Values = dict[str, deque[Any]]
Thrower = Callable[[Dice, Values, int], Any]


def remember(values: Values, name: str, value: Any) -> None:
    """Keep a value of a name, such as an answer tells."""
    name = name.lower()
    kept = values.get(name)
    if kept is None:
        kept = values[name] = deque(maxlen=KEPT)
    if value not in kept:
        kept.append(value)


class Grammar:
    """The parameters of one operation."""

    def __init__(self, name: str, action: str) -> None:
        self.service, self.action = name, action
        self.model = service(name)
        operation = find(name, action)
        assert operation, "only what Atoll supports is asked for"
        shape, snake = self.model.input(action), snake_names(name, action)
        self.creates = action.startswith(MADE_UP)
        self.members = {member: _thrower(self.model, ref, member) for member, ref in shape.members.items()}
        self.required = [m for m in shape.members if snake[m] in operation.required or m in shape.required]
        self.optional = [m for m in shape.members if snake[m] in operation.parameters and m not in self.required]
        self.lacking = [m for m in shape.members if m not in (*self.required, *self.optional)]

    def throw(self, dice: Dice, values: Values) -> dict[str, Any]:
        """Return parameters that may well be accepted."""
        chosen = list(self.required)
        if self.optional:
            most = min(len(self.optional), 1 if dice.random() < 0.3 else 4)
            chosen += dice.sample(self.optional, dice.randint(0 if chosen else 1, most) if dice.random() < 0.9 else 0)
        out = {member: self.members[member](dice, values, 0) for member in chosen}
        if self.creates:
            for member in chosen:
                if member.endswith(("Id", "Name", "Suffix")) and not isinstance(out[member], dict | list):
                    lower = member.lower()
                    own = self.action.removeprefix("Create").removeprefix("Copy").removeprefix("Import").lower()
                    if own in lower and dice.random() < 0.7:
                        out[member] = f"{dice.name()}"
        return out

    def any_member(self, dice: Dice, values: Values) -> tuple[str, Any]:
        """Return a parameter of AWS's that Atoll may lack."""
        member = dice.choice(list(self.members)) if self.members else "Nothing"
        return member, self.members[member](dice, values, 0) if self.members else 1


@functools.cache
def grammar(name: str, action: str) -> Grammar:
    return Grammar(name, action)


@functools.cache
def _thrower(model: Model, ref: Ref, name: str, depth: int = 0) -> Thrower:
    shape = model.shape(ref)
    if shape.type == "structure":
        if depth >= DEPTH_MAX:
            return lambda _dice, _values, _depth: {}
        members = {m: _thrower(model, r, m, depth + 1) for m, r in shape.members.items()}
        if {"Name", "Values"} == members.keys():
            return _filter
        return _structure(members, shape.required)
    if shape.type == "list":
        assert shape.member
        one = _thrower(model, shape.member, name, depth)
        return lambda dice, values, _: [one(dice, values, 0) for _ in range(dice.choice((1, 1, 1, 2, 3)))]
    if shape.type == "map":
        assert shape.value
        value = _thrower(model, shape.value, name, depth)
        return lambda dice, values, _: {dice.name(): value(dice, values, 0)}
    return _scalar(name.lower(), shape.type, shape.enum)


def _structure(members: dict[str, Thrower], required: tuple[str, ...]) -> Thrower:
    optional = [m for m in members if m not in required]

    def throw(dice: Dice, values: Values, depth: int) -> dict[str, Any]:
        chosen = [*members] if dice.full else [*required]
        if optional and not dice.full:
            chosen += dice.sample(
                optional, min(len(optional), dice.choice((0, 1, 1, 2, 2, 3, 4) if chosen else (1, 1, 2, 3, 4)))
            )
        return {m: members[m](dice, values, depth + 1) for m in members if m in chosen}

    return throw


def _filter(dice: Dice, values: Values, _: int) -> dict[str, Any]:
    names = values.get("*filters") or ("vpc-id",)
    name = dice.choice(names)
    kept = values.get(name.replace("-", "").replace(".", "")) or ("*", "true", "available", "10.0.0.0/16")
    return {"Name": name, "Values": [dice.choice(kept) for _ in range(dice.choice((1, 1, 2)))]}


def _scalar(name: str, type_: str, enum: tuple[str, ...]) -> Thrower:
    plausible = PLAUSIBLE.get(name) or PLAUSIBLE.get(name.removesuffix("s"), ())
    pooled = ALIASES.get(name, name)
    others = (pooled, name, name.removesuffix("s"))
    is_text = type_ in ("string", "character")

    def throw(dice: Dice, values: Values, _: int) -> Any:
        if enum and dice.random() < 0.95:
            return dice.choice(enum)
        if is_text and not enum and (not plausible or dice.random() < 0.5):
            for other in others:
                if (kept := values.get(other)) and dice.random() < 0.95:
                    return dice.choice(kept)
            for known in values["*ids"]:
                if name.endswith(known) and dice.random() < 0.95:
                    return dice.choice(values[known])
        if plausible and dice.random() < 0.95:
            return dice.choice(plausible)
        return dice.scalar(type_)

    return throw
