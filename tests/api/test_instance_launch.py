"""RunInstances: what it makes, what it refuses."""

import base64

import pytest

from atoll.ec2 import instance_launch
from atoll.model.instance import Instance
from atoll.model.world import Caller
from tests.api.machines import ARM, LINUX, NAT, image_id, launch, launch_running, refused, show


def tags(shape):
    return {t["Key"]: t["Value"] for t in shape.get("Tags", ())}


def test_an_instance_is_pending_until_the_host_saw_it_boot(ec2):
    instance = launch(ec2)

    assert instance["State"] == {"Code": 0, "Name": "pending"}
    assert show(ec2, instance["InstanceId"])["State"]["Name"] == "pending"


def test_a_launch_says_everything_about_the_instance(ec2):
    instance = launch(
        ec2,
        ImageId=image_id(NAT),
        InstanceType="m1.small",
        Monitoring={"Enabled": True},
        EbsOptimized=False,
        IamInstanceProfile={"Name": "web"},
        MaintenanceOptions={"AutoRecovery": "disabled"},
        Placement={"AvailabilityZone": "us-east-1b", "GroupName": "", "Tenancy": "default"},
    )

    assert instance["Architecture"] == "x86_64"
    assert show(ec2, instance["InstanceId"])["Monitoring"] == {"State": "enabled"}
    assert instance["IamInstanceProfile"]["Arn"] == "arn:aws:iam::000000000000:instance-profile/web"
    assert instance["MaintenanceOptions"]["AutoRecovery"] == "disabled"
    assert instance["Placement"] == {
        "AvailabilityZone": "us-east-1b",
        "AvailabilityZoneId": "use1-az2",
        "GroupName": "",
        "Tenancy": "default",
    }
    assert (instance["Hypervisor"], instance["VirtualizationType"]) == ("xen", "hvm")
    assert (instance["RootDeviceName"], instance["RootDeviceType"]) == ("/dev/xvda", "ebs")
    assert instance["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 1}


def test_without_a_type_it_is_an_m1_small(ec2):
    made = ec2.run_instances(ImageId=image_id(), MinCount=1, MaxCount=1)["Instances"][0]

    assert made["InstanceType"] == "m1.small"


def test_several_instances_share_a_reservation_and_have_launch_indexes(ec2):
    made = ec2.run_instances(ImageId=image_id(), InstanceType="t3.nano", MinCount=2, MaxCount=3)

    assert [i["AmiLaunchIndex"] for i in made["Instances"]] == [0, 1, 2]
    assert made["OwnerId"] == "000000000000"
    found = ec2.describe_instances(Filters=[{"Name": "reservation-id", "Values": [made["ReservationId"]]}])
    assert [len(r["Instances"]) for r in found["Reservations"]] == [3]


def test_as_many_are_launched_as_the_subnet_has_room_for(ec2):
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/28")["Subnet"]["SubnetId"]  # 11 addresses

    made = ec2.run_instances(ImageId=image_id(), InstanceType="t3.nano", MinCount=1, MaxCount=20, SubnetId=subnet)[
        "Instances"
    ]

    assert len(made) == 11
    with refused("InsufficientFreeAddressesInSubnet", subnet):
        launch(ec2, SubnetId=subnet)


def test_an_account_has_only_so_many_instances(ec2, monkeypatch):
    monkeypatch.setattr(instance_launch, "INSTANCES_MAX", 2)

    assert len(ec2.run_instances(ImageId=image_id(), MinCount=1, MaxCount=5)["Instances"]) == 2
    with refused("InstanceLimitExceeded", "(3) than your current instance limit of 2 allows"):
        launch(ec2)


def test_tags_go_to_the_instance_its_interface_and_its_volume(ec2):
    instance = launch(
        ec2,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]},
            {"ResourceType": "volume", "Tags": [{"Key": "disk", "Value": "root"}]},
            {"ResourceType": "network-interface", "Tags": [{"Key": "net", "Value": "eth0"}]},
        ],
    )

    assert tags(instance) == {"Name": "web"}
    volume = ec2.describe_volumes(Filters=[{"Name": "tag:disk", "Values": ["root"]}])["Volumes"]
    assert [v["Attachments"][0]["InstanceId"] for v in volume] == [instance["InstanceId"]]
    by_tag = ec2.describe_instances(Filters=[{"Name": "network-interface.tag-key", "Values": ["net"]}])
    assert len(by_tag["Reservations"]) == 1


