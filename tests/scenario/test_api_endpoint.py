"""Row 112: a private subnet without internet reaches the API through an interface endpoint, with the AWS CLI."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.atoll import until
from tests.scenario.stage import Stage

CIDR = "10.0.0.0/16"
REGION = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "HOME": "/nowhere", **REGION}
QUICK = {"AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true"}
CALL_SECONDS = 40.0


@dataclass
class Private:
    """An instance in a VPC without a way out."""

    stage: Stage
    vpc: str
    subnet: str
    app: str
    group: str

    def aws(self, *words: str, keys: dict[str, str] | None = None) -> tuple[int | None, str]:
        """Run the AWS CLI in the instance's network; returns how it ended, and what it said."""
        program = shutil.which("aws", path=str(Path(sys.executable).parent))
        if program is None:
            pytest.skip("NO AWS CLI: it is not installed beside Python; bin/setup installs it")
        given = [f"{name}={value}" for name, value in {**KEYS, **QUICK, **(keys or {})}.items()]
        more = ("--cli-connect-timeout", "3", "--cli-read-timeout", "10")
        command = ["env", "-u", "AWS_ENDPOINT_URL", *given, program, *words, *more]
        done = self.stage.run(self.app, command, CALL_SECONDS)
        return done.code, done.output

    def endpoint(self, service: str, **more: Any) -> str:
        """Make an endpoint, and wait until it is available."""
        made = self.stage.ec2.create_vpc_endpoint(
            VpcId=self.vpc, ServiceName=f"com.amazonaws.us-east-1.{service}", VpcEndpointType="Interface",
            SubnetIds=[self.subnet], SecurityGroupIds=[self.group], **more,
        )  # fmt: skip
        id: str = made["VpcEndpoint"]["VpcEndpointId"]
        until(lambda: self._show(id)["State"] == "available", 10, "an available endpoint")
        return id

    def end(self, id: str) -> None:
        self.stage.ec2.delete_vpc_endpoints(VpcEndpointIds=[id])
        until(lambda: not self.stage.ec2.describe_vpc_endpoints()["VpcEndpoints"], 5, "the endpoint gone")

    def _show(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.stage.ec2.describe_vpc_endpoints(VpcEndpointIds=[id])["VpcEndpoints"][0]
        return found

    def address(self, id: str) -> str:
        found = self.stage.ec2.describe_network_interfaces(NetworkInterfaceIds=self._show(id)["NetworkInterfaceIds"])
        address: str = found["NetworkInterfaces"][0]["PrivateIpAddress"]
        return address


@pytest.fixture(scope="module")
def private(stage: Stage) -> Private:
    vpc = stage.vpc(CIDR, internet=False)
    stage.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = stage.subnet(vpc, "10.0.0.0/24")
    group = stage.group(vpc)
    stage.allow(group, 443, CIDR)
    return Private(stage, vpc, subnet, stage.instance(subnet), group)


def test_row_112_the_api_is_reached_without_the_internet(private):
    describe = ("ec2", "describe-vpcs", "--query", "Vpcs[].VpcId", "--output", "json")
    code, said = private.aws(*describe)
    assert code != 0, "without the endpoint there is no such name"
    assert "Could not connect to the endpoint URL" in said

    id = private.endpoint("ec2", PrivateDnsEnabled=True)
    code, said = private.aws(*describe)
    assert code == 0, said
    assert private.vpc in json.loads(said)

    address = private.address(id)
    with private.stage.without(private.group, 443, CIDR):  # the endpoint's group is obeyed
        assert private.stage.is_dropped(private.app, address, 443)
        assert private.stage.refusal(private.app, address, 443).layer == "ingress-groups"
        assert private.aws(*describe)[0] != 0
    assert private.stage.is_dropped(private.app, address, 22)

    code, said = private.aws(*describe, keys={"AWS_ACCESS_KEY_ID": "222222222222"})
    assert code == 0
    assert private.vpc not in json.loads(said), "it calls as whom the keys say"
    code, said = private.aws("sts", "get-caller-identity", "--endpoint-url", "https://ec2.us-east-1.amazonaws.com")
    assert code != 0
    assert "Credential should be scoped" in said, "an endpoint is for its service"

    private.end(id)
    assert private.aws(*describe)[0] != 0


def test_other_services_and_names(private):
    id = private.endpoint("elasticache", PrivateDnsEnabled=False)
    names = [e["DnsName"] for e in private.stage.ec2.describe_vpc_endpoints()["VpcEndpoints"][0]["DnsEntries"]]
    describe = ("elasticache", "describe-cache-clusters", "--query", "CacheClusters", "--output", "json")
    assert private.aws(*describe)[0] != 0, "no private DNS"
    for name in names:
        assert private.aws(*describe, "--endpoint-url", f"https://{name}") == (0, "[]\n")
    with private.stage.allowed(private.group, 80, CIDR):
        assert private.aws(*describe, "--endpoint-url", f"http://{names[0]}") == (0, "[]\n")
    private.end(id)


def test_programs_inside_an_instance_trust_the_endpoint(private):
    id = private.endpoint("sts", PrivateDnsEnabled=True)
    said = private.stage.typed(
        private.app, "curl -s -o /dev/null -w '%{http_code}' https://sts.us-east-1.amazonaws.com/"
    )
    assert said in ("403", "200")
    assert private.stage.typed(private.app, "echo $AWS_CA_BUNDLE") == "/etc/ssl/certs/ca-certificates.crt"
    private.end(id)


def test_an_instance_calls_with_the_credentials_of_its_role(private):
    profile = {"Arn": "arn:aws:iam::000000000000:instance-profile/app"}
    app = private.stage.instance(private.subnet, IamInstanceProfile=profile)
    id = private.endpoint("sts", PrivateDnsEnabled=True)
    caller = Private(private.stage, private.vpc, private.subnet, app, private.group)
    nothing = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    code, said = caller.aws("sts", "get-caller-identity", "--output", "json", keys=nothing)
    assert code == 0, said
    assert json.loads(said)["Arn"] == f"arn:aws:sts::000000000000:assumed-role/app/{app}"
    private.end(id)


def test_a_gateway_endpoint_leads_to_the_store_of_objects_by_a_route(private, tmp_path):
    stage = private.stage
    listing = ("s3api", "list-buckets", "--output", "json")
    assert stage.refusal(private.app, "52.216.0.1", 443).code == "NO_ROUTE_TO_DESTINATION"
    assert private.aws(*listing)[0] != 0, "the name is known, but nothing leads there"
    table = stage.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [private.vpc]}])
    id = stage.ec2.create_vpc_endpoint(
        VpcId=private.vpc, ServiceName="com.amazonaws.us-east-1.s3",
        RouteTableIds=[table["RouteTables"][0]["RouteTableId"]],
    )["VpcEndpoint"]["VpcEndpointId"]  # fmt: skip

    code, said = private.aws("s3api", "create-bucket", "--bucket", "seeds")
    assert code == 0, said
    (tmp_path / "seed").write_text("ten thousand")
    code, said = private.aws("s3", "cp", str(tmp_path / "seed"), "s3://seeds/a/b c.txt")
    assert code == 0, said
    code, said = private.aws("s3", "ls", "s3://seeds/a/")
    assert (code, said.split()[2:]) == (0, ["12", "b", "c.txt"]), said
    assert private.aws("s3", "ls", "s3://seeds/")[1].strip() == "PRE a/"
    code, said = private.aws("s3", "cp", "s3://seeds/a/b c.txt", str(tmp_path / "again"))
    assert code == 0, said
    assert (tmp_path / "again").read_text() == "ten thousand"
    lines = stage.trace(private.app, "52.216.0.1", 443)["lines"]
    assert any("gateway-endpoint" in line for line in lines), lines

    stage.ec2.delete_vpc_endpoints(VpcEndpointIds=[id])
    assert stage.is_dropped(private.app, "52.216.0.1", 443)
