"""The work that each server does, as steps: creates, and reads of a few things, of many, and of one among many.

A step is done by each server in turn before the next one begins, again and again, so that what else the machine does
hits all of them alike.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import botocore.parsers
import botocore.session

from bench.peers.client import THREADS, Boto, repeat
from bench.peers.servers import NODE, Server
from bench.peers.table import Row
from bench.peers.wire import drive, signed

CONNECTIONS = 8
VALUES = 1_000  # for which boto3's time is told
BATCH = 50  # instances of one RunInstances
SETTLE_SECONDS_MAX = 90.0
START_SECONDS, START_MB = 0.25, 60.0
RULE = {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
STARTED = Row("exec to first EC2 answer", "s", most=START_SECONDS)
STARTED_MEMORY = Row("memory then", "MB", most=START_MB)


@dataclass(frozen=True)
class Sizes:
    """How much of everything, how long each read is repeated, and how many rounds there are."""

    clusters: int
    groups: int
    instances: int
    seconds: float
    rounds: int


@dataclass
class Seat:
    """A server at the table, what was made on it, and what its last answer told."""

    server: Server
    boto: Boto
    made: dict[str, list[str]] = field(default_factory=dict)
    results: int | None = None
    values: int = 1  # of those results, as boto3 has parsed them


@dataclass(frozen=True)
class Step:
    """What is done by each server in turn, `rounds` times; the act returns a figure for each row."""

    rows: tuple[Row, ...]
    act: Callable[[Seat], Sequence[float]]
    rounds: int
    makes: bool = False  # what later steps read: no round is left out


Part = Callable[[Sizes], Iterator[Step]]


def empty(sizes: Sizes) -> Iterator[Step]:
    yield from _read(sizes, "elasticache", "DescribeCacheClusters", "CacheClusters", ", empty")
    yield from _read(sizes, "ec2", "DescribeVpcs", "Vpcs", "")


def pong(sizes: Sizes) -> Iterator[Step]:
    row = Row("CreateCacheCluster to first PONG", "ms")
    yield Step((row,), lambda seat: (seat.server.pong_seconds(seat.boto) * 1e3,), sizes.rounds)


def clusters(sizes: Sizes) -> Iterator[Step]:
    def create(seat: Seat) -> None:
        made = seat.made.setdefault("clusters", [])
        made.append(f"b-{len(made):05}")
        seat.boto.elasticache.create_cache_cluster(CacheClusterId=made[-1], **NODE)

    yield from _create(sizes, "CreateCacheCluster", sizes.clusters, create)
    some = f", {sizes.clusters:,}"
    yield from _read(sizes, "elasticache", "DescribeCacheClusters", "CacheClusters", some, lambda _: {
        "ShowCacheNodeInfo": True
    }, is_listing=True)  # fmt: skip
    yield from _read(sizes, "elasticache", "DescribeCacheClusters", "CacheClusters", f", one of {sizes.clusters:,}",
                     lambda seat: {"CacheClusterId": seat.made["clusters"][-1]})  # fmt: skip


def groups(sizes: Sizes) -> Iterator[Step]:
    def network(seat: Seat) -> Sequence[float]:
        seat.made["vpcs"] = [seat.boto.ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]]
        return ()

    def create(seat: Seat) -> None:
        made = seat.made.setdefault("groups", [])
        named = {"GroupName": f"bench-{len(made)}", "Description": "bench", "VpcId": seat.made["vpcs"][0]}
        made.append(seat.boto.ec2.create_security_group(**named)["GroupId"])

    def authorize(seat: Seat) -> None:
        id = seat.made["groups"][seat.boto.next()]
        seat.boto.ec2.authorize_security_group_ingress(GroupId=id, IpPermissions=[RULE])

    yield Step((), network, 1)
    yield from _create(sizes, "CreateSecurityGroup", sizes.groups, create)
    yield from _create(sizes, "AuthorizeSecurityGroupIngress", min(200, sizes.groups), authorize)
    of = ("ec2", "DescribeSecurityGroups", "SecurityGroups")
    yield from _read(sizes, *of, f", {sizes.groups:,}", is_listing=True)
    yield from _read(sizes, *of, f", one of {sizes.groups:,}", lambda seat: {"GroupIds": seat.made["groups"][-1:]})
    row = Row(f"memory with {sizes.groups:,} groups", "MB")
    yield Step((row,), lambda seat: (seat.server.memory_mb(),), 1)


def instances(sizes: Sizes) -> Iterator[Step]:
    def furnish(seat: Seat) -> Sequence[float]:
        """A subnet without public addresses: of those Atoll has no thousand."""
        ec2 = seat.boto.ec2
        found = ec2.describe_images(Owners=["amazon", "self"])["Images"]
        vpc = ec2.create_vpc(CidrBlock="10.78.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.78.0.0/20")["Subnet"]["SubnetId"]
        seat.made["place"] = [found[0]["ImageId"] if found else "ami-12345678", subnet]
        return ()

    def run(seat: Seat, count: int = 1) -> None:
        image, subnet = seat.made["place"]
        what = {"ImageId": image, "SubnetId": subnet, "InstanceType": "t3.micro"}
        made = seat.boto.ec2.run_instances(**what, MinCount=count, MaxCount=count)["Instances"]
        seat.made.setdefault("instances", []).extend(it["InstanceId"] for it in made)

    def fill(seat: Seat) -> Sequence[float]:
        """Make a round's share of what is left, and return the milliseconds of the calls for each instance."""
        made = seat.made["instances"]
        before, begun = len(made), time.perf_counter()
        end = min(sizes.instances, before + -(-(sizes.instances - alone) // sizes.rounds))
        while left := end - len(made):
            run(seat, min(BATCH, left))
        return ((time.perf_counter() - begun) * 1e3 / max(1, end - before),)

    def settle(seat: Seat) -> Sequence[float]:
        """Wait, for a bounded time, until none is pending: what is read should be at rest, with each of them."""
        latest = time.monotonic() + SETTLE_SECONDS_MAX
        pending = {"Filters": [{"Name": "instance-state-name", "Values": ["pending"]}]}
        while seat.boto.ec2.describe_instances(**pending)["Reservations"] and time.monotonic() < latest:
            time.sleep(0.5)
        return ()

    yield Step((), furnish, 1)
    alone = min(BATCH, sizes.instances)
    yield from _create(sizes, "RunInstances, 1", alone, run)
    if sizes.instances > alone:
        row = Row(f"RunInstances, {BATCH} at once: for each", "ms")
        yield Step((row,), fill, sizes.rounds, makes=True)
    yield Step((), settle, 1)
    of = ("ec2", "DescribeInstances", "Reservations")
    yield from _read(sizes, *of, f", {sizes.instances:,}", is_listing=True)
    yield from _read(
        sizes, *of, f", one of {sizes.instances:,}", lambda seat: {"InstanceIds": seat.made["instances"][-1:]}
    )
    yield Step((Row("memory after all of it", "MB"),), lambda seat: (seat.server.memory_mb(),), 1)


PARTS: dict[str, Part] = {  # the last one leaves things behind where nothing answers, and would falsify counts
    "empty": empty, "clusters": clusters, "groups": groups, "instances": instances, "pong": pong,
}  # fmt: skip


def _create(sizes: Sizes, name: str, count: int, act: Callable[[Seat], None]) -> Iterator[Step]:
    """Create `count` in as many rounds as there are; the figure of a round is its median."""
    shares = [len(range(first, count, sizes.rounds)) for first in range(min(count, sizes.rounds))]
    turns: dict[int, Iterator[int]] = {}

    def create(seat: Seat) -> Sequence[float]:
        share = next(turns.setdefault(id(seat), iter(shares)))
        done = repeat(lambda: act(seat), threads=1, calls_max=share, seconds_max=600)
        return (statistics.median(done.seconds) * 1e3,)

    yield Step((Row(name, "ms"),), create, len(shares), makes=True)


def _read(
    sizes: Sizes,
    service: str,
    action: str,
    member: str,
    what: str,
    asked: Callable[[Seat], Mapping[str, Any]] = lambda _: {},
    *,
    is_listing: bool = False,
) -> Iterator[Step]:
    """Measure one read: raw and through boto3, alone and eight at a time; and the server's own time for one.

    boto3 spends most of a listing's time on parsing, value by value, so who tells less of each thing is read sooner:
    of a listing the time is told for a number of values, too.
    """
    bound: Any = {"calls_max": 100_000, "seconds_max": sizes.seconds}

    def raw(connections: int, seat: Seat) -> Any:
        port = seat.server.port
        done = drive(port, signed(port, service, action, **_flat(asked(seat))), connections=connections, **bound)
        seat.results = _count(_parsed(service, action, done.body), member)
        return done

    def many(seat: Seat) -> Sequence[float]:
        before = seat.server.cpu_seconds()
        done = raw(CONNECTIONS, seat)
        return done.per_second, (seat.server.cpu_seconds() - before) / len(done.seconds) * 1e3

    def boto(threads: int, seat: Seat) -> Any:
        client = seat.boto.ec2 if service == "ec2" else seat.boto.elasticache
        call = getattr(client, botocore.xform_name(action))
        kept: list[Any] = []
        done = repeat(lambda: kept.__setitem__(slice(1), [call(**asked(seat))]), threads=threads, **bound)
        seat.results, seat.values = _count(kept[0], member), _values(kept[0].get(member, []))
        return done

    def median(done: Any) -> Sequence[float]:
        return (statistics.median(done.seconds) * 1e3,)

    name = f"{action}{what}"
    yield Step((Row(f"{name}: raw", "ms"),), lambda seat: median(raw(1, seat)), sizes.rounds)
    rows = (
        Row(f"{name}: raw, {CONNECTIONS} connections", "/s", times_min=2.0),
        Row(f"{name}: the server's processor time", "ms", times_min=2.0),
    )
    yield Step(rows, many, sizes.rounds)

    def alone(seat: Seat) -> Sequence[float]:
        milliseconds = statistics.median(boto(1, seat).seconds) * 1e3
        return milliseconds, milliseconds / max(1, seat.values) * VALUES

    whole, each = Row(f"{name}: boto3", "ms"), Row(f"{name}: boto3, for {VALUES:,} values told", "ms")
    yield Step((whole, each) if is_listing else (whole,), alone, sizes.rounds)
    row = Row(f"{name}: boto3, {THREADS} threads", "/s")
    yield Step((row,), lambda seat: (boto(THREADS, seat).per_second,), sizes.rounds)


def _flat(asked: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as a query: lists of EC2 are spelt in the singular, and counted."""
    flat: dict[str, str] = {}
    for name, value in asked.items():
        if isinstance(value, list):
            flat |= {f"{name.removesuffix('s')}.{n}": it for n, it in enumerate(value, 1)}
        else:
            flat[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return flat


def _parsed(service: str, action: str, body: bytes) -> Mapping[str, Any]:
    model, parser = _reader(service)
    shape = model.operation_model(action).output_shape
    found: Mapping[str, Any] = parser.parse({"headers": {}, "body": body, "status_code": 200}, shape)
    return found


@cache
def _reader(service: str) -> tuple[Any, Any]:
    model = botocore.session.get_session().get_service_model(service)
    return model, botocore.parsers.create_parser(model.metadata["protocol"])


def _count(answer: Mapping[str, Any], member: str) -> int:
    """Return how many things an answer tells of; of reservations, their instances."""
    found = answer.get(member, [])
    return sum(len(it["Instances"]) for it in found) if member == "Reservations" else len(found)


def _values(told: object) -> int:
    """Return how many texts, numbers, times and truths are in an answer, however deep."""
    if isinstance(told, Mapping):
        return sum(map(_values, told.values()))
    return sum(map(_values, told)) if isinstance(told, list) else 1
