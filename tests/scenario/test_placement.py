"""Rows 118 to 126: placement groups, and the hardware under them, which fails on purpose."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.daemon.atoll import until
from tests.scenario.stage import QUICK, Stage

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
IMDS = "http://169.254.169.254/latest"
TOKEN = f"TOKEN=$(curl -s -X PUT {IMDS}/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')"
READ = f'curl -s -H "X-aws-ec2-metadata-token: $TOKEN" {IMDS}/meta-data/placement'


@pytest.fixture(scope="module")
def subnets(stage: Stage) -> dict[str, str]:
    """Return a subnet in each of three zones of one VPC, in whose default group everybody reaches everybody."""
    vpc = stage.vpc(internet=False)
    make = stage.ec2.create_subnet
    return {
        zone: make(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate(ZONES)
    }


@pytest.fixture(scope="module")
def bystander(stage: Stage, subnets: dict[str, str]) -> str:
    """Return an instance without a placement group; it stands in the first rack, where it was emptiest."""
    return stage.instance(subnets[ZONES[0]])


def launch(stage: Stage, subnet: str, count: int = 1, **placement: Any) -> list[str]:
    """Launch instances into a placement group, and wait until they run."""
    image = stage.image("amzn2-ami-hvm-*-x86_64-gp2")
    made = stage.ec2.run_instances(
        ImageId=image, InstanceType="m1.small", SubnetId=subnet, MinCount=count, MaxCount=count, Placement=placement
    )["Instances"]  # fmt: skip
    ids = [one["InstanceId"] for one in made]
    stage.ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig=QUICK)
    return ids


def group(stage: Stage, strategy: str, **more: Any) -> str:
    name = stage.name(strategy)
    stage.ec2.create_placement_group(GroupName=name, Strategy=strategy, **more)
    return name


def placed(stage: Stage, *ids: str) -> list[dict[str, Any]]:
    found = {i["id"]: i["placement"] for i in stage.atoll.status()["instances"]}
    return [found[id] for id in ids]


def racks(stage: Stage, *ids: str) -> list[str]:
    return [where["rack"] for where in placed(stage, *ids)]


def impaired(stage: Stage) -> set[str]:
    told = stage.ec2.describe_instance_status()["InstanceStatuses"]
    return {one["InstanceId"] for one in told if one["SystemStatus"]["Status"] == "impaired"}


@contextmanager
def down(stage: Stage, rack: str) -> Iterator[dict[str, Any]]:
    """Have a rack down for a while."""
    said = stage.atoll.cli("chaos", "kill-rack", rack, "--json")
    fault: dict[str, Any] = json.loads(said[said.index("{") :])
    try:
        yield fault
    finally:
        stage.atoll.cli("chaos", "revert", fault["id"])


def test_row_118_a_placement_group_decides_where_instances_stand(stage: Stage, subnets: dict[str, str]):
    name = group(stage, "cluster")

    (member,) = launch(stage, subnets[ZONES[0]], GroupName=name)

    (where,) = placed(stage, member)
    assert where["group"] == name
    assert where["host"].startswith(f"{where['rack']}-h")
    assert where["rack"].startswith("us-east-1a-r")
    (shown,) = stage.ec2.describe_instances(InstanceIds=[member])["Reservations"][0]["Instances"]
    assert shown["Placement"]["GroupName"] == name
    stage.terminate(member)


def test_row_119_without_a_group_instances_stand_on_different_hosts(stage: Stage, subnets: dict[str, str]):
    ids = launch(stage, subnets[ZONES[1]], 4)

    hosts = [where["host"] for where in placed(stage, *ids)]

    assert len(set(hosts)) == 4
    with down(stage, racks(stage, ids[0])[0]):
        assert impaired(stage) & set(ids) == {ids[0]}
    stage.terminate(*ids)


def test_row_120_a_cluster_is_in_one_zone(stage: Stage, subnets: dict[str, str]):
    name = group(stage, "cluster")
    (member,) = launch(stage, subnets[ZONES[0]], GroupName=name)

    with pytest.raises(ClientError, match="is in use in another availability zone: us-east-1a"):
        launch(stage, subnets[ZONES[1]], GroupName=name)

    stage.terminate(member)


def test_row_122_a_rack_that_fails_takes_all_members_of_a_cluster(
    stage: Stage, subnets: dict[str, str], bystander: str
):
    name = group(stage, "cluster")
    members = launch(stage, subnets[ZONES[0]], 3, GroupName=name)
    addresses = [stage.address(id) for id in members]
    for id in members:
        stage.booted(id)
    assert all(stage.connects(bystander, address, 22) for address in addresses)
    (rack,) = set(racks(stage, *members))
    assert racks(stage, bystander) != [rack]

    with down(stage, rack) as fault:
        assert set(members) <= set(fault["hits"])
        assert all(stage.is_dropped(bystander, address, 22) for address in addresses)
        refusal = stage.refusal(bystander, addresses[0], 22)
        assert (refusal.verdict, refusal.because) == ("down", f"{rack} is down (kill-rack)")
        assert impaired(stage) == set(members)

    for id, address in zip(members, addresses, strict=True):
        stage.booted(id)
        assert stage.connects(bystander, address, 22)
    stage.terminate(*members)


def test_row_123_a_rack_that_fails_takes_one_partition_only(stage: Stage, subnets: dict[str, str]):
    name = group(stage, "partition", PartitionCount=3)
    here = launch(stage, subnets[ZONES[0]], 6, GroupName=name)
    there = launch(stage, subnets[ZONES[2]], 3, GroupName=name)
    numbers = {id: where["partition"] for id, where in zip(here, placed(stage, *here), strict=True)}
    assert sorted(numbers.values()) == [1, 1, 2, 2, 3, 3]
    assert sorted(where["partition"] for where in placed(stage, *there)) == [1, 2, 3]
    stage.booted(here[0])
    assert stage.typed(here[0], f"{TOKEN}; {READ}/partition-number") == str(numbers[here[0]])
    assert stage.typed(here[0], f"{TOKEN}; {READ}/group-name") == name
    (rack, *_) = racks(stage, here[0])

    with down(stage, rack):
        assert impaired(stage) & {*here, *there} == {id for id in here if numbers[id] == numbers[here[0]]}

    stage.terminate(*here, *there)


def test_row_124_a_program_that_knows_racks_reads_its_partition_as_one(stage: Stage, subnets: dict[str, str]):
    # Hadoop, Cassandra and Kafka want a rack's name from a script: it is one line of the instance metadata.
    name = group(stage, "partition", PartitionCount=2)
    ids = launch(stage, subnets[ZONES[0]], 2, GroupName=name)
    for id in ids:
        stage.booted(id)

    names = [stage.typed(id, f'{TOKEN}; echo "/rack-$({READ}/partition-number)"') for id in ids]

    assert names == ["/rack-1", "/rack-2"]
    assert len(set(racks(stage, *ids))) == 2
    stage.terminate(*ids)


def test_row_125_each_spread_instance_has_hardware_of_its_own_and_the_eighth_does_not_start(
    stage: Stage, subnets: dict[str, str]
):
    name = group(stage, "spread")
    seven = launch(stage, subnets[ZONES[0]], 7, GroupName=name)

    assert len(set(racks(stage, *seven))) == 7
    with pytest.raises(ClientError) as caught:
        launch(stage, subnets[ZONES[0]], GroupName=name)
    assert caught.value.response["Error"]["Code"] == "InsufficientInstanceCapacity"
    with down(stage, racks(stage, seven[0])[0]):
        assert impaired(stage) & set(seven) == {seven[0]}
    stage.terminate(*seven)


def test_row_126_three_zones_take_twenty_one_and_a_zone_that_fails_leaves_fourteen(
    stage: Stage, subnets: dict[str, str]
):
    name = group(stage, "spread")
    ids = {zone: launch(stage, subnets[zone], 7, GroupName=name) for zone in ZONES}
    everyone = [id for some in ids.values() for id in some]
    assert len(set(racks(stage, *everyone))) == 21

    stage.atoll.cli("chaos", "kill-zone", ZONES[0])

    assert impaired(stage) & set(everyone) == set(ids[ZONES[0]])
    stage.atoll.cli("chaos", "revert", "--all")
    until(lambda: all(stage.pid(id) for id in ids[ZONES[0]]), 30, "their return")
    stage.terminate(*everyone)
