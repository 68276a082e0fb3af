"""Rows 171 to 181: the security group of a cache, chosen at its creation and changed later."""

from tests.scenario.shop import redis
from tests.scenario.stage import ANYWHERE, CLIENT, NODE_TYPE, QUICK, refused_with


def test_row_171_a_security_group_is_chosen_at_creation(stage, shop):
    for cluster in (shop.memcached, shop.redis, *stage.members(shop.valkey)):
        assert stage.described(cluster)["SecurityGroups"] == [{"SecurityGroupId": shop.group, "Status": "active"}]


def test_row_172_a_new_cluster_is_creating_and_then_available(stage, shop):
    name = stage.name("redis")
    made = stage.cache.create_cache_cluster(
        CacheClusterId=name,
        Engine="redis",
        CacheNodeType=NODE_TYPE,
        NumCacheNodes=1,
        CacheSubnetGroupName=shop.subnet_group,
        SecurityGroupIds=[shop.group],
    )
    assert made["CacheCluster"]["CacheClusterStatus"] == "creating"
    stage.cache.get_waiter("cache_cluster_available").wait(CacheClusterId=name, WaiterConfig=QUICK)
    assert redis(stage, shop, name, "PING") == "PONG"  # available means that it answers
    stage.delete_cluster(name)


def test_row_173_the_endpoint_is_not_reachable_until_a_group_opens_its_port(stage, shop):
    with stage.without(shop.group, 6379, ANYWHERE):
        node = stage.node_addresses(shop.redis)[0]
        assert stage.is_dropped(shop.app, node, 6379)
        assert stage.refusal(shop.app, node, 6379).code == "ENI_SG_RULES_MISMATCH"
    assert redis(stage, shop, shop.redis, "PING") == "PONG"


def test_row_174_a_security_group_has_a_name_a_description_and_a_vpc(stage, shop):
    name = stage.name("elasticache-redis")
    made = stage.ec2.create_security_group(GroupName=name, Description="for the cache", VpcId=shop.vpc)
    (found,) = stage.ec2.describe_security_groups(GroupIds=[made["GroupId"]])["SecurityGroups"]
    assert (found["GroupName"], found["Description"], found["VpcId"]) == (name, "for the cache", shop.vpc)
    again = {"GroupName": name, "Description": "x", "VpcId": shop.vpc}
    refused_with("InvalidGroup.Duplicate", stage.ec2.create_security_group, **again)


def test_row_175_a_custom_tcp_rule_opens_6379_to_anywhere(stage, shop):
    group = stage.group(shop.vpc)
    stage.cache.modify_cache_cluster(CacheClusterId=shop.redis, SecurityGroupIds=[group])
    node = stage.node_addresses(shop.redis)[0]
    assert stage.is_dropped(shop.app, node, 6379)
    stage.allow(group, 6379, ANYWHERE)
    assert stage.connects(shop.app, node, 6379)
    stage.cache.modify_cache_cluster(CacheClusterId=shop.redis, SecurityGroupIds=[shop.group])


def test_row_176_the_source_is_the_addresses_that_may_connect(stage, shop):
    node, group = stage.node_addresses(shop.redis)[0], stage.group(shop.vpc)
    neighbour = stage.instance(shop.private)
    stage.cache.modify_cache_cluster(CacheClusterId=shop.redis, SecurityGroupIds=[group])
    for source, allowed in (
        ("10.0.0.0/24", shop.app),
        (f"{stage.address(neighbour)}/32", neighbour),
        ("10.0.1.0/24", neighbour),
    ):
        refused = neighbour if allowed == shop.app else shop.app
        with stage.allowed(group, 6379, source):
            assert stage.connects(allowed, node, 6379)
            assert stage.is_dropped(refused, node, 6379)
            assert stage.refusal(refused, node, 6379).code == "ENI_SG_RULES_MISMATCH"
    stage.cache.modify_cache_cluster(CacheClusterId=shop.redis, SecurityGroupIds=[shop.group])
    stage.terminate(neighbour)


