"""Answer a request: who calls, what is asked, do it, wait until the network obeys, say what came of it.

`answer` is the whole request path, and knows no web framework: the server makes a `Request` and sends an `Answer`.
What it needs of the rest of the program it asks of a `Backend`.
"""

import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import unquote
from uuid import UUID

from atoll.aws import bind, foreign, json_wire, kept, once, serialize, sigv4
from atoll.aws.dialect import DIALECTS, MISSING_ACTION, clip
from atoll.aws.errors import AwsError, Err
from atoll.aws.http import Answer, Form, Request, parameters, read_form
from atoll.aws.models import (
    BY_SIGNING_NAME,
    BY_VERSION,
    CLASSIC_BALANCERS,
    QUERY_TOO,
    SIGNING_NAMES,
    protocol,
    service,
)
from atoll.aws.operation import Moment, find
from atoll.aws.parse import parse
from atoll.model.account import AccessKey
from atoll.model.world import Caller, Stamps, Tx, World

log = logging.getLogger(__name__)
T = TypeVar("T")

DRY_RUN = Err("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)

Writer = Callable[[str, str, Mapping[str, Any] | None], str | bytes]
WRITERS: Mapping[str, Writer] = {
    "xml": serialize.serialize,
    "json": json_wire.write,
    "cbor": json_wire.write_cbor,
}

_IDS = random.Random()
_SCOPE = re.compile(r"Credential=[^,&]{0,320}/([a-z0-9-]{1,64})/aws4_request")  # bounded, as it is searched for
_WORD = re.compile(r"[A-Za-z0-9]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What became of a request, for the journal and the console."""

    service: str  # botocore's name, or the signing name of a service that Atoll does not serve
    action: str  # empty if the request was refused before it was known
    caller: Caller | None
    status: int
    error: str | None  # the code
    milliseconds: float
    request_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)  # with what is secret in them; empty if not known


class Backend(Protocol):
    """What answering needs of the rest of the program."""

    mode: sigv4.Mode

    def now(self) -> datetime:
        """Return the time, in UTC."""

    def secret_of(self, key_id: str) -> AccessKey | None:
        """Return an access key that Atoll issued."""

    def opening(self, caller: Caller) -> None:
        """Make what a caller's account has in its region before its first call: the default VPC."""

    def write(self, op: Callable[[Tx], T], caller: Caller) -> T:
        """Run `op` in a transaction and commit it; if it raises, commit nothing and let it raise."""

    def world(self, caller: Caller) -> World:
        """Return the World as the caller sees it."""

    def is_sure(self, looks: Stamps | None) -> bool:
        """Tell whether what was looked at can be told already; a daemon that comes up is not sure of everything."""

    async def whole(self) -> None:
        """Wait until the daemon has come up."""

    async def in_force(self) -> None:
        """Wait, for a bounded time, until the kernel obeys everything that is committed."""

    def called(self, call: Call) -> None:
        """Take note of a call that was answered."""


class _DryRun(Exception):
    """Thrown through a transaction, so that it is forgotten."""


class _TooEarly(Exception):
    """What was looked at may be otherwise when the rest of the daemon has come up."""


@dataclass(slots=True)
class _Asked:
    """What is known so far of the request; an error is worded by the service, if that is known."""

    service: str = ""
    action: str = ""
    caller: Caller | None = None
    speech: Literal["xml", "json", "cbor"] = "xml"  # how it is asked, and answered
    given: Mapping[str, Any] = field(default_factory=dict)


async def answer(request: Request, backend: Backend) -> Answer:
    """Answer a request; never raises.

    A body above `http.BODY_BYTES_MAX` is refused, so the server need not read more than one byte beyond it.
    """
    begun, request_id, asked = time.perf_counter(), _request_id(), _Asked()
    code = None
    try:
        if _is_a_visit(request):
            return _plain(request_id, f"Atoll serves {foreign.SERVED}.\n")
        body = await _perform(request, backend, asked)
        out = _result(asked, body, request_id)
    except AwsError as error:
        code, out = error.code, _error(asked, error, request_id)
    except foreign.Foreign as other:
        asked.service = other.service
        code, out = "UnknownService", foreign.refuse(request, other.service, request_id)
    except Exception:  # whatever else is raised is a mistake of ours: the caller gets an answer, we get a trace
        log.exception("request failed", extra={"request_id": request_id, "asked": asked})
        failure = DIALECTS[asked.service or "ec2"].internal()
        code, out = failure.code, _error(asked, failure, request_id)
    backend.called(
        Call(
            service=asked.service,
            action=asked.action,
            caller=asked.caller,
            status=out.status,
            error=code,
            milliseconds=(time.perf_counter() - begun) * 1e3,
            request_id=request_id,
            parameters=asked.given,
        )
    )
    return out


def _request_id() -> str:
    """Return an id that no other request has; it is no secret, so the system need not be asked for it."""
    return str(UUID(int=_IDS.getrandbits(128), version=4))


async def _perform(request: Request, backend: Backend, asked: _Asked) -> str | bytes:
    """Do what is asked and return its result, as the service writes it: the five steps."""
    # 1. Which service, and which of its operations?
    form = _choose(request, asked)

    # 2. Who calls?
    words = DIALECTS[asked.service]
    claim = sigv4.read_claim(request)
    if claim and claim.service != SIGNING_NAMES[asked.service]:
        raise words.bad_signature()  # two credentials in one request: not the one by which the service was chosen
    asked.caller = caller = sigv4.identify(
        request, claim, words, secret_of=backend.secret_of, mode=backend.mode, now=backend.now()
    )

    # 3. With which parameters?
    operation = find(asked.service, asked.action)
    assert operation, "it was chosen"
    key = kept.key_of(asked.service, caller, form) if form and operation.pure else None  # only a form is one
    if key and (found := _kept(key, backend, caller)):
        asked.given = found.given
        return found.body
    if asked.speech == "xml":
        given = parse(asked.service, asked.action, parameters(form))
    else:
        given = json_wire.read(asked.service, asked.action, request, is_cbor=asked.speech == "cbor")
    asked.given = given
    call = bind.bind(asked.service, asked.action, given)

    # 4. and 5. Do it, and wait until the next packet obeys.
    if key:
        try:
            return _keep(key, given, call, backend, caller)
        except _TooEarly:
            await backend.whole()
            return _keep(key, given, call, backend, caller)
    await backend.whole()
    return await do(call, backend, caller, WRITERS[asked.speech], form)


def _kept(key: kept.Key, backend: Backend, caller: Caller) -> kept.Kept | None:
    """Return the answer that was given to the same question, if it still is the answer."""
    found = kept.SHELF.find(key, backend.world(caller))
    if found:
        backend.opening(caller)  # a reset may have closed it; what opening makes, the answer may have to tell
        found = kept.SHELF.find(key, backend.world(caller))
    return found


def _keep(key: kept.Key, given: Mapping[str, Any], call: bind.Bound, backend: Backend, caller: Caller) -> str:
    """Answer a question in a World that notes what is looked at, and keep the answer."""
    backend.opening(caller)
    world = backend.world(caller).noted()
    try:
        result = call.operation.run(world, **call.arguments)
        body = serialize.serialize(call.operation.service, call.operation.name, result)
    finally:  # a refusal, too, may follow from what is not known yet
        if not backend.is_sure(world.looks):
            raise _TooEarly
    if call.dry_run:
        raise DRY_RUN()
    if world.looks is not None:
        kept.SHELF.put(key, kept.Kept(given, body, world.looks))
    return body


async def do(
    call: bind.Bound, backend: Backend, caller: Caller, write: Writer, form: Form | None = None
) -> str | bytes:
    """Do a call in one transaction, and return what `write` makes of its result when the network obeys.

    The answer is written inside the transaction, so an answer that cannot be sent commits nothing.  `form` is what a
    client token vouches for.  Raises AwsError.
    """
    backend.opening(caller)
    try:
        body = _run(call, form or {}, backend, caller, write)
    except _DryRun:
        raise DRY_RUN() from None
    if call.operation.network:
        await backend.in_force()
    return body


def _run(call: bind.Bound, form: Form, backend: Backend, caller: Caller, write: Writer) -> str | bytes:
    operation = call.operation

    def perform(target: Tx | World | Moment) -> str | bytes:
        result = operation.run(target, **call.arguments)
        if call.dry_run:
            raise _DryRun
        return write(operation.service, operation.name, result)

    def perform_in_words(tx: Tx) -> str:
        text = perform(tx)
        assert isinstance(text, str), "only EC2 takes tokens, and speaks XML"
        return text

    def perform_once(tx: Tx) -> str | bytes:
        if call.dry_run or not call.client_token:
            return perform(tx)
        return once.once(tx, operation.name, call.client_token, once.digest(parameters(form)), perform_in_words)

    perform_once.__name__ = operation.name  # what the journal calls the transaction
    if operation.timed:  # the time of what is written, which only a transaction has
        return backend.write(lambda tx: perform(Moment(tx.world, tx.now)), caller)
    return backend.write(perform_once, caller) if operation.writes else perform(backend.world(caller))


def _choose(request: Request, asked: _Asked) -> Form:
    """Find the service by the credential scope, else by the version, else by the only service with such an action."""
    signed_for = _signed_for(request)
    if signed_for:
        if signed_for not in BY_SIGNING_NAME:
            raise foreign.Foreign(signed_for)
        asked.service = BY_SIGNING_NAME[signed_for]
    elif target := request.headers.get("x-amz-target"):
        raise foreign.Foreign(clip(target.partition(".")[0]))
    if asked.service and protocol(asked.service) == "json":
        asked.speech = _speech(asked.service, request)
    if asked.speech != "xml":
        action = (json_wire.cbor_action_of if asked.speech == "cbor" else json_wire.action_of)(request)
        if _WORD.fullmatch(action):
            asked.action = action
        bind.check(asked.service, action)
        return {}
    form = read_form(request)
    action = form.get("Action", "")
    if form.get("Version") == CLASSIC_BALANCERS:
        raise foreign.Foreign("elasticloadbalancing of 2012-06-01")
    if not asked.service:
        asked.service = BY_VERSION.get(form.get("Version", ""), "") or _with_action(action)
    if not action:
        raise MISSING_ACTION()
    if _WORD.fullmatch(action):
        asked.action = action
    bind.check(asked.service, action)
    return form


def _speech(name: str, request: Request) -> Literal["xml", "json", "cbor"]:
    """Return which of its protocols a service is asked in."""
    if name in json_wire.CBOR and request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return "cbor"
    return "json" if "x-amz-target" in request.headers or name not in QUERY_TOO else "xml"


def _signed_for(request: Request) -> str | None:
    found = _SCOPE.search(request.headers.get("authorization", ""))
    if found is None and "X-Amz-Credential=" in request.query:
        found = _SCOPE.search(unquote(request.query))
    return found[1] if found else None


def _with_action(action: str) -> str:
    spoken = (name for name in SIGNING_NAMES if protocol(name) != "json")
    return next((name for name in spoken if action in service(name)), "ec2")


def _is_a_visit(request: Request) -> bool:
    """Tell whether a browser or a health check looks in: it asks for nothing and signs nothing."""
    return request.method in ("GET", "HEAD") and not request.query and "authorization" not in request.headers


def _result(asked: _Asked, body: str | bytes, request_id: str) -> Answer:
    if isinstance(body, bytes):
        return _cbor(200, body, request_id)
    if asked.speech == "json":
        return _json(asked.service, 200, body, request_id)
    return _xml(200, serialize.envelope(asked.service, asked.action, body, request_id), request_id)


def _error(asked: _Asked, error: AwsError, request_id: str) -> Answer:
    if asked.speech == "cbor":
        raw, headers = json_wire.write_cbor_error(asked.service, error)
        return _cbor(error.status, raw, request_id, headers)
    if asked.speech == "json":
        text, headers = json_wire.write_error(asked.service, error)
        return _json(asked.service, error.status, text, request_id, headers)
    return _xml(error.status, serialize.serialize_error(asked.service or "ec2", error, request_id), request_id)


def _xml(status: int, text: str, request_id: str) -> Answer:
    headers = {"Content-Type": "text/xml;charset=UTF-8", "x-amzn-RequestId": request_id}
    return Answer(status, headers, text.encode("utf-8", "replace"))


def _json(name: str, status: int, text: str, request_id: str, more: Mapping[str, str] | None = None) -> Answer:
    headers = {"Content-Type": json_wire.CONTENT_TYPES[name], "x-amzn-RequestId": request_id, **(more or {})}
    return Answer(status, headers, text.encode())


def _cbor(status: int, raw: bytes, request_id: str, more: Mapping[str, str] | None = None) -> Answer:
    headers = {"Content-Type": json_wire.CBOR_TYPE, "x-amzn-RequestId": request_id, **json_wire.CBOR_HEADERS}
    return Answer(status, headers | dict(more or {}), raw)


def _plain(request_id: str, text: str) -> Answer:
    return Answer(200, {"Content-Type": "text/plain;charset=UTF-8", "x-amzn-RequestId": request_id}, text.encode())
