"""Rows 1 to 8 and 12 to 26: who reaches a cluster, and how a security group opens it."""

import socket
from dataclasses import dataclass

import pytest

from tests.scenario.stage import ANYWHERE, CLIENT, Stage, refused_with

OTHER_ACCOUNT = "111122223333"
SERVER = """
import socket, sys
link = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready")
while True:
    peer, _ = link.accept()
    peer.sendall(b"hello")
    peer.close()
"""


@dataclass(frozen=True)
class Small:
    """A VPC with two subnets, an instance in the public one and a Redis OSS node in the private one."""

    vpc: str
    public: str
    private: str
    subnet_group: str
    app: str
    group: str  # of the node alone; without a rule
    node: str
    address: str


@pytest.fixture(scope="module")
def small(stage: Stage) -> Small:
    vpc = stage.vpc()
    public, private = stage.subnet(vpc, "10.0.0.0/24", public=True), stage.subnet(vpc, "10.0.1.0/24")
    subnet_group, group = stage.subnet_group(private), stage.group(vpc)
    node = stage.cluster("redis", subnet_group, group)
    (address,) = stage.node_addresses(node)
    return Small(vpc, public, private, subnet_group, stage.instance(public), group, node, address)


def test_row_001_a_node_answers_an_instance_and_not_the_host(stage, small):
    with stage.allowed(small.group, 6379, ANYWHERE):
        assert stage.redis(small.app, small.address, 6379, "PING") == "PONG"
        with socket.socket() as link:  # this machine; never by way of a gateway, so that nothing leaves it
            link.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
            link.settimeout(1)
            with pytest.raises(OSError, match=r"unreachable|timed out"):
                link.connect((small.address, 6379))


def test_row_002_a_cluster_in_a_vpc_is_reachable_from_an_instance_of_the_vpc(stage, small):
    ((name, port),) = stage.endpoints(small.node)
    with stage.allowed(small.group, 6379, ANYWHERE):
        assert stage.typed(small.app, f"redis-cli -h {name} -p {port} PING") == "PONG"


def test_row_005_another_account_neither_sees_nor_reaches_the_cluster(stage, small):
    other = Stage(stage.atoll, OTHER_ACCOUNT)
    refused_with("CacheClusterNotFound", other.cache.describe_cache_clusters, CacheClusterId=small.node)
    assert other.cache.describe_cache_clusters()["CacheClusters"] == []
    vpc = other.vpc()  # the same addresses
    stranger = other.instance(other.subnet(vpc, "10.0.0.0/24", public=True))
    with stage.allowed(small.group, 6379, ANYWHERE):
        assert other.is_dropped(stranger, small.address, 6379)
        with pytest.raises(AssertionError, match=f"no interface has the private address {small.address}"):
            other.trace(stranger, small.address, 6379)
    from_theirs = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [
        {"GroupId": other.default_group(vpc), "UserId": OTHER_ACCOUNT}]}]  # fmt: skip
    refused_with(
        "InvalidGroup.NotFound",
        stage.ec2.authorize_security_group_ingress,
        GroupId=small.group,
        IpPermissions=from_theirs,
    )
    other.terminate(stranger)


def test_row_007_only_the_same_vpc_connects(stage, small):
    other = stage.vpc("10.9.0.0/16")
    neighbour = stage.instance(stage.subnet(other, "10.9.0.0/24", public=True))
    with stage.allowed(small.group, 6379, ANYWHERE):
        tried = {
            here: stage.reach(here, small.address, 6379, seconds=seconds)
            for here, seconds in ((small.app, 8), (neighbour, 0.6), (CLIENT, 0.6))
        }
        assert tried[small.app] == "connected"
        assert tried[neighbour] == "dropped"
        assert tried[CLIENT] != "connected"
        assert stage.refusal(neighbour, small.address, 6379).verdict in ("refused", "no-route")
        assert not stage.trace(CLIENT, small.address, 6379)["delivered"]


def test_row_008_ingress_must_be_granted_first_and_the_node_is_not_touched(stage, small):
    assert stage.is_dropped(small.app, small.address, 6379)
    refusal = stage.refusal(small.app, small.address, 6379)
    assert (refusal.layer, refusal.code) == ("ingress-groups", "SG_HAS_NO_RULES")
    before = stage.machine(small.node)["pid"]
    with stage.allowed(small.group, 6379, ANYWHERE):
        assert stage.connects(small.app, small.address, 6379)
    assert stage.machine(small.node)["pid"] == before


def test_row_014_the_vpcs_only_group_is_called_default_and_a_cluster_carries_it_by_default(stage):
    vpc = stage.vpc("10.3.0.0/16")
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    groups = stage.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    assert [group["GroupName"] for group in groups] == ["default"]
    cluster = stage.cluster("redis", stage.subnet_group(stage.subnet(vpc, "10.3.0.0/24")))
    carried = stage.described(cluster)["SecurityGroups"]
    assert carried == [{"SecurityGroupId": groups[0]["GroupId"], "Status": "active"}]


def test_row_015_an_inbound_rule_is_added(stage, small):
    group = stage.group(small.vpc)
    stage.allow(group, 6379, ANYWHERE)
    (inbound,) = stage.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert inbound["IpRanges"] == [{"CidrIp": ANYWHERE}]


def test_row_016_a_custom_tcp_rule_is_tcp_with_a_free_port_range(stage, small):
    group = stage.group(small.vpc)
    stage.allow(group, "6300-6400", "10.0.0.0/16")
    filters = [{"Name": "group-id", "Values": [group]}]
    rules = stage.ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    (inbound,) = [rule for rule in rules if not rule["IsEgress"]]
    assert (inbound["IpProtocol"], inbound["FromPort"], inbound["ToPort"]) == ("tcp", 6300, 6400)


