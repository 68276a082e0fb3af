"""The attributes of an instance: describe, modify, reset."""

import base64

import pytest

from tests.api.machines import launch_running, launch_stopped, refused, show


@pytest.fixture
def running(paper, ec2):
    return launch_running(paper, ec2)["InstanceId"]


@pytest.fixture
def stopped(paper, ec2):
    return launch_stopped(paper, ec2, UserData="one")["InstanceId"]


def attribute(ec2, id, name):
    answer = ec2.describe_instance_attribute(InstanceId=id, Attribute=name)
    return {k: v for k, v in answer.items() if k not in ("InstanceId", "ResponseMetadata")}


def test_every_attribute_has_its_answer(ec2, running):
    group = show(ec2, running)["SecurityGroups"][0]
    volume = show(ec2, running)["BlockDeviceMappings"]

    assert {name: attribute(ec2, running, name) for name in ANSWERS} == ANSWERS | {
        "groupSet": {"Groups": [group]},
        "blockDeviceMapping": {"BlockDeviceMappings": volume},
    }


ANSWERS = {
    "instanceType": {"InstanceType": {"Value": "t3.micro"}},
    "kernel": {"KernelId": {}},
    "ramdisk": {"RamdiskId": {}},
    "userData": {"UserData": {}},
    "disableApiTermination": {"DisableApiTermination": {"Value": False}},
    "disableApiStop": {"DisableApiStop": {"Value": False}},
    "instanceInitiatedShutdownBehavior": {"InstanceInitiatedShutdownBehavior": {"Value": "stop"}},
    "rootDeviceName": {"RootDeviceName": {"Value": "/dev/xvda"}},
    "blockDeviceMapping": {},
    "productCodes": {"ProductCodes": []},
    "sourceDestCheck": {"SourceDestCheck": {"Value": True}},
    "groupSet": {},
    "ebsOptimized": {"EbsOptimized": {"Value": False}},
    "sriovNetSupport": {"SriovNetSupport": {}},
    "enaSupport": {"EnaSupport": {"Value": True}},
    "enclaveOptions": {"EnclaveOptions": {"Enabled": False}},
}


def test_an_unknown_attribute_is_refused(ec2, running):
    with refused("InvalidParameterValue", "colour"):
        ec2.describe_instance_attribute(InstanceId=running, Attribute="colour")


@pytest.mark.parametrize("given", [{"SourceDestCheck": {"Value": False}}, {"Attribute": "sourceDestCheck",
                                                                           "Value": "false"}],
                         ids=["its parameter", "a name and a text"])  # fmt: skip
def test_the_source_and_destination_check_can_be_switched(paper, ec2, running, given):
    waits = paper.backend.waits

    ec2.modify_instance_attribute(InstanceId=running, **given)

    assert show(ec2, running)["SourceDestCheck"] is False
    assert show(ec2, running)["NetworkInterfaces"][0]["SourceDestCheck"] is False
    assert paper.backend.waits == waits + 1, "the answer waits until the kernel obeys"
    ec2.reset_instance_attribute(InstanceId=running, Attribute="sourceDestCheck")
    assert attribute(ec2, running, "sourceDestCheck") == {"SourceDestCheck": {"Value": True}}


def test_nothing_else_can_be_reset(ec2, running):
    with refused("UnsupportedOperation", "kernel"):
        ec2.reset_instance_attribute(InstanceId=running, Attribute="kernel")


def test_the_groups_can_be_exchanged(ec2, running):
    vpc = show(ec2, running)["VpcId"]
    web = ec2.create_security_group(GroupName="web", Description="w", VpcId=vpc)["GroupId"]

    ec2.modify_instance_attribute(InstanceId=running, Groups=[web])

    assert show(ec2, running)["SecurityGroups"] == [{"GroupId": web, "GroupName": "web"}]
    (interface,) = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [g["GroupId"] for g in interface["Groups"]] == [web]
    ec2.modify_instance_attribute(InstanceId=running, Attribute="groupSet", Value=web)


def test_a_group_of_another_vpc_is_refused(ec2, running, vpc):
    foreign = ec2.create_security_group(GroupName="web", Description="w", VpcId=vpc)["GroupId"]

    with refused("InvalidParameter", f"Security group {foreign} and subnet"):
        ec2.modify_instance_attribute(InstanceId=running, Groups=[foreign])
    with refused("InvalidGroup.NotFound", "sg-0123456789abcdef0"):
        ec2.modify_instance_attribute(InstanceId=running, Groups=["sg-0123456789abcdef0"])


def test_user_data_can_be_changed_while_stopped(ec2, stopped):
    ec2.modify_instance_attribute(InstanceId=stopped, UserData={"Value": b"two"})
    assert base64.b64decode(attribute(ec2, stopped, "userData")["UserData"]["Value"]) == b"two"

    ec2.modify_instance_attribute(InstanceId=stopped, Attribute="userData", Value=base64.b64encode(b"three").decode())
    assert base64.b64decode(attribute(ec2, stopped, "userData")["UserData"]["Value"]) == b"three"


def test_the_type_can_be_changed_while_stopped(ec2, stopped):
    ec2.modify_instance_attribute(InstanceId=stopped, InstanceType={"Value": "m5.large"})
    assert show(ec2, stopped)["InstanceType"] == "m5.large"
    assert ec2.describe_instance_credit_specifications()["InstanceCreditSpecifications"] == []

    ec2.modify_instance_attribute(InstanceId=stopped, Attribute="instanceType", Value="t2.small")
    (credit,) = ec2.describe_instance_credit_specifications(InstanceIds=[stopped])["InstanceCreditSpecifications"]
    assert credit["CpuCredits"] == "standard"


