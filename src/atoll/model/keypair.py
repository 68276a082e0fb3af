"""Key pairs.  Only the public half is kept."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair(Resource):
    """A public key that instances accept for SSH."""

    name: str
    kind: str  # "rsa" or "ed25519"
    fingerprint: str
    public_key: str  # one line in OpenSSH form, with the name as its comment
    created: datetime
