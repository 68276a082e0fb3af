"""Rows 28 to 75 of the Valkey and Redis edition: a trusted client reaches three nodes through a NAT instance."""

import re
import subprocess

import pytest

from tests.daemon.atoll import until
from tests.scenario.page import SNAT, Page, untyped
from tests.scenario.stage import CLIENT, ELASTIC_IP, NAT_IP, NODES, STRANGER, Stage, refused_with

FORWARD_6380 = "iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 6380 -j DNAT --to 10.0.1.231:6379"
FORWARD_6381 = "iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 6381 -j DNAT --to 10.0.1.232:6379"


pytestmark = pytest.mark.usefixtures("page")


@pytest.fixture(scope="module")
def page(valkey_page: Page) -> Page:
    return valkey_page


def through(stage: Stage, port: int, *words: str) -> str:
    return stage.redis(CLIENT, ELASTIC_IP, port, *words)


def test_row_028_a_nat_instance_gives_access_from_outside(stage):
    assert through(stage, 6379, "SET", "row", "28") == "OK"
    assert through(stage, 6379, "GET", "row") == "28"


def test_row_034_the_client_connects_to_the_elastic_ip_and_is_forwarded_to_the_right_node(stage, page):
    told = [through(stage, port, "INFO", "replication") for port in page.ports]
    assert ["role:master" in said for said in told] == [True, False, False]
    ids = [re.search(r"run_id:(\w+)", through(stage, port, "INFO", "server"))[1] for port in page.ports]
    direct = [stage.redis(page.nat, node, 6379, "INFO", "server") for node in NODES]
    assert [re.search(r"run_id:(\w+)", said)[1] for said in direct] == ids
    assert len(set(ids)) == 3


def test_row_038_what_passes_the_internet_gateway_is_not_encrypted_unless_the_cache_speaks_tls(stage, page):
    with stage.program(CLIENT, CAPTURE) as capture:
        assert through(stage, 6379, "SET", "secret", "plain-to-see") == "OK"
        heard, _ = capture.communicate(b"end", 10)
    assert b"plain-to-see" in heard

    encrypt(stage, page, TransitEncryptionEnabled=True, TransitEncryptionMode="preferred")
    try:
        with stage.program(CLIENT, CAPTURE) as capture:
            assert through(stage, 6379, "--tls", "--insecure", "SET", "secret", "not-to-see") == "OK"
            heard, _ = capture.communicate(b"end", 10)
    finally:
        encrypt(stage, page, TransitEncryptionEnabled=False)
    assert b"\x16\x03" in heard, "TLS"
    assert b"not-to-see" not in heard
    assert through(stage, 6379, "GET", "secret") == "not-to-see"


def encrypt(stage: Stage, page: Page, **asked: object) -> None:
    """Switch TLS of the documented group, and wait until it is so."""
    whose = {"ReplicationGroupId": page.replication_group}
    stage.cache.modify_replication_group(**whose, ApplyImmediately=True, **asked)
    described = stage.cache.describe_replication_groups
    until(lambda: described(**whose)["ReplicationGroups"][0]["Status"] == "available", 30.0, "an available group")


def test_row_041_the_literal_dnat_command_works(stage, page):
    with untyped(stage, page.nat, FORWARD_6380):
        assert stage.reach(CLIENT, ELASTIC_IP, 6380, "PING", seconds=0.6) != "connected +PONG"
    assert FORWARD_6380 in page.forwards
    assert stage.reach(CLIENT, ELASTIC_IP, 6380, "PING") == "connected +PONG"


def test_row_042_the_literal_dnat_command_of_the_next_node_works(stage, page):
    with untyped(stage, page.nat, FORWARD_6381):
        assert stage.reach(CLIENT, ELASTIC_IP, 6381, "PING", seconds=0.6) != "connected +PONG"
    assert FORWARD_6381 in page.forwards
    assert stage.reach(CLIENT, ELASTIC_IP, 6381, "PING") == "connected +PONG"


def test_row_043_the_literal_snat_command_brings_the_answer_back(stage, page):
    with untyped(stage, page.nat, SNAT):
        assert stage.is_dropped(CLIENT, ELASTIC_IP, 6379)
    assert stage.connects(CLIENT, ELASTIC_IP, 6379)
    seen = through(stage, 6379, "CLIENT", "LIST", "TYPE", "normal")
    assert f"addr={NAT_IP}:" in seen
    assert CLIENT not in seen


