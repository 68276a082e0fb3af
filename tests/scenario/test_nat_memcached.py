"""Rows 33 to 77 of the Memcached edition, and what the NAT instance itself must be: its subnet, address, life."""

import pytest

from tests.daemon.atoll import until
from tests.scenario.page import ENABLE_FORWARDING, SAVE, SNAT, Page, untyped
from tests.scenario.stage import (
    ANYWHERE,
    CLIENT,
    ELASTIC_IP,
    NAT_IMAGE,
    NAT_IP,
    NODES,
    STRANGER,
    Stage,
    refused_with,
)

pytestmark = pytest.mark.usefixtures("page")


@pytest.fixture(scope="module")
def page(memcached_page: Page) -> Page:
    return memcached_page


def version(stage: Stage, port: int, *, here: str = CLIENT) -> str:
    return stage.reach(here, ELASTIC_IP, port, "version")


def test_row_027_the_cluster_is_for_use_inside_aws_only(stage):
    assert not stage.trace(CLIENT, NODES[0], 11211)["delivered"]
    assert stage.reach(CLIENT, NODES[0], 11211, seconds=0.6) != "connected"
    assert version(stage, 11211).startswith("connected VERSION")  # but through the NAT instance


def test_row_033_iptables_maps_ports_to_nodes_and_counts(stage, page):
    def packets() -> int:
        listed = stage.typed(page.nat, "iptables -t nat -L PREROUTING -v -n -x")
        (line,) = [line for line in listed.splitlines() if "dpt:11212" in line]
        return int(line.split()[0])

    rules = stage.typed(page.nat, "iptables -t nat -S PREROUTING")
    for port, node in zip(page.ports, NODES, strict=True):
        assert f"--dport {port} -j DNAT --to-destination {node}:11211" in rules
    before = packets()
    assert version(stage, 11212).startswith("connected VERSION")
    assert packets() == before + 1  # the first packet of a connection; conntrack translates the rest


def test_row_047_the_nodes_have_the_assumed_addresses_and_port(stage, page):
    assert stage.node_addresses(*page.clusters) == list(NODES)
    assert [port for _, port in stage.endpoints(page.clusters[0])] == [11211] * 3


def test_row_049_the_nat_instance_has_the_assumed_private_address(stage, page):
    assert stage.address(page.nat) == NAT_IP
    assert f"inet {NAT_IP}/24" in stage.typed(page.nat, "ip -4 addr show dev eth0")


def test_row_050_the_trusted_client_has_exactly_that_address(stage, page):
    stage.allow(page.nat_group, 9000, f"{CLIENT}/32")
    with stage.program(page.nat, ECHO_PEER, "9000"):
        assert stage.reach(CLIENT, ELASTIC_IP, 9000, "who am I") == f"connected {CLIENT}"
    stage.revoke(page.nat_group, 9000, f"{CLIENT}/32")


def test_row_051_the_elastic_ip_can_be_asked_for(stage, page):
    (found,) = stage.ec2.describe_addresses(PublicIps=[ELASTIC_IP])["Addresses"]
    assert (found["InstanceId"], found["PrivateIpAddress"]) == (page.nat, NAT_IP)
    refused_with("InvalidIPAddress.InUse", stage.ec2.allocate_address, Domain="vpc", Address=ELASTIC_IP)


def test_row_052_short_ids_are_ids_wherever_one_is_parsed(stage):
    for call, parameters in (
        (stage.ec2.describe_security_groups, {"GroupIds": ["sg-ce56b7a9"]}),
        (stage.ec2.delete_security_group, {"GroupId": "sg-bd56b7da"}),
    ):
        message = refused_with("InvalidGroup.NotFound", call, **parameters)  # not InvalidGroupId.Malformed
        assert "does not exist" in message
    refused_with("InvalidGroupId.Malformed", stage.ec2.describe_security_groups, GroupIds=["sg-xyz"])


