"""Requests: parameters as each protocol writes them, whatever they are, and what breaks a request on the wire."""

import base64
import json
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

from atoll.aws import cbor
from atoll.aws.http import Request
from atoll.aws.models import SIGNING_NAMES, Model, Ref, protocol, service
from atoll.aws.parse import name_in_form
from tests.fuzz.dice import HOSTILE_TEXT, Dice

TARGETS = {
    "service-quotas": "ServiceQuotasV20190624",
    "cloudwatch": "GraniteServiceVersion20100801",
    "logs": "Logs_20140328",
    "ssm": "AmazonSSM",
}
Pair = tuple[str, str]


def pairs(name: str, action: str, given: Any) -> list[Pair]:
    """Return parameters as the fields of a form, even those that the model has no place for."""
    model, out = service(name), [("Action", action), ("Version", service(name).version)]
    members = model.input(action).members
    for member, value in given.items():
        ref = members.get(member)
        _flatten(model, ref, name_in_form(model, ref, member) if ref else member, value, out)
    return out


def _flatten(model: Model, ref: Ref | None, path: str, value: Any, out: list[Pair]) -> None:
    shape = model.shape(ref) if ref else None
    if isinstance(value, dict):
        if shape is not None and shape.type == "map":
            for n, (key, one) in enumerate(value.items(), 1):
                out.append((f"{path}.entry.{n}.key", str(key)))
                _flatten(model, shape.value, f"{path}.entry.{n}.value", one, out)
            return
        members = shape.members if shape is not None else {}
        for key, one in value.items():
            inner = members.get(key)
            _flatten(model, inner, f"{path}.{name_in_form(model, inner, key) if inner else key}", one, out)
        return
    if isinstance(value, list):
        inner = shape.member if shape is not None else None
        if not value:
            out.append((path, ""))
        if model.protocol != "ec2":
            path = f"{path}.{(model.name_of(inner) if inner else None) or 'member'}"
        for n, one in enumerate(value, 1):
            _flatten(model, inner, f"{path}.{n}", one, out)
        return
    out.append((path, _text(value)))


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.isoformat()
    return str(value)


def form(fields: list[Pair]) -> bytes:
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in fields).encode()


def _quoted(text: str) -> str:
    return text if text.isascii() and text.isalnum() else quote_plus(text, errors="surrogatepass")


def plain(value: Any) -> Any:
    """Return parameters as JSON has them."""
    match value:
        case dict():
            return {str(k): plain(v) for k, v in value.items()}
        case list():
            return [plain(v) for v in value]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.timestamp()
    return value


def headers(name: str, account: str, region: str) -> dict[str, str]:
    """Return what every request has: Atoll takes keys that it did not issue at their word."""
    scope = f"{account}/20261120/{region}/{SIGNING_NAMES[name]}/aws4_request"
    return {
        "host": "localhost:4566",
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
        "x-amz-date": "20261120T120000Z",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    }


def request(name: str, action: str, given: Any, account: str, region: str, *, speech: str = "") -> Request:
    """Return the request that asks for an operation with parameters."""
    said = headers(name, account, region)
    speech = speech or protocol(name)
    if speech == "cbor":
        said["smithy-protocol"] = "rpc-v2-cbor"
        body = _as_cbor(given)
        return Request("POST", f"/service/{TARGETS[name]}/operation/{action}", "", said, body)
    if speech == "json":
        said["x-amz-target"] = f"{TARGETS[name]}.{action}"
        return Request("POST", "/", "", said, json.dumps(plain(given)).encode())
    return Request("POST", "/", "", said, form(pairs(name, action, given)))


def _as_cbor(given: Any) -> bytes:
    try:
        return cbor.dumps(given)
    except (TypeError, OverflowError):  # bytes and numbers that CBOR has no place for
        return b"\xbf\x61a\xc4\x82\xff"


def broken(dice: Dice, it: Request) -> Request:
    """Return a request that something has happened to on its way."""
    return dice.choice(BREAKS)(dice, it)


def _with(it: Request, **changes: Any) -> Request:
    said = {"method": it.method, "path": it.path, "query": it.query, "headers": it.headers, "body": it.body} | changes
    return Request(**said)


def _cut(dice: Dice, it: Request) -> Request:
    return _with(it, body=it.body[: dice.randint(0, len(it.body))])


def _flipped(dice: Dice, it: Request) -> Request:
    body = bytearray(it.body or b"x")
    for _ in range(dice.randint(1, 4)):
        body[dice.randrange(len(body))] = dice.randrange(256)
    return _with(it, body=bytes(body))


