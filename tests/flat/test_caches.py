"""Real engines on the flat host: who reaches them, and what becomes of open connections when rules change."""

import os
import signal
import ssl

import pytest

from tests.daemon.atoll import running, until
from tests.flat import socks
from tests.flat.town import Town

pytestmark = pytest.mark.engines
SILENCE_SECONDS = 0.5  # in which a connection that is allowed has long been made


@pytest.fixture(scope="module")
def town():
    with running("flat") as atoll:
        yield Town(atoll)


@pytest.fixture(scope="module")
def sessions(town):
    return town.replicas("sessions", NumCacheClusters=2)["NodeGroups"][0]


def address(town, node):
    status = town.atoll.status()
    return next(n["address"] for c in status["caches"] if c["name"] == node for n in c["nodes"])


def primary_name(group):
    return group["PrimaryEndpoint"]["Address"]


def answers(sock):
    sock.settimeout(SILENCE_SECONDS)
    try:
        return socks.say(sock, "PING") == "PONG"
    except TimeoutError:
        return False
    finally:
        sock.settimeout(20)


def test_an_instance_reaches_a_cache_by_name_and_by_address_and_another_does_not(town, sessions):
    name = primary_name(sessions)

    with town.connect(town.app, name) as by_name, town.connect(town.app, address(town, "sessions-001")) as direct:
        assert socks.say(by_name, "SET", "a", "1") == "OK"
        assert socks.say(direct, "GET", "a") == "1"
    with pytest.raises(TimeoutError):
        town.connect(town.other, name, seconds=SILENCE_SECONDS)
    with pytest.raises(TimeoutError):
        town.connect("198.51.100.27", address(town, "sessions-001"), seconds=SILENCE_SECONDS)
    town.admit(6380, town.app_group)
    with pytest.raises(socks.Refused, match=str(socks.REFUSED)):
        town.connect(town.app, name, 6380)
    with pytest.raises(socks.Refused, match=str(socks.UNREACHABLE)):
        town.connect(town.app, "nobody.example")


def test_who_does_not_know_the_password_is_nobody(town, sessions):
    with pytest.raises(PermissionError):
        socks.begin(town.relay, town.app, primary_name(sessions), 6379, password="guess")


def test_who_waits_is_let_in_when_the_rule_comes(town, sessions):
    waiting = socks.begin(town.relay, town.other, primary_name(sessions), 6379)

    town.admit(6379, town.other_group)

    with socks.finish(waiting, 20) as sock:
        assert socks.say(sock, "PING") == "PONG"
    town.revoke(6379, town.other_group)


def test_a_tracked_connection_outlives_its_rule_and_a_new_one_is_not_made(town, sessions):
    with town.connect(town.app, primary_name(sessions)) as tracked:
        assert answers(tracked)

        town.revoke(6379, town.app_group)

        assert answers(tracked)
        with pytest.raises(TimeoutError):
            town.connect(town.app, primary_name(sessions), seconds=SILENCE_SECONDS)
        town.admit(6379, town.app_group)


def test_an_untracked_connection_ends_with_its_rule_and_goes_on_with_it(town, sessions):
    town.admit(6379, "0.0.0.0/0")
    town.revoke(6379, town.app_group)
    with town.connect(town.app, primary_name(sessions)) as untracked:
        assert answers(untracked)

        town.revoke(6379, "0.0.0.0/0")

        assert not answers(untracked)
        town.admit(6379, town.app_group)
        assert socks.reply(untracked) == "PONG", "what was lost is sent again"


def test_an_acl_cuts_what_is_open(town, sessions):
    acl = town.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [town.vpc]}])["NetworkAcls"][0]
    deny = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 50, "Egress": False}
    with town.connect(town.app, primary_name(sessions)) as sock:
        assert answers(sock)

        town.ec2.create_network_acl_entry(**deny, Protocol="-1", RuleAction="deny", CidrBlock="10.0.0.0/16")

        assert not answers(sock)
        town.ec2.delete_network_acl_entry(**deny)
        assert socks.reply(sock) == "PONG"


def test_a_replica_takes_over_and_the_name_follows(town, sessions):
    name = primary_name(sessions)
    with town.connect(town.app, name) as sock:
        assert socks.say(sock, "SET", "kept", "yes") == "OK"
        assert socks.say(sock, "WAIT", "1", "2000") == 1

    os.kill(town.atoll.machine("sessions-001")["pid"], signal.SIGKILL)

    def role():
        try:
            with town.connect(town.app, name, seconds=1) as sock:
                return socks.say(sock, "ROLE")[0], socks.say(sock, "GET", "kept")
        except (OSError, EOFError, socks.Refused):
            return None

    until(lambda: town.described("sessions")["NodeGroups"][0]["NodeGroupMembers"][1]["CurrentRole"] == "primary", 30)
    assert until(role, 20) == ("master", "yes")
    town.available("sessions")


