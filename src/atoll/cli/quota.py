"""`atoll quota`: how much an account may have, and another value for it."""

from typing import Any

from atoll.cli import private, show

COLUMNS = ("service", "code", "name", "value", "AWS's first")


def list_quotas(*, as_json: bool) -> None:
    """Print the quotas of the account in its region."""
    quotas: list[dict[str, Any]] = private.get("/_atoll/quotas", **private.whose())["quotas"]
    if as_json:
        show.as_json(quotas)
        return
    rows = [(q["service"], q["code"], q["name"], q["value"], q["aws"]) for q in quotas]
    show.table("Quotas", COLUMNS, rows)


def set_quota(code: str, value: str) -> None:
    """Set one, or all of them, from the next call on."""
    changed: list[dict[str, Any]] = private.post("/_atoll/quotas", {"code": code, "value": value} | private.whose())[
        "quotas"
    ]
    for quota in changed:
        show.line(f"{quota['name']}: {quota['value']}")
