"""TLS with real engines: clients that look at the certificate, and clients that speak plainly."""

import json
import os
import signal
from pathlib import Path

import pytest

from atoll.host.linux import cgroups
from tests.daemon.atoll import until
from tests.tls.conftest import NODE

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

CLIENT = """
import sys, {library} as library
client = library.{kind}(host=sys.argv[1], ssl={tls}, socket_timeout=3, decode_responses=True)
try:
    print(client.ping(), client.set("k", "v"), client.get("k"))
except library.exceptions.ConnectionError as error:
    print("REFUSED", error)
"""


def client(library: str = "redis", *, tls: bool = True) -> str:
    return CLIENT.format(library=library, kind=library.capitalize(), tls=tls)


@pytest.mark.parametrize("engine", ["valkey", "redis"])
def test_clients_that_look_at_the_certificate_are_served_and_plain_ones_are_not(vault, engine):
    name = f"kept-{engine}"

    primary = vault.kept(name, engine, 2)

    assert primary.startswith(f"master.{name}.")
    assert vault.endpoint(name, "ReaderEndpoint").startswith(f"replica.{name}.")
    assert vault.described(name)["TransitEncryptionMode"] == "required"
    assert vault.cli(primary, "SET", "a", "1") == "OK"
    reader = vault.endpoint(name, "ReaderEndpoint")
    until(lambda: vault.cli(reader, "GET", "a") == "1", 30.0, "the record at the replica")
    assert vault.cli(primary, "PING", tls=False) != "PONG"
    assert vault.python(client("redis"), primary) == vault.python(client("valkey"), primary) == "True True v"
    assert vault.python(client(tls=False), primary).startswith("REFUSED")
    member = vault.described(name)["NodeGroups"][0]["NodeGroupMembers"][1]["ReadEndpoint"]["Address"]
    assert member.startswith(f"{name}-002.{name}.")
    assert vault.cli(member, "GET", "a") == "1"


