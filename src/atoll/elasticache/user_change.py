"""CreateUser, ModifyUser and DeleteUser.

A change is obeyed by all nodes that know the user before he is `active` again, and a deleted user is shown until no
node knows him.  A password is kept as its SHA-256 only, which is what engines take.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.cache.access_string import BadAccessString, parse
from atoll.cache.acl import ADMINISTRATOR
from atoll.cache.users import DEFAULT
from atoll.elasticache import user_group
from atoll.elasticache.find import owner_key
from atoll.elasticache.naming import other_name
from atoll.elasticache.tags import tags_of
from atoll.elasticache.user import find, render
from atoll.model import lifecycle
from atoll.model.access import User, UserGroup
from atoll.model.digest import Digest
from atoll.model.world import Tx

ENGINES = ("redis", "valkey")
USERS_MAX = 1000  # of an account in a region
PASSWORDS_MAX = 2
PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX = 16, 128
_TYPES = {"password": "password", "no-password-required": "no-password", "iam": "iam"}  # as asked, as shown
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,119}")
_PRINTABLE = re.compile(r"[!-~ ]*")
_NOT_IN_PASSWORDS = frozenset(',"/@')

EXISTS = Err("UserAlreadyExists", "User {name} already exists.")
QUOTA = Err("UserQuotaExceeded", f"You can have at most {USERS_MAX} users in this region.")
BUSY = Err("InvalidUserState", "User {name} is not in active state.")
IS_DEFAULT = Err("InvalidParameterValue", "User default cannot be modified or deleted.")
IN_GROUP = Err(
    "DefaultUserAssociatedToUserGroup", "User {name} is the default user of user group {group} and cannot be deleted."
)
BAD_ENGINE = Err("InvalidParameterValue", "Engine {engine} is not supported. Must be one of redis, valkey.")
BAD_NAME = Err("InvalidParameterValue", "Invalid user name {name}. {why}")
BAD_ACCESS = Err("InvalidParameterValue", "Invalid Access String: {why}")
BAD_TYPE = Err(
    "InvalidParameterValue",
    "Input Authentication type: {type} is not in the allowed list: [password,no-password-required,iam]",
)
TWO_WAYS = Err("InvalidParameterCombination", "{why}")
NO_PASSWORD = Err(
    "InvalidParameterValue",
    "No password was provided. If you want to create/update the user without password, please use the "
    "NoPasswordRequired flag.",
)
LENGTH = Err(
    "InvalidParameterValue",
    f"Passwords length must be between {PASSWORD_CHARS_MIN}-{PASSWORD_CHARS_MAX} characters.",
)
BAD_PASSWORD = Err("InvalidParameterValue", 'Passwords must be printable and cannot contain any of , " / @.')
TOO_MANY = Err("InvalidParameterValue", f"A user can have at most {PASSWORDS_MAX} passwords.")
IAM_NAME = Err("InvalidParameterCombination", "User Id and User name must be same for authentication type: iam")
OPEN_VALKEY = Err("InvalidParameterCombination", "A user of engine valkey must authenticate with a password or IAM.")


@operation("elasticache", "CreateUser")
def create_user(
    tx: Tx,
    *,
    user_id: str,
    user_name: str,
    engine: str,
    access_string: str,
    passwords: Sequence[str] = (),
    no_password_required: bool | None = None,
    tags: Sequence[Shape] = (),
    authentication_mode: Mapping[str, object] | None = None,
) -> Shape:
    """Make a user; no node knows him before a group of his is given to a replication group."""
    id = other_name(user_id, "UserId")
    if id == DEFAULT or tx.get(User, owner_key(tx.world, id)):
        raise EXISTS(name=id)
    if tx.world.count(User) >= USERS_MAX:
        raise QUOTA()
    proof = _proof(passwords, no_password_required, authentication_mode)
    if proof is None:
        raise NO_PASSWORD()
    user = User(
        id=owner_key(tx.world, id),
        account=tx.account,
        region=tx.region,
        user_id=id,
        name=_name(user_name),
        engine=_engine(engine),
        status=lifecycle.USER.initial,
        access=_access(access_string),
        authentication=proof.type,
        passwords=proof.passwords,
        tags=tags_of(tags),
    )
    return render(tx.world, tx.put(_checked(user)))


@operation("elasticache", "ModifyUser")
def modify_user(
    tx: Tx,
    *,
    user_id: str,
    access_string: str | None = None,
    append_access_string: str | None = None,
    passwords: Sequence[str] = (),
    no_password_required: bool | None = None,
    authentication_mode: Mapping[str, object] | None = None,
    engine: str | None = None,
) -> Shape:
    """Change a user; who is connected stays connected, and obeys the new rules."""
    user = _active(tx, user_id)
    if access_string is not None and append_access_string is not None:
        raise TWO_WAYS(why="AccessString and AppendAccessString cannot be used together.")
    changed = user
    if access_string is not None:
        changed = changed.but(access=_access(access_string))
    if append_access_string is not None:
        changed = changed.but(access=_access(f"{changed.access} {append_access_string}"))
    if proof := _proof(passwords, no_password_required, authentication_mode):
        changed = changed.but(authentication=proof.type, passwords=proof.passwords)
    if engine is not None:
        changed = changed.but(engine=_engine(engine))
    _checked(changed)
    for group in tx.all(UserGroup):
        if user.user_id in group.user_ids:
            user_group.check_member(group.engine, changed)
    tx.put(changed.but(status=lifecycle.USER.after(user.status, "modify")))
    return render(tx.world, tx.world[User, user.id])


@operation("elasticache", "DeleteUser")
def delete_user(tx: Tx, *, user_id: str) -> Shape:
    """Delete a user: he leaves his groups, and his connections end."""
    user = _active(tx, user_id)
    groups = [group for group in tx.all(UserGroup) if user.user_id in group.user_ids]
    for group in groups:
        if user.name == DEFAULT:
            raise IN_GROUP(name=user.user_id, group=group.name)
        if not lifecycle.USER_GROUP.allows(group.status, "modify"):
            raise user_group.BUSY(name=group.name)
    answer = render(tx.world, user.but(status=lifecycle.USER.after(user.status, "delete")))
    for group in groups:
        user_group.change(tx, group, removing=(user.user_id,))
    tx.put(user.but(status=lifecycle.USER.after(user.status, "delete")))
    return answer


@dataclass(frozen=True, slots=True)
class _Proof:
    """How a user shows who he is."""

    type: str
    passwords: tuple[Digest, ...] = ()


def _proof(passwords: Sequence[str], no_password: bool | None, mode: Mapping[str, object] | None) -> _Proof | None:
    """Return how a request wants a user to authenticate, said in either of the two ways; None: it does not say."""
    if mode is not None:
        if passwords or no_password:  # Terraform's provider says false beside it
            why = "AuthenticationMode cannot be used together with Passwords or NoPasswordRequired."
            raise TWO_WAYS(why=why)
        asked = mode.get("Type")
        if asked not in _TYPES:
            raise BAD_TYPE(type="null" if asked is None else asked)
        given = mode.get("Passwords") or ()
        assert isinstance(given, Sequence), "the model says a list"
        return _of_type(str(asked), [str(password) for password in given])
    if no_password and passwords:
        raise TWO_WAYS(why="Passwords cannot be provided when NoPasswordRequired is true.")
    if no_password:
        return _Proof("no-password")
    return _Proof("password", _digests(passwords)) if passwords else None


def _of_type(asked: str, passwords: Sequence[str]) -> _Proof:
    if asked != "password" and passwords:
        raise TWO_WAYS(why=f"Passwords cannot be provided for authentication type: {asked}")
    if asked == "password" and not passwords:
        raise NO_PASSWORD()
    return _Proof(_TYPES[asked], _digests(passwords))


def _digests(passwords: Sequence[str]) -> tuple[Digest, ...]:
    """Return the digests of passwords that follow the rules; a message never repeats one."""
    if len(passwords) > PASSWORDS_MAX:
        raise TOO_MANY()
    for password in passwords:
        if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
            raise LENGTH()
        if not _PRINTABLE.fullmatch(password) or _NOT_IN_PASSWORDS & set(password):
            raise BAD_PASSWORD()
    return tuple(dict.fromkeys(Digest.of(password) for password in passwords))


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise BAD_NAME(name=text[:120], why="It must have 1 to 120 letters, digits and - . _ : and no blanks.")
    if text == ADMINISTRATOR:
        raise BAD_NAME(name=text, why="It is the name of Atoll's own user in the engines.")
    return text


def _engine(text: str) -> str:
    if text.lower() not in ENGINES:
        raise BAD_ENGINE(engine=text)
    return text.lower()


def _access(text: str) -> str:
    try:
        return parse(text).text
    except BadAccessString as error:
        raise BAD_ACCESS(why=str(error)) from None


def _checked(user: User) -> User:
    """Return a user whose parts go together."""
    if user.engine == "valkey" and user.authentication == "no-password":
        raise OPEN_VALKEY()
    if user.authentication == "iam" and user.name != user.user_id:
        raise IAM_NAME()
    return user


def _active(tx: Tx, user_id: str) -> User:
    """Return a user who may be changed now."""
    user = find(tx.world, user_id)
    if user is None:
        raise IS_DEFAULT()
    if not lifecycle.USER.allows(user.status, "modify"):
        raise BUSY(name=user.user_id)
    return user
