"""Ways in from this machine: `atoll port-forward`, `atoll run --as outside`, `awsatoll`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.daemon.atoll import own_mode, running, until

WORLD = """
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      public: {cidr: 10.0.0.0/24, public: true}
      private: {cidr: 10.0.1.0/24}
security_groups:
  app: {ingress: [{from: 0.0.0.0/0, port: 22}]}
  other: {}
  cache: {ingress: [{from: app, port: 6379}]}
instances:
  app: {subnet: private, groups: [app]}
  other: {subnet: private, groups: [other]}
caches:
  sessions: {engine: valkey, subnets: [private], groups: [cache]}
"""
ENDS_SECONDS = 30.0


@pytest.fixture(scope="module")
def atoll():
    with running(own_mode()) as started:
        file = started.place / "world.yaml"
        file.write_text(WORLD)
        started.cli("apply", str(file), timeout=200)
        yield started


def forwarding(atoll, *words):
    """Start a forward; returns it with what it said first."""
    command = [sys.executable, "-m", "atoll.cli", "port-forward", *words, "--json"]
    process = atoll.start_process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    assert first, process.stderr.read()
    return process, json.loads(first)["forwards"]


def asked(port, text):
    with socket.create_connection(("127.0.0.1", port), 20) as link:
        link.settimeout(20)
        link.sendall(text)
        return link.recv(100)


def relays(process):
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


@pytest.mark.kernel
@pytest.mark.engines
@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_port_leads_to_a_cache_and_ends_with_its_command(atoll, end):
    process, (first, second) = forwarding(atoll, "sessions", "0:sessions:6379", "--from", "app")
    inside = relays(process)

    answers = [asked(row["port"], b"PING\r\n") for row in (first, second)]
    process.send_signal(end)
    process.wait(ENDS_SECONDS)

    assert answers == [b"+PONG\r\n", b"+PONG\r\n"]
    assert first["name"] == "sessions"
    assert first["target"].endswith("cache.amazonaws.com:6379")
    assert len(inside) == 1
    until(lambda: not os.path.exists(f"/proc/{inside[0]}"), ENDS_SECONDS, "the end of the relay")
    with pytest.raises(ConnectionRefusedError):
        asked(first["port"], b"")
    process.stdout.close()
    process.stderr.close()


@pytest.mark.kernel
@pytest.mark.engines
@pytest.mark.timeout(300)
def test_who_may_not_reach_it_is_told_why_at_once_and_who_may_is_found(atoll):
    refused = atoll.cli("port-forward", "sessions", "--from", "other", ok=False)
    process, (row,) = forwarding(atoll, "0:sessions")
    chosen = row["from"]
    process.send_signal(signal.SIGTERM)
    process.wait(ENDS_SECONDS)
    process.stdout.close()
    process.stderr.close()

    assert "no rule of sg-" in refused
    assert "authorize-security-group-ingress" in refused
    (app,) = [i for r in atoll.client("ec2").describe_instances()["Reservations"] for i in r["Instances"]
        if {"Key": "Name", "Value": "app"} in i["Tags"]]  # fmt: skip
    assert chosen == app["InstanceId"]


@pytest.mark.kernel
@pytest.mark.timeout(300)
def test_a_rule_that_goes_is_explained_when_somebody_connects(atoll):
    process, (row,) = forwarding(atoll, "0:sessions", "--from", "app")
    ec2 = atoll.client("ec2")
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["cache"]}])["SecurityGroups"]
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])

    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", row["port"]), 20) as link:
        link.settimeout(60)
        assert link.recv(1) == b""
    told = json.loads(process.stdout.readline())
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    process.send_signal(signal.SIGTERM)
    process.wait(ENDS_SECONDS)
    process.stdout.close()
    process.stderr.close()

    assert told["failed"] == row["port"]
    assert "no answer" in told["error"]
    assert any("has no inbound rules" in line for line in told["why"])
    assert time.monotonic() - begun < 100


@pytest.mark.kernel
@pytest.mark.timeout(300)
def test_outside_is_an_internet_client(atoll):
    said = atoll.cli("run", "--as", "outside", "ip", "-4", "-o", "address")

    assert "198.51.100.27" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["1:2:3:4"], "is not [PORT:]TARGET[:PORT]"),
        (["99999:sessions"], "is not a port"),
        (["app"], "which port of it?"),
        (["nobody:1"], "nothing is called 'nobody'"),
        (["sessions", "--from", "sessions"], "is a cache-node, not an instance"),
        (["sessions", "--from", "subnet-0"], "no instance runs in subnet-0"),
    ],
)
def test_what_makes_no_sense_is_refused(atoll, words, message):
    assert message in atoll.cli("port-forward", *words, ok=False)


def test_awsatoll_passes_the_answer_and_the_exit_code_on(atoll):
    program = os.path.join(os.path.dirname(sys.executable), "awsatoll")
    environment = atoll.environment | {"AWS_PROFILE": "nowhere", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}

    def run(*words, **more):
        return subprocess.run([program, *words], env=environment | more, capture_output=True, text=True, check=False)

    found = run("ec2", "describe-vpcs", "--query", "Vpcs[].CidrBlock", "--output", "text")
    wrong = run("ec2", "describe-vpcs", "--vpc-ids", "vpc-00000000000000000")

    assert (found.returncode, sorted(found.stdout.split())) == (0, ["10.0.0.0/16", "172.31.0.0/16"])
    assert wrong.returncode not in (0, 127)
    assert "InvalidVpcID.NotFound" in wrong.stderr
