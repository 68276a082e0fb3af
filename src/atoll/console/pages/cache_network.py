"""The network and security of a cache: subnets and groups, TLS, the AUTH token and who may come in."""

from typing import Any

from atoll.console.ask import Answered, Ask, by
from atoll.console.caches.change import modify
from atoll.console.caches.subject import Cache, Said, cache_of
from atoll.console.caches.tabs import tabs_of
from atoll.console.site import act, page

AT = "/cache/caches/{kind}/{name}/network"
# Where TLS is -> the steps that AWS allows from there: the mode, or "off".
TLS_STEPS = {"off": ("preferred",), "preferred": ("required", "off"), "required": ("preferred",)}


@page(AT)
async def network(ask: Ask) -> Answered:
    """Show where a cache is, and who may reach it."""
    cache = await cache_of(ask)
    vpc, subnets = await _place(ask, cache)
    groups = _groups(cache)
    every = await ask.aws_all(
        "ec2", "DescribeSecurityGroups", "SecurityGroups", Filters=by(vpc_id=vpc) if vpc else []
    )
    user_groups = await ask.aws_all("elasticache", "DescribeUserGroups", "UserGroups")
    mode = str(cache.said.get("TransitEncryptionMode") or "required") if cache.tls else "off"
    given = cache.said.get("UserGroupIds") or [g for g in [cache.said.get("UserGroupId")] if g]
    return ask.view(
        "cache/network.html",
        cache=cache,
        tabs=tabs_of(ask, cache),
        vpc=vpc,
        subnets=subnets,
        groups=groups,
        uses_default=any(g["GroupName"] == "default" for g in every if g["GroupId"] in groups),
        choices=[(g["GroupId"], f"{g['GroupId']} {g['GroupName']}") for g in every],
        names={g["GroupId"]: g["GroupName"] for g in every},
        mode=mode,
        steps=[(step, ask.t(f"cache.tls_to_{step}")) for step in TLS_STEPS[mode]] if cache.kind == "group" else [],
        given=given,
        user_groups=[(g["UserGroupId"], g["UserGroupId"]) for g in user_groups if _fits(g, cache)],
    )


@act(f"{AT}/groups", back=AT)
async def set_groups(ask: Ask) -> Answered:
    """Give a cache other security groups."""
    cache = await cache_of(ask, members=False)
    await modify(ask, cache, SecurityGroupIds=ask.form.all("groups"))
    return ask.go(f"{cache.path}/network", "cache.done_groups", id=cache.name)


@act(f"{AT}/tls", back=AT)
async def set_tls(ask: Ask) -> Answered:
    """Take the next step of TLS in transit."""
    cache = await cache_of(ask, members=False)
    step = ask.form.get("step")
    change: dict[str, Any] = {"TransitEncryptionEnabled": False}
    if step != "off":
        change = {"TransitEncryptionMode": step}
        if not cache.tls:
            change["TransitEncryptionEnabled"] = True
    await modify(ask, cache, **change)
    return ask.go(f"{cache.path}/network", "cache.done_tls", id=cache.name)


@act(f"{AT}/token", back=AT)
async def set_token(ask: Ask) -> Answered:
    """Set, rotate or delete the AUTH token."""
    cache = await cache_of(ask, members=False)
    strategy = ask.form.get("strategy")
    token = ask.form.get("auth_token") if strategy != "DELETE" else None
    await modify(ask, cache, AuthToken=token, AuthTokenUpdateStrategy=strategy)
    return ask.go(f"{cache.path}/network", "cache.done_token", id=cache.name)


@act(f"{AT}/users", back=AT)
async def set_users(ask: Ask) -> Answered:
    """Give a cache another user group, or none."""
    cache = await cache_of(ask, members=False)
    wanted = ask.form.get("user_group")
    given = cache.said.get("UserGroupIds", [])
    change: dict[str, Any]
    if cache.kind == "serverless":
        change = {"UserGroupId": wanted} if wanted else {"RemoveUserGroup": True}
    elif wanted:
        leaving = [id for id in given if id != wanted]
        change = {"UserGroupIdsToAdd": [wanted], "UserGroupIdsToRemove": leaving or None}
    else:
        change = {"RemoveUserGroups": True}
    await modify(ask, cache, **change)
    return ask.go(f"{cache.path}/network", "cache.done_users", id=cache.name)


def _groups(cache: Cache) -> list[str]:
    """Return the ids of a cache's security groups: those of its first cluster, which all have alike."""
    if cache.kind == "serverless":
        return list(cache.said.get("SecurityGroupIds", ()))
    first: Said = next(iter(cache.clusters), {})
    return [group["SecurityGroupId"] for group in first.get("SecurityGroups", ())]


async def _place(ask: Ask, cache: Cache) -> tuple[str, list[Said]]:
    """Return a cache's VPC and the subnets that it may use."""
    if cache.kind == "serverless":
        found = await ask.aws_all("ec2", "DescribeSubnets", "Subnets", SubnetIds=cache.said.get("SubnetIds", []))
        return (str(found[0]["VpcId"]) if found else "", list(found))
    name = next(iter(cache.clusters), {}).get("CacheSubnetGroupName")
    if not name:
        return "", []
    said = await ask.aws("elasticache", "DescribeCacheSubnetGroups", CacheSubnetGroupName=name)
    group = said["CacheSubnetGroups"][0]
    subnets = [
        {"SubnetId": s["SubnetIdentifier"], "AvailabilityZone": s["SubnetAvailabilityZone"]["Name"]}
        for s in group["Subnets"]
    ]
    return str(group["VpcId"]), list(subnets)


def _fits(group: Said, cache: Cache) -> bool:
    return group["Engine"] == cache.engine or cache.engine == "valkey"
