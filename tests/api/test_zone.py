"""Zones, regions and account attributes through boto3."""

from tests.api.paper import by, code, ids, refusal


def test_a_region_has_its_zones(ec2, abroad):
    here = ec2.describe_availability_zones()["AvailabilityZones"]
    there = abroad.describe_availability_zones(AllAvailabilityZones=True)["AvailabilityZones"]

    assert [z["ZoneName"] for z in here] == [f"us-east-1{letter}" for letter in "abcdef"]
    assert [z["ZoneId"] for z in there] == ["euw1-az1", "euw1-az2", "euw1-az3"]
    assert here[0] == {
        "ZoneName": "us-east-1a",
        "ZoneId": "use1-az1",
        "ZoneType": "availability-zone",
        "RegionName": "us-east-1",
        "GroupName": "us-east-1-zg-1",
        "NetworkBorderGroup": "us-east-1",
        "OptInStatus": "opt-in-not-required",
        "State": "available",
        "Messages": [],
    }


def test_zones_are_found_by_name_id_and_filter(ec2):
    def found(**parameters):
        return ids(ec2.describe_availability_zones(**parameters)["AvailabilityZones"], "ZoneId")

    assert found(ZoneNames=["us-east-1b"]) == ["use1-az2"]
    assert found(ZoneIds=["use1-az3"]) == ["use1-az3"]
    assert found(Filters=by(zone_name="*[ab]")) == []
    assert found(Filters=by(zone_name="*b", state="available", zone_type="availability-zone")) == ["use1-az2"]
    assert found(Filters=by(zone_id="use1-az1", group_name="us-east-1*", region_name="us-east-1")) == ["use1-az1"]
    assert len(found(Filters=by(opt_in_status="opt-in-not-required"))) == 6
    assert found(Filters=by(parent_zone_name="*")) == []
    assert refusal(ec2.describe_availability_zones, ZoneNames=["us-east-1z"]) == (
        "InvalidParameterValue",
        "Invalid availability zone: [us-east-1z]",
    )
    assert code(ec2.describe_availability_zones, ZoneIds=["euw1-az1"]) == "InvalidParameterValue"
    assert code(ec2.describe_availability_zones, Filters=by(colour="blue")) == "InvalidParameterValue"


def test_regions(ec2):
    (ireland,) = ec2.describe_regions(RegionNames=["eu-west-1"])["Regions"]

    assert ireland == {
        "RegionName": "eu-west-1",
        "Endpoint": "ec2.eu-west-1.amazonaws.com",
        "OptInStatus": "opt-in-not-required",
    }
    assert ids(ec2.describe_regions(Filters=by(region_name="us-*"))["Regions"], "RegionName") == [
        "us-east-1", "us-east-2", "us-west-1", "us-west-2",
    ]  # fmt: skip
    assert len(ec2.describe_regions(Filters=by(endpoint="ec2.*"))["Regions"]) == 17
    assert refusal(ec2.describe_regions, RegionNames=["mars-north-1"]) == (
        "InvalidParameterValue",
        "Invalid region name: [mars-north-1]",
    )


def test_an_account_is_told_what_it_may_have(ec2):
    shown = {
        a["AttributeName"]: a["AttributeValues"][0]["AttributeValue"]
        for a in ec2.describe_account_attributes()["AccountAttributes"]
    }
    (vpc,) = ec2.describe_vpcs(Filters=by(is_default="true"))["Vpcs"]

    assert shown == {
        "supported-platforms": "VPC",
        "default-vpc": vpc["VpcId"],
        "max-instances": "20",
        "vpc-max-security-groups-per-interface": "16",
        "max-elastic-ips": "200",
        "vpc-max-elastic-ips": "200",
    }
    (one,) = ec2.describe_account_attributes(AttributeNames=["supported-platforms"])["AccountAttributes"]
    assert one["AttributeName"] == "supported-platforms"
