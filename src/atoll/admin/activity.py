"""What was asked of AWS's API: the newest calls, with their parameters but without secrets; bounded."""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from atoll.aws.answer import Call
from atoll.aws.operation import find
from atoll.model.world import Caller
from atoll.recipe.secrets import hidden
from atoll.recipe.shell import Variable

CALLS_MAX = 1_000
PARAMETERS_BYTES_MAX = 16 << 10  # of one call; what is larger is told to be so: a thousand of them are 16 MB
PAGE_MAX = 500  # in one answer
_JSON = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A call that was answered."""

    number: int  # one more than the call before
    at: datetime
    call: Call  # its parameters are without secrets
    is_whole: bool  # False: its parameters were too many to keep
    has_secrets: bool  # in whose place variables are

    @property
    def writes(self) -> bool:
        """Tell whether its operation changes anything."""
        operation = find(self.call.service, self.call.action) if self.call.service else None
        return operation is not None and operation.writes

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        call, caller = self.call, self.call.caller
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "account": caller.account if caller else None,
            "region": caller.region if caller else None,
            "who": caller.arn if caller else None,
            "service": call.service,
            "action": call.action,
            "writes": self.writes,
            "parameters": dict(call.parameters),
            "whole": self.is_whole,
            "secrets": self.has_secrets,
            "status": call.status,
            "error": call.error,
            "milliseconds": round(call.milliseconds, 3),
            "request_id": call.request_id,
            "command": self.command(),
        }

    def command(self) -> str | None:
        """Return it as an AWS CLI command; `None`: it is none that could be made again."""
        call = self.call
        if not self.is_whole or not call.service or find(call.service, call.action) is None:
            return None
        from atoll.recipe.cli import command  # no start waits for it

        region = call.caller.region if call.caller else None
        return command(call.service, call.action, call.parameters, region=region, secrets=False)


class Activity:
    """Keeps the newest calls."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._calls: deque[Noted] = deque(maxlen=CALLS_MAX)
        self._number = 0

    def note(self, call: Call, at: datetime) -> None:
        """Keep a call, without its secrets."""
        self._number += 1
        shown = hidden(_named(call))
        kept = _clean(shown)
        is_whole = len(_JSON.encode(kept)) <= PARAMETERS_BYTES_MAX
        noted = Noted(
            number=self._number,
            at=at,
            call=replace(call, parameters=kept if is_whole else {}),
            is_whole=is_whole,
            has_secrets=shown != call.parameters,
        )
        self._calls.append(noted)

    def __iter__(self) -> Iterator[Noted]:
        """Yield the calls, the oldest first."""
        return iter(tuple(self._calls))

    def of(self, caller: Caller) -> list[Noted]:
        """Return the calls of an account in a region, and those of nobody that is known; the oldest first."""
        mine = caller.account, caller.region
        return [n for n in self if n.call.caller is None or (n.call.caller.account, n.call.caller.region) == mine]

    def get(self, number: int) -> Noted | None:
        """Return a call by its number."""
        return next((noted for noted in self if noted.number == number), None)

    def page(self, caller: Caller, after: int) -> dict[str, Any]:
        """Return the calls after one, or (0) the newest, and after which to ask next."""
        found = [noted for noted in self.of(caller) if noted.number > after]
        cut = found[:PAGE_MAX] if after else found[-PAGE_MAX:]
        return {"calls": [noted.to_json() for noted in cut], "next": cut[-1].number if cut else after}


def _named(call: Call) -> Mapping[str, Any]:
    """Return a call's parameters, the one whose name does not say that it is secret under a name that does."""
    given = dict(call.parameters)
    if call.action == "ModifyInstanceAttribute" and str(given.get("Attribute")).lower() == "userdata":
        given["UserData"] = given.pop("Value", None)
    return given


def _clean(value: Any) -> Any:
    """Return a value as JSON has it, with variables as text and without the character that marks them.

    Costs 0.3 us for each text: this is in the way of every call.
    """
    if type(value) is str:
        return value.replace("\0", "\ufffd") if "\0" in value else value
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(name): _clean(one) for name, one in value.items()}
        case list() | tuple():
            return [_clean(one) for one in value]
        case Variable():
            return f"${value.name}"
        case datetime():
            return value.isoformat()
        case bytes():
            return f"{len(value)} bytes"
        case _:
            return _clean(str(value))
