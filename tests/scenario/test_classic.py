"""Rows 4 and 6: EC2-Classic, an account's mode, beside the VPCs of everybody else."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError

from tests.scenario.stage import NODE_TYPE, QUICK, Stage

ACCOUNT = "333333333333"


@dataclass(frozen=True)
class Old:
    """An account with EC2-Classic: two instances, one in the group `web`, and a cache that admits the group `app`."""

    stage: Stage
    member: str
    other: str
    address: str  # of the cache's node

    def grant(self) -> None:
        self.stage.cache.authorize_cache_security_group_ingress(
            CacheSecurityGroupName="app", EC2SecurityGroupName="web", EC2SecurityGroupOwnerId=ACCOUNT
        )

    def revoke(self) -> None:
        self.stage.cache.revoke_cache_security_group_ingress(
            CacheSecurityGroupName="app", EC2SecurityGroupName="web", EC2SecurityGroupOwnerId=ACCOUNT
        )


def classic(stage: Stage, word: str) -> str:
    environment = stage.atoll.environment
    before, environment["AWS_ACCESS_KEY_ID"] = environment["AWS_ACCESS_KEY_ID"], ACCOUNT
    try:
        return stage.atoll.cli("classic", word)
    finally:
        environment["AWS_ACCESS_KEY_ID"] = before


def launch(stage: Stage, *groups: str) -> str:
    """Launch an instance without a subnet."""
    names = {"SecurityGroups": list(groups)} if groups else {}
    image = stage.image("amzn2-ami-hvm-*-x86_64-gp2")
    made = stage.ec2.run_instances(ImageId=image, InstanceType="m1.small", MinCount=1, MaxCount=1, **names)
    id: str = made["Instances"][0]["InstanceId"]
    stage.booted(id)
    return id


@pytest.fixture(scope="module")
def old(stage: Stage) -> Iterator[Old]:
    """Build it, following the page's procedure for this platform."""
    assert "has EC2-Classic, 10.0.0.0/8" in classic(stage, "enable")
    stage = Stage(stage.atoll, account=ACCOUNT)
    stage.ec2.create_security_group(GroupName="web", Description="who may use the cache")
    stage.cache.create_cache_security_group(CacheSecurityGroupName="app", Description="the application")
    stage.cache.create_cache_cluster(
        CacheClusterId="sessions", Engine="memcached", NumCacheNodes=1, CacheNodeType=NODE_TYPE,
        CacheSecurityGroupNames=["app"],
    )  # fmt: skip
    stage.cache.get_waiter("cache_cluster_available").wait(CacheClusterId="sessions", WaiterConfig=QUICK)
    (address,) = stage.node_addresses("sessions")
    yield Old(stage, launch(stage, "web"), launch(stage), address)
    stage.atoll.reset()


def test_row_004_access_is_given_by_authorising_the_instances_security_group(old: Old):
    stage = old.stage
    assert stage.is_dropped(old.member, old.address, 11211), "by default nobody may"
    (mend,) = stage.trace(old.member, old.address, 11211)["mend"]
    assert mend["command"] == (
        "aws elasticache authorize-cache-security-group-ingress --cache-security-group-name app "
        f"--ec2-security-group-name web --ec2-security-group-owner-id {ACCOUNT}"
    )

    old.grant()

    assert stage.connects(old.member, old.address, 11211)
    (name, port), *_ = stage.endpoints("sessions")
    assert stage.telnet(old.member, name, port, "version", "quit")
    assert stage.is_dropped(old.other, old.address, 11211)
    refusal = stage.refusal(old.other, old.address, 11211)
    assert (refusal.verdict, refusal.layer) == ("denied", "ingress-groups")


def test_row_004_revoking_it_stops_new_connections(old: Old):
    stage = old.stage
    old.revoke()
    assert stage.is_dropped(old.member, old.address, 11211)
    old.grant()
    assert stage.connects(old.member, old.address, 11211)
    old.revoke()
    with pytest.raises(ClientError, match="AuthorizationNotFound"):
        old.revoke()


def test_row_004_instances_reach_each_other_by_their_groups_and_everything_goes_out(old: Old):
    stage = old.stage
    assert stage.is_dropped(old.other, stage.address(old.member), 22)

    stage.ec2.authorize_security_group_ingress(GroupName="web", SourceSecurityGroupName="default")

    assert stage.connects(old.other, stage.address(old.member), 22)


def test_row_004_today_the_calls_are_refused(old: Old):
    today = Stage(old.stage.atoll)
    with pytest.raises(ClientError, match="Use of cache security groups is not permitted in this API version"):
        today.cache.create_cache_security_group(CacheSecurityGroupName="app", Description="x")


def test_row_006_the_platform_is_told_and_the_procedure_depends_on_it(old: Old):
    stage, today = old.stage, Stage(old.stage.atoll)
    vpc = stage.vpc("10.0.0.0/16")
    subnets = stage.subnet_group(stage.subnet(vpc, "10.0.1.0/24"))

    in_vpc = stage.cluster("memcached", subnets, stage.default_group(vpc))

    assert [platforms(one) for one in (stage, today)] == [["EC2", "VPC"], ["VPC"]]
    assert stage.described(in_vpc)["CacheSubnetGroupName"] == subnets
    assert stage.described(in_vpc)["CacheSecurityGroups"] == []
    assert "CacheSubnetGroupName" not in stage.described("sessions")
    assert stage.described("sessions")["CacheSecurityGroups"][0]["CacheSecurityGroupName"] == "app"
    (address,) = stage.node_addresses(in_vpc)
    assert stage.is_dropped(old.member, address, 11211), "another network, which may have the same addresses"


def platforms(stage: Stage) -> list[str]:
    (found,) = stage.ec2.describe_account_attributes(AttributeNames=["supported-platforms"])["AccountAttributes"]
    return [value["AttributeValue"] for value in found["AttributeValues"]]
