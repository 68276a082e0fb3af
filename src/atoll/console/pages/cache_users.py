"""Users and user groups: who may come into a cache, and what they may do."""

from typing import Any

from atoll.console.ask import Answered, Ask
from atoll.console.site import act, menu, page
from atoll.console.tables import column, table

AT = "/cache/users"
MODES = ("password", "no-password-required", "iam")

menu("cache", AT, "cache.users", order=50)


@page(AT)
async def users(ask: Ask) -> Answered:
    """List users."""
    found = await ask.aws_all("elasticache", "DescribeUsers", "Users")
    shown = table(
        ask,
        found,
        column("id", "cache.user_id", "UserId"),
        column("name", "cache.user_name", "UserName"),
        column("status", "cache.status", "Status"),
        column("engine", "cache.engine", "Engine"),
        column("access", "cache.access_string", "AccessString"),
        column("authentication", "cache.authentication", lambda user: user["Authentication"]["Type"]),
        column("groups", "cache.user_groups", lambda user: ", ".join(user["UserGroupIds"])),
    )
    return ask.view("cache/users.html", table=shown)


@page(f"{AT}/create")
async def form(ask: Ask) -> Answered:
    """Show the form of a new user."""
    return ask.view("cache/user.html", user=None, modes=_modes(ask))


@act(f"{AT}/create", back=f"{AT}/create")
async def create(ask: Ask) -> Answered:
    """Make a user."""
    form = ask.form
    await ask.aws(
        "elasticache",
        "CreateUser",
        UserId=form.get("id"),
        UserName=form.get("name") or form.get("id"),
        Engine=form.get("engine"),
        AccessString=form.get("access"),
        AuthenticationMode=_authentication(ask),
    )
    return ask.go(AT, "cache.done_create", id=form.get("id"))


@page(f"{AT}/{{name}}")
async def user(ask: Ask) -> Answered:
    """Show a user, to be changed."""
    said = await ask.aws("elasticache", "DescribeUsers", UserId=ask.parts["name"])
    return ask.view("cache/user.html", user=said["Users"][0], modes=_modes(ask))


@act(f"{AT}/{{name}}/modify", back=f"{AT}/{{name}}")
async def modify(ask: Ask) -> Answered:
    """Change a user's rights, or how he proves himself; without a new password the old ones stay."""
    name, mode = ask.parts["name"], ask.form.get("mode")
    has_new = mode != "password" or bool(ask.form.get("password"))
    await ask.aws(
        "elasticache",
        "ModifyUser",
        UserId=name,
        AccessString=ask.form.get("access"),
        AuthenticationMode=_authentication(ask) if has_new else None,
    )
    return ask.go(AT, "cache.done_modify", id=name)


@act(f"{AT}/{{name}}/delete", back=f"{AT}/{{name}}")
async def delete(ask: Ask) -> Answered:
    """Delete a user."""
    name = ask.parts["name"]
    await ask.aws("elasticache", "DeleteUser", UserId=name)
    return ask.go(AT, "cache.done_delete", id=name)


def _modes(ask: Ask) -> list[tuple[str, str, str]]:
    return [(mode, ask.t(f"cache.mode_of_{mode.replace('-', '_')}"), "") for mode in MODES]


def _authentication(ask: Ask) -> dict[str, Any]:
    mode = ask.form.get("mode")
    if mode != "password":
        return {"Type": mode}
    return {"Type": mode, "Passwords": [p for p in (ask.form.get("password"), ask.form.get("second")) if p]}