def test_row_053_the_nat_instance_stands_in_a_public_subnet_of_the_clusters_vpc(stage, page):
    found = stage.ec2.describe_instances(InstanceIds=[page.nat])["Reservations"][0]["Instances"][0]
    assert (found["VpcId"], found["SubnetId"]) == (page.vpc, page.public)
    filters = [{"Name": "association.subnet-id", "Values": [page.public]}]
    (table,) = stage.ec2.describe_route_tables(Filters=filters)["RouteTables"]
    assert any(r["DestinationCidrBlock"] == ANYWHERE and r["GatewayId"][:4] == "igw-" for r in table["Routes"])


def test_row_054_the_size_can_be_chosen_and_m1_small_is_one(stage, page):
    found = stage.ec2.describe_instances(InstanceIds=[page.nat])["Reservations"][0]["Instances"][0]
    assert found["InstanceType"] == "m1.small"
    printed = {"ImageId": stage.image(NAT_IMAGE), "InstanceType": "cache.m1.small", "SubnetId": page.public}
    refused_with("InvalidParameterValue", stage.ec2.run_instances, **printed, MinCount=1, MaxCount=1)


def test_row_055_amazons_nat_ami_boots_with_forwarding_and_masquerade(stage, page):
    ready = stage.instance(page.public, page.nat_group, image=NAT_IMAGE)
    assert stage.typed(ready, "sysctl -n net.ipv4.ip_forward") == "1"
    assert "-j MASQUERADE" in stage.typed(ready, "iptables -t nat -S POSTROUTING")
    stage.terminate(ready)


def test_row_056_the_vpc_guides_nat_steps_are_supported(stage, page):
    ready = stage.instance(page.public, stage.default_group(page.vpc), image=NAT_IMAGE)
    stage.ec2.modify_instance_attribute(InstanceId=ready, SourceDestCheck={"Value": False})
    address = stage.elastic_ip(ready)["PublicIp"]
    subnet = stage.subnet(page.vpc, "10.0.3.0/24")
    table = stage.ec2.create_route_table(VpcId=page.vpc)["RouteTable"]["RouteTableId"]
    stage.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    stage.ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, InstanceId=ready)
    private = stage.instance(subnet, stage.default_group(page.vpc))
    with stage.program(CLIENT, ECHO_PEER, "80"):
        assert stage.reach(private, CLIENT, 80, "who am I") == f"connected {address}"
        stage.ec2.modify_instance_attribute(InstanceId=ready, SourceDestCheck={"Value": True})
        assert stage.is_dropped(private, CLIENT, 80)
        assert stage.refusal(private, CLIENT, 80).code == "ENI_SOURCE_DEST_CHECK_RESTRICTION"
    stage.terminate(private, ready)


def test_row_057_the_rules_of_both_groups_are_those_of_the_tables(stage, page):
    nat, cluster = (
        stage.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        for group in (page.nat_group, page.cluster_group)
    )
    inbound = {(p["FromPort"], p["ToPort"], p["IpRanges"][0]["CidrIp"]) for p in nat["IpPermissions"]}
    assert inbound == {(11211, 11213, f"{CLIENT}/32"), (22, 22, f"{CLIENT}/32")}
    (out,) = nat["IpPermissionsEgress"]
    assert (out["FromPort"], out["UserIdGroupPairs"][0]["GroupId"]) == (11211, page.cluster_group)
    (into,) = cluster["IpPermissions"]
    assert (into["FromPort"], into["UserIdGroupPairs"][0]["GroupId"]) == (11211, page.nat_group)


def test_row_058_the_trusted_client_reaches_the_three_ports_and_its_neighbour_none(stage, page):
    for port in page.ports:
        assert version(stage, port).startswith("connected VERSION")
        assert stage.is_dropped(STRANGER, ELASTIC_IP, port)
        assert stage.refusal(STRANGER, ELASTIC_IP, port).code == "ENI_SG_RULES_MISMATCH"
    assert stage.is_dropped(CLIENT, ELASTIC_IP, 11214)


