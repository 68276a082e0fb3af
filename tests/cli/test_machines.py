"""exec, ssh, run and trace against real machines: a default VPC, one instance with a public address, one cache."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cli.daemon import Atoll

pytestmark = [pytest.mark.kernel, pytest.mark.engines]
CLIENT = "198.51.100.27"


@pytest.fixture(scope="module")
def atoll():
    directory = Path(tempfile.mkdtemp(prefix="atoll-cli-"))
    made = Atoll(directory / "state")
    started = made.up()
    if started.returncode == 3:
        pytest.skip(f"NO KERNEL FOR MACHINES: {started.stderr}")
    assert started.returncode == 0, started.stderr
    try:
        yield made
    finally:
        ended = made("down", "--purge")
        shutil.rmtree(directory)
        assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def key(atoll):
    made = atoll.client("ec2").create_key_pair(KeyName="mine")["KeyMaterial"]
    path = atoll.state.parent / "mine.pem"
    path.touch(mode=0o600)
    path.write_text(made)
    return path


@pytest.fixture(scope="module")
def app(atoll, key):  # noqa: ARG001  # the key exists before the instance
    return atoll.launch("app", KeyName="mine")


@pytest.fixture(scope="module")
def node(atoll):
    cache = atoll.client("elasticache")
    cache.create_cache_cluster(
        CacheClusterId="sessions", Engine="memcached", CacheNodeType="cache.t3.micro", NumCacheNodes=1
    )
    waiter = cache.get_waiter("cache_cluster_available")
    waiter.wait(CacheClusterId="sessions", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
    found = cache.describe_cache_clusters(CacheClusterId="sessions", ShowCacheNodeInfo=True)["CacheClusters"][0]
    return found["CacheNodes"][0]["Endpoint"]["Address"]


def test_exec_is_inside_the_instance(atoll, app):
    named = atoll("exec", "app", "--", "sh", "-c", "hostname; ip -br -4 addr show eth0; ls /; id -un")

    assert named.returncode == 0, named.stderr
    host, link, *files = named.stdout.split("\n", 2)
    assert host.startswith("ip-172-31-")
    assert link.startswith("eth0")
    assert "root" in files[0].splitlines()
    assert atoll("exec", app, "hostname").stdout == f"{host}\n"


def test_exec_passes_input_output_and_the_exit_code_through(atoll, app):
    done = atoll("exec", app, "--", "sh", "-c", "cat; echo no >&2; exit 7", given="hello\n")

    assert (done.stdout, done.stderr, done.returncode) == ("hello\n", "no\n", 7)


def test_exec_can_be_another_user(atoll, app):
    done = atoll("exec", "--user", "ec2-user", app, "--", "sh", "-c", "echo $HOME; sudo id -u")

    assert done.stdout == "/home/ec2-user\n0\n", done.stderr


def test_exec_as_a_user_who_is_not_there_is_refused(atoll, app):
    done = atoll("exec", "--user", "nemo", app, "--", "true")

    assert done.returncode != 0
    assert "no user nemo" in done.stderr


def test_exec_of_what_is_not_there_says_so_as_a_shell_does(atoll, app):
    missing = atoll("exec", app, "--", "frobnicate", "-x")
    closed = atoll("exec", app, "--", "/etc/passwd")

    assert (missing.stderr, missing.returncode) == ("error: frobnicate: command not found in the instance\n", 127)
    assert (closed.stderr, closed.returncode) == ("error: /etc/passwd: Permission denied\n", 126)


def test_exec_without_a_command_is_a_shell(atoll, app):
    done = atoll("exec", app, given="echo I am $(id -un)\nexit 3\n")

    assert (done.stdout, done.returncode) == ("I am root\n", 3)


def test_exec_keeps_the_terminal(atoll, app):
    command = f"{os.sys.executable} -m atoll.cli exec {app} -- sh -c 'test -t 0 && test -t 1 && echo a terminal'"

    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        capture_output=True,
        text=True,
        env=atoll.env,
        timeout=30,
        check=False,
    )

    assert "a terminal" in done.stdout


def test_run_in_is_in_the_instances_network_with_the_users_files(atoll, app, tmp_path, node):
    (tmp_path / "mine").write_text("my file")
    address = atoll("exec", app, "hostname", "-I").stdout.split()[0]

    done = atoll(
        "run", "--in", "app", "--", "sh", "-c", f"ip -br addr show eth0; cat {tmp_path}/mine; getent hosts {node}"
    )

    assert done.returncode == 0, done.stderr
    assert address in done.stdout
    assert "my file" in done.stdout
    assert node in done.stdout


def test_run_as_is_an_internet_client(atoll):
    done = atoll("run", "--as", CLIENT, "--", "ip", "-br", "-4", "addr")

    assert CLIENT in done.stdout, done.stderr
    assert CLIENT in json.loads(atoll("status", "--json").stdout)["outside"]


def test_an_internet_client_resolves_a_cache_and_cannot_reach_it(atoll, node):
    """As on AWS: the name is public, the address behind it is private."""
    named = atoll("run", "--as", CLIENT, "--", "getent", "hosts", node)
    tried = atoll("run", "--as", CLIENT, "--", "timeout", "1.5", "telnet", node, "11211")

    assert named.stdout.startswith("172.31."), named.stderr
    assert tried.returncode != 0
    assert "Connected" not in tried.stdout


def test_nobody_can_log_in_to_a_node(atoll, node):
    del node
    done = atoll("exec", "sessions", "--", "true")

    assert done.returncode == 1
    assert "as on AWS" in done.stderr


@pytest.mark.parametrize("engine", ["memcached", "redis"])
def test_a_cache_may_have_a_port_that_elsewhere_takes_rights(atoll, app, engine):
    cache, name = atoll.client("elasticache"), f"low-{engine}"
    cache.create_cache_cluster(
        CacheClusterId=name, Engine=engine, CacheNodeType="cache.t3.micro", NumCacheNodes=1, Port=443
    )
    waiter = cache.get_waiter("cache_cluster_available")
    waiter.wait(CacheClusterId=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})

    done = atoll("why", app, f"{name}:443")

    assert done.returncode == 0, done.stdout
    cache.delete_cache_cluster(CacheClusterId=name)


def test_an_internet_client_is_not_an_instance(atoll):
    atoll("run", "--as", CLIENT, "--", "true")

    done = atoll("exec", CLIENT, "--", "true")

    assert done.returncode == 1
    assert f"atoll run --as {CLIENT}" in done.stderr


def test_a_private_address_is_no_internet_client(atoll):
    done = atoll("run", "--as", "10.0.0.1", "--", "true")

    assert done.returncode == 1
    assert "choose a public one" in done.stderr


def test_ssh_comes_from_the_internet_and_obeys_the_groups(atoll, app, key):
    ec2 = atoll.client("ec2")
    group = ec2.describe_instances(InstanceIds=[app])["Reservations"][0]["Instances"][0]["SecurityGroups"][0][
        "GroupId"
    ]
    rule = {"GroupId": group, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": f"{CLIENT}/32"}
    command = ("ssh", "app", "-i", key, "--", "echo", "in", ";", "hostname", "-I")

    before = atoll("run", "--as", CLIENT, "--", "timeout", "1.5", "ssh", "-oBatchMode=yes", public(ec2, app), "true")
    warned = subprocess.run(
        ["timeout", "5", sys.executable, "-m", "atoll.cli", *map(str, command)],
        capture_output=True, text=True, env=atoll.env, check=False,
    )  # fmt: skip
    ec2.authorize_security_group_ingress(**rule)
    after = atoll(*command)
    stranger = atoll("run", "--as", "198.51.100.28", "--", "timeout", "1.5", "ssh", public(ec2, app), "true")

    assert before.returncode == 124
    assert warned.returncode == 124
    assert f"note: {CLIENT} does not get in: no rule of {group} allows tcp 22" in warned.stderr
    assert f"`atoll why {CLIENT} app:22`" in warned.stderr
    assert "note:" not in after.stderr
    assert after.stdout.startswith("in\n172.31."), after.stderr
    assert stranger.returncode == 124


def test_ssh_to_ubuntu_is_as_ubuntu(atoll, key):
    names = [{"Name": "name", "Values": ["ubuntu/images/*-noble-24.04-amd64-server-*"]}]
    image = atoll.client("ec2").describe_images(Owners=["099720109477"], Filters=names)["Images"][0]["ImageId"]
    subnet = atoll.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    nets = [{"DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": False}]
    atoll.launch("ubuntu", KeyName="mine", ImageId=image, NetworkInterfaces=nets)

    done = atoll("ssh", "ubuntu", "-i", key, "--", "echo", "$USER", "$HOME")

    assert done.stdout == "ubuntu /home/ubuntu\n", done.stderr


def test_ssh_with_a_key_that_cannot_be_read_says_so(atoll, app):
    done = atoll("ssh", app, "-i", "/no/such/key")

    assert done.returncode == 1
    assert "create-key-pair" in done.stderr


def test_trace_is_what_packets_do(atoll, app, node):
    host, _, _ = node.partition(":")

    allowed = atoll("trace", app, "sessions:11211")
    refused = atoll("trace", CLIENT, "sessions:11211")
    told = atoll("exec", app, "--", "sh", "-c", f"(echo version; sleep 0.4) | timeout 5 telnet {host} 11211")

    assert allowed.returncode == 0, allowed.stdout + allowed.stderr
    assert refused.returncode == 1
    assert "VERSION" in told.stdout


def test_what_runs_survives_the_daemon(atoll, app):
    before = atoll("exec", app, "--", "sh", "-c", "echo kept > /run/kept; stat -c %Y /proc/1").stdout

    assert atoll("down").returncode == 0
    assert atoll.up().returncode == 0

    after = atoll("exec", app, "--", "sh", "-c", "cat /run/kept; stat -c %Y /proc/1")
    assert after.stdout == f"kept\n{before}", after.stderr
    assert "running" in atoll("status").stdout


def public(ec2, instance):
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["PublicIpAddress"]


def test_refused_packets_are_shown_with_who_refused_them_and_why(atoll, app):
    public = next(i["public_ip"] for i in json.loads(atoll("status", "--json").stdout)["instances"] if i["id"] == app)
    probe = f"import socket; s = socket.socket(); s.settimeout(0.3); s.connect_ex(('{public}', 81))"
    atoll("run", "--as", CLIENT, "--", "python3", "-c", probe)

    found = [d for d in json.loads(atoll("status", "--drops", "--json").stdout)["drops"] if d["source"] == "internet"]

    assert [(d["by"], d["reason"]) for d in found] == [("receiver", "no rule in")]
    assert found[0]["packets"] >= 1
    shown = atoll("status", "--drops").stdout
    assert "no rule in" in shown
    assert found[0]["target"] in shown


def test_flow_logs_are_printed_as_they_come_and_as_objects(atoll, app, node):
    ec2 = atoll.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    assert "Flow logs: none" in atoll("flow-logs").stdout
    made = ec2.create_flow_logs(
        ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3",
        LogDestination="arn:aws:s3:::mine", LogFormat="${interface-id} ${dstaddr} ${dstport} ${action} ${log-status}",
    )["FlowLogIds"][0]  # fmt: skip
    assert made in atoll("flow-logs").stdout, "there is no record yet, but it says where they will be"
    assert atoll("exec", app, "--", "bash", "-c", f"exec 3<>/dev/tcp/{node}/11211").returncode == 0
    assert atoll("exec", app, "--", "bash", "-c", f"timeout 0.3 bash -c 'exec 3<>/dev/tcp/{node}/22'").returncode

    printed = atoll("flow-logs", "--flush", made)

    assert printed.returncode == 0, printed.stderr
    lines = [line.split(" ") for line in printed.stdout.splitlines()]
    assert {(port, action) for _, _, port, action, _ in lines} >= {("11211", "ACCEPT")}
    records = [json.loads(line) for line in atoll("flow-logs", vpc, "--json").stdout.splitlines()]
    assert [[r[f] for f in ("interface-id", "dstaddr", "dstport", "action", "log-status")] for r in records] == lines
    objects = list(atoll.state.glob("flow-logs/s3/mine/AWSLogs/*/vpcflowlogs/us-east-1/*/*/*/*.log.gz"))
    assert len(objects) == 1
    assert "is no flow log" in atoll("flow-logs", "fl-0123456789abcdef0").stderr


def frames(raw):
    """Return the frames of a pcap file."""
    assert raw[:4] == b"\xd4\xc3\xb2\xa1"
    found, offset = [], 24
    while offset < len(raw):
        size = int.from_bytes(raw[offset + 8 : offset + 12], "little")
        found.append(raw[offset + 16 : offset + 16 + size])
        offset += 16 + size
    return found


def address(atoll):
    """Return the address of the cache node."""
    return json.loads(atoll("status", "--json").stdout)["caches"][0]["nodes"][0]["address"]


def capturing(atoll, *arguments, **options):
    """Begin a capture; returns it when it listens."""
    command = [sys.executable, "-m", "atoll.cli", "capture", *map(str, arguments)]
    begun = subprocess.Popen(command, env=atoll.env, stderr=subprocess.PIPE, **options)
    assert b"listening on eth0" in begun.stderr.readline()
    return begun


def test_a_capture_writes_a_file_of_what_passes_and_ends_by_itself(atoll, app, node, tmp_path):
    file = tmp_path / "seen.pcap"
    begun = capturing(atoll, "app", "-w", file, "-f", f"tcp port 11211 and host {address(atoll)}", "-c", 3)
    atoll("exec", app, "--", "bash", "-c", f"exec 3<>/dev/tcp/{node}/11211; exec 4<>/dev/udp/{node}/53; echo x >&4")

    assert begun.wait(10) == 0
    assert b"3 packets captured, 0 lost" in begun.stderr.read()
    request, answer, _ = frames(file.read_bytes())
    assert (request[47], answer[47]) == (0x02, 0x12), "SYN, and its answer"
    assert ".".join(map(str, request[30:34])) == address(atoll)


def test_a_capture_goes_into_a_pipe_until_it_is_interrupted(atoll, app, node):
    begun = capturing(atoll, "sessions", "-w", "-", "-f", "tcp", stdout=subprocess.PIPE)
    atoll("exec", app, "--", "bash", "-c", f"exec 3<>/dev/tcp/{node}/11211")
    begun.send_signal(signal.SIGINT)
    raw, said = begun.communicate(timeout=10)

    assert begun.returncode == 0
    assert len(frames(raw)) >= 3
    assert b"packets captured" in said


def test_a_capture_without_a_file_shows_lines_also_of_what_is_refused(atoll, app, node):
    begun = capturing(atoll, app, "-f", "udp port 9", "-c", 1, stdout=subprocess.PIPE, text=False)
    atoll("exec", app, "--", "bash", "-c", f"exec 4<>/dev/udp/{node}/9; echo x >&4")
    shown = begun.communicate(timeout=10)[0].decode()

    assert shown.rstrip().endswith(f"> {address(atoll)}.9: udp, length 2")


def test_a_capture_ends_with_its_reader(atoll, app, node):
    begun = capturing(atoll, app, "-w", "-", "-f", "udp port 9", stdout=subprocess.PIPE)
    begun.stdout.close()
    for _ in range(50):
        if begun.poll() is not None:
            break
        atoll("exec", app, "--", "bash", "-c", f"exec 4<>/dev/udp/{node}/9; echo x >&4")

    assert begun.wait(10) == 0
    assert b"Traceback" not in begun.stderr.read()


def test_what_cannot_be_captured_is_refused(atoll, app, tmp_path):
    said = atoll("capture", app, "-f", "tcp prt 9")
    assert (said.returncode, "is not a filter" in said.stderr) == (2, True)
    assert "cannot be written" in atoll("capture", app, "-w", tmp_path / "none" / "file").stderr
    assert atoll("capture", "nobody").returncode == 1


def test_usage_is_told_of_instances_and_caches(atoll, app, node):
    assert atoll("exec", app, "--", "bash", "-c", f"exec 3<>/dev/tcp/{node}/11211").returncode == 0

    seen = json.loads(atoll("usage", "--json").stdout)

    assert next(i for i in seen["instances"] if i["id"] == app)["metrics"]["NetworkPacketsOut"] > 0
    assert next(c for c in seen["caches"] if c["id"] == "sessions")["metrics"]["NetworkBytesIn"] > 0
    shown = atoll("usage").stdout
    assert "NAT gateways: none" in shown
    assert app in shown


def test_following_goes_on_when_the_daemon_starts_again_and_shows_each_record_once(atoll, app, node):
    made = atoll.client("ec2").create_flow_logs(
        ResourceIds=[app_interface(atoll, app)], ResourceType="NetworkInterface", TrafficType="ACCEPT",
        LogDestinationType="s3", LogDestination="arn:aws:s3:::followed",
        LogFormat="${srcport} ${dstport} ${start} ${end} ${log-status}",
    )["FlowLogIds"][0]  # fmt: skip
    command = [sys.executable, "-m", "atoll.cli", "flow-logs", made, "--follow"]
    following = subprocess.Popen(command, env=atoll.env, stdout=subprocess.PIPE, text=True)
    shown = []

    def talk():
        assert atoll("exec", app, "--", "bash", "-c", f"exec 3<>/dev/tcp/{node}/11211").returncode == 0
        assert atoll("flow-logs", "--flush", made).returncode == 0
        before = len(shown)
        while not any(" 11211 " in line for line in shown[before:]):  # else the way back, or a window without traffic
            shown.append(following.stdout.readline())
            assert shown[-1], "it goes on"

    talk()
    os.kill(json.loads(atoll("status", "--json").stdout)["pid"], signal.SIGKILL)
    assert atoll.up().returncode == 0
    talk()
    following.send_signal(signal.SIGINT)
    shown += following.stdout.readlines()  # not `communicate`, which forgets what `readline` has read ahead

    assert following.wait(10) == 0
    kept = atoll("flow-logs", made).stdout.splitlines(keepends=True)
    assert shown == kept[: len(shown)], "each record that was kept is shown, once and in its order"


def app_interface(atoll, instance):
    found = atoll.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return found["NetworkInterfaces"][0]["NetworkInterfaceId"]
