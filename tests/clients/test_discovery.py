"""Auto discovery of Memcached clusters, byte for byte, and a client that follows it."""

import re
import subprocess

import pytest
from botocore.exceptions import ClientError

from tests.clients.conftest import PROGRAMS, PYTHON
from tests.daemon.atoll import until
from tests.scenario.stage import ANYWHERE, QUICK

ASK = """
import socket, sys
said = []
for name in sys.argv[2:]:
    link = socket.create_connection((name, 11211), 10)
    link.sendall(bytes.fromhex(sys.argv[1]))
    answer = b""
    while not answer.endswith((b"END\\r\\n", b"|11211\\n", b"ERROR\\r\\n")):
        answer += link.recv(65536)
    print(answer.hex())
"""
QUESTION, OLDER = b"config get cluster\r\n", b"get AmazonElastiCache:cluster\r\n"
BINARY = bytes.fromhex("80 60 0007 00 00 0000 00000007 deadbeef 0000000000000000") + b"cluster"


class Mem:
    """A Memcached cluster over two zones, and an instance that uses it."""

    def __init__(self, stage, nodes, **more):
        self.stage = stage
        vpc = stage.vpc()
        private = [stage.subnet(vpc, f"10.0.{n}.0/24", zone=f"us-east-1{zone}") for n, zone in ((1, "a"), (2, "b"))]
        self.app = stage.instance(stage.subnet(vpc, "10.0.0.0/24", public=True))
        group = stage.group(vpc)
        stage.allow(group, 11211, ANYWHERE)
        subnets = stage.subnet_group(*private)
        self.name = stage.cluster("memcached", subnets, group, NumCacheNodes=nodes, AZMode="cross-az", **more)
        self.endpoint = stage.described(self.name)["ConfigurationEndpoint"]["Address"]

    @property
    def nodes(self):
        return [name for name, _ in self.stage.endpoints(self.name)]

    def ask(self, question, *names):
        said = self.stage.run(self.app, [self.stage.python, "-c", ASK, question.hex(), *names])
        assert said.code == 0, said.output
        return [bytes.fromhex(line) for line in said.output.split()]

    def start(self, *command):
        """Start a program of this machine in the instance's network."""
        words = ("run", "--in", self.app, "--", *command)
        return self.stage.atoll.start_process(
            [self.stage.python, "-m", "atoll.cli", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def told(self):
        """Return the version and the names of nodes that every node tells: all the same."""
        (answer,) = set(self.ask(QUESTION, *self.nodes))
        version, nodes, *_ = answer.split(b"\r\n", 1)[1].decode().split("\n")
        return int(version), [node.split("|")[0] for node in nodes.split()]

    def change(self, number, **more):
        self.stage.cache.modify_cache_cluster(
            CacheClusterId=self.name, NumCacheNodes=number, ApplyImmediately=True, **more
        )
        self.available()

    def available(self):
        self.stage.cache.get_waiter("cache_cluster_available").wait(CacheClusterId=self.name, WaiterConfig=QUICK)


def end(process):
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def mem(stage):
    return Mem(stage, 3)


def test_every_node_and_the_configuration_endpoint_answer_byte_for_byte(stage, mem):
    names, addresses = mem.nodes, stage.node_addresses(mem.name)
    payload = "1\n" + " ".join(f"{n}|{a}|11211" for n, a in zip(names, addresses, strict=True)) + "\n"
    assert len({address.rpartition(".")[0] for address in addresses}) == 2, "over two zones"

    every = (mem.endpoint, *names)
    assert set(mem.ask(QUESTION, *every)) == {f"CONFIG cluster 0 {len(payload)}\r\n{payload}\r\nEND\r\n".encode()}
    assert set(mem.ask(b"config get cluster\n", *every)) == set(mem.ask(QUESTION, names[0]))
    older = f"VALUE AmazonElastiCache:cluster 0 {len(payload)}\r\n{payload}\r\nEND\r\n".encode()
    assert set(mem.ask(OLDER, *every)) == {older}
    for answer in mem.ask(BINARY, *every):
        assert answer[:2] == b"\x81\x60"
        assert answer[2:12] == bytes.fromhex("0000 04 00 0000") + (4 + len(payload)).to_bytes(4, "big")
        assert answer[12:16] == bytes.fromhex("deadbeef"), "the request's opaque"
        assert answer[24:] == bytes(4) + payload.encode()


def test_what_only_looks_like_the_question_is_left_alone(mem):
    value = b"config get cluster and more"
    stored = b"set k 0 0 %d\r\n%s\r\nget k\r\n" % (len(value), value)
    assert mem.ask(stored, mem.nodes[0]) == [b"STORED\r\nVALUE k 0 27\r\n" + value + b"\r\nEND\r\n"]
    assert mem.ask(b"config get nodes\r\n", mem.nodes[0]) == [b"ERROR\r\n"]


def test_the_version_rises_with_each_change_and_names_who_is_there_when_it_is_available(mem):
    version, names = mem.told()

    mem.change(5)
    more, five = mem.told()
    assert more == version + 2, "two nodes have joined"
    assert five == mem.nodes
    assert len(five) == 5

    mem.change(3, CacheNodeIdsToRemove=["0002", "0004"])
    last, three = mem.told()
    assert last == more + 1
    assert three == [name for name in five if ".0002." not in name and ".0004." not in name] != names


def test_the_answer_comes_back_after_a_flush_a_client_and_a_reboot(stage, mem):
    node, expected = mem.nodes[0], mem.told()

    mem.ask(b"flush_all\r\nget END\r\n", node)
    until(lambda: mem.ask(QUESTION, node) != [b"END\r\n"], 20.0, "the answer")
    assert mem.told() == expected
    mem.ask(b"set AmazonElastiCache:cluster 0 0 1\r\nx\r\nget END\r\n", node)
    until(lambda: b"|11211" in mem.ask(OLDER, node)[0], 20.0, "the answer by the older key")
    stage.cache.reboot_cache_cluster(CacheClusterId=mem.name, CacheNodeIdsToReboot=["0001"])
    mem.available()
    assert mem.told() == expected


def test_the_nodes_answer_on_while_no_daemon_is_there(stage, mem):
    addresses = stage.node_addresses(mem.name)  # it is the daemon that resolves names
    expected = mem.ask(QUESTION, *addresses)
    waits = "print(flush=True); input()\n" + ASK
    asker = mem.start(stage.python, "-c", waits, QUESTION.hex(), *addresses)
    try:
        asker.stdout.readline()
        stage.atoll.kill()
        said, _ = asker.communicate("\n", timeout=30)
        stage.atoll.up()
    finally:
        end(asker)
    assert [bytes.fromhex(line) for line in said.split()] == expected


def test_a_daemon_that_is_killed_during_a_change_is_continued_by_the_next(stage, mem):
    version, names = mem.told()
    for number, more in ((len(names) + 1, {}), (len(names), {"CacheNodeIdsToRemove": ["0001"]})):
        stage.cache.modify_cache_cluster(CacheClusterId=mem.name, NumCacheNodes=number, ApplyImmediately=True, **more)
        stage.atoll.kill()
        stage.atoll.up()
        mem.available()

        version += 1
        assert mem.told() == (version, mem.nodes)
        assert len(mem.nodes) == number


@pytest.mark.usefixtures("libraries")
def test_a_client_is_told_of_nodes_that_come_and_go(mem):
    client = mem.start(PYTHON, PROGRAMS / "memcached_discovery.py", mem.endpoint, 3, 5, 2)
    try:
        assert client.stdout.readline() == "3 4950\n"
        mem.change(5)
        assert client.stdout.readline() == "5 4950\n"
        mem.change(2, CacheNodeIdsToRemove=sorted(re.findall(r"\.(\d{4})\.", " ".join(mem.nodes)))[-3:])
        assert client.stdout.readline() == "2 4950\n"
        assert client.wait(30) == 0
    finally:
        end(client)


ASK_TLS = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
for name in sys.argv[3:]:
    link = context.wrap_socket(socket.create_connection((name, 11211), 10), server_hostname=name)
    link.sendall(bytes.fromhex(sys.argv[1]))
    answer = b""
    while not answer.endswith(b"END\\r\\n"):
        answer += link.recv(65536)
    print(answer.hex())
"""


def test_nodes_with_encryption_in_transit_answer_through_it(stage):
    try:
        mem = Mem(stage, 2, TransitEncryptionEnabled=True)
    except ClientError as error:
        if "haproxy" not in str(error):
            raise
        pytest.skip("nothing on this machine can speak TLS for an engine")
    authority = stage.atoll.get("/_atoll/status")["authority"]

    said = stage.run(mem.app, [stage.python, "-c", ASK_TLS, QUESTION.hex(), authority, mem.endpoint, *mem.nodes])

    assert said.code == 0, said.output
    (answer,) = {bytes.fromhex(line) for line in said.output.split()}
    assert answer.startswith(b"CONFIG cluster 0 ")
    assert [name.encode() for name in mem.nodes] == re.findall(rb"[ \n]([^ |\n]+)\|", answer)


def test_nodes_that_speak_the_binary_protocol_only_answer_in_it(stage):
    stage.cache.create_cache_parameter_group(
        CacheParameterGroupName="binary", CacheParameterGroupFamily="memcached1.6", Description="x"
    )
    only = {"ParameterName": "binding_protocol", "ParameterValue": "binary"}
    stage.cache.modify_cache_parameter_group(CacheParameterGroupName="binary", ParameterNameValues=[only])
    mem = Mem(stage, 2, CacheParameterGroupName="binary")

    (answer,) = set(mem.ask(BINARY, *mem.nodes))

    assert answer[:2] == b"\x81\x60"
    assert re.findall(rb"[ \n]([^ |\n]+)\|", answer) == [name.encode() for name in mem.nodes]
