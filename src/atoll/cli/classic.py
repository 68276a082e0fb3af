"""`atoll classic`: the account mode from before VPCs."""

from typing import Any

from atoll.cli import private, show


def show_mode(*, as_json: bool) -> None:
    """Print whether the account has EC2-Classic."""
    _told(private.get("/_atoll/classic", **private.whose()), as_json=as_json)


def change(*, enabled: bool, as_json: bool) -> None:
    """Give the account EC2-Classic, or take it away.  Raises Failure."""
    question: dict[str, Any] = {"enabled": enabled} | private.whose()
    _told(private.post("/_atoll/classic", question), as_json=as_json)


def _told(mode: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.as_json(mode)
        return
    has = f"has EC2-Classic, {mode['cidr']}" if mode["enabled"] else "has VPCs only"
    show.line(f"Account {mode['account']} in {mode['region']} {has}.")
