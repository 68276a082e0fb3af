"""How to connect: the code for a client, and whether packets would arrive from where it runs."""

from atoll.console.ask import Answered, Ask, name_of
from atoll.console.caches.connect import clients_of, code
from atoll.console.caches.connect_target import Auth, Target
from atoll.console.caches.subject import Cache, cache_of
from atoll.console.caches.tabs import tabs_of
from atoll.console.caches.verdict import verdict
from atoll.console.site import page

OUTSIDE = "198.51.100.27"  # an internet client: the one of the documented scenario


@page("/cache/caches/{kind}/{name}/connect")
async def connect(ask: Ask) -> Answered:
    """Show the code of a client, and what is in the way."""
    cache = await cache_of(ask)
    target = await _target(ask, cache)
    places = await _places(ask)
    source = ask.query.get("from") or places[0][0]
    found = None
    if target:
        found = verdict(ask, source, target)
        ask.show(_why(source, target))
    return ask.view(
        "cache/connect.html",
        cache=cache,
        tabs=tabs_of(ask, cache),
        target=target,
        clients=[(client.id, client.name) for client in clients_of(target)] if target else [],
        code=code(ask.query.get("client"), target) if target else None,
        places=places,
        source=source,
        verdict=found,
        runs_in=source.startswith("i-"),
    )


async def _target(ask: Ask, cache: Cache) -> Target | None:
    """Return what clients must know; None while the cache has no endpoint."""
    if cache.endpoint is None:
        return None
    host, port = cache.endpoint
    auth, user = await _auth(ask, cache)
    nodes = [n["Endpoint"] for n in cache.said.get("CacheNodes", ()) if "Endpoint" in n]
    is_memcached = cache.engine == "memcached"
    return Target(
        engine=cache.engine,
        host=host,
        port=port,
        tls=cache.tls,
        auth=auth,
        user=user,
        is_cluster=cache.is_sharded or (cache.kind == "serverless" and not is_memcached),
        reader=cache.reader[0] if cache.reader else "",
        nodes=tuple((n["Address"], n["Port"]) for n in nodes) if is_memcached else (),
        has_discovery=is_memcached and cache.kind == "cluster",
    )


async def _auth(ask: Ask, cache: Cache) -> tuple[Auth, str]:
    """Return how clients come in, and the name of one of the users who may."""
    if cache.said.get("AuthTokenEnabled"):
        return "token", ""
    groups = cache.said.get("UserGroupIds") or [cache.said.get("UserGroupId")]
    if not groups[0]:
        return "none", ""
    found = await ask.aws("elasticache", "DescribeUserGroups", UserGroupId=groups[0])
    ids = [id for id in found["UserGroups"][0].get("UserIds", ()) if id != "default"]
    if not ids:
        return "none", ""
    users = await ask.aws("elasticache", "DescribeUsers", UserId=ids[0])
    return "user", str(users["Users"][0]["UserName"])


async def _places(ask: Ask) -> list[tuple[str, str]]:
    """Return whence clients may come: the instances that run, and the internet."""
    running = [{"Name": "instance-state-name", "Values": ["running"]}]
    found = await ask.aws_all("ec2", "DescribeInstances", "Reservations", Filters=running)
    instances = [instance for reservation in found for instance in reservation["Instances"]]
    places = [(i["InstanceId"], f"{i['InstanceId']} {name_of(i)}".strip()) for i in instances]
    return [*places, (OUTSIDE, ask.t("cache.from_internet", address=OUTSIDE))]


def _why(source: str, target: Target) -> str:
    more = (" --tls" if target.tls else "") + (" --auth" if target.auth != "none" else "")
    return f"atoll why {source} {target.host}:{target.port}{more}"