def test_row_177_the_groups_of_a_running_cache_are_changed_without_a_restart(stage, shop):
    closed = stage.group(shop.vpc)
    members = stage.members(shop.valkey)
    before = [stage.machine(node)["pid"] for node in members]
    addresses = stage.node_addresses(*members)
    for group, is_open in ((closed, False), (shop.group, True)):
        stage.cache.modify_replication_group(ReplicationGroupId=shop.valkey, SecurityGroupIds=[group])
        assert [stage.is_dropped(shop.app, node, 6379) for node in addresses] == [not is_open] * 3
        for node in members:
            found = stage.described(node)["SecurityGroups"]
            assert [one["SecurityGroupId"] for one in found] == [group]
            assert found[0]["Status"] in ("adding", "active")
    assert [stage.machine(node)["pid"] for node in members] == before


def test_row_178_then_the_endpoint_is_reached_by_its_name(stage, shop):
    (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=shop.valkey)["ReplicationGroups"]
    shard = found["NodeGroups"][0]
    primary, reader = shard["PrimaryEndpoint"]["Address"], shard["ReaderEndpoint"]["Address"]
    assert stage.typed(shop.app, f"redis-cli -h {primary} SET row 178") == "OK"
    assert "role:slave" in stage.typed(shop.app, f"redis-cli -h {reader} INFO replication")


def test_row_179_an_instance_with_a_public_address_can_be_reached_and_a_cache_cannot(stage, shop):
    script = """
import socket, sys
link = socket.create_server(("0.0.0.0", 3306))
print("ready")
while True:
    link.accept()[0].sendall(b"5.7.44-log")
"""
    group = stage.group(shop.vpc)
    stage.allow(group, 3306, ANYWHERE)
    subnet = stage.subnet(shop.vpc, "10.0.9.0/24", public=True)
    nic = [{"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "AssociatePublicIpAddress": True}]
    made = stage.ec2.run_instances(
        ImageId=stage.image("amzn2-ami-hvm-*-x86_64-gp2"), MinCount=1, MaxCount=1, NetworkInterfaces=nic
    )
    database = made["Instances"][0]["InstanceId"]
    stage.booted(database)
    found = stage.ec2.describe_instances(InstanceIds=[database])["Reservations"][0]["Instances"][0]
    with stage.program(database, script):
        assert stage.reach(CLIENT, found["PublicIpAddress"], 3306, "hi") == "connected 5.7.44-log"
    interfaces = stage.ec2.describe_network_interfaces(
        Filters=[{"Name": "group-id", "Values": [shop.group]}]
    )["NetworkInterfaces"]  # fmt: skip
    assert len(interfaces) >= 7
    for interface in interfaces:
        assert "Association" not in interface
        assert not stage.trace(CLIENT, interface["PrivateIpAddress"], 6379)["delivered"]
    stage.terminate(database)


def test_row_180_even_with_all_addresses_allowed_only_the_vpc_connects(stage, shop):
    elsewhere = stage.instance(stage.subnet(stage.vpc("10.8.0.0/16"), "10.8.0.0/24", public=True))
    node = stage.node_addresses(shop.redis)[0]
    assert stage.connects(shop.app, node, 6379)
    assert stage.is_dropped(elsewhere, node, 6379)
    assert stage.refusal(elsewhere, node, 6379).verdict == "refused"
    assert stage.reach(CLIENT, node, 6379, seconds=0.6) != "connected"
    stage.terminate(elsewhere)


def test_row_181_an_instance_of_the_vpc_uses_telnet_with_the_endpoint(stage, shop):
    ((name, port),) = stage.endpoints(shop.redis)
    said = stage.telnet(shop.app, name, port, "PING", "QUIT")
    assert f"Connected to {name}" in said
    assert "+PONG" in said