def test_row_061_the_outbound_rule_to_the_clusters_group_is_needed_and_enough(stage, page):
    with stage.without(page.nat_group, 11211, page.cluster_group, out=True):
        assert stage.is_dropped(CLIENT, ELASTIC_IP, 11211)
        assert stage.refusal(page.nat, NODES[0], 11211).layer == "egress-groups"
    assert version(stage, 11211).startswith("connected VERSION")


def test_row_066_one_printed_rule_per_node_works(stage, page):
    first = "iptables -t nat -A PREROUTING -i eth0 -p tcp --dport 11211 -j DNAT --to 10.0.1.230:11211"
    assert page.forwards[0] == first
    with untyped(stage, page.nat, first):
        assert not version(stage, 11212).startswith("dropped")
        assert stage.reach(CLIENT, ELASTIC_IP, 11211, "version", seconds=0.6) in ("dropped", "refused")
    assert version(stage, 11211).startswith("connected VERSION")


def test_row_067_of_two_rules_with_one_port_the_first_wins(stage, page):
    second = page.forwards[1]
    twice = second.replace("--dport 11212", "--dport 11211")
    with untyped(stage, page.nat, second):
        stage.typed(page.nat, twice)
        stored = [memcached(stage, page.nat, node, "get row67") for node in NODES]
        assert stored == ["END"] * 3
        assert store(stage, 11211, "row67", "first") == "STORED"
        stored = [memcached(stage, page.nat, node, "get row67").startswith("VALUE") for node in NODES]
        assert stored == [True, False, False]
        stage.typed(page.nat, twice.replace(" -A ", " -D "))


def test_row_068_three_ports_lead_to_three_nodes(stage, page):
    for port in page.ports:
        assert store(stage, port, "row68", str(port)) == "STORED"
    found = [memcached(stage, page.nat, node, "get row68").splitlines()[1] for node in NODES]
    assert found == ["11211", "11212", "11213"]


def test_row_072_the_printed_php_lines_run(stage, page):
    lines = "".join(
        f"$memcached = new Memcache; $memcached->connect( '{ELASTIC_IP}', {port} );\n"
        "echo $memcached->getVersion(), ' ';\n"
        for port in page.ports
    )
    versions = stage.shell(CLIENT, f"php <<'END'\n<?php\n{lines}\nEND").output.split()
    assert len(versions) == 3
    assert set(versions) == {stage.described(page.clusters[0])["EngineVersion"]}


@pytest.mark.parametrize("port", [11211, 11212, 11213])
def test_row_074_telnet_to_the_elastic_ip_answers_version(stage, port):
    said = stage.telnet(CLIENT, ELASTIC_IP, port, "version", "quit")
    assert f"Connected to {ELASTIC_IP}" in said
    assert "VERSION 1." in said


# The NAT instance's place, address and life; each test leaves the forwards as it found them


def test_row_030_a_nat_instance_in_another_vpc_cannot_forward(stage, page):
    other = stage.vpc("10.5.0.0/16")
    group = stage.group(other)
    elsewhere = stage.instance(stage.subnet(other, "10.5.0.0/24", public=True), group)
    stage.allow(group, 11211, f"{CLIENT}/32")
    address = stage.elastic_ip(elsewhere)["PublicIp"]
    own = SNAT.replace(NAT_IP, stage.address(elsewhere))
    for line in (*ENABLE_FORWARDING, page.forwards[0], own):
        stage.typed(elsewhere, line)
    assert stage.is_dropped(CLIENT, address, 11211)
    assert stage.trace(CLIENT, address, 11211)["delivered"]  # it does reach the NAT instance
    assert stage.refusal(elsewhere, NODES[0], 11211).layer == "internet-gateway-out"
    stage.terminate(elsewhere)


