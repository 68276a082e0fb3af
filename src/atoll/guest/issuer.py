"""What the metadata service needs that no instance has yet: keys, made when first asked for and kept in the World."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from atoll.guest import identity
from atoll.model.account import AccessKey
from atoll.model.credentials import issue
from atoll.model.instance import Instance
from atoll.model.signing import SigningKey
from atoll.model.world import Tx, World

CREDENTIALS_LIFETIME = timedelta(hours=6)
CREDENTIALS_RENEWED = timedelta(hours=1)  # so that whoever asks always gets five hours; AWS promises five minutes
CREDENTIALS_KEPT = timedelta(days=1)  # after their end: until then the wire says ExpiredToken
_TOKEN_KEY = "session tokens"
_TOKEN_KEY_DIGITS = 64


class Book(Protocol):
    """What keeps the World: the store."""

    @property
    def world(self) -> World:
        """The World of the moment."""
        ...

    def write(self, fn: Callable[[Tx], Any], *, what: str) -> Any:
        """Run a transaction."""
        ...


class Issuer:
    """Looks keys up, and makes those that are missing.  Raises StoreError when the disk refuses."""

    def __init__(self, book: Book, now: Callable[[], datetime]) -> None:
        """Keep them in `book`."""
        self._book, self._now = book, now

    def token_key(self) -> bytes:
        """Return the key that seals session tokens."""
        found = self._key(_TOKEN_KEY)
        if found is None:
            self._book.write(lambda tx: _keep(tx, _TOKEN_KEY, tx.new_hex(_TOKEN_KEY_DIGITS)), what="metadata key")
            found = self._key(_TOKEN_KEY)
        assert found, "it was just written"
        return bytes.fromhex(found)

    def identity_key(self, region: str) -> str:
        """Return a region's key for identity documents, which `make_identity_key` has made."""
        found = self._key(f"identity of {region}")
        assert found, "make_identity_key comes first"
        return found

    async def make_identity_key(self, region: str) -> None:
        """Make a region's key for identity documents if there is none."""
        if self._key(f"identity of {region}") is None:
            made = await asyncio.to_thread(identity.new_key, region)
            self._book.write(lambda tx: _keep(tx, f"identity of {region}", made), what="identity key")

    def credentials(self, instance: Instance, role: str) -> AccessKey:
        """Return the credentials of an instance's role, at most an hour old."""
        found = cast("list[AccessKey]", list(self._book.world.bucket(AccessKey, "instance_id", instance.id).values()))
        arn = role_arn(instance, role)
        for key in reversed(found):
            if key.arn == arn and key.issued and self._now() < key.issued + CREDENTIALS_RENEWED:
                return key
        made: AccessKey = self._book.write(lambda tx: _renew(tx, instance, arn), what="credentials of an instance")
        return made

    def _key(self, purpose: str) -> str | None:
        found = self._book.world.get(SigningKey, purpose)
        return found.secret if found else None


def role_arn(instance: Instance, role: str) -> str:
    """Return who an instance is while it plays its role."""
    return f"arn:aws:sts::{instance.account}:assumed-role/{role}/{instance.id}"


def _renew(tx: Tx, instance: Instance, arn: str) -> AccessKey:
    for key in tx.world.bucket(AccessKey, "instance_id", instance.id).values():
        key = cast(AccessKey, key)
        if key.expires and key.expires + CREDENTIALS_KEPT < tx.now:
            tx.delete(key)
    return issue(
        tx,
        account=instance.account,
        region=instance.region,
        arn=arn,
        lifetime=CREDENTIALS_LIFETIME,
        instance_id=instance.id,
    )


def _keep(tx: Tx, purpose: str, secret: str) -> None:
    if tx.world.seen_by(None).get(SigningKey, purpose) is None:  # another asked at the same time
        tx.put(SigningKey(id=purpose, account="", region="", secret=secret))
