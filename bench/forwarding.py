"""(e) Through the NAT instance: an internet client reaches clusters by iptables rules, over the direct path.

As the documented scenario has it: one DNAT rule for each cluster, one rule for the way back.  Held against an
instance in the VPC that talks to the same clusters; and three clusters at once against three at once.
"""

from concurrent.futures import ThreadPoolExecutor

from bench.carrying import Engine, Load
from bench.ground import Atoll, Room, end, one, running, until
from bench.rows import Asked, Row, interleave, rows
from bench.vpc import PORT, Vpc, allow, build, group, instance

CLUSTERS = 3
CLIENT = "198.51.100.27"


def measure(rounds: int, requests: int) -> list[Row]:
    """Send `requests` requests to each cluster, `rounds` times, in turn."""
    with running() as atoll:
        vpc = build(atoll.api)
        inside, clusters = _machines(atoll, vpc)
        public = _nat(atoll, vpc, clusters)
        program = atoll.engine("valkey")
        engines = [Engine(program, room) for room in clusters]
        try:
            client = atoll.outside(CLIENT)
            pairs = list(zip(engines, clusters, strict=True))
            direct = [Load(inside, engine, room.address) for engine, room in pairs]
            forwarded = [Load(client, engine, public, PORT + i) for i, (engine, _) in enumerate(pairs)]
            measures = {
                "NAT instance, 1 cluster": lambda: forwarded[0](requests),
                "direct, 1 cluster": lambda: direct[0](requests),
                "NAT instance, 3 clusters": lambda: _all(forwarded, requests),
                "direct, 3 clusters": lambda: _all(direct, requests),
            }
            interleave(measures, 1)
            series = interleave(measures, rounds)
        finally:
            end([engine.process for engine in engines])
    asked = [
        Asked(series=f"NAT instance, {n}", unit="requests/s", baseline=f"direct, {n}")
        for n in ("1 cluster", "3 clusters")
    ]
    return rows("NAT instance", series, asked)


def _machines(atoll: Atoll, vpc: Vpc) -> tuple[Room, list[Room]]:
    cache_group = group(atoll.api, vpc, "cache")
    allow(atoll.api, cache_group, "10.0.0.0/16")
    clusters = [atoll.room(instance(atoll.api, vpc.private, cache_group)) for _ in range(CLUSTERS)]
    inside = atoll.room(instance(atoll.api, vpc.public, group(atoll.api, vpc, "client")))
    return inside, clusters


def _nat(atoll: Atoll, vpc: Vpc, clusters: list[Room]) -> str:
    """Launch the NAT instance, type the rules, and return its public address."""
    api, nat_group = atoll.api, group(atoll.api, vpc, "nat")
    for i in range(CLUSTERS):
        allow(api, nat_group, f"{CLIENT}/32", PORT + i)
    id = instance(api, vpc.public, nat_group)
    api.ec2("ModifyInstanceAttribute", InstanceId=id, **{"SourceDestCheck.Value": "false"})
    address = api.ec2("AllocateAddress", Domain="vpc")
    api.ec2("AssociateAddress", AllocationId=one(address, "allocationId"), InstanceId=id)
    room = atoll.room(id)
    until(lambda: ":22 " in room.run("ss", "-ltn"), every_seconds=0.05)  # its boot is over, and changes nothing more
    room.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    rule = ("iptables", "-t", "nat", "-A")
    for i, cluster in enumerate(clusters):
        to = f"{cluster.address}:{PORT}"
        room.run(*rule, "PREROUTING", "-p", "tcp", "--dport", str(PORT + i), "-j", "DNAT", "--to-destination", to)
    room.run(*rule, "POSTROUTING", "-d", "10.0.1.0/24", "-j", "SNAT", "--to-source", room.address)
    return one(address, "publicIp")


def _all(loads: list[Load], requests: int) -> float:
    """Return the sum of what all of them reach at once."""
    with ThreadPoolExecutor(len(loads)) as pool:
        return sum(pool.map(lambda load: load(requests), loads))