def test_row_031_in_the_private_subnet_a_nat_instance_cannot_be_reached(stage, page):
    group = stage.group(page.vpc)
    stage.allow(group, 22, f"{CLIENT}/32")
    wrong = stage.instance(page.private, group)
    address = stage.elastic_ip(wrong)["PublicIp"]
    assert stage.is_dropped(CLIENT, address, 22)
    refusal = stage.refusal(CLIENT, address, 22)
    assert refusal.code == "NO_ROUTE_TO_DESTINATION"  # of the answer
    assert stage.connects(CLIENT, ELASTIC_IP, 22)  # the right one, in the public subnet
    stage.terminate(wrong)


def test_row_032_the_elastic_ip_is_what_makes_it_reachable(stage, page):
    (found,) = stage.ec2.describe_addresses(PublicIps=[ELASTIC_IP])["Addresses"]
    stage.ec2.disassociate_address(AssociationId=found["AssociationId"])
    assert stage.reach(CLIENT, ELASTIC_IP, 11211, seconds=0.6) != "connected"
    assert stage.refusal(CLIENT, ELASTIC_IP, 11211).verdict == "nobody"
    stage.associate(page.allocation, page.nat)
    assert version(stage, 11211).startswith("connected VERSION")


def test_row_039_the_nat_instance_is_a_single_point_of_failure(stage, page):
    group = stage.group(page.vpc)
    inside = stage.instance(page.public, group)
    stage.stop(page.nat)
    try:
        assert all(stage.reach(CLIENT, ELASTIC_IP, port, seconds=0.6) != "connected" for port in page.ports)
        assert stage.refusal(CLIENT, ELASTIC_IP, 11211).verdict == "down"
        with stage.allowed(page.cluster_group, 11211, group):
            assert stage.reach(inside, NODES[0], 11211, "version").startswith("connected VERSION")
    finally:
        stage.start(page.nat)
    forward_again(stage, page)
    assert version(stage, 11211).startswith("connected VERSION")
    stage.terminate(inside)


def test_row_044_forwarding_is_off_by_default_and_must_be_enabled(stage, page):
    fresh = stage.instance(page.public, page.nat_group)
    assert stage.typed(fresh, "sysctl -n net.ipv4.ip_forward") == "0"
    stage.terminate(fresh)
    stage.typed(page.nat, "sysctl -w net.ipv4.ip_forward=0")
    assert stage.is_dropped(CLIENT, ELASTIC_IP, 11211)
    stage.typed(page.nat, "sysctl -w net.ipv4.ip_forward=1")
    assert version(stage, 11211).startswith("connected VERSION")


def test_row_045_the_literal_sed_changes_sysctl_conf(stage, page):
    fresh = stage.instance(page.public, page.nat_group)
    assert "net.ipv4.ip_forward=0\n" in stage.typed(fresh, "cat /etc/sysctl.conf") + "\n"
    stage.typed(fresh, "sudo sed -i 's/net.ipv4.ip_forward=0/net.ipv4.ip_forward=1/g' /etc/sysctl.conf")
    assert "net.ipv4.ip_forward=1\n" in stage.typed(fresh, "cat /etc/sysctl.conf") + "\n"
    assert stage.typed(fresh, "sysctl -n net.ipv4.ip_forward") == "0"  # not applied yet
    stage.terminate(fresh)


def test_row_046_sysctl_system_applies_the_file(stage, page):
    fresh = stage.instance(page.public, page.nat_group)
    for line in ENABLE_FORWARDING:
        stage.typed(fresh, line)
    assert stage.typed(fresh, "sysctl -n net.ipv4.ip_forward") == "1"
    stage.terminate(fresh)


