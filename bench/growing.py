"""(f) How the network grows: the time to build it, what a change costs in it, and what an interface weighs.

A world is written into the store, a daemon starts on it, and the first call that waits for the network tells when all
of it is in the kernel.  Held against the same namespaces and links made with `ip -batch`.  What a change costs in a
VPC of ten interfaces is held against the same change in a large one: it should cost the change and not the world.
"""

import re
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import crowd
from bench.ground import Api, Atoll, end, one, resident_mb, running, until
from bench.rows import Asked, Row, interleave, rows
from bench.vpc import PORT, allow, permission

FEW = 10
BARE = 50  # interfaces made by hand: enough to know what one costs
VPCS_OF_AN_ACCOUNT = 4  # beside its default one: AWS's quota is five
STRANGER = "192.0.2.0/24"


@dataclass(frozen=True)
class Grown:
    """A world that was built."""

    group_id: str  # that every interface of one VPC has
    seconds: float  # from "ready" until it was in force
    daemon_kb: float  # what it added
    kernel_kb: float


def measure(rounds: int, interfaces: int, vpcs: int, on_paper: int) -> list[Row]:
    """Build a VPC of `interfaces`, and `vpcs` of ten; change a rule `rounds` times in each size."""
    return [*_building(interfaces, vpcs), *_changing(rounds, interfaces), *_changing(rounds, on_paper, "paper")]


def _building(interfaces: int, vpcs: int) -> list[Row]:
    bare_seconds, bare_kb = _bare()
    with running() as atoll:
        large = _grow(atoll, 1, interfaces)
    with running() as atoll:
        many = _grow(atoll, vpcs, FEW)
    series = {
        f"an interface, of {interfaces:,} in a VPC": [large.seconds / interfaces * 1e3],
        f"a VPC of {FEW}, of {vpcs}": [many.seconds / vpcs * 1e3],
        "`ip -batch`, an interface": [bare_seconds * 1e3],
        f"`ip -batch`, {FEW} interfaces": [bare_seconds * FEW * 1e3],
        "memory of the kernel, an interface": [large.kernel_kb / interfaces],
        "memory of the daemon, an interface": [large.daemon_kb / interfaces],
        "memory of a bare namespace and link": [bare_kb],
    }
    one_vpc, many_vpcs, by_hand, ten_by_hand, kernel, daemon, bare = series
    asked = [
        Asked(series=one_vpc, unit="ms", baseline=by_hand, target="<= 2 ms"),
        Asked(series=many_vpcs, unit="ms", baseline=ten_by_hand),
        Asked(series=kernel, unit="kB", baseline=bare),
        Asked(series=daemon, unit="kB", baseline=bare),
    ]
    return rows("growth", series, asked)


def _changing(rounds: int, interfaces: int, host: str = "auto") -> list[Row]:
    where = " on paper" if host == "paper" else ""
    few, many = f"a rule, {FEW} interfaces{where}", f"a rule, {interfaces:,} interfaces{where}"
    with running("--host", host) as small, running("--host", host) as large:
        grown = {few: (small, _grow(small, 1, FEW)), many: (large, _grow(large, 1, interfaces))}
        places = {name: (Api(atoll.api.port), it.group_id) for name, (atoll, it) in grown.items()}  # none is idle yet
        measures = {name: (lambda it=it: _change(*it)) for name, it in places.items()}
        interleave(measures, 2)
        series = interleave(measures, rounds)
    slow = {f"{name}, 99th of 100": [_percentile(times, 99)] for name, times in series.items()}
    asked = [
        Asked(series=many, unit="ms", baseline=few, target="<= 2 ms"),
        Asked(series=f"{many}, 99th of 100", unit="ms", baseline=f"{few}, 99th of 100", target="<= 10 ms"),
    ]
    return rows("growth", series | slow, asked)


def _change(api: Api, group_id: str) -> float:
    """Open a port and shut it again; return the milliseconds until the first call answered: it is in force then."""
    begun = time.monotonic()
    allow(api, group_id, STRANGER, PORT)
    seconds = time.monotonic() - begun
    api.ec2("RevokeSecurityGroupIngress", GroupId=group_id, **permission(STRANGER))
    return seconds * 1e3


def _percentile(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def _grow(atoll: Atoll, vpcs: int, interfaces: int) -> Grown:
    """Build `vpcs` VPCs with `interfaces` each, and wait until the kernel has them."""
    places = [_place(Api(atoll.api.port, f"{i // VPCS_OF_AN_ACCOUNT:012d}")) for i in range(vpcs)]
    atoll.down(purge=False)
    atoll.up()
    daemon, kernel = resident_mb(atoll.pid), _slab_kb()
    atoll.down(purge=False)
    for subnet, group_id in places:
        crowd.populate(atoll.state, subnet, group_id, interfaces)
    atoll.up()
    begun = time.monotonic()
    loop = until(lambda: _in_force(atoll), every_seconds=0.01)
    seconds = time.monotonic() - begun
    assert not loop["failures"], loop["failures"]
    return Grown(places[-1][1], seconds, (resident_mb(atoll.pid) - daemon) * 1024, _slab_kb() - kernel)


def _in_force(atoll: Atoll) -> Mapping[str, object] | None:
    status = atoll.api.private("GET", "/_atoll/status")
    loop: dict[str, object] = status["loop"]
    return loop if loop["revision"] == status["revision"] else None


def _place(api: Api) -> tuple[str, str]:
    vpc = one(api.ec2("CreateVpc", CidrBlock="10.0.0.0/16"), "vpcId")
    subnet = one(api.ec2("CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/16"), "subnetId")
    group_id = one(api.ec2("CreateSecurityGroup", GroupName="crowd", GroupDescription="bench", VpcId=vpc), "groupId")
    return subnet, group_id


def _slab_kb() -> float:
    found = re.search(r"^Slab:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert found, "the kernel has slabs"
    return float(found[1])


def _bare() -> tuple[float, float]:
    """Return the seconds and the kilobytes of one namespace with a link, as a script would make it."""
    before, begun = _slab_kb(), time.monotonic()
    command = ["unshare", "--net", "--mount", "sh", "-ec", _script()]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout, "it is piped"
        if process.stdout.readline() != "built\n":
            raise RuntimeError("no namespaces could be made by hand")
        return (time.monotonic() - begun) / BARE, (_slab_kb() - before) / BARE
    finally:
        end([process])  # its namespaces go with it


def _script() -> str:
    router = []
    lines = ["mount -t tmpfs none /run"]
    for i in range(BARE):
        lines.append(f"ip netns add bare{i}")
        router += [
            f"link add r{i} type veth peer name eth0 netns bare{i}",
            f"link set r{i} up",
            f"route add 10.0.{i}.4/32 dev r{i}",
            f"neigh add 10.0.{i}.4 lladdr 02:00:00:00:00:{i:02x} dev r{i} nud permanent",
        ]
    lines += ["ip -batch - <<END", *router, "END"]
    for i in range(BARE):
        guest = (f"addr add 10.0.{i}.4/24 dev eth0", "link set eth0 up", f"route add default via 10.0.{i}.1")
        lines += [f"ip -n bare{i} -batch - <<END", *guest, "END"]
    return "\n".join((*lines, "echo built", "read forever"))
