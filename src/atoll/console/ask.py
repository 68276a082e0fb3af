"""One request of a page: who asks, where, with which parameters and form; and the calls that it made.

A page asks AWS's API with `await ask.aws("ec2", "DescribeVpcs")`, as its user would, and shows the calls as commands.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from atoll.admin.lessons import Lessons
from atoll.aws import inside
from atoll.aws.answer import Backend as Wire
from atoll.aws.errors import AwsError
from atoll.aws.operation import find
from atoll.console.texts import Speaker
from atoll.host.contract import Seen
from atoll.model.world import Caller, Tx, World


class Backend(Wire, Protocol):
    """The World as the wire asks for it, and as it would be."""

    def would_be(self, change: Callable[[Tx], None], caller: Caller) -> World:
        """Return the World after a change that is then forgotten."""


class Service(Protocol):
    """What the console asks of the daemon."""

    @property
    def world(self) -> World: ...  # noqa: D102
    @property
    def backend(self) -> Backend: ...  # noqa: D102
    @property
    def lessons(self) -> Lessons: ...  # noqa: D102
    def watch(self, fn: Callable[[World], None]) -> Callable[[], None]: ...  # noqa: D102
    def health(self) -> dict[str, Any]: ...  # noqa: D102
    def loops(self) -> dict[str, Any]: ...  # noqa: D102
    def where(self) -> dict[str, Any]: ...  # noqa: D102
    def seen(self) -> Mapping[str, Seen]: ...  # noqa: D102
    def write(self, fn: Callable[[Tx], Any], what: str, caller: Caller | None = None) -> Any: ...  # noqa: D102
    async def in_force(self) -> bool: ...  # noqa: D102


class Form:
    """The fields of a form, or of a URL: each may have several values."""

    def __init__(self, fields: Sequence[tuple[str, str]] = ()) -> None:
        """Take the pairs in their order."""
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name, []).append(value)

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of a field, without blanks around it."""
        return self._fields.get(name, [default])[0].strip()

    def all(self, name: str) -> list[str]:
        """Return every value of a field, without the empty ones."""
        return [value.strip() for value in self._fields.get(name, ()) if value.strip()]

    def rows(self, *names: str) -> list[dict[str, str]]:
        """Return fields that are repeated together, row by row."""
        columns = [self._fields.get(name, []) for name in names]
        count = max(map(len, columns), default=0)
        filled = [column + [""] * (count - len(column)) for column in columns]
        return [{name: row[n].strip() for n, name in enumerate(names)} for row in zip(*filled, strict=True)]

    def given(self, **members: str) -> dict[str, str]:
        """Return AWS's members that were filled in: `given(CidrBlock="cidr")`."""
        return {member: value for member, name in members.items() if (value := self.get(name))}

    def __contains__(self, name: object) -> bool:
        """Tell whether a field was sent."""
        return name in self._fields

    def pairs(self) -> list[tuple[str, str]]:
        """Return every pair."""
        return [(name, value) for name, values in self._fields.items() for value in values]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A call that a page made, or would make."""

    service: str
    action: str
    parameters: Mapping[str, Any]
    writes: bool = False


@dataclass(frozen=True)
class Shown:
    """A command that is no AWS call: `atoll chaos kill ...`."""

    command: str


class Previewed(Exception):
    """Thrown instead of a call that a person wants to see before it is made."""


@dataclass(frozen=True)
class View:
    """What a page shows: a template and its values."""

    template: str
    values: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True)
class Go:
    """Where the browser goes next."""

    url: str


@dataclass(frozen=True)
class Told:
    """What a script of ours asked for: JSON, or nothing."""

    value: Any = None
    status: int = 200


@dataclass(frozen=True)
class Events:
    """A stream of server-sent events."""

    pieces: AsyncGenerator[bytes, None]


Answered = View | Go | Told | Events
Page = Callable[["Ask"], Awaitable[Answered]]


@dataclass(kw_only=True)
class Ask:
    """One request."""

    service: Service
    caller: Caller
    path: str  # inside the console: "/vpc/subnets/subnet-1"
    parts: Mapping[str, str] = field(default_factory=dict)  # of the path: {"id": "subnet-1"}
    query: Form = field(default_factory=Form)
    form: Form = field(default_factory=Form)
    t: Speaker
    session: str = ""  # whose window it is
    seen_revision: int = 0  # of the World when the page began: what comes later is told by the live events
    is_previewing: bool = False
    error: AwsError | None = None  # of the act that brought us here
    calls: list[Made | Shown] = field(default_factory=list)

    @property
    def account(self) -> str:
        """Return whose resources these are."""
        return self.caller.account

    @property
    def region(self) -> str:
        """Return where."""
        return self.caller.region

    @property
    def base(self) -> str:
        """Return the path of this account and region."""
        return f"/console/{self.account}/{self.region}"

    async def aws(self, service: str, action: str, /, **parameters: Any) -> dict[str, Any]:
        """Make a call as the user, and return its result.  Raises AwsError.

        With the user's wish to see it first, a call that writes is not made: Previewed.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        operation = find(service, action)
        writes = operation is not None and operation.writes
        made = Made(service=service, action=action, parameters=_typed(service, action, given), writes=writes)
        self.calls.append(made)
        if writes and self.is_previewing:
            raise Previewed
        return await inside.call(service, action, given, self.service.backend, self.caller)

    async def aws_all(self, service: str, action: str, member: str, /, **parameters: Any) -> list[dict[str, Any]]:
        """Return every element of a listing, page after page as AWS gives them."""
        found: list[dict[str, Any]] = []
        more: dict[str, Any] = {}
        first = len(self.calls)
        while True:
            said = await self.aws(service, action, **parameters, **more)
            del self.calls[first + 1 :]  # a command asks for every page by itself
            found += said.get(member, [])
            token = next((name for name in ("NextToken", "Marker", "NextMarker") if said.get(name)), None)
            if token is None:
                return found
            more = {"Marker" if token == "NextMarker" else token: said[token]}

    def show(self, command: str) -> None:
        """Show a command of Atoll's own beside the calls."""
        self.calls.append(Shown(command))

    def url(self, path: str, **query: str) -> str:
        """Return the address of a page in this account and region."""
        path, _, more = path.partition("?")
        asked = "&".join(part for part in (more, urlencode(query)) if part)
        return f"{self.base}{quote(path, safe='/:')}" + (f"?{asked}" if asked else "")

    def view(self, template: str, /, status: int = 200, **values: Any) -> View:
        """Show a template."""
        return View(template, values, status)

    def go(self, path: str, done: str = "", **about: str) -> Go:
        """Go to a page, which then says what was done: a text of the name "section.done_..."."""
        query = {"done": done, **about} if done else about
        return Go(self.url(path, **query))


def _typed(service: str, action: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return inside.typed(service, action, given)
    except AwsError:  # the call will say it
        return given


def by(**filters: str | Sequence[str]) -> list[dict[str, Any]]:
    """Return EC2's Filters: `by(vpc_id="vpc-1")` is the filter `vpc-id`, and `a__vpc_id` is `a.vpc-id`."""
    return [
        {"Name": name.replace("__", ".").replace("_", "-"), "Values": [v] if isinstance(v, str) else list(v)}
        for name, v in filters.items()
        if v
    ]


def name_of(resource: Mapping[str, Any]) -> str:
    """Return the value of a resource's Name tag; "" if it has none."""
    tags = resource.get("Tags") or resource.get("TagSet") or ()  # the latter: a network interface's
    return next((str(tag["Value"]) for tag in tags if tag["Key"] == "Name"), "")


def named(type: str, name: str) -> list[dict[str, Any]] | None:
    """Return TagSpecifications that name a new resource; `None` without a name."""
    return [{"ResourceType": type, "Tags": [{"Key": "Name", "Value": name}]}] if name else None
