"""Secrets as engines keep them: their SHA-256, never themselves."""

import hashlib
from typing import Self


class Digest:
    """The SHA-256 of a password or token: compared and stored, and shown to nobody who only prints it."""

    __slots__ = ("hex",)

    def __init__(self, hex: str) -> None:
        """Hold 64 hexadecimal digits."""
        self.hex = hex

    @classmethod
    def of(cls, secret: str) -> Self:
        """Return the digest of a secret."""
        return cls(hashlib.sha256(secret.encode()).hexdigest())

    def __eq__(self, other: object) -> bool:
        """Tell whether both are of the same secret."""
        return isinstance(other, Digest) and other.hex == self.hex

    def __hash__(self) -> int:
        """Hash."""
        return hash(self.hex)

    def __repr__(self) -> str:
        """Return nothing that helps anybody."""
        return "Digest(...)"
