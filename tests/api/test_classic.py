"""EC2-Classic: an account's mode, in which instances and caches need no VPC.  Without it: as AWS answers today."""

import shlex

import pytest

from atoll.admin import classic
from atoll.model.interface import Interface
from atoll.model.world import Caller
from atoll.network.mend_classic import authorizing
from tests.api import caches
from tests.api.machines import image_id, launch, refused, show
from tests.api.paper import ACCOUNT, OTHER_ACCOUNT, REGION, by, tagging

CALLER = Caller(account=ACCOUNT, region=REGION, arn=f"arn:aws:iam::{ACCOUNT}:root")
OLD = {"InstanceType": "m1.small"}


def turn(paper, *, enabled):
    paper.write(lambda tx: classic.change(tx, CALLER, enabled=enabled))


@pytest.fixture
def old(paper, ec2):
    """A client of an account that has EC2-Classic."""
    ec2.describe_vpcs()
    turn(paper, enabled=True)
    return ec2


@pytest.fixture
def cache(paper, old):  # noqa: ARG001
    caches.install(paper)
    return caches.Caches(paper.client("elasticache"))


def platforms(client):
    (found,) = client.describe_account_attributes(AttributeNames=["supported-platforms"])["AccountAttributes"]
    return [value["AttributeValue"] for value in found["AttributeValues"]]


# ---- the mode


def test_the_platforms_tell_the_mode(paper, old, stranger):
    assert platforms(old) == ["EC2", "VPC"]
    assert platforms(stranger) == ["VPC"]
    assert platforms(paper.client(region="eu-west-1")) == ["VPC"]
    (default,) = old.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"]
    assert default["AttributeValues"] == [{"AttributeValue": "none"}]


def test_the_network_itself_is_not_seen(old):
    launch(old, **OLD)

    assert old.describe_vpcs()["Vpcs"] == []
    assert old.describe_subnets()["Subnets"] == []
    assert old.describe_route_tables()["RouteTables"] == []
    assert old.describe_network_acls()["NetworkAcls"] == []
    assert old.describe_internet_gateways()["InternetGateways"] == []
    assert old.describe_network_interfaces()["NetworkInterfaces"] == []


def test_it_takes_the_place_of_an_unused_default_vpc_only(paper, ec2):
    id = launch(ec2)["InstanceId"]

    with pytest.raises(classic.InUse, match=f"{id} is in vpc-"):
        turn(paper, enabled=True)

    assert platforms(ec2) == ["VPC"]
    ec2.terminate_instances(InstanceIds=[id])
    paper.settle()
    turn(paper, enabled=True)
    assert platforms(ec2) == ["EC2", "VPC"]
    turn(paper, enabled=True)  # again changes nothing


def test_a_group_of_the_default_vpc_is_not_taken_away(paper, ec2):
    id = ec2.create_security_group(GroupName="mine", Description="x")["GroupId"]

    with pytest.raises(classic.InUse, match=id):
        turn(paper, enabled=True)


def test_it_goes_when_nothing_is_in_it(paper, old):
    id = launch(old, **OLD)["InstanceId"]
    with pytest.raises(classic.InUse, match=f"{id} is in EC2-Classic"):
        turn(paper, enabled=False)
    old.terminate_instances(InstanceIds=[id])
    paper.settle()

    turn(paper, enabled=False)

    assert platforms(old) == ["VPC"]
    assert not [r for r in paper.world if "classic" in r.account]
    turn(paper, enabled=False)
    old.create_default_vpc()


def test_vpcs_work_beside_it(old):
    vpc = old.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = old.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]

    assert launch(old, SubnetId=subnet)["VpcId"] == vpc


# ---- instances and their groups


def test_an_instance_has_addresses_and_names_and_no_vpc(paper, old):
    launched = launch(old, **OLD)["InstanceId"]
    paper.settle()

    instance = show(old, launched)

    assert instance["PrivateIpAddress"] == "10.0.0.4"
    assert instance["PrivateDnsName"] == "ip-10-0-0-4.ec2.internal"
    assert instance["PublicIpAddress"].startswith("203.0.113.")
    assert instance["PublicDnsName"].startswith("ec2-203-0-113-")
    assert [g["GroupName"] for g in instance["SecurityGroups"]] == ["default"]
    assert instance["NetworkInterfaces"] == []
    assert not {"VpcId", "SubnetId", "SourceDestCheck"} & instance.keys()
    assert instance["Placement"]["AvailabilityZone"] == "us-east-1a"