def test_what_speaks_tls_has_limits_of_its_own(vault):
    if because := cgroups.support().because:
        pytest.skip(because)
    vault.kept("kept-valkey", "valkey", 2)
    limits = {}

    for line in Path(f"/proc/{vault.terminator('kept-valkey-001')}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for name in ("memory.max", "memory.limit_in_bytes", "pids.max"):
            file = Path(f"/sys/fs/cgroup/{controllers}{path}/{name}")
            if path.endswith("+tls") and file.exists():
                limits[name] = file.read_text().strip()

    assert limits.pop("pids.max") == "16"
    assert all(int(value) < 1 << 30 for value in limits.values()), "the type has 512 MiB"
    assert limits


CLUSTER = """
import sys, {library}.cluster as library
client = library.{kind}Cluster(host=sys.argv[1], ssl=True, socket_timeout=5, decode_responses=True)
for n in range(60):
    client.set(f"k{{n}}", n)
print(sum(int(client.get(f"k{{n}}")) for n in range(60)), *sorted(client.nodes_manager.nodes_cache))
"""


@pytest.mark.parametrize("engine", ["valkey", "redis"])
def test_in_cluster_mode_nodes_have_names_that_certificates_have(vault, engine):
    name = f"slots-{engine}"
    vault.group(
        name,
        engine,
        None,
        NumNodeGroups=2,
        ReplicasPerNodeGroup=1,
        TransitEncryptionEnabled=True,
        AutomaticFailoverEnabled=True,
    )

    configuration = vault.described(name)["ConfigurationEndpoint"]["Address"]

    assert configuration.startswith(f"clustercfg.{name}.")
    zone = configuration.removeprefix("clustercfg.")
    found = vault.python(CLUSTER.format(library="redis", kind="Redis"), configuration).split()
    members = [f"{name}-{shard}-{node}.{zone}:6379" for shard in ("0001", "0002") for node in ("001", "002")]
    assert found == [str(sum(range(60))), *members]
    assert vault.cli(configuration, "PING", tls=False) != "PONG"


STAYING = """
import sys, redis
held = {}
for line in sys.stdin:
    word, name, host = line.split()
    try:
        if word == "connect":
            kind = redis.SSLConnection if name.startswith("tls") else redis.Connection
            held[name] = kind(host=host, socket_timeout=3, retry=None)
            held[name].connect()
        held[name].send_command("PING", check_health=False)
        print(held[name].read_response().decode(), flush=True)
    except Exception as error:
        print("ENDED", type(error).__name__, error, flush=True)
"""


@pytest.mark.parametrize("engine", ["valkey", "redis"])
def test_clients_stay_connected_while_tls_comes_and_goes_as_far_as_they_may(vault, engine):
    name = f"moving-{engine}"
    vault.group(name, engine, 2, AutomaticFailoverEnabled=True)
    plain = vault.endpoint(name)
    with vault.talking(STAYING) as say:
        assert say(f"connect plain {plain}") == "PONG"

        vault.change(name, TransitEncryptionEnabled=True, TransitEncryptionMode="preferred")
        secure = vault.endpoint(name)
        assert (plain.split(".")[0], secure.split(".")[0]) == (name, "master")
        assert [say(f"go plain {plain}"), say(f"connect tls {secure}")] == ["PONG", "PONG"]
        assert [say(f"connect plain2 {secure}"), say(f"connect plain3 {plain}")] == ["PONG", "PONG"], (
            "both names, both ways"
        )
        assert vault.described(name)["TransitEncryptionMode"] == "preferred"

        vault.change(name, TransitEncryptionEnabled=True, TransitEncryptionMode="required")
        assert say(f"go tls {secure}") == "PONG"
        for cut in ("plain", "plain2", "plain3"):
            assert say(f"go {cut} {plain}").startswith("ENDED"), cut
        assert say(f"connect plain {secure}").startswith("ENDED")
        assert say(f"connect plain {plain}").startswith("ENDED"), "the former name is gone"

        vault.change(name, TransitEncryptionMode="preferred")
        assert [say(f"go tls {secure}"), say(f"connect plain {secure}")] == ["PONG", "PONG"]

        vault.change(name, TransitEncryptionEnabled=False)
        assert vault.described(name)["TransitEncryptionEnabled"] is False
        assert [say(f"go tls {plain}"), say(f"go plain {plain}"), say(f"connect plain2 {plain}")] == ["PONG"] * 3
        assert say(f"connect tls2 {plain}").startswith("ENDED")

        vault.change(name, TransitEncryptionEnabled=True, TransitEncryptionMode="preferred")
        assert say(f"connect tls {secure}") == "PONG"
    assert vault.cli(secure, "INFO", "replication").count("state=online") == 1


RAW = """
import socket, ssl, sys
context = ssl.create_default_context()
host, port, name, text = sys.argv[1:]
try:
    plain = socket.create_connection((host, int(port)), 5)
    with context.wrap_socket(plain, server_hostname=name) as tls:
        tls.sendall(text.encode().decode("unicode_escape").encode())
        print(tls.recv(500).decode().split()[0])
except (OSError, ssl.SSLError) as error:
    print("REFUSED", getattr(error, "verify_message", error))
"""


def test_a_certificate_is_for_its_own_names_only(vault):
    mine, other = vault.kept("kept-valkey", "valkey", 2), vault.kept("other", "valkey")
    address = vault.atoll.inside(vault.instance, f"getent ahostsv4 {mine}").split()[0]

    assert vault.python(RAW, mine, "6379", mine, "PING\\r\\n") == "+PONG"
    for wrong in (other, address, mine.replace("master", "a.master")):
        assert "mismatch" in vault.python(RAW, mine, "6379", wrong, "PING\\r\\n"), wrong


@pytest.mark.parametrize("fault", ["kill", "partition"])
def test_a_failover_with_tls_is_quick_and_loses_nothing(vault, fault):
    name = "kept-valkey"
    vault.kept(name, "valkey", 2)

    out = vault.atoll.cli("drill", "failover", name, "--fault", fault, "--clients", "1", "--seconds", "2", "--json")

    found = json.loads(out[out.index("{") :])
    assert found["lost"] == []
    assert found["outage_ms"] < 4000, found["steps"]
    print(f"{fault}: {found['outage_ms']} ms")
    vault.available(name)


def test_a_change_of_the_mode_is_finished_by_the_next_daemon(vault):
    vault.group("cut-off", "valkey", 1)

    vault.cache.modify_replication_group(
        ReplicationGroupId="cut-off", TransitEncryptionEnabled=True, TransitEncryptionMode="preferred"
    )
    vault.atoll.kill()
    vault.atoll.up()

    vault.available("cut-off")
    assert vault.described("cut-off")["TransitEncryptionMode"] == "preferred"
    assert vault.cli(vault.endpoint("cut-off"), "PING") == "PONG"


def test_why_says_who_must_speak_tls_and_who_need_not(vault):
    name = vault.kept("other", "valkey")

    assert "the engine speaks TLS only" in vault.atoll.cli("why", vault.instance, name, ok=False)
    assert "is reachable" in vault.atoll.cli("why", vault.instance, name, "--tls")
    assert vault.atoll.cli("ca").startswith("-----BEGIN CERTIFICATE-----")


SERIAL = """
import socket, ssl, sys
with socket.create_connection((sys.argv[1], 6379), 5) as plain:
    with ssl.create_default_context().wrap_socket(plain, server_hostname=sys.argv[1]) as tls:
        print(tls.getpeercert()["serialNumber"])
"""


def test_a_certificate_is_replaced_while_clients_stay_connected(vault):
    name = vault.kept("other", "valkey")
    before = vault.python(SERIAL, name)
    with vault.talking(STAYING) as say:
        assert say(f"connect tls {name}") == "PONG"
        certificates = list(vault.atoll.run_dir.glob("nodes/*/tls.pem"))
        vault.atoll.kill()
        for certificate in certificates:
            certificate.unlink()

        vault.atoll.up()

        until(lambda: vault.python(SERIAL, name) != before, 30.0, "another certificate")
        assert say(f"go tls {name}") == "PONG"


def test_memcached_speaks_tls_and_still_tells_its_members(vault):
    vault.needs("memcached")
    vault.cache.create_cache_cluster(
        CacheClusterId="mem", Engine="memcached", NumCacheNodes=2, TransitEncryptionEnabled=True, **NODE
    )
    found = vault.cluster("mem")
    endpoint = found["ConfigurationEndpoint"]["Address"]

    assert vault.python(RAW, endpoint, "11211", endpoint, "version\\r\\n") == "VERSION"
    assert vault.python(RAW, endpoint, "11211", endpoint, "config get cluster\\r\\n") == "CONFIG"
    for node in found["CacheNodes"]:
        name = node["Endpoint"]["Address"]
        assert vault.python(RAW, name, "11211", name, "version\\r\\n") == "VERSION"
    plain = f"printf 'version\\r\\n' | timeout 3 nc -q1 {endpoint} 11211 || true"
    assert "VERSION" not in vault.atoll.inside(vault.instance, plain)


def test_what_speaks_tls_lives_and_dies_with_its_engine(vault):
    vault.group("bound", "valkey", 2, TransitEncryptionEnabled=True, AutomaticFailoverEnabled=True)
    name, old = vault.endpoint("bound"), "bound-001"
    first = vault.terminator(old)

    os.kill(first, signal.SIGKILL)
    until(lambda: vault.terminator(old) not in (None, first), 30.0, "another terminator")
    until(lambda: vault.cli(name, "PING") == "PONG", 30.0, "an answer")
    second = vault.terminator(old)
    vault.atoll.kill()
    os.kill(second, signal.SIGKILL)
    vault.atoll.up()
    until(lambda: vault.terminator(old) is not None, 30.0, "a terminator, by another daemon")
    until(lambda: vault.cli(name, "PING") == "PONG", 30.0, "an answer")
    vault.available("bound")
    assert vault.primary("bound") == old, "the network was never in doubt"

    with vault.talking(STAYING) as say:
        assert say(f"connect tls {name}") == "PONG"
        engine, beside = vault.pid(old), vault.terminator(old)
        os.kill(engine, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{beside}").exists(), 30.0, "the end of the terminator")
        assert say(f"go tls {name}").startswith("ENDED")
    vault.available("bound")
    until(lambda: vault.cli(name, "SET", "a", "1") == "OK", 30.0, "a primary")
    beside = vault.terminator(old)

    vault.cache.delete_replication_group(ReplicationGroupId="bound")

    until(lambda: not Path(f"/proc/{beside}").exists(), 30.0, "the end of the terminator")
