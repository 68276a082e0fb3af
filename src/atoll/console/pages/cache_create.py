"""The create flow: six steps whose fields are all in the address, and what would come of them beside the form."""

from typing import Any

from markupsafe import Markup

from atoll.cache.node_types import NODE_TYPES
from atoll.console.ask import Answered, Ask, name_of
from atoll.console.caches.engines import versions_of
from atoll.console.caches.order import STEPS, Fields, carried, order_of, step_of
from atoll.console.caches.preview import preview
from atoll.console.caches.subject import path_of
from atoll.console.draw.placement import placement
from atoll.console.site import act, page

# Step -> the fields that it shows.
SHOWN = {
    "engine": ("engine", "kind", "mode", "name", "description"),
    "size": (
        "version", "node_type", "shards", "replicas", "nodes", "multi_az", "failover", "spread", "port",
        "parameter_group", "data_min", "data_max", "ecpu_min", "ecpu_max",
    ),
    "network": ("subnet_group", "subnets", "groups"),
    "security": ("tls", "at_rest", "access", "user_group"),
    "backups": (
        "retention", "window", "maintenance", "auto_minor", "slow_log", "slow_log_group", "engine_log",
        "engine_log_group", "tags",
    ),
    "review": (),
}  # fmt: skip
GIB = 1 << 30
TOLD = ("SubnetId", "CidrBlock", "AvailabilityZone")


@page("/cache/create")
async def flow(ask: Ask) -> Answered:
    """Show a step of the flow, and what the fields would make."""
    form = ask.form if ask.form.pairs() else ask.query
    step, fields = step_of(form), Fields(form)
    place = STEPS.index(step)
    found = preview(ask)
    return ask.view(
        "cache/create.html",
        step=step,
        steps=[(name, ask.t(f"cache.step_{name}")) for name in STEPS],
        place=place,
        back=STEPS[place - 1] if place else "",
        following=STEPS[place + 1] if place + 1 < len(STEPS) else "",
        fields=fields,
        carried=carried(form, SHOWN[step]),
        found=found,
        picture=Markup(placement(found.placed, ask.t("cache.placement"))) if found.placed else "",
        restores=fields["snapshot"] or fields["snapshot_arn"],
        **await _choices(ask, step, fields),
    )


@act("/cache/create", back="/cache/create")
async def create(ask: Ask) -> Answered:
    """Make the cache."""
    order = order_of(ask.form)
    await ask.aws("elasticache", order.action, **order.parameters)
    name = ask.form.get("name").lower()
    kinds: dict[str, Any] = {"group": "group", "cluster": "cluster", "serverless": "serverless"}
    return ask.go(path_of(kinds[order.kind], name), "cache.done_create", id=name)


async def _choices(ask: Ask, step: str, fields: Fields) -> dict[str, Any]:
    """Return what a step lets people choose from."""
    match step:
        case "size":
            return await _sizes(ask, fields)
        case "network":
            return await _networks(ask, fields)
        case "security":
            found = await ask.aws_all("elasticache", "DescribeUserGroups", "UserGroups")
            fits = [
                g["UserGroupId"] for g in found if g["Engine"] == fields["engine"] or fields["engine"] == "valkey"
            ]
            return {"user_groups": [(id, id) for id in fits]}
        case _:
            return {}


async def _sizes(ask: Ask, fields: Fields) -> dict[str, Any]:
    versions = await versions_of(ask, fields["engine"])
    families = {family for _, _, family in versions}
    every = await ask.aws_all("elasticache", "DescribeCacheParameterGroups", "CacheParameterGroups")
    return {
        "versions": [(version, version) for _, version, _ in versions],
        "types": [
            (t.name, f"{t.name} · {t.vcpus} vCPU · {t.memory_bytes / GIB:.2f} GiB") for t in NODE_TYPES.values()
        ],
        "parameter_groups": [
            (g["CacheParameterGroupName"], f"{g['CacheParameterGroupName']} ({g['CacheParameterGroupFamily']})")
            for g in every
            if g["CacheParameterGroupFamily"] in families
        ],
    }


async def _networks(ask: Ask, fields: Fields) -> dict[str, Any]:
    groups = await ask.aws_all("elasticache", "DescribeCacheSubnetGroups", "CacheSubnetGroups")
    subnets = await ask.aws_all("ec2", "DescribeSubnets", "Subnets")
    subnets.sort(key=lambda s: (s["VpcId"], s["AvailabilityZone"], s["CidrBlock"]))
    chosen = next((g for g in groups if g["CacheSubnetGroupName"] == (fields["subnet_group"] or "default")), None)
    vpc = chosen["VpcId"] if chosen else ""
    if fields.is_serverless and fields.all("subnets"):
        vpc = next((s["VpcId"] for s in subnets if s["SubnetId"] in fields.all("subnets")), "")
    security = await ask.aws_all("ec2", "DescribeSecurityGroups", "SecurityGroups")
    return {
        "subnet_groups": [
            (g["CacheSubnetGroupName"], f"{g['CacheSubnetGroupName']} · {g['VpcId']} · {len(g['Subnets'])}")
            for g in groups
        ],
        "subnets": [
            (s["SubnetId"], " · ".join(filter(None, (name_of(s), *(s[member] for member in TOLD))))) for s in subnets
        ],
        "security_groups": [
            (g["GroupId"], f"{g['GroupName']} · {g['GroupId']}") for g in security if g["VpcId"] == vpc or not vpc
        ],
    }  # fmt: skip
