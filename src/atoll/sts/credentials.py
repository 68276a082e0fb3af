"""Temporary credentials: GetSessionToken and AssumeRole.

The keys are kept, and from then on the wire verifies what they sign.  There is no IAM: every role exists, everyone
may assume it, and whoever holds its keys may do everything in its account.
"""

import re
from datetime import timedelta

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.model.account import AccessKey
from atoll.model.credentials import issue
from atoll.model.world import Tx
from atoll.sts.identity import role_id

SESSION_SECONDS, SESSION_SECONDS_DEFAULT = (900, 129_600), 43_200  # STS API Reference, GetSessionToken
ROLE_SECONDS, ROLE_SECONDS_DEFAULT = (900, 43_200), 3_600  # STS API Reference, AssumeRole
CHAINED_SECONDS_MAX = 3_600

_CONSTRAINT = "1 validation error detected: Value '{got}' at '{name}' failed to satisfy constraint: "
TOO_SHORT = Err("ValidationError", _CONSTRAINT + "Member must have value greater than or equal to {limit}")
TOO_LONG = Err("ValidationError", _CONSTRAINT + "Member must have value less than or equal to {limit}")
BAD_SESSION_NAME = Err(
    "ValidationError", _CONSTRAINT + "Member must satisfy regular expression pattern: [\\w+=,.@-]{{2,64}}"
)
BAD_ROLE_ARN = Err("ValidationError", "{got} is invalid")
CHAINED = Err(
    "ValidationError",
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
)
NO_SESSION_IN_SESSION = Err("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)

_ROLE_ARN = re.compile(r"arn:aws:iam::([0-9]{12}):role/(?:[!-~]+/)*([A-Za-z0-9_+=,.@-]{1,64})")
_SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")


@operation("sts", "GetSessionToken")
def get_session_token(tx: Tx, *, duration_seconds: int = SESSION_SECONDS_DEFAULT) -> Shape:
    """Issue temporary keys for the caller itself."""
    _check_duration(duration_seconds, SESSION_SECONDS)
    assert tx.caller, "the wire knows the caller"
    if _is_session(tx):
        raise NO_SESSION_IN_SESSION()
    return {"Credentials": _issue(tx, tx.account, tx.caller.arn, duration_seconds)}


@operation("sts", "AssumeRole")
def assume_role(
    tx: Tx,
    *,
    role_arn: str,
    role_session_name: str,
    duration_seconds: int = ROLE_SECONDS_DEFAULT,
    external_id: str | None = None,
) -> Shape:
    """Issue temporary keys for a role, in whatever account.

    `external_id` answers a condition in a role's trust policy; without policies nothing asks for it.
    """
    del external_id
    role = _ROLE_ARN.fullmatch(role_arn)
    if role is None:
        raise BAD_ROLE_ARN(got=role_arn)
    if not _SESSION_NAME.fullmatch(role_session_name):
        raise BAD_SESSION_NAME(got=role_session_name, name="roleSessionName")
    _check_duration(duration_seconds, ROLE_SECONDS)
    assert tx.caller, "the wire knows the caller"
    if ":assumed-role/" in tx.caller.arn and duration_seconds > CHAINED_SECONDS_MAX:
        raise CHAINED()
    account, name = role.groups()
    arn = f"arn:aws:sts::{account}:assumed-role/{name}/{role_session_name}"
    return {
        "Credentials": _issue(tx, account, arn, duration_seconds),
        "AssumedRoleUser": {"AssumedRoleId": f"{role_id(account, name)}:{role_session_name}", "Arn": arn},
    }


def _issue(tx: Tx, account: str, arn: str, seconds: int) -> Shape:
    """Keep an access key and return it as AWS's Credentials."""
    key = issue(tx, account=account, region=tx.region, arn=arn, lifetime=timedelta(seconds=seconds))
    return {
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "SessionToken": key.session_token,
        "Expiration": key.expires,
    }


def _is_session(tx: Tx) -> bool:
    """Tell whether the caller signs with temporary keys."""
    assert tx.caller, "the wire knows the caller"
    key = tx.world.seen_by(None).get(AccessKey, tx.caller.access_key_id)
    return key is not None and key.session_token is not None


def _check_duration(seconds: int, limits: tuple[int, int]) -> None:
    low, high = limits
    if seconds < low:
        raise TOO_SHORT(got=seconds, name="durationSeconds", limit=low)
    if seconds > high:
        raise TOO_LONG(got=seconds, name="durationSeconds", limit=high)