@pytest.mark.parametrize(
    "change",
    [{"UserData": {"Value": b"x"}}, {"InstanceType": {"Value": "t3.small"}}, {"EbsOptimized": {"Value": True}}],
    ids=["user data", "type", "EBS optimization"],
)
def test_some_attributes_change_only_while_stopped(ec2, running, change):
    with refused("IncorrectInstanceState", f"The instance '{running}' is not in the 'stopped' state."):
        ec2.modify_instance_attribute(InstanceId=running, **change)


@pytest.mark.parametrize(
    ("parameter", "name", "value"),
    [
        ("DisableApiTermination", "disableApiTermination", True),
        ("DisableApiStop", "disableApiStop", True),
        ("InstanceInitiatedShutdownBehavior", "instanceInitiatedShutdownBehavior", "terminate"),
    ],
)
def test_the_others_change_at_any_time(ec2, running, parameter, name, value):
    ec2.modify_instance_attribute(InstanceId=running, **{parameter: {"Value": value}})

    assert attribute(ec2, running, name) == {parameter: {"Value": value}}


def test_ebs_optimization_changes_while_stopped(ec2, stopped):
    ec2.modify_instance_attribute(InstanceId=stopped, EbsOptimized={"Value": True})

    assert show(ec2, stopped)["EbsOptimized"] is True


def test_the_root_volume_goes_with_its_instance_always(ec2, running):
    volume = show(ec2, running)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]

    def change(device="/dev/xvda", **ebs):
        mapping = {"DeviceName": device, "Ebs": ebs}
        ec2.modify_instance_attribute(InstanceId=running, BlockDeviceMappings=[mapping])

    change(DeleteOnTermination=True, VolumeId=volume)
    with refused("UnsupportedOperation", "outlives its instance"):
        change(DeleteOnTermination=False)
    with refused("InvalidParameterValue", "No such device is attached."):
        change("/dev/sdf", DeleteOnTermination=True)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({}, "InvalidParameterCombination", "No attributes specified."),
        ({"DisableApiStop": {"Value": True}, "SourceDestCheck": {"Value": True}}, "InvalidParameterCombination",
         "Fields for multiple attribute types specified: disableApiStop, sourceDestCheck"),
        ({"Attribute": "instanceType"}, "MissingParameter", "value"),
        ({"Groups": []}, "InvalidParameterCombination", "No attributes specified."),
        ({"Attribute": "kernel", "Value": "x"}, "UnsupportedOperation", "the attribute kernel of an instance"),
        ({"Attribute": "sourceDestCheck", "Value": "no"}, "InvalidParameterValue", "Specify true or false."),
        ({"InstanceInitiatedShutdownBehavior": {"Value": "sleep"}}, "InvalidParameterValue", "Value (sleep)"),
        ({"EnaSupport": {"Value": True}}, "UnsupportedOperation", "EnaSupport"),
        ({"SriovNetSupport": {"Value": "simple"}}, "UnsupportedOperation", "SriovNetSupport"),
    ],
    ids=["nothing", "two", "a name alone", "no group", "a kernel", "a text that is no truth", "an unknown behaviour",
         "ENA", "SR-IOV"],
)  # fmt: skip
def test_a_change_is_refused(ec2, running, change, code, message):
    with refused(code, message):
        ec2.modify_instance_attribute(InstanceId=running, **change)


def test_a_type_that_does_not_fit_is_refused(ec2, stopped):
    with refused("InvalidParameterValue", "Invalid value 'm5d.large' for InstanceType."):
        ec2.modify_instance_attribute(InstanceId=stopped, InstanceType={"Value": "m5d.large"})
    with refused("InvalidParameterValue", "matching architectures"):
        ec2.modify_instance_attribute(InstanceId=stopped, InstanceType={"Value": "t4g.micro"})
    with refused("InvalidParameterValue", "Invalid BASE64 encoding of user data."):
        ec2.modify_instance_attribute(InstanceId=stopped, Attribute="userData", Value="!!!")


def test_an_instance_with_two_interfaces_is_changed_by_interface(paper, ec2, subnet):
    nets = [{"DeviceIndex": n, "SubnetId": subnet} for n in range(2)]
    id = launch_running(paper, ec2, NetworkInterfaces=nets)["InstanceId"]

    for change in ({"SourceDestCheck": {"Value": False}}, {"Groups": ["sg-1"]}):
        with refused("InvalidInstanceID", f"There are multiple interfaces attached to instance '{id}'."):
            ec2.modify_instance_attribute(InstanceId=id, **change)


def test_a_terminated_instance_is_changed_no_more(paper, ec2, running):
    ec2.terminate_instances(InstanceIds=[running])
    paper.settle()

    with refused("IncorrectInstanceState", "is terminated"):
        ec2.modify_instance_attribute(InstanceId=running, DisableApiTermination={"Value": True})
    with refused("IncorrectInstanceState", "is terminated"):
        ec2.modify_instance_metadata_options(InstanceId=running, HttpTokens="required")
    assert attribute(ec2, running, "sourceDestCheck") == {"SourceDestCheck": {}}
    assert attribute(ec2, running, "groupSet") == {"Groups": []}


def test_attributes_of_others_are_not_found(stranger, running):
    with refused("InvalidInstanceID.NotFound", running):
        stranger.describe_instance_attribute(InstanceId=running, Attribute="userData")
    with refused("InvalidInstanceID.NotFound", running):
        stranger.modify_instance_attribute(InstanceId=running, DisableApiStop={"Value": True})
    with refused("InvalidInstanceID.NotFound", running):
        stranger.reset_instance_attribute(InstanceId=running, Attribute="sourceDestCheck")