@pytest.mark.parametrize("how", ["reboot", "stop and start"])
def test_row_076_rules_survive_only_when_they_were_saved(stage, page, how):
    def again():
        if how == "reboot":
            stage.reboot(page.nat)
        else:
            stage.stop(page.nat)
            stage.start(page.nat)

    stage.typed(page.nat, "rm -f /etc/sysconfig/iptables")
    again()
    assert "DNAT" not in stage.typed(page.nat, "iptables -t nat -S")
    assert not version(stage, 11211).startswith("connected")
    assert stage.typed(page.nat, "sysctl -n net.ipv4.ip_forward") == "1"  # it is in /etc/sysctl.conf
    for line in (*page.forwards, SNAT, SAVE):
        stage.typed(page.nat, line)
    again()
    assert version(stage, 11213).startswith("connected VERSION")


def test_row_077_service_iptables_save_writes_the_file_and_boot_restores_it(stage, page):
    stage.typed(page.nat, SAVE)
    saved = stage.typed(page.nat, "cat /etc/sysconfig/iptables")
    for port, node in zip(page.ports, NODES, strict=True):
        assert f"-A PREROUTING -i eth0 -p tcp -m tcp --dport {port} -j DNAT --to-destination {node}:11211" in saved
    stage.typed(page.nat, "iptables -t nat -F")
    stage.reboot(page.nat)
    assert stage.typed(page.nat, "iptables -t nat -S").count("DNAT") == 3
    assert version(stage, 11212).startswith("connected VERSION")


def test_row_035_after_a_node_was_replaced_its_forward_must_be_updated(stage, page):
    new_group = stage.group(page.vpc)
    stage.allow(new_group, 11211, page.nat_group)
    stage.allow(page.nat_group, 11211, new_group, out=True)
    first = stage.cluster("memcached", page.subnet_group, new_group)
    (old,) = stage.node_addresses(first)
    line = "iptables -t nat -{} PREROUTING -i eth0 -p tcp --dport 11213 -j DNAT --to {}:11211"
    stage.typed(page.nat, page.forwards[2].replace(" -A ", " -D "))
    stage.typed(page.nat, line.format("A", old))
    assert version(stage, 11213).startswith("connected VERSION")
    stage.delete_cluster(first)
    held = stage.ec2.create_network_interface(SubnetId=page.private, PrivateIpAddress=old)  # the address has gone
    second = stage.cluster("memcached", page.subnet_group, new_group)
    (new,) = stage.node_addresses(second)
    assert new != old
    assert stage.reach(CLIENT, ELASTIC_IP, 11213, seconds=0.6) != "connected"
    stage.typed(page.nat, line.format("D", old))
    stage.typed(page.nat, line.format("A", new))
    assert version(stage, 11213).startswith("connected VERSION")
    stage.typed(page.nat, line.format("D", new))
    stage.typed(page.nat, page.forwards[2])
    stage.delete_cluster(second)
    stage.ec2.delete_network_interface(NetworkInterfaceId=held["NetworkInterface"]["NetworkInterfaceId"])


def forward_again(stage: Stage, page: Page) -> None:
    """Type the forwards again: nobody saved them."""
    if "DNAT" not in stage.typed(page.nat, "iptables -t nat -S"):
        for line in (*page.forwards, SNAT):
            stage.typed(page.nat, line)
    until(lambda: stage.typed(page.nat, "sysctl -n net.ipv4.ip_forward") == "1", 5, "forwarding")


def memcached(stage: Stage, here: str, node: str, line: str) -> str:
    return stage.reach(here, node, 11211, line).removeprefix("connected ").strip()


def store(stage: Stage, port: int, key: str, value: str) -> str:
    """Set a value as the trusted client."""
    said = stage.reach(CLIENT, ELASTIC_IP, port, f"set {key} 0 0 {len(value)}\r\n{value}")
    return said.removeprefix("connected ").strip()


ECHO_PEER = """
import socket, sys
link = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready")
while True:
    talk, (address, _) = link.accept()
    talk.recv(100)
    talk.sendall(address.encode())
    talk.close()
"""