def test_a_tag_for_something_else_is_refused(ec2):
    with refused("InvalidParameterValue", "'subnet' is not a valid taggable resource type for this operation."):
        launch(ec2, TagSpecifications=[{"ResourceType": "subnet", "Tags": [{"Key": "a", "Value": "b"}]}])


def test_the_same_client_token_launches_once(ec2):
    first = launch(ec2, ClientToken="token-1")
    again = launch(ec2, ClientToken="token-1")

    assert again["InstanceId"] == first["InstanceId"]
    assert first["ClientToken"] == "token-1"
    with refused("IdempotentParameterMismatch"):
        launch(ec2, ClientToken="token-1", InstanceType="t3.small")


def test_a_dry_run_launches_nothing(paper, ec2):
    with refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set."):
        launch(ec2, DryRun=True)

    assert list(paper.world.all(Instance)) == []


def test_a_refused_launch_leaves_nothing_behind(paper, ec2):
    ec2.describe_instances()
    before = len(paper.world)

    with refused("InvalidKeyPair.NotFound"):
        launch(ec2, KeyName="none")
    with refused("InvalidBlockDeviceMapping"):
        launch(ec2, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 1}}])

    assert len(paper.world) == before


def test_user_data_comes_back_as_it_was_given(ec2):
    script = "#!/bin/sh\necho Grüße\n"

    id = launch(ec2, UserData=script)["InstanceId"]

    shown = ec2.describe_instance_attribute(InstanceId=id, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(shown).decode() == script


def test_an_instance_keeps_the_public_key_of_its_launch(paper, ec2):
    ec2.create_key_pair(KeyName="k", KeyType="ed25519")
    id = launch(ec2, KeyName="k")["InstanceId"]
    ec2.delete_key_pair(KeyName="k")

    assert show(ec2, id)["KeyName"] == "k"
    assert paper.world[Instance, id].public_key.startswith("ssh-ed25519 ")


@pytest.mark.parametrize(
    ("image", "tokens", "hops"),
    [(LINUX, "required", 2), (NAT, "optional", 1)],
    ids=["Amazon Linux 2023", "an older image"],
)
def test_metadata_options_follow_the_image(ec2, image, tokens, hops):
    options = launch(ec2, ImageId=image_id(image))["MetadataOptions"]

    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == (tokens, hops)
    assert options["State"] == "pending"


def test_metadata_options_are_what_the_launch_says(ec2):
    asked = {"HttpTokens": "optional", "HttpEndpoint": "disabled", "InstanceMetadataTags": "enabled"}

    options = launch(ec2, MetadataOptions=asked)["MetadataOptions"]

    assert options.items() >= asked.items()


def test_names_follow_the_subnet_unless_the_launch_says_otherwise(ec2):
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, PrivateDnsHostnameTypeOnLaunch="resource-name")

    named = launch(ec2, SubnetId=subnet)
    plain = launch(ec2, SubnetId=subnet, PrivateDnsNameOptions={"HostnameType": "ip-name"})

    assert named["PrivateDnsName"] == f"{named['InstanceId']}.ec2.internal"
    assert plain["PrivateDnsName"] == f"ip-{plain['PrivateIpAddress'].replace('.', '-')}.ec2.internal"


def test_an_arm_image_needs_an_arm_type(ec2):
    assert launch(ec2, ImageId=image_id(ARM), InstanceType="t4g.micro")["Architecture"] == "arm64"
    with refused("InvalidParameterValue", "The architecture 'x86_64' of the specified instance type does not match"):
        launch(ec2, ImageId=image_id(ARM))


def test_accounts_do_not_see_each_others_instances(paper, ec2):
    other = paper.client("ec2", account="111122223333")
    id = launch(ec2)["InstanceId"]

    assert other.describe_instances()["Reservations"] == []
    with refused("InvalidInstanceID.NotFound", f"The instance ID '{id}' does not exist"):
        other.terminate_instances(InstanceIds=[id])
    subnet = show(ec2, id)["SubnetId"]
    with refused("InvalidSubnetID.NotFound"):
        launch(other, SubnetId=subnet)


