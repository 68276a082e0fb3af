"""Cache subnet groups: where nodes may be."""

from collections.abc import Mapping
from typing import Any

from atoll.console.ask import Answered, Ask, name_of
from atoll.console.site import act, menu, page
from atoll.console.tables import column, table

AT = "/cache/subnet-groups"
TOLD = ("SubnetId", "CidrBlock", "AvailabilityZone", "VpcId")

menu("cache", AT, "cache.subnet_groups", order=30)


@page(AT)
async def groups(ask: Ask) -> Answered:
    """List subnet groups."""
    found = await ask.aws_all("elasticache", "DescribeCacheSubnetGroups", "CacheSubnetGroups")
    shown = table(
        ask,
        found,
        column("name", "common.name", "CacheSubnetGroupName"),
        column("description", "cache.description", "CacheSubnetGroupDescription"),
        column("vpc", "cache.vpc", "VpcId"),
        column("subnets", "cache.subnets", lambda group: len(group["Subnets"]), is_number=True),
        column("zones", "cache.zones", lambda group: ", ".join(zones(group))),
    )
    return ask.view("cache/subnet_groups.html", table=shown, zones=zones)


@page(f"{AT}/create")
async def form(ask: Ask) -> Answered:
    """Show the form of a new subnet group."""
    return ask.view("cache/subnet_group.html", group=None, subnets=await _subnets(ask), chosen=[])


@act(f"{AT}/create", back=f"{AT}/create")
async def create(ask: Ask) -> Answered:
    """Make a subnet group."""
    name = ask.form.get("name")
    await ask.aws("elasticache", "CreateCacheSubnetGroup", CacheSubnetGroupName=name, **_given(ask))
    return ask.go(AT, "cache.done_create", id=name)


@page(f"{AT}/{{name}}")
async def group(ask: Ask) -> Answered:
    """Show a subnet group, to be changed."""
    said = await ask.aws("elasticache", "DescribeCacheSubnetGroups", CacheSubnetGroupName=ask.parts["name"])
    found = said["CacheSubnetGroups"][0]
    chosen = [subnet["SubnetIdentifier"] for subnet in found["Subnets"]]
    subnets = await _subnets(ask, str(found["VpcId"]))
    return ask.view("cache/subnet_group.html", group=found, subnets=subnets, chosen=chosen)


@act(f"{AT}/{{name}}/modify", back=f"{AT}/{{name}}")
async def modify(ask: Ask) -> Answered:
    """Change a subnet group."""
    name = ask.parts["name"]
    await ask.aws("elasticache", "ModifyCacheSubnetGroup", CacheSubnetGroupName=name, **_given(ask))
    return ask.go(AT, "cache.done_modify", id=name)


@act(f"{AT}/{{name}}/delete", back=f"{AT}/{{name}}")
async def delete(ask: Ask) -> Answered:
    """Delete a subnet group."""
    name = ask.parts["name"]
    await ask.aws("elasticache", "DeleteCacheSubnetGroup", CacheSubnetGroupName=name)
    return ask.go(AT, "cache.done_delete", id=name)


def zones(group: Mapping[str, Any]) -> list[str]:
    """Return the zones of a subnet group."""
    return sorted({subnet["SubnetAvailabilityZone"]["Name"] for subnet in group["Subnets"]})


def _given(ask: Ask) -> dict[str, Any]:
    return {
        "CacheSubnetGroupDescription": ask.form.get("description") or ask.form.get("name") or ask.parts.get("name"),
        "SubnetIds": ask.form.all("subnets"),
    }


async def _subnets(ask: Ask, vpc: str = "") -> list[tuple[str, str]]:
    filters = [{"Name": "vpc-id", "Values": [vpc]}] if vpc else []
    found = await ask.aws_all("ec2", "DescribeSubnets", "Subnets", Filters=filters)
    found.sort(key=lambda s: (s["VpcId"], s["AvailabilityZone"], s["CidrBlock"]))
    return [(s["SubnetId"], " · ".join(filter(None, (name_of(s), *(s[member] for member in TOLD))))) for s in found]
