"""Images: the catalogue as EC2 describes it."""

import pytest

from tests.api.machines import ARM, LINUX, NAT, image_id, refused


def names(answer):
    return [i["Name"] for i in answer["Images"]]


def test_the_nat_image_is_found_as_the_guide_finds_it(ec2):
    found = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "name", "Values": ["amzn-ami-vpc-nat-*"]}])

    assert NAT in names(found)
    assert all(i["ImageOwnerAlias"] == "amazon" and i["State"] == "available" for i in found["Images"])


@pytest.mark.parametrize(
    "pattern",
    [
        "amzn2-ami-hvm-*-x86_64-gp2",
        "amzn2-ami-kernel-5.10-hvm-*-arm64-gp2",
        "al2023-ami-2023*-x86_64",
        "al2023-ami-minimal-*-arm64",
        "amzn-ami-hvm-*",
        "amzn-ami-vpc-nat-hvm-*",
    ],
)
def test_the_names_that_programs_look_for_exist(ec2, pattern):
    assert ec2.describe_images(Owners=["137112412989"], Filters=[{"Name": "name", "Values": [pattern]}])["Images"]


@pytest.mark.parametrize(
    "name", ["hvm-ssd/ubuntu-jammy-22.04", "hvm-ssd-gp3/ubuntu-noble-24.04", "hvm-ssd/ubuntu-focal-20.04"]
)
def test_ubuntu_is_found_as_terraform_s_tutorial_finds_it(ec2, name):
    wanted = {"name": f"ubuntu/images/{name}-amd64-server-*", "virtualization-type": "hvm"}
    filters = [{"Name": key, "Values": [value]} for key, value in wanted.items()]

    (image,) = ec2.describe_images(Owners=["099720109477"], Filters=filters)["Images"]

    assert (image["Architecture"], image["RootDeviceName"], image["OwnerId"]) == (
        "x86_64",
        "/dev/sda1",
        "099720109477",
    )
    assert "ImageOwnerAlias" not in image


def test_an_image_says_everything(ec2):
    (image,) = ec2.describe_images(ImageIds=[image_id(LINUX)])["Images"]

    assert image["ImageLocation"] == f"amazon/{LINUX}"
    assert (image["Architecture"], image["RootDeviceName"], image["RootDeviceType"]) == ("x86_64", "/dev/xvda", "ebs")
    assert (image["VirtualizationType"], image["Hypervisor"], image["ImageType"]) == ("hvm", "xen", "machine")
    assert (image["Public"], image["EnaSupport"], image["ImdsSupport"]) == (True, True, "v2.0")
    assert image["CreationDate"] == "2026-09-21T00:00:00.000Z"
    (device,) = image["BlockDeviceMappings"]
    assert device["DeviceName"] == "/dev/xvda"
    assert (device["Ebs"]["VolumeSize"], device["Ebs"]["VolumeType"]) == (8, "gp3")


def test_ids_are_stable_and_differ_by_region(paper, ec2, abroad):
    here = {i["Name"]: i["ImageId"] for i in ec2.describe_images()["Images"]}
    there = {i["Name"]: i["ImageId"] for i in abroad.describe_images()["Images"]}

    assert here.keys() == there.keys()
    assert not set(here.values()) & set(there.values())
    assert here == {i["Name"]: i["ImageId"] for i in paper.client().describe_images()["Images"]}


@pytest.mark.parametrize(
    ("owners", "some"),
    [(["amazon"], True), (["137112412989"], True), (["999999999999"], True), (["self"], False),
     (["aws-marketplace"], False), (["self", "amazon"], True)],
    ids=["alias", "account", "Atoll", "self", "marketplace", "either"],
)  # fmt: skip
def test_owners(ec2, owners, some):
    assert bool(ec2.describe_images(Owners=owners)["Images"]) is some


