"""Rows 9 to 11: a VPC extends into a Local Zone."""

from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError

from tests.scenario.stage import Stage

GROUP = "us-west-2-lax-1"


@dataclass(frozen=True)
class West:
    """A VPC in the region of Los Angeles, with a subnet in the region itself, and the stage to play on."""

    stage: Stage
    vpc: str
    subnet: str

    def extend(self) -> str:
        made = self.stage.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.9.0/24", AvailabilityZone=f"{GROUP}a")
        return str(made["Subnet"]["SubnetId"])


@pytest.fixture(scope="module")
def west(stage: Stage) -> West:
    stage = Stage(stage.atoll, region="us-west-2")
    vpc = stage.vpc(internet=False)
    made = stage.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-west-2a")
    return West(stage, vpc, made["Subnet"]["SubnetId"])


@pytest.fixture(scope="module")
def local(west: West) -> str:
    """Return the id of a subnet in Los Angeles: the account has opted in."""
    west.stage.ec2.modify_availability_zone_group(GroupName=GROUP, OptInStatus="opted-in")
    return west.extend()


def test_row_009_a_local_zone_must_be_enabled_before_use(west: West, request: pytest.FixtureRequest):
    with pytest.raises(ClientError, match="Subnets can currently only be created in the following"):
        west.extend()

    assert request.getfixturevalue("local")


def test_row_010_its_subnet_is_treated_as_any_other(west: West, local: str):
    stage = west.stage
    of_vpc = [{"Name": "vpc-id", "Values": [west.vpc]}]
    (acl,) = stage.ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]
    app, far = stage.instance(west.subnet), stage.instance(local)
    node = stage.cluster("memcached", stage.subnet_group(local), stage.default_group(west.vpc))
    (address,) = stage.node_addresses(node)

    assert local in {a["SubnetId"] for a in acl["Associations"]}
    assert acl["IsDefault"]
    assert stage.described(node)["PreferredAvailabilityZone"] == f"{GROUP}a"
    assert stage.connects(app, stage.address(far), 22)
    assert stage.connects(far, stage.address(app), 22)
    assert stage.connects(app, address, 11211)
    assert "ttl=" in stage.typed(far, f"ping -c 1 -W 5 {stage.address(app)}")


def test_row_011_nothing_else_must_be_adjusted(west: West, local: str):
    (table,) = west.stage.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [west.vpc]}])["RouteTables"]

    assert [(r["DestinationCidrBlock"], r["GatewayId"], r["State"]) for r in table["Routes"]] == [
        ("10.0.0.0/16", "local", "active")
    ]
    assert [a["Main"] for a in table["Associations"]] == [True]
    assert local
