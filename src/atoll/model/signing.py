"""Secrets that Atoll itself signs with; each is made when it is first needed."""

from dataclasses import dataclass

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey(Resource):
    """A secret by its purpose, which is its `id`; it belongs to no account."""

    secret: str  # hexadecimal digits, or PEM
