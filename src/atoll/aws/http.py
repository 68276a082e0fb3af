"""A request and an answer as facts, and the reading of forms.  No sockets: whatever serves HTTP makes these.

The server reads at most `BODY_BYTES_MAX + 1` bytes of a body and passes on what it has; `answer` then refuses it.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from atoll.aws.dialect import MALFORMED, TOO_LARGE, clip

BODY_BYTES_MAX = 1 << 20  # EC2 refuses a form of about this size too
FIELDS_MAX = 10_000  # CreateTags for 1,000 resources with 9 tags stays below it
DEPTH_MAX = 16  # the deepest parameter of the models has 11 parts

# What is not a parameter of an operation, besides X-Amz-*.
NOT_PARAMETERS = frozenset(
    ("Action", "Version", "AWSAccessKeyId", "Timestamp", "SecurityToken", "AUTHPARAMS", "Signature",
     "SignatureMethod", "SignatureVersion")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """What came in.

    `path` and `query` are as on the wire; header names are in lower case, repeated headers joined by commas.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str = "127.0.0.1"  # the address that it came from


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """What goes out piece by piece, for as long as the client listens; then the generator is closed."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncGenerator[bytes, None]


Form = dict[str, str]


def read_form(request: Request) -> Form:
    """Return the fields of the query string and of the body together.

    Raises TOO_LARGE and MALFORMED: not text, too many fields, or one field twice.
    """
    if len(request.body) > BODY_BYTES_MAX or len(request.query) > BODY_BYTES_MAX:
        raise TOO_LARGE(limit=BODY_BYTES_MAX)
    fields = _fields(request.query)
    if request.method == "POST":
        try:
            fields += _fields(request.body.decode())
        except UnicodeDecodeError:
            raise MALFORMED(why="it is not UTF-8") from None
    form = dict(fields)
    if len(form) < len(fields):
        (name, _), *_ = Counter(name for name, _ in fields).most_common(1)
        raise MALFORMED(why=f"{clip(name)} is given more than once")
    return form


def parameters(form: Form) -> Form:
    """Return the fields that are parameters of the operation."""
    return {
        name: value for name, value in form.items() if name not in NOT_PARAMETERS and name[:6].lower() != "x-amz-"
    }


def _fields(text: str) -> list[tuple[str, str]]:
    if text.count("&") >= FIELDS_MAX:
        raise MALFORMED(why=f"it has more than {FIELDS_MAX} fields")
    try:
        pairs = (field.partition("=") for field in text.split("&") if field)
        return [(_decoded(name), _decoded(value)) for name, _, value in pairs]
    except UnicodeDecodeError:
        raise MALFORMED(why="it is not UTF-8") from None


def _decoded(text: str) -> str:
    """Return a name or a value as `urllib.parse.parse_qsl` reads it; most have nothing to decode."""
    return unquote(text.replace("+", " "), errors="strict") if "%" in text or "+" in text else text
