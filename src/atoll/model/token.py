"""Client tokens: what an idempotent call already answered."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientToken(Resource):
    """The first answer to a call with a client token; kept for a day."""

    operation: str
    token: str
    parameters: str  # a digest of the call's parameters
    result: str  # the answer, encoded
    at: datetime
