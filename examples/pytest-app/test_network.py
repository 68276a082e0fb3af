"""What the app counts on in its network: these tests build it themselves."""

import socket
import subprocess
import sys

import pytest
import redis
import redis.cluster

import atoll as api

pytestmark = pytest.mark.atoll_inside(False)  # not in the VPC that pytest.ini asks for

CLIENT = "198.51.100.27"  # somebody on the internet


def test_the_app_reaches_the_cache_and_nobody_else_does(atoll, cache, instance, vpc):
    store, app = cache(), instance()
    stranger = instance(groups=[group(atoll, vpc, "stranger")])

    atoll.assert_reachable(app, store)
    atoll.assert_blocked(stranger, store, by=store.group)
    atoll.assert_blocked(CLIENT, store)

    store.allow(stranger.describe()["SecurityGroups"][0]["GroupId"])
    atoll.assert_reachable(stranger, store)


def test_an_acl_is_named_as_what_blocks(atoll, vpc, instance):
    web, app = instance("web", public=True), instance("app")
    allow(atoll, vpc, 22)
    atoll.assert_reachable(web, app, 22)

    ec2 = atoll.client("ec2")
    acl = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc.id]}])["NetworkAcls"][0][
        "NetworkAclId"
    ]
    ec2.create_network_acl_entry(
        NetworkAclId=acl, RuleNumber=1, Protocol="6", RuleAction="deny", Egress=False, CidrBlock="0.0.0.0/0",
        PortRange={"From": 22, "To": 22},
    )  # fmt: skip
    atoll.assert_blocked(web, app, 22, by=acl)


def test_a_failover_loses_nothing_that_was_acknowledged(cache, instance):
    store = cache(replicas=1)
    with instance().inside():
        client = redis.Redis(store.host, store.port)
        client.set("order", "1")
        client.wait(1, 1000)
        report = store.failover("kill")
        assert report.before != report.after
        assert report.steps
        client.connection_pool.disconnect()
        assert client.get("order") == b"1"


def test_a_cluster_of_shards(cache, instance):
    store = cache(shards=3, name="sharded")
    with instance().inside(), redis.cluster.RedisCluster(store.host, store.port) as client:
        for number in range(30):
            client.set(f"key {number}", number)
        assert len(client.get_primaries()) == 3


def test_tls_and_a_password(cache, instance):
    store = cache(TransitEncryptionEnabled=True, AuthToken="a-long-enough-token")
    assert store.url.startswith("rediss://")
    with instance().inside():
        client = redis.Redis.from_url(store.url, ssl_cert_reqs="none")
        assert client.ping()


def test_memcached(cache, instance):
    store = cache("memcached", shards=2)
    assert len(store.nodes) == 2
    with instance().inside(), socket.create_connection((store.host, store.port)) as sock:
        sock.sendall(b"version\r\n")
        assert sock.recv(100).startswith(b"VERSION")


def test_commands_programs_and_functions(instance):
    app = instance()
    assert "uid=0" in app.run("id").output
    assert app.run("id", "-un", user="ec2-user").output.strip()  # rootless, ec2-user is another name of root
    assert app.run("exit 3", check=False).code == 3
    with pytest.raises(api.AtollError, match="ended with 3"):
        app.run("exit 3")

    program = "import socket; print([a for a in socket.if_nameindex()])"
    with app.popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert "eth0" in process.communicate(timeout=30)[0]

    assert "eth0" in app.call(lambda: [name for _, name in socket.if_nameindex()])
    with pytest.raises(ZeroDivisionError):
        app.call(lambda: 1 / 0)


def test_a_world_of_its_own_and_boto3s_usual_variables(atoll):
    boto3 = pytest.importorskip("boto3")
    boto3.client("ec2").create_key_pair(KeyName="mine")
    assert [pair["KeyName"] for pair in atoll.client("ec2").describe_key_pairs()["KeyPairs"]] == ["mine"]


@pytest.mark.parametrize("name", ["one", "other"])
def test_nothing_of_the_test_before_is_left(atoll, name):
    ec2 = atoll.client("ec2")
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    ec2.create_key_pair(KeyName=name)
    assert [vpc["IsDefault"] for vpc in ec2.describe_vpcs()["Vpcs"]] == [True]


@pytest.mark.atoll_mode("paper")
def test_on_paper_the_rules_answer_and_nothing_runs(atoll, cache, instance):
    store, app = cache(), instance()
    atoll.assert_reachable(app, store)
    atoll.assert_blocked(CLIENT, store)
    with pytest.raises(api.AtollError, match="nothing runs on paper"):
        app.run("true")


def group(atoll, vpc, name):
    made = atoll.client("ec2").create_security_group(GroupName=name, Description=name, VpcId=vpc.id)
    return made["GroupId"]


def allow(atoll, vpc, port):
    atoll.client("ec2").authorize_security_group_ingress(
        GroupId=vpc.app_group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="10.0.0.0/16"
    )