def test_an_instance_is_in_the_zone_that_was_asked_for(old):
    there = launch(old, Placement={"AvailabilityZone": "us-east-1c"}, **OLD)

    assert there["Placement"]["AvailabilityZone"] == "us-east-1c"
    assert there["PrivateIpAddress"] == "10.64.0.4"


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"InstanceType": "t3.micro"}, "VPCResourceNotSpecified", "can only be used in a VPC"),
        ({"PrivateIpAddress": "10.0.0.9"}, "InvalidParameterCombination", "in a VPC"),
        ({"SecurityGroups": ["none"]}, "InvalidGroup.NotFound", "The security group 'none' does not exist"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound", "does not exist"),
        ({"Placement": {"AvailabilityZone": "us-east-1z"}}, "InvalidParameterValue", "us-east-1z"),
    ],
)
def test_a_launch_that_cannot_be_is_refused(old, asked, code, message):
    with refused(code, message):
        launch(old, **(OLD | asked))


def test_groups_have_names_and_no_vpc_and_let_everything_out(old):
    made = old.create_security_group(
        GroupName="web", Description="web servers", TagSpecifications=tagging("security-group", team="web")
    )["GroupId"]
    http = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0"}
    old.authorize_security_group_ingress(GroupName="web", **http)
    old.authorize_security_group_ingress(GroupName="web", SourceSecurityGroupName="default")

    (group,) = old.describe_security_groups(GroupNames=["web"])["SecurityGroups"]

    assert group["GroupId"] == made
    assert "VpcId" not in group
    assert group["IpPermissionsEgress"] == []
    assert {p["IpProtocol"] for p in group["IpPermissions"]} == {"tcp", "udp", "icmp"}
    assert {g["GroupName"] for g in old.describe_security_groups()["SecurityGroups"]} == {"default", "web"}
    rules = old.describe_security_group_rules(Filters=by(group_id=made))["SecurityGroupRules"]
    assert not any(rule["IsEgress"] for rule in rules)
    assert launch(old, SecurityGroups=["web"], **OLD)["SecurityGroups"] == [{"GroupId": made, "GroupName": "web"}]


def test_groups_refuse_what_only_those_of_vpcs_have(old):
    id = old.create_security_group(GroupName="web", Description="x")["GroupId"]
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    message = "Only Amazon VPC security groups may be used with this operation."

    with refused("InvalidParameterValue", message):
        old.authorize_security_group_egress(GroupId=id, IpPermissions=everything)
    with refused("InvalidParameterValue", message):
        old.revoke_security_group_egress(GroupId=id, IpPermissions=everything)
    with refused("InvalidGroup.Duplicate", "The security group 'web' already exists"):
        old.create_security_group(GroupName="web", Description="x")
    with refused("InvalidGroup.NotFound", "The security group 'none' does not exist"):
        old.delete_security_group(GroupName="none")


def test_groups_are_fixed_at_launch(paper, old):
    id = old.create_security_group(GroupName="web", Description="x")["GroupId"]
    instance = launch(old, SecurityGroups=["web"], **OLD)["InstanceId"]
    paper.settle()
    other = old.create_security_group(GroupName="other", Description="x")["GroupId"]

    with refused("InvalidParameterCombination", "are fixed at its launch"):
        old.modify_instance_attribute(InstanceId=instance, Groups=[other])
    with refused("InvalidGroup.InUse", id):
        old.delete_security_group(GroupName="web")


def test_an_elastic_ip_is_for_vpcs(paper, old):
    instance = launch(old, **OLD)["InstanceId"]
    paper.settle()
    id = old.allocate_address()["AllocationId"]

    with refused("UnsupportedOperation", "EC2-Classic"):
        old.associate_address(AllocationId=id, InstanceId=instance)


# ---- caches


def granted(cache, name):
    (group,) = cache.describe_cache_security_groups(CacheSecurityGroupName=name)["CacheSecurityGroups"]
    return [(g["EC2SecurityGroupName"], g["Status"]) for g in group["EC2SecurityGroups"]]