def test_regions_do_not_see_each_others_instances_and_images(paper, ec2):
    west = paper.client("ec2", region="us-west-2")
    id = launch(ec2)["InstanceId"]

    assert west.describe_instances()["Reservations"] == []
    with refused("InvalidInstanceID.NotFound", id):
        west.describe_instances(InstanceIds=[id])
    with refused("InvalidAMIID.NotFound"):
        launch(west, ImageId=image_id(region="us-east-1"))
    made = launch(west, ImageId=image_id(region="us-west-2"))
    assert made["PrivateDnsName"].endswith(".us-west-2.compute.internal")


def test_the_world_says_who_owns_an_instance(paper, ec2):
    id = launch(ec2)["InstanceId"]

    seen = paper.world.seen_by(Caller(account="000000000000", region="us-east-1", arn=""))
    assert seen.get(Instance, id)


REFUSALS = {
    "an unknown image": ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound",
                         "The image id '[ami-0123456789abcdef0]' does not exist"),
    "no image id": ({"ImageId": "linux"}, "InvalidAMIID.Malformed", 'Invalid id: "linux" (expecting "ami-...")'),
    "a type that Atoll lacks": ({"InstanceType": "m5d.large"}, "InvalidParameterValue",
                                "Invalid value 'm5d.large' for InstanceType."),
    "a type that AWS lacks": ({"InstanceType": "z9.huge"}, "InvalidParameterValue", "z9.huge"),
    "an unknown key": ({"KeyName": "x"}, "InvalidKeyPair.NotFound", "The key pair 'x' does not exist"),
    "none at least": ({"MinCount": 0}, "InvalidParameterValue", "Value ( 0 ) for parameter minCount is invalid."),
    "more at least than at most": ({"MinCount": 2}, "InvalidParameterCombination",
                                   "The minimum count (2) must not be greater than the maximum count (1)."),
    "user data too long": ({"UserData": "x" * 16385}, "InvalidParameterValue", "User data is limited to 16384 bytes"),
    "a hop limit of 65": ({"MetadataOptions": {"HttpPutResponseHopLimit": 65}}, "InvalidParameterValue",
                          "Specify a number from 1 to 64."),
    "a profile named twice": ({"IamInstanceProfile": {"Name": "a", "Arn": "arn:aws:iam::1:instance-profile/a"}},
                              "InvalidParameterCombination", "iamInstanceProfile.arn"),
    "a profile that is none": ({"IamInstanceProfile": {"Arn": "arn:aws:s3:::b"}}, "InvalidParameterValue",
                               "Value (arn:aws:s3:::b) for parameter iamInstanceProfile.arn is invalid."),
    "credits of a type without": ({"InstanceType": "m5.large", "CreditSpecification": {"CpuCredits": "standard"}},
                                  "InvalidParameterCombination", "'m5.large'"),
    "credits of no kind": ({"CreditSpecification": {"CpuCredits": "some"}}, "InvalidParameterValue",
                           "Specify standard or unlimited."),
    "hibernation": ({"HibernationOptions": {"Configured": True}}, "UnsupportedOperation",
                    "HibernationOptions.Configured is not supported by Atoll."),
    "an enclave": ({"EnclaveOptions": {"Enabled": True}}, "UnsupportedOperation", "EnclaveOptions.Enabled"),
    "a placement group": ({"Placement": {"GroupName": "g"}}, "InvalidPlacementGroup.Unknown", "'g' is unknown"),
    "a dedicated machine": ({"Placement": {"Tenancy": "dedicated"}}, "UnsupportedOperation", "A tenancy"),
    "a zone elsewhere": ({"Placement": {"AvailabilityZone": "eu-west-1a"}}, "InvalidParameterValue",
                         "Invalid availability zone: [eu-west-1a]"),
    "a spot instance": ({"InstanceMarketOptions": {"MarketType": "spot"}}, "UnsupportedOperation",
                        "InstanceMarketOptions"),
    "a launch template": ({"LaunchTemplate": {"LaunchTemplateName": "t"}}, "UnsupportedOperation", "LaunchTemplate"),
    "EBS optimization where there is none": ({"InstanceType": "t2.micro", "EbsOptimized": True}, "Unsupported",
                                             "EBS-optimized instances are not supported"),
}  # fmt: skip


