"""A call shown as a command line is that call: the AWS CLI itself reads each line back."""

import json
import shlex

import pytest

from atoll.cli.demo.spelling import spell
from atoll.cli.demo.world import named, rule

CALLS = {
    "a scalar": ("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16", "TagSpecifications": named("vpc", "demo")}),
    "a list": ("ec2", "DescribeSecurityGroups", {"GroupIds": ["sg-ce56b7a9", "sg-bd56b7da"]}),
    "a filter": (
        "ec2",
        "DescribeImages",
        {"Owners": ["amazon"], "Filters": [{"Name": "name", "Values": ["amzn-*"]}]},
    ),
    "a rule by address": (
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {"GroupId": "sg-1", "IpPermissions": rule("11211-11213", cidr="198.51.100.27/32")},
    ),
    "a rule by group": (
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {"GroupId": "sg-1", "IpPermissions": rule(6379, group="sg-2")},
    ),
    "an outbound rule by group": (
        "ec2",
        "AuthorizeSecurityGroupEgress",
        {"GroupId": "sg-1", "IpPermissions": rule(6379, group="sg-2")},
    ),
    "an instance": (
        "ec2",
        "RunInstances",
        {
            "ImageId": "ami-1",
            "MinCount": 1,
            "MaxCount": 1,
            "PrivateIpAddress": "10.0.0.55",
            "SecurityGroupIds": ["sg-1"],
        },
    ),
    "a cluster": (
        "elasticache",
        "CreateCacheCluster",
        {"CacheClusterId": "demo", "Engine": "memcached", "NumCacheNodes": 3, "SecurityGroupIds": ["sg-1"]},
    ),
    "a flag": ("elasticache", "DescribeCacheClusters", {"CacheClusterId": "demo", "ShowCacheNodeInfo": True}),
}


@pytest.fixture(scope="module")
def driver():
    from awscli.clidriver import create_clidriver

    return create_clidriver()


@pytest.mark.parametrize(("service", "operation", "parameters"), CALLS.values(), ids=CALLS.keys())
@pytest.mark.filterwarnings("ignore")
def test_the_aws_cli_reads_the_line_as_the_call(driver, monkeypatch, service, operation, parameters):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    sent = {}

    def take(params, model, **_):
        sent[model.name] = {k: v for k, v in json.loads(json.dumps(params)).items() if k != "ClientToken"}
        raise KeyboardInterrupt  # nothing is sent; the driver answers 130

    line = spell(service, operation, parameters)
    driver.session.register("before-parameter-build", take, unique_id="take")
    program, *arguments = shlex.split(line)

    code = driver.main([*arguments, "--endpoint-url", "http://127.0.0.1:9", "--region", "us-east-1"])

    driver.session.unregister("before-parameter-build", unique_id="take")
    assert (program, code) == ("aws", 130)
    assert sent == {operation: parameters}