def grant(cache, group="app", name="web", owner=ACCOUNT):
    return cache.authorize_cache_security_group_ingress(
        CacheSecurityGroupName=group, EC2SecurityGroupName=name, EC2SecurityGroupOwnerId=owner
    )["CacheSecurityGroup"]


def revoke(cache, group="app", name="web", owner=ACCOUNT):
    return cache.revoke_cache_security_group_ingress(
        CacheSecurityGroupName=group, EC2SecurityGroupName=name, EC2SecurityGroupOwnerId=owner
    )["CacheSecurityGroup"]


def create(cache, name="app"):
    return cache.create_cache_security_group(CacheSecurityGroupName=name, Description="the app")["CacheSecurityGroup"]


def test_a_cache_security_group_is_made_described_and_deleted(cache):
    made = create(cache, "App")

    assert made == {
        "OwnerId": ACCOUNT,
        "CacheSecurityGroupName": "app",
        "Description": "the app",
        "EC2SecurityGroups": [],
        "ARN": f"arn:aws:elasticache:{REGION}:{ACCOUNT}:securitygroup:app",
    }
    names = [g["CacheSecurityGroupName"] for g in cache.describe_cache_security_groups()["CacheSecurityGroups"]]
    assert names == ["app", "default"]
    cache.delete_cache_security_group(CacheSecurityGroupName="app")
    with refused("CacheSecurityGroupNotFound", "Cache security group app does not exist."):
        cache.describe_cache_security_groups(CacheSecurityGroupName="app")


def test_the_rules_of_cache_security_groups_are_not_seen_among_those_of_ec2(old, cache):
    create(cache)

    assert [g["GroupName"] for g in old.describe_security_groups()["SecurityGroups"]] == ["default"]


def test_access_is_given_to_an_ec2_security_group_and_taken(old, cache):
    old.create_security_group(GroupName="web", Description="x")
    create(cache)

    assert grant(cache)["EC2SecurityGroups"][0]["Status"] == "authorizing"
    assert granted(cache, "app") == [("web", "authorized")]
    with refused("InvalidGroup.InUse"):
        old.delete_security_group(GroupName="web")
    assert revoke(cache)["EC2SecurityGroups"][0]["Status"] == "revoking"
    assert granted(cache, "app") == []
    old.delete_security_group(GroupName="web")


