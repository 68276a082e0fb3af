"""Kept answers over the whole API: whatever is changed, every pure operation says what a fresh look says.

`test_fragments.py` holds what answers are made of to the same, after random changes.
"""

import re

import pytest

from atoll.aws import fragments, kept
from atoll.aws.answer import answer
from atoll.aws.http import Request
from atoll.aws.operation import OPERATIONS
from tests.api import caches
from tests.api.caches import NODE
from tests.api.paper import Paper, now

VERSIONS = {"ec2": "2016-11-15", "elasticache": "2015-02-02", "elbv2": "2015-12-01"}
NEEDS_MORE = {"GetSecurityGroupsForVpc", "DescribeVpcAttribute", "DescribeListeners"}  # than a name
QUESTIONS = [
    (operation.service, operation.name)
    for operation in OPERATIONS.values()
    if operation.pure and operation.name not in NEEDS_MORE
]


def _told(paper, service, action):
    scope = {"elbv2": "elasticloadbalancing"}.get(service, service)
    signed = f"AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/{scope}/aws4_request"
    headers = {
        "host": "localhost",
        "authorization": f"{signed}, SignedHeaders=host, Signature=00",
        "x-amz-date": "20261120T120000Z",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    body = f"Action={action}&Version={VERSIONS[service]}".encode()
    out = now(answer(Request("POST", "/", "", headers, body), paper.backend))
    assert out.status == 200, out.body
    return re.sub(rb"(?i)<requestid>[^<]*", b"", out.body)


@pytest.fixture(autouse=True)
def shelf():
    """Nothing is kept of another test."""
    kept.SHELF.clear()
    fragments.FRAGMENTS.clear()
    yield kept.SHELF
    kept.SHELF.clear()
    fragments.FRAGMENTS.clear()


def test_after_every_change_kept_answers_are_what_a_fresh_look_says(monkeypatch):
    paper = Paper()
    caches.install(paper)
    steps, hits = _changes(paper), 0

    for step in steps:
        kept_answers = {question: _told(paper, *question) for question in QUESTIONS}
        with monkeypatch.context() as patched:
            _keep_nothing(patched)
            fresh = {question: _told(paper, *question) for question in QUESTIONS}
        again = {question: _told(paper, *question) for question in QUESTIONS}
        hits += sum(again[question] == fresh[question] for question in QUESTIONS)

        assert kept_answers == fresh == again, step

    assert hits > 20 * len(QUESTIONS)


def _keep_nothing(patched):
    patched.setattr(kept.SHELF, "find", lambda *_: None)
    patched.setattr(fragments.FRAGMENTS, "text", _anew)


def _anew(it, write):
    """Write what is told, as if there were no fragments."""
    out = []
    write(out, it.render(it.world, *it.of))
    return "".join(out)


def test_what_is_kept_for_one_caller_is_not_told_to_another():
    paper = Paper()
    here, there, abroad = paper.client(), paper.client(account="222222222222"), paper.client(region="eu-west-1")
    before = [client.describe_vpcs()["Vpcs"] for client in (here, there, abroad)]

    here.create_vpc(CidrBlock="10.0.0.0/16")

    after = [client.describe_vpcs()["Vpcs"] for client in (here, there, abroad)]
    assert [len(vpcs) for vpcs in after] == [2, 1, 1]
    assert after[1:] == before[1:]


def test_a_dry_run_is_never_answered_by_what_was_kept():
    ec2 = Paper().client()
    ec2.describe_vpcs()

    with pytest.raises(ec2.exceptions.ClientError, match="DryRunOperation"):
        ec2.describe_vpcs(DryRun=True)
    with pytest.raises(ec2.exceptions.ClientError, match="DryRunOperation"):
        ec2.describe_vpcs(DryRun=True)


def test_the_journal_knows_the_parameters_of_a_kept_answer():
    paper = Paper()
    ec2 = paper.client()
    (id,) = (vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"])

    for _ in range(2):
        ec2.describe_vpcs(VpcIds=[id])

    one, two = paper.backend.calls[-2:]
    assert (one.action, one.status, one.parameters) == (two.action, two.status, two.parameters)
    assert two.parameters == {"VpcIds": [id]}


def _changes(paper):
    """Change this and that, and tell after each what was done."""
    ec2, cache, elb = (paper.client(name) for name in ("ec2", "elasticache", "elbv2"))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    yield "a VPC"
    places = [("10.0.0.0/24", "us-east-1a"), ("10.0.1.0/24", "us-east-1b")]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone) for cidr, zone in places]
    one, two = (made["Subnet"]["SubnetId"] for made in subnets)
    yield "subnets"
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    yield "names"
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    yield "a gateway"
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=one)
    yield "routes"
    group = ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc)["GroupId"]
    other = ec2.create_security_group(GroupName="db", Description="d", VpcId=vpc)["GroupId"]
    yield "groups"
    pairs = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": group}]}]
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=pairs)
    yield "a rule"
    launch = {"ImageId": "ami-0a1b2c3d4e5f60001", "MinCount": 2, "MaxCount": 2, "SubnetId": one}
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    launch["ImageId"] = next(i["ImageId"] for i in images if i["Architecture"] == "x86_64")
    instances = ec2.run_instances(InstanceType="t3.micro", SecurityGroupIds=[group], **launch)["Instances"]
    ids = [instance["InstanceId"] for instance in instances]
    yield "instances"
    paper.settle()
    yield "that run"
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=ids[0])
    yield "a public address"
    ec2.create_tags(Resources=[ids[1], vpc], Tags=[{"Key": "Name", "Value": "x"}])
    yield "tags"
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    yield "no names"
    ec2.modify_instance_attribute(InstanceId=ids[1], Groups=[other])
    yield "another group"
    ec2.disassociate_address(AssociationId=ec2.describe_addresses()["Addresses"][0]["AssociationId"])
    yield "no public address"
    named = {"CacheSubnetGroupName": "g", "CacheSubnetGroupDescription": "d"}
    cache.create_cache_subnet_group(SubnetIds=[one, two], **named)
    yield "a cache subnet group"
    made = {"Engine": "redis", "CacheNodeType": NODE, "CacheSubnetGroupName": "g", "SecurityGroupIds": [other]}
    cache.create_replication_group(
        ReplicationGroupId="r", ReplicationGroupDescription="d", NumCacheClusters=2, **made
    )
    yield "a replication group"
    caches.settle(paper)
    yield "that is available"
    cache.create_user(UserId="u", UserName="u", Engine="redis", AccessString="on ~* +@all", NoPasswordRequired=True)
    yield "a user"
    elb.create_target_group(Name="t", Protocol="TCP", Port=6379, VpcId=vpc, TargetType="ip")
    yield "a target group"
    elb.create_load_balancer(Name="l", Type="network", Scheme="internal", Subnets=[one])
    yield "a load balancer"
    ec2.stop_instances(InstanceIds=ids[:1])
    yield "an instance that stops"
    paper.settle()
    yield "that has stopped"
    ec2.terminate_instances(InstanceIds=ids)
    paper.settle()
    yield "instances that have gone"
    cache.delete_replication_group(ReplicationGroupId="r")
    caches.settle(paper)
    yield "a cache that has gone"
    ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=pairs)
    ec2.delete_security_group(GroupId=group)
    yield "a group that has gone"
