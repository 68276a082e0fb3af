"""Volumes: the root disks of instances."""

import pytest

from tests.api.machines import launch, launch_running, refused
from tests.api.paper import tagging


@pytest.fixture
def volume(paper, ec2):
    launch_running(paper, ec2, TagSpecifications=tagging("volume", disk="root"))
    return ec2.describe_volumes()["Volumes"][0]


def test_a_root_volume_is_in_use_as_long_as_its_instance_is(paper, ec2, volume):
    (attachment,) = volume["Attachments"]
    assert (volume["State"], attachment["State"], attachment["Device"]) == ("in-use", "attached", "/dev/xvda")
    assert volume["Tags"] == [{"Key": "disk", "Value": "root"}]
    ec2.get_waiter("volume_in_use").wait(VolumeIds=[volume["VolumeId"]], WaiterConfig={"Delay": 0, "MaxAttempts": 1})

    ec2.terminate_instances(InstanceIds=[attachment["InstanceId"]])
    assert ec2.describe_volumes()["Volumes"]
    paper.settle()

    with refused("InvalidVolume.NotFound", f"The volume '{volume['VolumeId']}' does not exist"):
        ec2.describe_volumes(VolumeIds=[volume["VolumeId"]])


def test_a_volume_can_be_tagged_later(ec2, volume):
    ec2.create_tags(Resources=[volume["VolumeId"]], Tags=[{"Key": "Name", "Value": "root"}])

    found = ec2.describe_volumes(Filters=[{"Name": "tag:Name", "Values": ["root"]}])["Volumes"]
    assert [v["VolumeId"] for v in found] == [volume["VolumeId"]]
    tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [volume["VolumeId"]]}])["Tags"]
    assert {(t["ResourceType"], t["Key"]) for t in tags} == {("volume", "disk"), ("volume", "Name")}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attachment.attach-time", "2026-*"),
        ("attachment.delete-on-termination", "true"),
        ("attachment.device", "/dev/xvda"),
        ("attachment.instance-id", "i-*"),
        ("attachment.status", "attached"),
        ("availability-zone", "us-east-1a"),
        ("availability-zone-id", "use1-az1"),
        ("create-time", "2026-*"),
        ("encrypted", "false"),
        ("multi-attach-enabled", "false"),
        ("size", "8"),
        ("snapshot-id", "snap-*"),
        ("status", "in-use"),
        ("volume-id", "vol-*"),
        ("volume-type", "gp3"),
        ("tag-key", "disk"),
    ],
)
def test_filters(ec2, volume, name, value):
    found = ec2.describe_volumes(Filters=[{"Name": name, "Values": [value]}])["Volumes"]

    assert found == [volume]
    assert ec2.describe_volumes(Filters=[{"Name": name, "Values": ["no such"]}])["Volumes"] == []


def test_no_volume_is_restored_fast(ec2, volume):
    assert ec2.describe_volumes(Filters=[{"Name": "fast-restored", "Values": ["*"]}])["Volumes"] == []
    assert volume["SnapshotId"]


def test_pages_show_each_volume_once(ec2):
    for _ in range(7):
        launch(ec2)

    pages = list(ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 5}))

    assert [len(p["Volumes"]) for p in pages] == [5, 2]


def test_refusals(ec2, stranger, volume):
    with refused("InvalidVolumeID.Malformed", "x"):
        ec2.describe_volumes(VolumeIds=["x"])
    with refused("InvalidParameterCombination", "volumeIds"):
        ec2.describe_volumes(VolumeIds=[volume["VolumeId"]], MaxResults=5)
    with refused("InvalidVolume.NotFound"):
        stranger.describe_volumes(VolumeIds=[volume["VolumeId"]])
    with refused("UnsupportedOperation", "CreateVolume"):
        ec2.create_volume(AvailabilityZone="us-east-1a", Size=8)