@pytest.mark.parametrize(("parameters", "code", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_launch_is_refused_for(ec2, parameters, code, message):
    with refused(code, message):
        launch(ec2, **parameters)


ROOTS = {
    "nothing": ({}, {"Size": 8, "VolumeType": "gp3", "Iops": 3000, "Throughput": 125, "Encrypted": False}),
    "a gp2 of 100 GiB": ({"VolumeSize": 100, "VolumeType": "gp2"}, {"Size": 100, "VolumeType": "gp2", "Iops": 300}),
    "a faster gp3": ({"Iops": 4000, "Throughput": 250}, {"Iops": 4000, "Throughput": 250}),
    "an io1": ({"VolumeType": "io1", "Iops": 200}, {"VolumeType": "io1", "Iops": 200}),
    "an encrypted one": ({"Encrypted": True}, {"Encrypted": True}),
}


@pytest.mark.parametrize(("ebs", "shown"), ROOTS.values(), ids=ROOTS.keys())
def test_the_root_volume_is_what_the_launch_asks_for(ec2, ebs, shown):
    id = launch(ec2, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": ebs}])["InstanceId"]

    (volume,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [id]}])["Volumes"]
    assert volume.items() >= shown.items()


BAD_ROOTS = {
    "another device": ({"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10}}, "UnsupportedOperation",
                       "A disk besides"),
    "no device": ({"Ebs": {"VolumeSize": 10}}, "MissingParameter", "deviceName"),
    "an ephemeral disk": ({"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}, "UnsupportedOperation",
                          "VirtualName"),
    "too small": ({"VolumeSize": 4}, "InvalidBlockDeviceMapping", "Volume of size 4GB is smaller than snapshot"),
    "too large": ({"VolumeSize": 16385}, "InvalidParameterValue", "at most 16384 GiB"),
    "IOPS of a gp2": ({"VolumeType": "gp2", "Iops": 100}, "InvalidParameterCombination",
                      "The parameter iops is not supported for gp2 volumes."),
    "an io1 without IOPS": ({"VolumeType": "io1"}, "MissingParameter",
                            "The parameter iops must be specified for io1 volumes."),
    "too many IOPS": ({"Iops": 20000}, "InvalidParameterValue", "3000 to 16000"),
    "throughput of a gp2": ({"VolumeType": "gp2", "Throughput": 125}, "InvalidParameterCombination", "throughput"),
    "too little throughput": ({"Throughput": 100}, "InvalidParameterValue", "125 to 1000"),
    "a cold disk": ({"VolumeType": "sc1", "VolumeSize": 500}, "InvalidParameterValue", "A boot volume cannot"),
    "one that stays": ({"DeleteOnTermination": False}, "UnsupportedOperation", "outlives its instance"),
    "a foreign snapshot": ({"SnapshotId": "snap-0123456789abcdef0"}, "InvalidSnapshot.NotFound", "snap-"),
    "a key without encryption": ({"KmsKeyId": "k"}, "InvalidParameterCombination", "KmsKeyId"),
}  # fmt: skip


@pytest.mark.parametrize(("mapping", "code", "message"), BAD_ROOTS.values(), ids=BAD_ROOTS.keys())
def test_a_root_volume_is_refused_for(ec2, mapping, code, message):
    whole = mapping.keys() & {"DeviceName", "Ebs"}
    with refused(code, message):
        launch(ec2, BlockDeviceMappings=[mapping if whole else {"DeviceName": "/dev/xvda", "Ebs": mapping}])


def test_waiters_see_an_instance_run(paper, ec2):
    id = launch_running(paper, ec2)["InstanceId"]

    for waiter in ("instance_exists", "instance_running", "instance_status_ok", "system_status_ok"):
        ec2.get_waiter(waiter).wait(InstanceIds=[id], WaiterConfig={"Delay": 0, "MaxAttempts": 1})