def test_row_048_the_nodes_have_the_assumed_addresses_port_and_group(stage, page):
    assert stage.node_addresses(*page.clusters) == list(NODES)
    for cluster in page.clusters:
        found = stage.described(cluster)
        assert found["CacheNodes"][0]["Endpoint"]["Port"] == 6379
        assert found["SecurityGroups"] == [{"SecurityGroupId": page.cluster_group, "Status": "active"}]


def test_row_059_the_printed_range_leaves_the_third_node_out_and_the_right_one_does_not(stage, page):
    with (
        stage.without(page.nat_group, "6379-6381", f"{CLIENT}/32"),
        stage.allowed(page.nat_group, "6379-6380", f"{CLIENT}/32"),
    ):
        assert stage.connects(CLIENT, ELASTIC_IP, 6380)
        assert stage.is_dropped(CLIENT, ELASTIC_IP, 6381)
        refusal = stage.refusal(CLIENT, ELASTIC_IP, 6381)
        assert (refusal.layer, refusal.code) == ("ingress-groups", "ENI_SG_RULES_MISMATCH")
    assert stage.connects(CLIENT, ELASTIC_IP, 6381)


def test_row_060_the_trusted_client_logs_in_by_ssh_and_others_time_out(stage, page):
    assert stage.shell(CLIENT, page.ssh("hostname")).output.startswith("ip-10-0-0-55")
    assert stage.is_dropped(STRANGER, ELASTIC_IP, 22)
    assert stage.refusal(STRANGER, ELASTIC_IP, 22).code == "ENI_SG_RULES_MISMATCH"
    without_key = page.ssh("true").replace(str(page.key), "/dev/null")
    assert "Permission denied" in stage.shell(CLIENT, without_key).output


def test_row_062_the_outbound_rule_to_the_clusters_group_is_needed_and_enough(stage, page):
    assert stage.connects(CLIENT, ELASTIC_IP, 6379)
    with stage.without(page.nat_group, 6379, page.cluster_group, out=True):
        assert stage.is_dropped(CLIENT, ELASTIC_IP, 6379)
        assert stage.refusal(page.nat, NODES[0], 6379).layer == "egress-groups"
    assert stage.connects(CLIENT, ELASTIC_IP, 6379)


def test_row_063_the_clusters_inbound_source_is_the_nats_group(stage, page):
    found = stage.ec2.describe_security_groups(GroupIds=[page.cluster_group])["SecurityGroups"][0]
    assert [p["UserIdGroupPairs"][0]["GroupId"] for p in found["IpPermissions"]] == [page.nat_group]
    assert stage.connects(CLIENT, ELASTIC_IP, 6379)
    assert stage.is_dropped(page.app, NODES[0], 6379)
    assert stage.refusal(page.app, NODES[0], 6379).code == "ENI_SG_RULES_MISMATCH"


def test_row_064_the_client_confirms_ssh_to_the_nat_instance(stage, page):
    said = stage.atoll.cli("ssh", page.nat, "-i", str(page.key), "--", "whoami")
    one_user = stage.atoll.mode == "rootless"  # docs/limits.md: there every user of an instance is the same one
    assert said.strip() == ("root" if one_user else "ec2-user")
    assert "uid=0" in stage.shell(CLIENT, page.ssh("sudo id")).output


def test_row_065_in_the_ssh_session_the_cluster_answers(stage, page):
    assert stage.shell(CLIENT, page.ssh("redis-cli -h 10.0.1.230 PING")).output.strip() == "PONG"
    typing = '"(echo PING; sleep 0.5) | timeout 5 telnet 10.0.1.230 6379"'
    assert "+PONG" in stage.shell(CLIENT, page.ssh(typing)).output


def test_row_069_the_single_rule_works(stage, page):
    second, third = page.forwards[1:]
    with untyped(stage, page.nat, second), untyped(stage, page.nat, third):
        assert "--dport 6379 -j DNAT --to-destination 10.0.1.230:6379" in stage.typed(page.nat, "iptables -t nat -S")
        assert stage.reach(CLIENT, ELASTIC_IP, 6379, "PING") == "connected +PONG"


