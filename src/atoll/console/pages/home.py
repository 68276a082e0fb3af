"""The first page, and the page of patterns."""

from atoll.aws.errors import AwsError
from atoll.console import tables
from atoll.console.ask import Answered, Ask
from atoll.console.site import act, menu, page

BAD = ("failed", "impaired", "create-failed", "incompatible-network")
# Path, text, service, operation, the member that lists, the member that says how it is.
COUNTED = (
    ("/vpc/vpcs", "vpc.vpcs", "ec2", "DescribeVpcs", "Vpcs", "State"),
    ("/vpc/subnets", "vpc.subnets", "ec2", "DescribeSubnets", "Subnets", "State"),
    ("/vpc/groups", "vpc.groups", "ec2", "DescribeSecurityGroups", "SecurityGroups", ""),
    ("/vpc/nat-gateways", "vpc.nat_gateways", "ec2", "DescribeNatGateways", "NatGateways", "State"),
)

menu("home", "/", "common.home", order=0)


@page("/")
async def home(ask: Ask) -> Answered:
    """Show how much of what there is."""
    tiles = []
    for path, text, service, operation, member, state in COUNTED:
        found = await ask.aws_all(service, operation, member)
        tiles.append((path, text, len(found), sum(one.get(state) in BAD for one in found)))
    found = [i for r in await ask.aws_all("ec2", "DescribeInstances", "Reservations") for i in r["Instances"]]
    tiles.append(("/ec2/instances", "ec2.instances", len(found), 0))
    clusters = await ask.aws_all("elasticache", "DescribeCacheClusters", "CacheClusters")
    bad = sum(one.get("CacheClusterStatus") in BAD for one in clusters)
    tiles.append(("/cache/caches", "cache.caches", len(clusters), bad))
    identity = await ask.aws("sts", "GetCallerIdentity")
    return ask.view(
        "home.html",
        tiles=tiles,
        where=ask.service.where(),
        revision=ask.service.world.revision,
        identity=identity["Arn"],
    )


@page("/patterns")
async def patterns(ask: Ask) -> Answered:
    """Show every component."""
    states = ("available", "pending", "failed", "stopped", "deleting")
    rows = [
        {"Id": f"vpc-{n:017x}", "State": states[n % 5], "Count": n, "Tags": [{"Key": "Name", "Value": f"vpc {n}"}]}
        for n in range(120)
    ]
    table = tables.table(
        ask,
        rows,
        tables.NAME,
        tables.column("id", "common.id", "Id"),
        tables.column("state", "common.state", "State"),
        tables.column("count", "common.count", "Count", "number"),
    )
    sample = AwsError("InvalidVpcID.NotFound", "The vpc ID 'vpc-1' does not exist")
    return ask.view("patterns.html", table=table, sample_error=sample)


@act("/patterns", back="/patterns")
async def pattern(ask: Ask) -> Answered:
    """Change nothing, and say so."""
    return ask.go("/patterns", "common.done_nothing", id=ask.form.get("name"))