def test_every_image_is_public_and_shared_with_nobody(ec2):
    assert ec2.describe_images(ExecutableUsers=["all"])["Images"]
    assert ec2.describe_images(ExecutableUsers=["self"])["Images"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("architecture", "x86_64"),
        ("block-device-mapping.delete-on-termination", "true"),
        ("block-device-mapping.device-name", "/dev/xvda"),
        ("block-device-mapping.encrypted", "false"),
        ("block-device-mapping.snapshot-id", "snap-*"),
        ("block-device-mapping.volume-size", "8"),
        ("block-device-mapping.volume-type", "gp3"),
        ("boot-mode", "uefi-preferred"),
        ("creation-date", "2026-09-21T*"),
        ("description", "Amazon Linux 2023*"),
        ("ena-support", "true"),
        ("hypervisor", "xen"),
        ("image-type", "machine"),
        ("is-public", "true"),
        ("manifest-location", "amazon/al2023-*"),
        ("name", LINUX),
        ("owner-alias", "amazon"),
        ("owner-id", "137112412989"),
        ("root-device-name", "/dev/xvda"),
        ("root-device-type", "ebs"),
        ("sriov-net-support", "simple"),
        ("state", "available"),
        ("virtualization-type", "hvm"),
    ],
)
def test_filters(ec2, name, value):
    assert LINUX in names(ec2.describe_images(Filters=[{"Name": name, "Values": [value]}]))
    assert LINUX not in names(ec2.describe_images(Filters=[{"Name": name, "Values": ["no such"]}]))


@pytest.mark.parametrize(
    "name",
    ["kernel-id", "platform", "product-code", "product-code.type", "ramdisk-id", "source-instance-id",
     "state-reason-code", "state-reason-message"],
)  # fmt: skip
def test_filters_for_what_no_image_has(ec2, name):
    assert ec2.describe_images(Filters=[{"Name": name, "Values": ["*"]}])["Images"] == []


def test_an_arm_image_is_found_by_its_architecture(ec2):
    found = ec2.describe_images(Filters=[{"Name": "architecture", "Values": ["arm64"]}])

    assert ARM in names(found)
    assert LINUX not in names(found)


def test_pages_show_every_image_once(ec2):
    every = names(ec2.describe_images())

    pages = list(ec2.get_paginator("describe_images").paginate(PaginationConfig={"PageSize": 6}))

    assert sorted(name for p in pages for name in names(p)) == sorted(every)
    assert len(pages) == -(-len(every) // 6)


def test_an_image_that_does_not_exist_is_named(ec2):
    with refused("InvalidAMIID.NotFound", "The image id '[ami-0123456789abcdef0]' does not exist"):
        ec2.describe_images(ImageIds=["ami-0123456789abcdef0"])
    with refused("InvalidAMIID.NotFound", "The image ids '[ami-11111111, ami-22222222]' do not exist"):
        ec2.describe_images(ImageIds=["ami-11111111", "ami-22222222"])
    with refused("InvalidAMIID.Malformed", 'Invalid id: "linux" (expecting "ami-...")'):
        ec2.describe_images(ImageIds=["linux"])
    with refused("InvalidParameterCombination"):
        ec2.describe_images(ImageIds=[image_id()], MaxResults=5)
    with refused("InvalidParameterValue", "The filter 'colour' is invalid"):
        ec2.describe_images(Filters=[{"Name": "colour", "Values": ["red"]}])


def test_waiters_see_an_image(ec2):
    for waiter in ("image_exists", "image_available"):
        ec2.get_waiter(waiter).wait(ImageIds=[image_id()], WaiterConfig={"Delay": 0, "MaxAttempts": 1})


ATTRIBUTES = {
    "description": {"Description": {"Value": "Amazon Linux 2023 AMI 2023.9.20260921.0 x86_64 HVM kernel-6.1"}},
    "kernel": {"KernelId": {}},
    "ramdisk": {"RamdiskId": {}},
    "productCodes": {"ProductCodes": []},
    "sriovNetSupport": {"SriovNetSupport": {"Value": "simple"}},
    "bootMode": {"BootMode": {"Value": "uefi-preferred"}},
    "tpmSupport": {"TpmSupport": {}},
    "uefiData": {"UefiData": {}},
    "lastLaunchedTime": {"LastLaunchedTime": {}},
    "imdsSupport": {"ImdsSupport": {"Value": "v2.0"}},
    "deregistrationProtection": {"DeregistrationProtection": {"Value": "disabled"}},
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes(ec2, name):
    answer = ec2.describe_image_attribute(ImageId=image_id(), Attribute=name)

    assert {k: v for k, v in answer.items() if k not in ("ImageId", "ResponseMetadata")} == ATTRIBUTES[name]


def test_who_may_launch_it_only_its_owner_may_ask(ec2):
    with refused("AuthFailure", f"Not authorized for image:{image_id()}"):
        ec2.describe_image_attribute(ImageId=image_id(), Attribute="launchPermission")
    assert ec2.describe_image_attribute(ImageId=image_id(), Attribute="blockDeviceMapping")["BlockDeviceMappings"]
