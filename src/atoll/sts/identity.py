"""Who calls: GetCallerIdentity and GetAccessKeyInfo."""

import re

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.model.account import AccessKey
from atoll.model.names import DEFAULT_ACCOUNT, digest
from atoll.model.world import World

BAD_KEY_ID = Err(
    "ValidationError",
    "1 validation error detected: Value '{id}' at 'accessKeyId' failed to satisfy constraint: Member must satisfy "
    "regular expression pattern: [\\w]*",
)

_ACCOUNT = re.compile("[0-9]{12}")
_KEY_ID = re.compile("[A-Za-z0-9_]{1,128}")


@operation("sts", "GetCallerIdentity")
def get_caller_identity(world: World) -> Shape:
    """Tell the caller who they are; nobody needs a permission for it."""
    caller = world.caller
    assert caller, "the wire knows the caller"
    return {"UserId": user_id(caller.arn), "Account": caller.account, "Arn": caller.arn}


@operation("sts", "GetAccessKeyInfo")
def get_access_key_info(world: World, *, access_key_id: str) -> Shape:
    """Tell which account an access key belongs to, by the rule that the wire follows for it."""
    if not _KEY_ID.fullmatch(access_key_id):
        raise BAD_KEY_ID(id=access_key_id)
    if key := world.seen_by(None).get(AccessKey, access_key_id):
        return {"Account": key.account}
    return {"Account": access_key_id if _ACCOUNT.fullmatch(access_key_id) else DEFAULT_ACCOUNT}


def user_id(arn: str) -> str:
    """Return AWS's UserId of a principal: the account of its root user, else an id made of its name.

    Source: IAM User Guide, "Unique identifiers".
    """
    _, _, _, _, account, resource = arn.split(":", 5)
    kind, _, name = resource.partition("/")
    if kind == "root":
        return account
    if kind == "assumed-role":
        role, _, session = name.partition("/")
        return f"{role_id(account, role)}:{session}"
    return _unique("AIDA", f"{account}/{name}")


def role_id(account: str, role: str) -> str:
    """Return the unique id of a role, given its name without a path."""
    return _unique("AROA", f"{account}/{role}")


def _unique(prefix: str, text: str) -> str:
    return prefix + digest(text, 17).upper()
