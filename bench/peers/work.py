"""The work that each server does: reads of a few things and of many, and creates, in turns."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.peers.client import THREADS, Boto, repeat
from bench.peers.servers import Server
from bench.peers.wire import drive, signed

CONNECTIONS = 8
RULE = {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}


@dataclass(frozen=True)
class Sizes:
    """How much of everything, and how long each read is repeated."""

    clusters: int
    groups: int
    instances: int
    seconds: float
    rounds: int


@dataclass
class Seat:
    """A server at the table, with what was made on it."""

    server: Server
    boto: Boto
    made: dict[str, str] = field(default_factory=dict)


Figures = Iterator[tuple[str, str, float]]  # a row, its unit, a figure; "/s" is better when greater
Part = Callable[[Seat, Sizes], Figures]


def empty(seat: Seat, sizes: Sizes) -> Figures:
    describe = seat.boto.elasticache.describe_cache_clusters
    yield from _read(seat, sizes, "elasticache", "DescribeCacheClusters, empty", describe)
    yield from _read(seat, sizes, "ec2", "DescribeVpcs", seat.boto.ec2.describe_vpcs)


def clusters(seat: Seat, sizes: Sizes) -> Figures:
    cache = seat.boto.elasticache
    what = {"Engine": "redis", "CacheNodeType": "cache.t3.micro", "NumCacheNodes": 1}
    yield (
        "CreateCacheCluster",
        "ms",
        _each(sizes.clusters, lambda i: cache.create_cache_cluster(CacheClusterId=f"b-{i:05}", **what)),
    )
    name = f"DescribeCacheClusters, {sizes.clusters:,}"
    yield from _read(
        seat, sizes, "elasticache", name, lambda: cache.describe_cache_clusters(ShowCacheNodeInfo=True),
        ShowCacheNodeInfo="true",
    )  # fmt: skip


def groups(seat: Seat, sizes: Sizes) -> Figures:
    ec2 = seat.boto.ec2
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    ids: list[str] = []

    def create(i: int) -> None:
        made = ec2.create_security_group(GroupName=f"bench-{i}", Description="bench", VpcId=vpc)
        ids.append(made["GroupId"])

    yield "CreateSecurityGroup", "ms", _each(sizes.groups, create)
    yield (
        "AuthorizeSecurityGroupIngress",
        "ms",
        _each(
            min(200, sizes.groups),
            lambda i: ec2.authorize_security_group_ingress(GroupId=ids[i], IpPermissions=[RULE]),
        ),
    )
    one = ids[-1]
    yield from _read(seat, sizes, "ec2", f"DescribeSecurityGroups, {sizes.groups:,}", ec2.describe_security_groups)
    yield from _read(
        seat, sizes, "ec2", f"DescribeSecurityGroups, one of {sizes.groups:,}",
        lambda: ec2.describe_security_groups(GroupIds=[one]), **{"GroupId.1": one},
    )  # fmt: skip


def instances(seat: Seat, sizes: Sizes) -> Figures:
    ec2 = seat.boto.ec2
    images = ec2.describe_images(Owners=["amazon", "self"])["Images"]
    image = images[0]["ImageId"] if images else "ami-12345678"
    ids: list[str] = []

    def run(count: int) -> None:
        made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=count, MaxCount=count)
        ids.extend(it["InstanceId"] for it in made["Instances"])

    yield "RunInstances, 1", "ms", _each(min(50, sizes.instances), lambda _: run(1))
    while len(ids) < sizes.instances:
        run(min(50, sizes.instances - len(ids)))
    one = ids[-1]
    yield from _read(seat, sizes, "ec2", f"DescribeInstances, {sizes.instances:,}", ec2.describe_instances)
    yield from _read(
        seat, sizes, "ec2", f"DescribeInstances, one of {sizes.instances:,}",
        lambda: ec2.describe_instances(InstanceIds=[one]), **{"InstanceId.1": one},
    )  # fmt: skip
    yield "memory after all of it", "MB", seat.server.memory_mb()


PARTS: dict[str, Part] = {"empty": empty, "clusters": clusters, "groups": groups, "instances": instances}


def _each(count: int, act: Callable[[int], Any]) -> float:
    numbers = iter(range(count))
    done = repeat(lambda: act(next(numbers)), threads=1, calls_max=count, seconds_max=600)
    return statistics.median(done.seconds) * 1e3


def _read(seat: Seat, sizes: Sizes, service: str, name: str, call: Callable[[], Any], **parameters: str) -> Figures:
    """Measure one read: raw and through boto3, alone and eight at a time."""
    request = signed(seat.server.port, service, name.partition(",")[0], **parameters)
    bound = {"calls_max": 100_000, "seconds_max": sizes.seconds}
    alone = drive(seat.server.port, request, connections=1, **bound)
    yield f"{name}: raw", "ms", statistics.median(alone.seconds) * 1e3
    yield (
        f"{name}: raw, {CONNECTIONS} connections",
        "/s",
        drive(seat.server.port, request, connections=CONNECTIONS, **bound).per_second,
    )
    yield f"{name}: boto3", "ms", statistics.median(repeat(call, threads=1, **bound).seconds) * 1e3
    yield f"{name}: boto3, {THREADS} threads", "/s", repeat(call, threads=THREADS, **bound).per_second
