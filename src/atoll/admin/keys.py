"""Access keys for people and programs: who may call when keys are required, as which account and user.

There are no policies: a key is its whole account, whatever its user is called.  The secret is told once, when the key
is made.  It lasts until it is deleted; keys of sessions (STS, the metadata service) are not among them, and end.
"""

import re
from typing import Any

from atoll.model.account import AccessKey
from atoll.model.credentials import lasting
from atoll.model.names import DEFAULT_ACCOUNT
from atoll.model.world import Caller, Tx, World

KEYS_MAX = 1_000  # of an installation: enough for a team's programs, and a loop without end is noticed
_USER = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")  # IAM API Reference, CreateUser


class Unclear(ValueError):
    """What is asked for cannot be a key, or is none."""


def shown(world: World) -> list[dict[str, Any]]:
    """Return the lasting keys of all accounts, without their secrets, the oldest first."""
    return [_shown(key) for key in sorted(_lasting(world), key=lambda key: (key.issued is None, key.issued, key.id))]


def create(tx: Tx, caller: Caller, user: str) -> dict[str, Any]:
    """Make a key of a user of an account, or (without a name) of its root; the answer has the secret.

    Raises Unclear.
    """
    if user and not _USER.fullmatch(user):
        raise Unclear(f"{user!r} is no name of a user: letters, digits and _+=,.@- make one, 64 at most")
    if len(_lasting(tx.world)) >= KEYS_MAX:
        raise Unclear(f"there are {KEYS_MAX} access keys already: delete some")
    arn = f"arn:aws:iam::{caller.account}:{f'user/{user}' if user else 'root'}"
    key = lasting(tx, account=caller.account, region=caller.region, arn=arn)
    return _shown(key) | {"SecretAccessKey": key.secret}


def delete(tx: Tx, id: str) -> None:
    """Forget a key: nobody can call with it any more.  Raises Unclear."""
    key = next((key for key in _lasting(tx.world) if key.id == id), None)
    if key is None:
        raise Unclear(f"{id} is no access key that was made here")
    tx.delete(key)


def account_of(world: World, id: str) -> str:
    """Return the account that calls with a key, also of a session: the usual one, if it was not made here."""
    key = world.seen_by(None).get(AccessKey, id)
    return key.account if key else DEFAULT_ACCOUNT


def _lasting(world: World) -> list[AccessKey]:
    return [key for key in world.seen_by(None).all(AccessKey) if key.expires is None]


def _shown(key: AccessKey) -> dict[str, Any]:
    return {
        "AccessKeyId": key.id,
        "Account": key.account,
        "Arn": key.arn,
        "CreateDate": key.issued.isoformat() if key.issued else None,
    }
