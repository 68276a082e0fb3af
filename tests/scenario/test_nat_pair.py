"""A highly available pair of NAT instances, row 40: the documented monitor moves a route, or an Elastic IP."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.atoll import until
from tests.scenario.stage import ANYWHERE, CLIENT, NAT_IMAGE, STRANGER, Stage

MONITOR = Path(__file__).parents[2] / "examples" / "nat_ha.py"
TAKEN_OVER_SECONDS = 15.0  # two bad answers half a second apart, on a machine that others use too
SETTLED_SECONDS = 30.0

# It serves on the internet, or in the cache's place, until it is killed.
SERVER = """
import socket, sys
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=100)
print("ready")
while True:
    link, _ = listener.accept()
    link.close()
"""

# It connects again and again, and tells when asked how long the longest time was in which it could not.
KNOCKER = """
import socket, sys, threading, time
good, longest = time.monotonic(), 0.0
def knock():
    global good, longest
    while True:
        try:
            socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.25).close()
            now = time.monotonic()
            good, longest = now, max(longest, now - good)
        except OSError:
            pass
        time.sleep(0.02)
threading.Thread(target=knock, daemon=True).start()
print("ready")
for line in sys.stdin:
    print(f"{longest:.3f} {time.monotonic() - good:.3f}")
"""


@dataclass(frozen=True)
class PairNet:
    """A private subnet behind two NAT instances, in two public ones."""

    table: str
    group: str
    first: str
    second: str
    inside: str


@pytest.fixture(scope="module")
def net(stage: Stage) -> PairNet:
    ec2, vpc = stage.ec2, stage.vpc("10.0.0.0/16")
    group = stage.group(vpc)
    stage.allow(group, "0-65535", ANYWHERE)
    pair = [
        stage.instance(stage.subnet(vpc, cidr, public=True), group, image=NAT_IMAGE)
        for cidr in ("10.0.0.0/24", "10.0.9.0/24")
    ]
    for instance in pair:
        ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})
        stage.elastic_ip(instance)
    private = stage.subnet(vpc, "10.0.1.0/24")
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=private)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, InstanceId=pair[0])
    inside = stage.instance(private, group, PrivateIpAddress="10.0.1.10")
    return PairNet(table, group, *pair, inside)


@contextmanager
def monitor(stage: Stage, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the example, as its page says."""
    command = [sys.executable, "-u", str(MONITOR), *words]
    process = stage.atoll.start_process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout
    try:
        assert b"watching: i-" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def gaps(knocker: Any) -> tuple[float, float]:
    """Return the longest time without a connection so far, and how long the last one is ago; in seconds."""
    knocker.stdin.write(b"\n")
    knocker.stdin.flush()
    longest, ago = map(float, knocker.stdout.readline().split())
    return longest, ago


def works(knocker: Any) -> bool:
    return gaps(knocker)[1] < 0.25


def took_over(stage: Stage, net: PairNet, allocation: str | None = None) -> str | None:
    if allocation:
        (address,) = stage.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
        holder: str | None = address.get("InstanceId")
        return holder
    routes = stage.ec2.describe_route_tables(RouteTableIds=[net.table])["RouteTables"][0]["Routes"]
    return next((r.get("InstanceId") for r in routes if r["DestinationCidrBlock"] == ANYWHERE), None)


def test_row_040_a_monitor_moves_the_route_to_the_instance_that_lives(
    stage: Stage, net: PairNet, record_property: Any
) -> None:
    """The first hangs: it runs, says EC2, but answers nobody.  Only a probe finds out."""
    probe = f"{sys.executable} -m atoll.cli run --as {CLIENT} -- ping -c 1 -W 1 {{public}}"
    stage.ec2.authorize_security_group_ingress(
        GroupId=net.group,
        IpPermissions=[{"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": f"{CLIENT}/32"}]}],
    )
    words = ("route", net.first, net.second, "--table", net.table, "--probe", probe)
    with (
        stage.program(STRANGER, SERVER, "8080"),
        monitor(stage, *words),
        stage.program(net.inside, KNOCKER, STRANGER, "8080") as knocker,
    ):
        until(lambda: works(knocker), SETTLED_SECONDS, "way out through the first instance")
        stage.typed(net.first, "iptables -I INPUT -j DROP && iptables -I FORWARD -j DROP")
        until(lambda: took_over(stage, net) == net.second, SETTLED_SECONDS, "take-over")
        until(lambda: works(knocker), SETTLED_SECONDS, "way out through the second instance")
        outage, _ = gaps(knocker)
    record_property("outage_seconds", outage)
    print(f"route: {outage:.2f} s without a way out")
    assert 0.2 < outage < TAKEN_OVER_SECONDS
    stage.typed(net.first, "iptables -D INPUT 1 && iptables -D FORWARD 1")


def test_row_040_a_monitor_moves_the_elastic_ip_to_the_instance_that_lives(
    stage: Stage, net: PairNet, record_property: Any
) -> None:
    """The way in: clients know one address, and both instances forward its port to the same machine inside."""
    eip = stage.elastic_ip()
    for instance in (net.first, net.second):
        forward = "iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 6379 -j DNAT --to 10.0.1.10:6379"
        stage.typed(instance, f"{forward} && iptables -t nat -A POSTROUTING -d 10.0.1.10 -j MASQUERADE")
    stage.associate(eip["AllocationId"], net.first)
    words = ("address", net.first, net.second, "--allocation", eip["AllocationId"])
    with (
        stage.program(net.inside, SERVER, "6379"),
        monitor(stage, *words),
        stage.program(CLIENT, KNOCKER, eip["PublicIp"], "6379") as knocker,
    ):
        until(lambda: works(knocker), SETTLED_SECONDS, "way in through the first instance")
        stage.stop(net.first)
        until(lambda: took_over(stage, net, eip["AllocationId"]) == net.second, SETTLED_SECONDS, "take-over")
        until(lambda: works(knocker), SETTLED_SECONDS, "way in through the second instance")
        outage, _ = gaps(knocker)
    record_property("outage_seconds", outage)
    print(f"address: {outage:.2f} s without a way in")
    assert outage < TAKEN_OVER_SECONDS


def test_row_040_without_a_monitor_the_way_stays_closed(stage: Stage, net: PairNet) -> None:
    """A pair alone is no availability: somebody must move the route."""
    with stage.program(STRANGER, SERVER, "8080"):
        stage.ec2.replace_route(RouteTableId=net.table, DestinationCidrBlock=ANYWHERE, InstanceId=net.first)
        assert stage.is_dropped(net.inside, STRANGER, 8080)
        assert stage.refusal(net.inside, STRANGER, 8080).code == "BAD_STATE_ROUTE"
        stage.ec2.replace_route(RouteTableId=net.table, DestinationCidrBlock=ANYWHERE, InstanceId=net.second)
        assert stage.connects(net.inside, STRANGER, 8080)


def test_row_040_the_check_must_be_off_on_both_and_a_trace_says_how(stage: Stage, net: PairNet) -> None:
    stage.ec2.modify_instance_attribute(InstanceId=net.second, SourceDestCheck={"Value": True})
    try:
        found = stage.trace(net.inside, STRANGER, 8080)
        assert found["verdict"] == "spoofed"
        command = f"aws ec2 modify-instance-attribute --instance-id {net.second} --no-source-dest-check"
        assert command in [one["command"] for one in found["mend"]]
    finally:
        stage.ec2.modify_instance_attribute(InstanceId=net.second, SourceDestCheck={"Value": False})
