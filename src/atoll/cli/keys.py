"""`atoll keys`: access keys, for callers that must have one (`atoll up --keys required`)."""

from typing import Any

from atoll.cli import private, show
from atoll.cli.environment import exports
from atoll.cli.owner import owner

COLUMNS = ("key", "account", "principal", "made")


def list_keys(*, as_json: bool) -> None:
    """Print the keys that last."""
    keys: list[dict[str, Any]] = private.get("/_atoll/keys")["keys"]
    if as_json:
        show.as_json(keys)
        return
    rows = [
        (k["AccessKeyId"], k["Account"], k["Arn"].rpartition(":")[2], (k["CreateDate"] or "")[:19]) for k in keys
    ]
    show.table("Access keys", COLUMNS, rows)


def create(account: str | None, user: str, shell: str, *, as_json: bool) -> None:
    """Make a key; print it as variables of a shell, or as JSON."""
    exports(shell, {})  # a shell that is not known makes no key
    whose = private.whose()
    asked = {"account": account or whose["account"], "region": whose["region"], "user": user}
    key: dict[str, Any] = _say("/_atoll/keys", "create", asked)
    if as_json:
        show.as_json(key)
        return
    print(exports(shell, {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}))


def delete(key: str) -> None:
    """Delete a key."""
    _say("/_atoll/keys/delete", "delete", {"id": key})
    show.line(f"Deleted {key}. Sessions that it has begun last until they expire.")


def _say(path: str, act: str, asked: dict[str, str]) -> Any:
    we = owner()
    return private.post(path, asked | {"ticket": we.proof((act, *asked.values()))}, at=we.at)