def test_row_017_the_rules_port_is_the_port_given_at_launch(stage, small):
    group = stage.group(small.vpc)
    cluster = stage.cluster("redis", small.subnet_group, group, Port=6390)
    (address,) = stage.node_addresses(cluster)
    with stage.allowed(group, 6379, ANYWHERE):
        assert stage.is_dropped(small.app, address, 6390)
        assert stage.refusal(small.app, address, 6390).code == "ENI_SG_RULES_MISMATCH"
    with stage.allowed(group, 6390, ANYWHERE):
        assert stage.reach(small.app, address, 6390, "PING") == "connected +PONG"


def test_row_018_memcached_listens_at_11211_by_default(stage, small):
    group = stage.group(small.vpc)
    cluster = stage.cluster("memcached", small.subnet_group, group)
    ((_, port),) = stage.endpoints(cluster)
    assert port == 11211
    with stage.allowed(group, 11211, ANYWHERE):
        (address,) = stage.node_addresses(cluster)
        assert stage.reach(small.app, address, 11211, "version").startswith("connected VERSION 1.")


def test_row_019_valkey_and_redis_listen_at_6379_by_default(stage, small):
    group = stage.group(small.vpc)
    stage.allow(group, 6379, ANYWHERE)
    (member,) = stage.members(stage.replication_group("valkey", small.subnet_group, group, 1))
    redis = stage.cluster("redis", small.subnet_group, group)
    for cluster in (member, redis):
        ((_, port),) = stage.endpoints(cluster)
        (address,) = stage.node_addresses(cluster)
        assert port == 6379
        assert stage.reach(small.app, address, 6379, "PING") == "connected +PONG"


def test_row_020_anywhere_lets_every_subnet_of_the_vpc_connect(stage, small):
    third = stage.subnet(small.vpc, "10.0.2.0/24")
    everywhere = [small.app, stage.instance(small.private), stage.instance(third)]
    assert all(stage.is_dropped(here, small.address, 6379) for here in everywhere)
    with stage.allowed(small.group, 6379, ANYWHERE):
        assert all(stage.connects(here, small.address, 6379) for here in everywhere)
    stage.terminate(*everywhere[1:])


def test_row_021_anywhere_does_not_expose_the_cluster_to_the_internet(stage, small):
    with stage.allowed(small.group, 6379, ANYWHERE):
        assert stage.reach(CLIENT, small.address, 6379, seconds=0.6) != "connected"
        assert not stage.trace(CLIENT, small.address, 6379)["delivered"]
    filters = [{"Name": "group-id", "Values": [small.group]}]
    (interface,) = stage.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert "Association" not in interface
    assert interface["PrivateIpAddress"] == small.address


def test_row_022_the_default_group_on_public_instances_exposes_them(stage, small):
    default = stage.default_group(small.vpc)
    address = stage.elastic_ip(small.app)["PublicIp"]
    with stage.program(small.app, SERVER, "6379"):
        assert stage.is_dropped(CLIENT, address, 6379)
        assert stage.refusal(CLIENT, address, 6379).layer == "ingress-groups"
        with stage.allowed(default, 6379, ANYWHERE):
            assert stage.reach(CLIENT, address, 6379, "hi") == "connected hello"


def test_row_023_a_group_only_for_the_cluster_does_not_expose_the_instance(stage, small):
    public = stage.instance(small.public)
    address = stage.elastic_ip(public)["PublicIp"]
    with stage.program(public, SERVER, "6379"), stage.allowed(small.group, 6379, ANYWHERE):
        assert stage.connects(small.app, small.address, 6379)
        assert stage.connects(small.app, stage.address(public), 6379)  # it serves, within its own group
        assert stage.is_dropped(CLIENT, address, 6379)
        assert stage.refusal(CLIENT, address, 6379).layer == "ingress-groups"


def test_row_024_saving_applies_the_rule_at_once(stage, small):
    def run_id():
        return stage.redis(small.app, small.address, 6379, "INFO", "server").split("run_id:")[1].split()[0]

    with stage.allowed(small.group, 6379, ANYWHERE):
        first = run_id()
    for _ in range(5):  # the first packet after the call obeys it, in both directions
        assert stage.is_dropped(small.app, small.address, 6379)
        with stage.allowed(small.group, 6379, ANYWHERE):
            assert stage.reach(small.app, small.address, 6379, seconds=0.9) == "connected"  # no second SYN
    with stage.allowed(small.group, 6379, ANYWHERE):
        assert run_id() == first


def test_row_025_an_instance_launched_after_the_rule_connects(stage, small):
    with stage.allowed(small.group, 6379, ANYWHERE):
        late = stage.instance(small.private)
        assert stage.connects(late, small.address, 6379)
    stage.terminate(late)


def test_row_026_the_rule_covers_its_port_and_tcp_only(stage, small):
    with stage.allowed(small.group, 6379, ANYWHERE):
        assert stage.connects(small.app, small.address, 6379)
        for port in (6378, 6380, 22, 11211):
            assert stage.is_dropped(small.app, small.address, port)
            assert stage.refusal(small.app, small.address, port).code == "ENI_SG_RULES_MISMATCH"
        assert stage.udp(small.app, small.address, 6379) == "dropped"  # not even "refused" by the node's machine
        assert stage.refusal(small.app, small.address, 6379, "udp").code == "ENI_SG_RULES_MISMATCH"