def _spliced(dice: Dice, it: Request) -> Request:
    at = dice.randint(0, len(it.body))
    more = dice.choice(SPLICES)
    return _with(it, body=it.body[:at] + more + it.body[at:])


def _twice(dice: Dice, it: Request) -> Request:
    fields = it.body.split(b"&")
    return _with(it, body=b"&".join([*fields, dice.choice(fields)]))


def _shuffled(dice: Dice, it: Request) -> Request:
    fields = it.body.split(b"&")
    dice.shuffle(fields)
    return _with(it, body=b"&".join(fields))


def _holed(dice: Dice, it: Request) -> Request:
    """Put strange indexes into names."""
    index = dice.choice(
        (
            b".9999999.",
            b".0.",
            b".-1.",
            b".01.",
            b".1e3.",
            b".999999999999.",
            b"..",
            b".member.1.",
            b".%31.",
            b".\xd9\xa1.",
        )
    )
    return _with(
        it, body=it.body.replace(b".1", index.rstrip(b".") if b".1=" in it.body else index, dice.randint(1, 3))
    )


def _more(dice: Dice, it: Request) -> Request:
    name = dice.choice(("Filter.1.Name", "Filter.1", "DryRun", "ClientToken", "MaxResults", "NextToken", "Marker",
    "a" * 300,
                        ".", "a." * 40, "Tag.1.Key", "X-Amz-Date", "Version", "Action", "é", "\0"))  # fmt: skip
    return _with(it, body=it.body + b"&" + form([(name, dice.choice(HOSTILE_TEXT))]))


def _said(dice: Dice, it: Request) -> Request:
    """Change a header."""
    name = dice.choice((*it.headers, "content-encoding", "smithy-protocol", "x-amz-security-token", "content-length",
                        "x-amz-content-sha256", "origin", "x-amz-target", "expect"))  # fmt: skip
    said = dict(it.headers)
    old = said.pop(name, "")
    if dice.random() < 0.7:
        value = dice.choice(HOSTILE_TEXT).encode("utf-8", "surrogatepass").decode("latin-1")[:5_000]
        said[name] = dice.choice(
            (value, old + value, old[: dice.randint(0, len(old))], old.upper(), old.replace("/", "//", 1))
        )
    return _with(it, headers=said)


def _asked(dice: Dice, it: Request) -> Request:
    """Ask in the query, or by another method."""
    query = it.body.decode("latin-1")
    if dice.random() < 0.5:
        return _with(it, method="GET", query=query, body=b"")
    return _with(it, method=dice.choice(("PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")), query=query)


def _elsewhere(dice: Dice, it: Request) -> Request:
    path = dice.choice(
        ("//", "/%00", "/x/y", "/service/x/operation/y", "/service//operation/", "/" + "a" * 9_000, "/../", "*")
    )
    return _with(it, path=path)


def _deep(dice: Dice, it: Request) -> Request:
    """Nest, in each protocol."""
    n = dice.choice((17, 1_000, 60_000))
    nest = dice.choice(
        (b"[" * n, b'{"a":' * n, b"\x81" * n, b"\xa1\x61a" * n, b"Filter" + b".1" * n + b"=x", b"\xc1" * n)
    )
    return _with(it, body=nest if dice.random() < 0.5 else it.body + b"&" + nest)


def _large(dice: Dice, it: Request) -> Request:
    n = dice.choice((1_000, 9_999, 10_001, 200_000))
    more = dice.choice(
        (b"&a=" + b"x" * n, b"".join(b"&Filter.%d.Name=x" % i for i in range(min(n, 10_001))), b"&" * n, b"%00" * n)
    )
    return _with(it, body=it.body + more)


SPLICES = (
    b"\0", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"%", b"%zz", b"%ff%fe", b"&", b"=", b"&&==", b".", b'"', b"}",
    b"]", b",", b"NaN",
    b"-Infinity", b"1e999", b"\\u0000", b"\\ud800", b"\xef\xbb\xbf", b"<!DOCTYPE x [<!ENTITY a 'a'>]>", b";", b"+",
    b"\x9f\xbf", b"\xfb",
)  # fmt: skip
BREAKS = (
    _cut, _cut, _flipped, _flipped, _spliced, _spliced, _twice, _shuffled, _holed, _holed, _more, _more, _said,
    _said, _asked,
    _elsewhere, _deep,
)  # fmt: skip
RARE_BREAKS = (_large,)
