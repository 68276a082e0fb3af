"""Session tokens of the metadata service: what a PUT gives, and what proves it later.

A token carries its own end and a seal over the instance, so nothing is kept: it outlives the daemon, and is worth
nothing on another instance.  40 bytes in base64, as on AWS.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from datetime import datetime

_BODY = struct.Struct(">BQ7s")  # version, end in ms since 1970, what makes it unique
_VERSION = 1
_SEAL_BYTES = 24
NONCE_BYTES = 7


def new_token(key: bytes, instance_id: str, *, ends: datetime, nonce: bytes) -> str:
    """Return a token that is good on an instance until `ends`; `nonce` tells it from others of the same moment."""
    body = _BODY.pack(_VERSION, int(ends.timestamp() * 1000), nonce)
    return base64.urlsafe_b64encode(body + _seal(key, instance_id, body)).decode()


def seconds_left(key: bytes, instance_id: str, token: str, now: datetime) -> int | None:
    """Return for how long a token is still good on an instance, rounded up; `None` if it is not."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, seal = raw[: _BODY.size], raw[_BODY.size :]
    is_as_given = base64.urlsafe_b64encode(raw) == token.encode()  # a token has one spelling
    if not is_as_given or not hmac.compare_digest(seal, _seal(key, instance_id, body)):
        return None
    _, ends_ms, _ = _BODY.unpack(body)
    left_ms = ends_ms - int(now.timestamp() * 1000)
    return -(-left_ms // 1000) if left_ms > 0 else None


def _seal(key: bytes, instance_id: str, body: bytes) -> bytes:
    return hmac.new(key, instance_id.encode() + b"\0" + body, hashlib.sha256).digest()[:_SEAL_BYTES]
