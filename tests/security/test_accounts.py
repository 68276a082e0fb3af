"""An account asks for everything that there is, and by ids that it knows: nothing of another is in an answer."""

import functools
import re

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from tests.daemon.atoll import running

MINE, OTHER = "111111111111", "222222222222"
SERVICES = ("ec2", "elasticache", "elbv2", "logs", "cloudwatch", "service-quotas", "ssm")
READS = re.compile("^(Describe|List|Get|Search|Filter)")
NAME = "of-the-first-account"
IDS = re.compile(r"\b(?:vpc|subnet|sg|sgr|i|eni|igw|rtb|nat|eipalloc|pcx|acl|pl|dopt|key|vol|fl|r)-[0-9a-f]{8,17}\b")


@pytest.fixture(scope="module")
def atoll():
    with running("paper") as made:
        ec2, cache = made.client("ec2", account=MINE), made.client("elasticache", account=MINE)
        tags = [{"Key": "Name", "Value": NAME}]
        vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
        ec2.create_security_group(GroupName=NAME, Description=NAME, VpcId=vpc)
        ec2.create_key_pair(KeyName=NAME)
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
        ec2.allocate_address(Domain="vpc")
        ec2.create_managed_prefix_list(PrefixListName=NAME, MaxEntries=2, AddressFamily="IPv4")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet)
        ec2.create_tags(Resources=[vpc, subnet, gateway], Tags=tags)
        cache.create_cache_subnet_group(
            CacheSubnetGroupName=NAME, CacheSubnetGroupDescription=NAME, SubnetIds=[subnet]
        )
        cache.create_cache_parameter_group(
            CacheParameterGroupName=NAME, CacheParameterGroupFamily="valkey8", Description=NAME
        )
        cache.create_user(UserId=NAME, UserName=NAME, Engine="valkey", AccessString="on", Passwords=["x" * 20])
        cache.create_replication_group(
            ReplicationGroupId=NAME, ReplicationGroupDescription=NAME, Engine="valkey", NumCacheClusters=1,
            CacheNodeType="cache.t3.micro", CacheSubnetGroupName=NAME,
        )  # fmt: skip
        yield made


@functools.cache
def client_of(url, account, service):
    config = Config(retries={"max_attempts": 0}, parameter_validation=False, inject_host_prefix=False)
    keys = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", config=config, **keys)


def answers(atoll, account, **arguments):
    """Yield what an account is told by every call that only reads; those that need more arguments refuse."""
    for service in SERVICES:
        client = client_of(atoll.url, account, service)
        for method, operation in client.meta.method_to_api_mapping.items():
            if READS.match(operation):
                shape = client.meta.service_model.operation_model(operation).input_shape
                given = {name: value for name, value in arguments.items() if shape and name in shape.members}
                if arguments and not given:
                    continue
                try:
                    answer = getattr(client, method)(**given)
                except (ClientError, ParamValidationError, TypeError):
                    continue
                yield operation, str({name: value for name, value in answer.items() if name != "ResponseMetadata"})


def test_nothing_of_another_account_is_in_an_answer(atoll):
    told = dict(answers(atoll, MINE))
    lists = client_of(atoll.url, MINE, "ec2").describe_managed_prefix_lists()["PrefixLists"]
    everybodys = {each["PrefixListId"] for each in lists if each["OwnerId"] == "AWS"}
    secret = {id for answer in told.values() for id in IDS.findall(answer)} - everybodys | {NAME, "10.77."}
    assert len(secret) > 12
    assert sum(NAME in answer for answer in told.values()) > 8

    for operation, answer in answers(atoll, OTHER):
        assert not [id for id in secret if id in answer], operation


def test_who_knows_an_id_learns_nothing_by_it(atoll):
    ec2 = atoll.client("ec2", account=MINE)
    instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]
    asked = {
        "InstanceIds": [instance["InstanceId"]], "InstanceId": instance["InstanceId"], "Attribute": "userData",
        "VpcIds": [instance["VpcId"]], "VpcId": instance["VpcId"], "SubnetIds": [instance["SubnetId"]],
        "NetworkInterfaceIds": [instance["NetworkInterfaces"][0]["NetworkInterfaceId"]], "KeyNames": [NAME],
        "GroupIds": [instance["SecurityGroups"][0]["GroupId"]], "ReplicationGroupId": NAME, "UserId": NAME,
        "CacheSubnetGroupName": NAME, "CacheParameterGroupName": NAME, "CacheClusterId": f"{NAME}-001",
        "ResourceName": f"arn:aws:elasticache:us-east-1:{MINE}:replicationgroup:{NAME}",
    }  # fmt: skip
    seen = 0
    for name, value in asked.items():
        for operation, answer in answers(atoll, OTHER, **{name: value}):
            seen += 1
            for found in (instance["PrivateIpAddress"], instance["VpcId"], NAME):
                assert found not in answer, f"{operation} by {name}"
    assert seen
