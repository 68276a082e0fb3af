"""User groups: which users a cache lets in."""

from collections.abc import Mapping
from typing import Any

from atoll.console.ask import Answered, Ask
from atoll.console.site import act, menu, page
from atoll.console.tables import column, table

AT = "/cache/user-groups"

menu("cache", AT, "cache.user_groups", order=60)


@page(AT)
async def groups(ask: Ask) -> Answered:
    """List user groups."""
    found = await ask.aws_all("elasticache", "DescribeUserGroups", "UserGroups")
    shown = table(
        ask,
        found,
        column("id", "cache.user_group", "UserGroupId"),
        column("status", "cache.status", "Status"),
        column("engine", "cache.engine", "Engine"),
        column("users", "cache.users", lambda group: ", ".join(group["UserIds"])),
        column("caches", "cache.caches", lambda group: ", ".join(_caches(group))),
    )
    return ask.view("cache/user_groups.html", table=shown)


@page(f"{AT}/create")
async def form(ask: Ask) -> Answered:
    """Show the form of a new user group."""
    return ask.view("cache/user_group.html", group=None, users=await _users(ask), caches=[])


@act(f"{AT}/create", back=f"{AT}/create")
async def create(ask: Ask) -> Answered:
    """Make a user group."""
    name = ask.form.get("id")
    await ask.aws(
        "elasticache",
        "CreateUserGroup",
        UserGroupId=name,
        Engine=ask.form.get("engine"),
        UserIds=ask.form.all("users"),
    )
    return ask.go(AT, "cache.done_create", id=name)


@page(f"{AT}/{{name}}")
async def group(ask: Ask) -> Answered:
    """Show a user group, to be changed."""
    said = await ask.aws("elasticache", "DescribeUserGroups", UserGroupId=ask.parts["name"])
    found = said["UserGroups"][0]
    return ask.view("cache/user_group.html", group=found, users=await _users(ask), caches=_caches(found))


@act(f"{AT}/{{name}}/modify", back=f"{AT}/{{name}}")
async def modify(ask: Ask) -> Answered:
    """Let users in and out of a group."""
    name = ask.parts["name"]
    said = await ask.aws("elasticache", "DescribeUserGroups", UserGroupId=name)
    now, wanted = said["UserGroups"][0]["UserIds"], ask.form.all("users")
    coming, going = [id for id in wanted if id not in now], [id for id in now if id not in wanted]
    if coming or going:
        await ask.aws(
            "elasticache",
            "ModifyUserGroup",
            UserGroupId=name,
            UserIdsToAdd=coming or None,
            UserIdsToRemove=going or None,
        )
    return ask.go(AT, "cache.done_modify" if coming or going else "cache.done_nothing", id=name)


@act(f"{AT}/{{name}}/delete", back=f"{AT}/{{name}}")
async def delete(ask: Ask) -> Answered:
    """Delete a user group."""
    name = ask.parts["name"]
    await ask.aws("elasticache", "DeleteUserGroup", UserGroupId=name)
    return ask.go(AT, "cache.done_delete", id=name)


def _caches(group: Mapping[str, Any]) -> list[str]:
    return [*group.get("ReplicationGroups", ()), *group.get("ServerlessCaches", ())]


async def _users(ask: Ask) -> list[tuple[str, str]]:
    found = await ask.aws_all("elasticache", "DescribeUsers", "Users")
    return [(user["UserId"], f"{user['UserId']} · {user['UserName']} · {user['Engine']}") for user in found]