def test_row_070_three_ports_lead_to_three_nodes_and_replicas_are_read_only(stage, page):
    assert through(stage, 6379, "SET", "seventy", "rows") == "OK"
    for port in page.ports[1:]:
        until(lambda at=port: through(stage, at, "GET", "seventy") == "rows", 10, "the copy")
        assert through(stage, port, "SET", "seventy", "no").startswith("READONLY")


def test_row_071_the_client_connects_to_the_port_of_the_wanted_node(stage):
    script = (
        "import redis, sys\n"
        "for port in (6379, 6380, 6381):\n"
        f"    print(redis.Redis({ELASTIC_IP!r}, port, socket_timeout=10).info()['role'])\n"
    )
    roles = stage.run(CLIENT, [stage.python, "-c", script]).output.split()
    assert roles == ["master", "slave", "slave"]


def test_row_073_the_printed_php_lines_run_with_the_missing_dollar(stage, page):
    through(stage, 6379, "SET", "php", "hello")
    for port in page.ports[1:]:
        until(lambda at=port: through(stage, at, "GET", "php") == "hello", 10, "the copy")
    lines = "".join(
        f"$redis = new Redis; $redis->connect( '{ELASTIC_IP}', {port} ); echo $redis->get('php'), ' ';\n"
        for port in page.ports
    )
    assert stage.shell(CLIENT, f"php <<'END'\n<?php\n{lines}\nEND").output.split() == ["hello"] * 3
    printed = stage.shell(CLIENT, f"php <<'END'\n<?php\nredis->connect( '{ELASTIC_IP}', 6379 );\nEND")
    assert printed.code == 255
    assert 'Undefined constant "redis"' in printed.output


@pytest.mark.parametrize("port", [6379, 6380, 6381])
def test_row_075_telnet_to_the_elastic_ip_answers_ping(stage, port):
    said = stage.telnet(CLIENT, ELASTIC_IP, port, "PING", "QUIT")
    assert f"Connected to {ELASTIC_IP}" in said
    assert "+PONG" in said


def test_row_183_other_internet_addresses_are_refused(stage, page):
    for port in (*page.ports, 22):
        assert stage.is_dropped(STRANGER, ELASTIC_IP, port)
        assert stage.refusal(STRANGER, ELASTIC_IP, port).layer == "ingress-groups"
    assert stage.connects(CLIENT, ELASTIC_IP, 6379)


def test_row_184_without_outbound_to_the_cluster_nothing_is_forwarded(stage, page):
    with stage.without(page.nat_group, 6379, page.cluster_group, out=True):
        assert all(stage.is_dropped(CLIENT, ELASTIC_IP, port) for port in page.ports)
        assert stage.refusal(page.nat, NODES[2], 6379).code == "SG_HAS_NO_RULES"
    assert all(stage.connects(CLIENT, ELASTIC_IP, port) for port in page.ports)


def test_row_185_a_rule_that_names_a_group_follows_its_members_not_their_addresses(stage, page):
    outsider = stage.group(page.vpc)
    interface, other = stage.primary_interface(page.nat), stage.primary_interface(page.app)
    default = stage.default_group(page.vpc)
    assert stage.connects(page.nat, NODES[0], 6379)
    assert stage.is_dropped(page.app, NODES[0], 6379)
    stage.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[outsider])
    stage.ec2.modify_network_interface_attribute(NetworkInterfaceId=other, Groups=[page.nat_group])
    assert stage.is_dropped(page.nat, NODES[0], 6379)
    assert stage.refusal(page.nat, NODES[0], 6379).code == "ENI_SG_RULES_MISMATCH"
    assert stage.connects(page.app, NODES[0], 6379)
    stage.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[page.nat_group])
    stage.ec2.modify_network_interface_attribute(NetworkInterfaceId=other, Groups=[default])
    assert stage.connects(CLIENT, ELASTIC_IP, 6379)