def test_the_name_of_a_group_is_a_word_of_the_command_that_would_authorise_it(paper, old, cache):
    """EC2 takes `;` and `$` in it, and a person gives the command to a shell."""
    name = "web;touch $(id) #&"
    old.create_security_group(GroupName=name, Description="x")
    create(cache)
    launched = launch(old, SecurityGroups=[name], **OLD)["InstanceId"]
    cache.create_cache_cluster(
        CacheClusterId="c", Engine="memcached", NumCacheNodes=1, CacheNodeType="cache.t3.micro",
        CacheSecurityGroupNames=["app"],
    )  # fmt: skip
    world = paper.world.seen_by(None)
    (asker,) = (i for i in world.all(Interface) if i.instance_id == launched)
    (node,) = (i for i in world.all(Interface) if i.instance_id is None and i.group_ids)

    _, command = authorizing(world, node, asker)

    assert shlex.split(command)[-3:-1] == [name, "--ec2-security-group-owner-id"]


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (lambda c: create(c, "default"), "InvalidParameterValue", "CacheSecurityGroupName is not valid"),
        (lambda c: create(c, "a-b"), "InvalidParameterValue", "letters and digits"),
        (lambda c: create(c, "x" * 256), "InvalidParameterValue", "up to 255"),
        (lambda c: create(c, "taken"), "CacheSecurityGroupAlreadyExists", "taken already exists"),
        (lambda c: grant(c, "none"), "CacheSecurityGroupNotFound", "none does not exist"),
        (lambda c: grant(c, "taken", "nobody"), "InvalidParameterValue", "EC2 security group nobody"),
        (lambda c: grant(c, "taken", "default", OTHER_ACCOUNT), "InvalidParameterValue", "network of its own"),
        (lambda c: grant(c, "taken", "default"), "AuthorizationAlreadyExists", "authorized for taken already"),
        (lambda c: revoke(c, "taken", "web"), "AuthorizationNotFound", "not authorized for taken"),
        (lambda c: c.delete_cache_security_group(CacheSecurityGroupName="default"),
         "InvalidCacheSecurityGroupState", "default"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(cache, call, code, message):
    create(cache, "taken")
    grant(cache, "taken", "default")

    with refused(code, message):
        call(cache)


def test_a_cluster_without_a_subnet_group_is_in_classic(paper, old, cache):
    create(cache)

    made = cache.memcached(count=2, CacheSecurityGroupNames=["app"])

    assert made["CacheSecurityGroups"] == [{"CacheSecurityGroupName": "app", "Status": "active"}]
    assert made["SecurityGroups"] == []
    assert "CacheSubnetGroupName" not in made
    assert old.describe_network_interfaces()["NetworkInterfaces"] == []
    addresses = [i.address for i in paper.world.all(Interface) if i.requester_managed]
    assert [str(a) for a in addresses] == ["10.0.0.4", "10.0.0.5"]
    with refused("InvalidCacheSecurityGroupState", "app is in use by cache cluster mem"):
        cache.delete_cache_security_group(CacheSecurityGroupName="app")


def test_a_cluster_is_given_other_cache_security_groups(paper, cache):
    create(cache)
    create(cache, "ops")
    cache.memcached(CacheSecurityGroupNames=["app"])
    node = next(iter(paper.world.all(Interface)))
    caches.settle(paper)

    changed = cache.modify_cache_cluster(CacheClusterId="mem", CacheSecurityGroupNames=["ops"])["CacheCluster"]

    assert [g["CacheSecurityGroupName"] for g in changed["CacheSecurityGroups"]] == ["ops"]
    assert paper.world[Interface, node.id].group_ids != node.group_ids
    cache.delete_cache_security_group(CacheSecurityGroupName="app")


def test_a_cache_security_group_has_tags_and_a_history(cache):
    arn = cache.create_cache_security_group(
        CacheSecurityGroupName="app", Description="x", Tags=[{"Key": "team", "Value": "web"}]
    )["CacheSecurityGroup"]["ARN"]
    cache.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "1"}])

    tags = cache.list_tags_for_resource(ResourceName=arn)["TagList"]

    assert {t["Key"]: t["Value"] for t in tags} == {"team": "web", "a": "1"}
    cache.delete_cache_security_group(CacheSecurityGroupName="app")
    assert cache.told("app", "cache-security-group") == [
        "Cache security group app created", "Cache security group app deleted",
    ]  # fmt: skip


def test_without_a_group_a_cluster_has_the_default_one(cache):
    made = cache.redis()

    assert made["CacheSecurityGroups"] == [{"CacheSecurityGroupName": "default", "Status": "active"}]


def test_a_replication_group_is_in_classic_too(cache):
    create(cache)
    cache.group(CacheSecurityGroupNames=["app"])

    (primary, *_) = cache.describe_cache_clusters()["CacheClusters"]

    assert primary["CacheSecurityGroups"] == [{"CacheSecurityGroupName": "app", "Status": "active"}]


def test_the_two_kinds_of_groups_do_not_mix(old, cache):
    vpc = old.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = old.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    cache.create_cache_subnet_group(
        CacheSubnetGroupName="private", CacheSubnetGroupDescription="x", SubnetIds=[subnet]
    )
    create(cache)

    with refused("InvalidParameterCombination", "not permitted along with cache subnet group"):
        cache.memcached(CacheSubnetGroupName="private", CacheSecurityGroupNames=["app"])
    with refused("InvalidParameterCombination", "not permitted without a cache subnet group"):
        cache.memcached(SecurityGroupIds=["sg-0123456789abcdef0"])
    with refused("CacheSecurityGroupNotFound"):
        cache.memcached(CacheSecurityGroupNames=["none"])
    assert cache.memcached(CacheSubnetGroupName="private")["CacheSubnetGroupName"] == "private"


def test_the_default_mode_answers_as_aws_does_today(paper):
    today = caches.Caches(paper.client("elasticache", account=OTHER_ACCOUNT))
    for call in (
        create,
        grant,
        revoke,
        lambda c: c.describe_cache_security_groups(),
        lambda c: c.delete_cache_security_group(CacheSecurityGroupName="app"),
    ):
        with refused(
            "InvalidParameterValue",
            "Use of cache security groups is not permitted in this API version for your account.",
        ):
            call(today)


def test_images_boot_in_classic_as_everywhere(old):
    assert launch(old, ImageId=image_id(), **OLD)["State"]["Name"] == "pending"