def test_memcached_tells_its_members(town):
    made = town.memcached("mem", 2)
    host = made["ConfigurationEndpoint"]["Address"]

    with town.connect(town.app, host, 11211) as sock:
        told = configuration(sock)

        assert told.startswith("CONFIG cluster 0 ")
        assert all(node["Endpoint"]["Address"] in told for node in made["CacheNodes"])
        sock.sendall(b"flush_all\r\n")
        assert socks.line(sock) == "OK"
        assert until(lambda: configuration(sock), 10, "the members, after a flush") == told


def configuration(sock):
    """Return what a Memcached node tells of its cluster; nothing: it does not know."""
    sock.sendall(b"config get cluster\r\n")
    told = ""
    while not told.endswith("END\r\n"):
        told += socks.take(sock, 1).decode()
    return told.removesuffix("END\r\n")


def test_a_cluster_tells_clients_addresses_that_they_can_reach(town):
    town.replicas(
        "shards", NumNodeGroups=2, ReplicasPerNodeGroup=1, CacheParameterGroupName="default.valkey9.cluster.on"
    )
    host = town.described("shards")["ConfigurationEndpoint"]["Address"]

    with town.connect(town.app, host) as sock:
        ranges = socks.say(sock, "CLUSTER", "SLOTS")
        told = socks.say(
            sock, "GET", next(k for k in "abcdefgh" if str(socks.say(sock, "GET", k)).startswith("-MOVED"))
        )

    seats = {(node[0], node[1]) for one in ranges for node in one[2:]}
    assert len(seats) == 4
    assert all(host.startswith("10.0.1.") and port == 6379 for host, port in seats)
    moved, port = told.split()[2].split(":")
    with town.connect(town.app, moved, int(port)) as sock:
        assert socks.say(sock, "PING") == "PONG"
    with pytest.raises(TimeoutError):
        town.connect(town.other, moved, int(port), seconds=SILENCE_SECONDS)


def test_a_cache_with_tls_and_a_password(town, tmp_path):
    made = town.replicas(
        "secret", NumCacheClusters=2, TransitEncryptionEnabled=True, AuthToken="a-secret-of-16-chars"
    )
    host = primary_name(made["NodeGroups"][0])
    (tmp_path / "ca.pem").write_text(town.atoll.cli("ca"))
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))

    with trusting.wrap_socket(town.connect(town.app, host), server_hostname=host) as sock:
        assert socks.say(sock, "PING").startswith("-NOAUTH")
        assert socks.say(sock, "AUTH", "a-secret-of-16-chars") == "OK"
        assert socks.say(sock, "SET", "b", "2") == "OK"


def test_engines_outlive_the_daemon(town, sessions):
    with town.connect(town.app, primary_name(sessions)) as sock:
        assert socks.say(sock, "SET", "before", "1") == "OK"
    pids = {name: town.atoll.machine(name)["pid"] for name in ("sessions-001", "sessions-002")}

    town.atoll.kill()
    town.atoll.up()

    assert {name: town.atoll.machine(name)["pid"] for name in pids} == pids
    with town.connect(town.app, primary_name(town.described("sessions")["NodeGroups"][0])) as sock:
        assert socks.say(sock, "GET", "before") == "1"


@pytest.mark.parametrize("command", ["exec {} true", "capture {}"])
def test_what_needs_a_machine_is_refused_by_name(town, command):
    instance = town.atoll.status()["instances"][0]["id"]

    said = town.atoll.cli(*command.format(instance).split(), ok=False)

    assert "error: on the flat host" in said
    assert "docs/flat.md" in said


def test_a_program_of_this_machine_goes_in_by_its_proxy(town, sessions):
    from atoll.cli.flat import libproxychains

    if libproxychains() is None:
        pytest.skip("libproxychains is not installed: bin/setup")
    instance = next(i["id"] for i in town.atoll.status()["instances"] if i["private_ip"])

    said = town.atoll.cli("run", "--in", instance, "--", "redis-cli", "-h", primary_name(sessions), "PING", ok=False)

    assert "PONG" in said


def test_status_says_what_this_host_cannot_do(town):
    said = town.atoll.cli("status")

    assert "mode flat" in said
    assert "docs/flat.md" in said
