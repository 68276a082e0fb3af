"""A recording made by hand in the shapes of AWS's own sample outputs answers as AWS would."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from atoll.model.internet import OutsideHost
from atoll.model.world import Caller
from atoll.network.explain import notes
from atoll.network.flow import Verdict
from atoll.network.places import endpoint
from atoll.network.plan import compile
from atoll.network.trace import trace
from tests.twin.test_round_trip import clients, settled, twin_of

RECORDED = Path(__file__).parent / "recorded"
ACCOUNT = "123456789012"
ME = Caller(account=ACCOUNT, region="us-west-2", arn="arn:aws:iam::123456789012:root")
APP, WORKER, OLD, REPORT = "i-1234567890abcdef0", "i-0598c7d356eba48d7", "i-0a1b2c3d4e5f60009", "i-0a1b2c3d4e5f60010"
DATABASE, FUNCTION, SSM = "eni-0a1b2c3d4e5f60010", "eni-0a1b2c3d4e5f60011", "eni-0a1b2c3d4e5f60012"


def recorded():
    return {path.name: path.read_bytes() for path in RECORDED.glob("*.json")}


@pytest.fixture(scope="module")
def twin():
    paper, made = twin_of(recorded())
    for address in ("198.51.100.27", "198.51.100.200"):
        host = OutsideHost(id=address, account="", region="", address=ip_address(address))
        paper.write(lambda tx, host=host: tx.put(host))
    return paper, made


@pytest.fixture(scope="module")
def world(twin):
    return twin[0].world.seen_by(ME)


def ask(world, source, target, port):
    return trace(world, endpoint(world, ME, source).at, endpoint(world, ME, target).address, "tcp", port)


DELIVERED, DENIED = Verdict.DELIVERED, Verdict.DENIED


@pytest.mark.parametrize(
    ("source", "target", "port", "verdict", "by"),
    [
        (APP, "sessions", 6379, DELIVERED, None),  # by the id of an instance and the name of a cache
        (APP, "sessions.a1b2c3.ng.0001.usw2.cache.amazonaws.com", 6379, DELIVERED, None),
        (APP, "sessions-001.a1b2c3.0001.usw2.cache.amazonaws.com", 6380, DENIED, "ingress-groups"),
        (WORKER, "sessions", 6379, DENIED, "ingress-groups"),  # it carries `default`, which the cache does not name
        (FUNCTION, "sessions", 6379, DELIVERED, None),
        (FUNCTION, DATABASE, 5432, DELIVERED, None),
        (APP, DATABASE, 5432, DELIVERED, None),
        (WORKER, DATABASE, 5432, DENIED, "ingress-groups"),
        (REPORT, "pages:0001", 11211, DELIVERED, None),  # through the peering
        (REPORT, "pages:0002", 11211, DENIED, "acl-in"),  # rule 90 of the ACL of the other zone
        (REPORT, "sessions", 6379, DENIED, "ingress-groups"),
        (APP, REPORT, 22, Verdict.REFUSED, "internet-gateway-out"),  # the public table has no route to the peer
        (WORKER, "198.51.100.27", 443, DELIVERED, None),  # through the NAT gateway
        (REPORT, "198.51.100.27", 443, Verdict.NO_ROUTE, "route-table"),
        ("198.51.100.27", "52.39.10.20", 443, DELIVERED, None),  # at its own public address
        ("198.51.100.27", "52.39.10.20", 22, DELIVERED, None),  # by the prefix list
        ("198.51.100.200", "52.39.10.20", 22, DENIED, "ingress-groups"),
        ("198.51.100.27", "52.39.10.21", 443, None, "nat-gateway"),  # nothing comes in through a NAT gateway
        (OLD, "sessions", 6379, Verdict.DOWN, "sender"),  # it is stopped
        (WORKER, SSM, 443, DELIVERED, None),
        (APP, SSM, 443, DENIED, "ingress-groups"),
    ],
)
def test_why_answers_for_the_real_network(world, source, target, port, verdict, by):
    found = ask(world, source, target, port)

    if verdict is not None:
        assert found.verdict is verdict, [*found.steps, *found.back]
    assert (found.verdict is DELIVERED) == (by is None)
    if by is not None:
        refusal = next(step for step in (*found.steps, *found.back) if not step.allowed)
        assert refusal.layer == by, found.steps


def test_a_transit_gateway_ends_the_path_and_is_reported(twin, world):
    found = trace(world, endpoint(world, ME, WORKER).at, endpoint(world, ME, "10.0.2.20").address, "tcp", 1)
    away = trace(world, endpoint(world, ME, WORKER).at, type(found.packet.destination)("192.168.7.7"), "tcp", 443)

    assert away.verdict is Verdict.BLACKHOLE
    noted = {note.what: note for note in twin[1].notes}
    assert "a transit gateway: `why` ends at the route to 192.168.0.0/16" in noted["tgw-0a1b2c3d4e5f60001"].why


@pytest.mark.parametrize(
    ("target", "port", "told"),
    [
        (DATABASE, 5432, f"{DATABASE} is a stand-in for RDSNetworkInterface: nobody answers there for real"),
        (APP, 443, f"{APP} is a stand-in: what serves in the imported instance, and its firewall, are not known"),
        ("sessions", 6379, ""),  # a real engine
        (SSM, 443, ""),
    ],
)
def test_why_says_who_does_not_answer_for_real(world, target, port, told):
    said = list(notes(world, ask(world, FUNCTION, target, port)))

    assert [note for note in said if "stand-in" in note] == ([told] if told else [])


def test_the_report_names_what_is_not_as_it_was(twin):
    noted = {note.what: note for note in twin[1].notes}

    assert noted[DATABASE].kind == noted[FUNCTION].kind == "stand-in"
    assert "RDSNetworkInterface (10.0.1.50)" in noted[DATABASE].why
    assert "AWS Lambda VPC ENI-orders" in noted[FUNCTION].why
    assert noted["vpc-0c3f2e3d4c5b60003"].kind == "stand-in"  # the peer of another account
    assert "its type x9.gigantic is not known here" in " ".join(n.why for n in twin[1].notes if n.what == WORKER)
    assert "redis 7.1.0 is not on this machine: 7.0.15 runs" in noted["sessions-001"].why
    assert noted["vpce-0a1b2c3d4e5f60002"].kind == "left out"
    assert "web-nlb-5d25ad37bd2.elb.us-west-2.amazonaws.com" in noted["web"].why


def test_ids_addresses_and_roles_are_the_real_ones(twin):
    of = clients(twin[0], account=ACCOUNT)
    ec2 = twin[0].client(account=ACCOUNT, region="us-west-2")
    cache = twin[0].client("elasticache", account=ACCOUNT, region="us-west-2")

    assert {v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]} == {"vpc-0a1f2e3d4c5b60001", "vpc-0b2f2e3d4c5b60002"}
    assert of("ec2").describe_vpcs()["Vpcs"][0]["IsDefault"]  # us-east-1 is another region, and was not touched
    addresses = {a["PublicIp"] for a in ec2.describe_addresses()["Addresses"]}
    assert addresses == {"52.39.10.20", "52.39.10.21"}
    group = cache.describe_replication_groups()["ReplicationGroups"][0]["NodeGroups"][0]
    assert group["PrimaryEndpoint"]["Address"] == "sessions.a1b2c3.ng.0001.usw2.cache.amazonaws.com"
    assert {m["CacheClusterId"]: m["CurrentRole"] for m in group["NodeGroupMembers"]} == {
        "sessions-001": "replica", "sessions-002": "primary",
    }  # fmt: skip
    nodes = cache.describe_cache_clusters(ShowCacheNodeInfo=True, CacheClusterId="pages")["CacheClusters"][0]
    assert [n["Endpoint"]["Address"] for n in nodes["CacheNodes"]] == [
        "pages.a1b2c3.0001.usw2.cache.amazonaws.com", "pages.a1b2c3.0002.usw2.cache.amazonaws.com",
    ]  # fmt: skip


def test_a_twin_can_be_changed_like_any_world(twin):
    ec2 = twin[0].client(account=ACCOUNT, region="us-west-2")
    pairs = [{"GroupId": "sg-0a1b2c3d4e5f60001"}]
    rule = {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379, "UserIdGroupPairs": pairs}
    ec2.authorize_security_group_ingress(GroupId="sg-0a1b2c3d4e5f60003", IpPermissions=[rule])

    assert ask(twin[0].world.seen_by(ME), WORKER, "sessions", 6379).verdict is DELIVERED
    ec2.revoke_security_group_ingress(GroupId="sg-0a1b2c3d4e5f60003", IpPermissions=[rule])


def test_the_kernel_has_a_plan_for_it(world):
    assert compile(world.seen_by(None))


def test_a_replica_that_is_added_is_named_like_the_others(twin):
    cache = twin[0].client("elasticache", account=ACCOUNT, region="us-west-2")
    cache.increase_replica_count(ReplicationGroupId="sessions", NewReplicaCount=2, ApplyImmediately=True)
    settled(twin[0])

    found = cache.describe_cache_clusters(ShowCacheNodeInfo=True, CacheClusterId="sessions-003")["CacheClusters"][0]
    assert found["CacheNodes"][0]["Endpoint"]["Address"] == "sessions-003.a1b2c3.0001.usw2.cache.amazonaws.com"