def test_row_186_e2_the_printed_source_is_not_a_cidr_block(stage, page):
    message = refused_with(
        "InvalidParameterValue",
        stage.ec2.authorize_security_group_ingress,
        GroupId=page.nat_group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": f"{CLIENT}-32"}]}],
    )
    assert f"{CLIENT}-32" in message


def test_row_186_e5_ssh_from_the_nat_instances_own_address_lets_nobody_in(stage, page):
    with (
        stage.without(page.nat_group, 22, f"{CLIENT}/32"),
        stage.allowed(page.nat_group, 22, f"{ELASTIC_IP}/32"),
    ):
        assert stage.is_dropped(CLIENT, ELASTIC_IP, 22)
        assert stage.refusal(CLIENT, ELASTIC_IP, 22).code == "ENI_SG_RULES_MISMATCH"
    assert stage.connects(CLIENT, ELASTIC_IP, 22)


def test_row_186_e6_the_swapped_groups_cut_the_nat_instance_off(stage, page):
    with (
        stage.without(page.nat_group, 6379, page.cluster_group, out=True),
        stage.without(page.cluster_group, 6379, page.nat_group),
        stage.allowed(page.nat_group, 6379, page.nat_group, out=True),
        stage.allowed(page.cluster_group, 6379, page.cluster_group),
    ):
        assert stage.is_dropped(page.nat, NODES[0], 6379)
        assert stage.is_dropped(CLIENT, ELASTIC_IP, 6379)
        assert stage.refusal(page.nat, NODES[0], 6379).layer == "egress-groups"
    assert stage.connects(CLIENT, ELASTIC_IP, 6379)


def test_row_188_a_tracked_flow_outlives_its_rule_and_an_acl_cuts_it_at_once(stage, page):
    with stage.program(page.nat, LONG, NODES[0], "6379") as talk:
        assert ask(talk) == "+PONG"
        with stage.without(page.cluster_group, 6379, page.nat_group):
            assert stage.is_dropped(page.nat, NODES[0], 6379)  # new ones are
            assert ask(talk) == "+PONG"
        deny = {"NetworkAclId": acl_of(stage, page.private), "RuleNumber": 50, "Egress": False}
        stage.ec2.create_network_acl_entry(**deny, Protocol="6", RuleAction="deny", CidrBlock=f"{NAT_IP}/32",
                                           PortRange={"From": 6379, "To": 6379})  # fmt: skip
        try:
            assert ask(talk) == "silence"
            assert stage.refusal(page.nat, NODES[0], 6379).code == "SUBNET_ACL_RESTRICTION"
        finally:
            stage.ec2.delete_network_acl_entry(**deny)
        until(lambda: ask(talk) == "+PONG", 20, "the same flow, allowed again")


def test_row_188_an_untracked_flow_ends_with_its_rule(stage, page):
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    at_the_node = {"GroupId": page.cluster_group, "IpPermissions": everything}  # out of it, everything goes already
    stage.ec2.authorize_security_group_ingress(**at_the_node)
    stage.revoke(page.cluster_group, 6379, page.nat_group)
    try:
        with stage.program(page.nat, LONG, NODES[0], "6379") as talk:
            assert ask(talk) == "+PONG"
            stage.ec2.revoke_security_group_ingress(**at_the_node)
            assert ask(talk) == "silence"
    finally:
        stage.allow(page.cluster_group, 6379, page.nat_group)


def acl_of(stage: Stage, subnet: str) -> str:
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    found: str = stage.ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]["NetworkAclId"]
    return found


LONG = """
import socket, sys
link = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
link.settimeout(0.8)
print("ready")
for line in sys.stdin:
    try:
        link.sendall(b"PING\\r\\n")
        print(link.recv(100).decode().split()[0])
    except TimeoutError:
        print("silence")
"""

CAPTURE = """
import select, socket, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
print("ready")
while True:
    ready, _, _ = select.select([link, sys.stdin], [], [])
    if link in ready:
        sys.stdout.buffer.write(link.recv(65536))
    elif sys.stdin in ready:
        break
"""


def ask(talk: "subprocess.Popen[bytes]") -> str:
    """Have the program with the open connection send one PING; returns what it heard."""
    assert talk.stdin
    assert talk.stdout
    talk.stdin.write(b"\n")
    talk.stdin.flush()
    return talk.stdout.readline().decode().strip()
