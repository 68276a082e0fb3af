"""Client tokens: an EC2 call that is sent twice is done once.

The answer is kept as a resource, written in the transaction of the call itself, so a crash can neither keep a token
without its effect nor an effect without its token.

Source: EC2 Developer Guide, "Ensuring idempotency in Amazon EC2 API requests".
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

from atoll.aws.errors import Err
from atoll.aws.http import Form
from atoll.model.names import key
from atoll.model.token import ClientToken
from atoll.model.world import Tx

KEPT = timedelta(hours=24)
TOKEN_CHARS_MAX = 64

MISMATCH = Err(
    "IdempotentParameterMismatch",
    "The client token you have provided is associated with a resource that has different parameters.",
)
BAD_TOKEN = Err("InvalidParameterValue", "Invalid ClientToken: it must be at most 64 ASCII characters.")


def once(tx: Tx, action: str, token: str, parameters: str, run: Callable[[Tx], str]) -> str:
    """Return what `run` answers, or what it answered to the same token within a day.

    `parameters` is a digest of what the call asks for.  Raises MISMATCH and BAD_TOKEN.
    Costs one look-up, and one step for each token that has expired.
    """
    if len(token) > TOKEN_CHARS_MAX or not token.isascii():
        raise BAD_TOKEN()
    id = key(tx.account, tx.region, f"{action}/{token}")
    first = tx.get(ClientToken, id)
    if first is not None and first.at > tx.now - KEPT:
        if first.parameters != parameters:
            raise MISMATCH()
        return first.result
    result = run(tx)
    _forget_expired(tx)
    tx.make(ClientToken, id, operation=action, token=token, parameters=parameters, result=result, at=tx.now)
    return result


def digest(form: Form) -> str:
    """Return a digest of a call's parameters: equal calls have equal digests, in whatever order they name them."""
    asked = sorted((name, value) for name, value in form.items() if name not in ("ClientToken", "DryRun"))
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _forget_expired(tx: Tx) -> None:
    expired = []
    for kept in tx.world.all(ClientToken):  # oldest first
        if kept.at > tx.now - KEPT:
            break
        expired.append(kept)
    for kept in expired:
        tx.delete(kept)
