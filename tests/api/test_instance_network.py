"""The network side of a launch: subnets, groups, addresses, interfaces."""

import pytest

from tests.api.machines import launch, launch_running, launch_stopped, refused, show


@pytest.fixture
def subnet(ec2, vpc):
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a")
    return made["Subnet"]["SubnetId"]


@pytest.fixture
def elsewhere(ec2, vpc):
    """A subnet of the same VPC in another zone."""
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b")
    return made["Subnet"]["SubnetId"]


@pytest.fixture
def group(ec2, vpc):
    return ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]


def interface(ec2, subnet, **parameters):
    return ec2.create_network_interface(SubnetId=subnet, **parameters)["NetworkInterface"]["NetworkInterfaceId"]


def test_without_a_subnet_it_is_the_default_one_of_the_zone(ec2):
    defaults = {s["AvailabilityZone"]: s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]}

    assert launch(ec2)["SubnetId"] == defaults["us-east-1a"]
    assert launch(ec2, Placement={"AvailabilityZone": "us-east-1c"})["SubnetId"] == defaults["us-east-1c"]
    assert launch(ec2, Placement={"AvailabilityZoneId": "use1-az4"})["SubnetId"] == defaults["us-east-1d"]


def test_without_a_default_subnet_the_zone_is_named(ec2):
    for s in ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1b"]}])["Subnets"]:
        ec2.delete_subnet(SubnetId=s["SubnetId"])

    with refused("MissingInput", "No default subnet for availability zone: 'us-east-1b'."):
        launch(ec2, Placement={"AvailabilityZone": "us-east-1b"})


def test_without_a_default_vpc_a_subnet_is_needed(ec2):
    default = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    for s in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=s["SubnetId"])
    gateway = ec2.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=default)
    ec2.delete_vpc(VpcId=default)

    with refused("VPCIdNotSpecified", "No default VPC for this user"):
        launch(ec2)


def test_without_a_group_it_is_the_default_one_of_the_vpc(ec2, vpc, subnet):
    (group,) = launch(ec2, SubnetId=subnet)["SecurityGroups"]

    assert group["GroupName"] == "default"
    found = ec2.describe_security_groups(GroupIds=[group["GroupId"]])["SecurityGroups"]
    assert found[0]["VpcId"] == vpc


def test_the_private_address_is_the_one_asked_for(ec2, subnet, group):
    made = launch(ec2, SubnetId=subnet, SecurityGroupIds=[group], PrivateIpAddress="10.0.0.55")

    assert made["PrivateIpAddress"] == "10.0.0.55"
    assert made["PrivateDnsName"] == "ip-10-0-0-55.ec2.internal"
    assert [g["GroupId"] for g in made["SecurityGroups"]] == [group]
    later = show(ec2, made["InstanceId"])
    assert "PublicIpAddress" not in later
    assert later["PublicDnsName"] == ""


def test_a_public_subnet_gives_a_public_address(ec2):
    made = show(ec2, launch(ec2)["InstanceId"])

    assert made["PublicIpAddress"] == "203.0.113.1"
    assert made["PublicDnsName"] == "ec2-203-0-113-1.compute-1.amazonaws.com"


@pytest.mark.parametrize(("asked", "public"), [(True, True), (False, False)], ids=["wanted", "not wanted"])
def test_the_launch_decides_about_the_public_address(ec2, subnet, asked, public):
    default = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][0]["SubnetId"]
    where = subnet if asked else default

    made = launch(ec2, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": where, "AssociatePublicIpAddress": asked}])

    assert ("PublicIpAddress" in show(ec2, made["InstanceId"])) is public


def test_public_addresses_are_never_given_twice(ec2):
    eip = ec2.allocate_address(Domain="vpc")["PublicIp"]

    given = [show(ec2, launch(ec2)["InstanceId"])["PublicIpAddress"] for _ in range(3)]

    assert len({eip, *given}) == 4


def test_an_automatic_address_is_lost_at_stop_and_a_new_one_comes_at_start(paper, ec2):
    machine = launch_stopped(paper, ec2)
    id, private = machine["InstanceId"], machine["PrivateIpAddress"]
    assert "PublicIpAddress" not in machine
    ec2.allocate_address(Domain="vpc")  # takes the address that was released

    ec2.start_instances(InstanceIds=[id])
    paper.settle()

    machine = show(ec2, id)
    assert (machine["PublicIpAddress"], machine["PrivateIpAddress"]) == ("203.0.113.2", private)


def test_an_elastic_ip_stays_through_stop_and_start_and_takes_the_place_of_the_automatic_one(paper, ec2):
    id = launch_running(paper, ec2)["InstanceId"]
    allocation = ec2.allocate_address(Domain="vpc", Address="203.0.113.73")["AllocationId"]
    ec2.associate_address(AllocationId=allocation, InstanceId=id)
    assert show(ec2, id)["PublicIpAddress"] == "203.0.113.73"

    ec2.stop_instances(InstanceIds=[id])
    paper.settle()
    assert show(ec2, id)["PublicIpAddress"] == "203.0.113.73"
    ec2.start_instances(InstanceIds=[id])
    paper.settle()
    ec2.disassociate_address(PublicIp="203.0.113.73")

    association = show(ec2, id)["NetworkInterfaces"][0].get("Association")
    assert association is None


def test_a_terminated_instance_frees_its_elastic_ip(paper, ec2):
    id = launch_running(paper, ec2)["InstanceId"]
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=allocation, InstanceId=id)

    ec2.terminate_instances(InstanceIds=[id])
    paper.settle()

    (address,) = ec2.describe_addresses()["Addresses"]
    assert "AssociationId" not in address
    ec2.release_address(AllocationId=allocation)


def test_several_interfaces_are_plugged_in_by_index(ec2, subnet, group):
    made = launch(
        ec2,
        InstanceType="m5.large",
        NetworkInterfaces=[
            {"DeviceIndex": 1, "SubnetId": subnet, "Description": "second", "PrivateIpAddress": "10.0.0.4"},
            {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "SecondaryPrivateIpAddressCount": 2},
        ],
    )

    first, second = sorted(made["NetworkInterfaces"], key=lambda n: n["Attachment"]["DeviceIndex"])
    assert [a["PrivateIpAddress"] for a in first["PrivateIpAddresses"]] == ["10.0.0.5", "10.0.0.6", "10.0.0.7"]
    assert [a["Primary"] for a in first["PrivateIpAddresses"]] == [True, False, False]
    assert (second["PrivateIpAddress"], second["Description"]) == ("10.0.0.4", "second")
    assert made["PrivateIpAddress"] == "10.0.0.5"
    assert [g["GroupName"] for g in made["SecurityGroups"]] == ["web"]


def test_an_interface_has_the_addresses_asked_for(ec2, subnet):
    made = launch(
        ec2,
        NetworkInterfaces=[
            {
                "DeviceIndex": 0,
                "SubnetId": subnet,
                "PrivateIpAddresses": [
                    {"PrivateIpAddress": "10.0.0.21"},
                    {"PrivateIpAddress": "10.0.0.20", "Primary": True},
                ],
            }
        ],
    )

    (interface,) = made["NetworkInterfaces"]
    assert [a["PrivateIpAddress"] for a in interface["PrivateIpAddresses"]] == ["10.0.0.20", "10.0.0.21"]


def test_an_existing_interface_brings_its_elastic_ip_and_outlives_the_instance(paper, ec2, vpc, subnet):
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    eni = interface(ec2, subnet, PrivateIpAddress="10.0.0.55")
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=eni)

    id = launch(ec2, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": eni}])["InstanceId"]
    machine = show(ec2, id)
    assert (machine["PrivateIpAddress"], machine["PublicIpAddress"]) == ("10.0.0.55", "203.0.113.1")
    assert ec2.describe_addresses()["Addresses"][0]["InstanceId"] == id
    assert machine["NetworkInterfaces"][0]["Attachment"]["DeleteOnTermination"] is False
    paper.settle()
    ec2.terminate_instances(InstanceIds=[id])
    paper.settle()

    (kept,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    assert kept["Status"] == "available"
    address = ec2.describe_addresses()["Addresses"][0]
    assert address["NetworkInterfaceId"] == eni
    assert address.get("InstanceId", "") == ""


def test_groups_by_name_are_those_of_the_default_vpc(ec2, subnet):
    assert launch(ec2, SecurityGroups=["default"])["SecurityGroups"][0]["GroupName"] == "default"
    with refused("InvalidGroup.NotFound", "The security group 'web' does not exist in default VPC"):
        launch(ec2, SecurityGroups=["web"])
    with refused("InvalidParameterCombination", "The parameter groupName cannot be used with the parameter subnet"):
        launch(ec2, SecurityGroups=["default"], SubnetId=subnet)


def test_a_group_of_another_vpc_is_refused(ec2, group):
    default = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][0]["SubnetId"]

    with refused("InvalidParameter", f"Security group {group} and subnet {default} belong to different networks."):
        launch(ec2, SubnetId=default, SecurityGroupIds=[group])


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"PrivateIpAddress": "10.0.9.9"}, "InvalidParameterValue", "Address does not fall within the subnet's"),
        ({"PrivateIpAddress": "10.0.0.3"}, "InvalidParameterValue", "Address is in subnet's reserved address range"),
        ({"PrivateIpAddress": "10.0.0.255"}, "InvalidParameterValue", "Address is in subnet's reserved"),
        ({"PrivateIpAddress": "10.0.0"}, "InvalidParameterValue", "Value (10.0.0) for parameter privateIpAddress"),
        ({"PrivateIpAddress": "10.0.0.9", "MaxCount": 2}, "InvalidParameterCombination", "to one instance only"),
        ({"Placement": {"AvailabilityZone": "us-east-1b"}}, "InvalidParameterValue", "is in the availability zone"),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound", "does not exist"),
        ({"SubnetId": "x"}, "InvalidSubnetID.Malformed", 'Invalid id: "x" (expecting "subnet-...")'),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound", "sg-0123456789abcdef0"),
        ({"NetworkInterfaces": [{"DeviceIndex": 0}]}, "InvalidParameterCombination", "instance-level subnet ID"),
        ({"Ipv6AddressCount": 1}, "InvalidParameterValue", "has no IPv6 CIDR block associated with it."),
    ],
    ids=["outside", "reserved first", "broadcast", "no address", "one for two", "another zone", "no subnet", "no id",
         "no group", "interfaces beside a subnet", "IPv6"],
)  # fmt: skip
def test_a_place_is_refused(ec2, subnet, parameters, code, message):
    with refused(code, message):
        launch(ec2, **({"SubnetId": subnet} | parameters))


def test_an_address_in_use_is_refused(ec2, subnet):
    launch(ec2, SubnetId=subnet, PrivateIpAddress="10.0.0.55")

    with refused("InvalidIPAddress.InUse", "Address 10.0.0.55 is in use."):
        launch(ec2, SubnetId=subnet, PrivateIpAddress="10.0.0.55")


@pytest.mark.parametrize(
    ("given", "what"),
    [({"SecurityGroups": ["default"]}, "security groups"), ({"PrivateIpAddress": "10.0.0.9"}, "private IP address")],
    ids=["groups", "an address"],
)
def test_interfaces_say_everything_themselves(ec2, subnet, given, what):
    message = f"Network interfaces and an instance-level {what} may not be specified on the same request"

    with refused("InvalidParameterCombination", message):
        launch(ec2, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet}], **given)


def test_interfaces_that_do_not_go_together_are_refused(ec2, subnet, elsewhere):
    eni, taken = interface(ec2, subnet), interface(ec2, subnet)
    launch(ec2, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": taken}])

    def of(*specs):
        return [{"SubnetId": subnet} | s if "NetworkInterfaceId" not in s else s for s in specs]

    public = {"AssociatePublicIpAddress": True}
    for specs, code, message in (
        (of({"DeviceIndex": 1}), "InvalidParameterValue", "0 for the primary one"),
        (of({"DeviceIndex": 0}, {"DeviceIndex": 0}), "InvalidParameterValue", "Each index once"),
        (of({}), "InvalidParameterValue", "requires a device index"),
        (of(*({"DeviceIndex": n} for n in range(3))), "AttachmentLimitExceeded", "Interface count 3 exceeds"),
        (of({"DeviceIndex": 0}, {"DeviceIndex": 1, "SubnetId": elsewhere}), "InvalidParameterCombination", "zone."),
        (of({"DeviceIndex": 0, **public}, {"DeviceIndex": 1}), "InvalidParameterCombination", "multiple network"),
        (of({"DeviceIndex": 0, "NetworkInterfaceId": taken}), "InvalidNetworkInterface.InUse", f"[{taken}] in use."),
        (of({"DeviceIndex": 0, "NetworkInterfaceId": eni, **public}), "InvalidParameterCombination", "networkInterf"),
        (of({"DeviceIndex": 0, "NetworkInterfaceId": eni, "SubnetId": subnet}), "InvalidParameterCombination",
         "The parameter subnetId cannot be used with the parameter networkInterfaceId"),
        (of({"DeviceIndex": 0, "NetworkInterfaceId": eni}, {"DeviceIndex": 1, "NetworkInterfaceId": eni}),
         "InvalidNetworkInterface.InUse", eni),
        (of({"DeviceIndex": 0, "SecondaryPrivateIpAddressCount": 2}), "PrivateIpAddressLimitExceeded", "will exceed"),
        (of({"DeviceIndex": 0, "SecondaryPrivateIpAddressCount": -1}), "InvalidParameterValue", "negative"),
        (of({"DeviceIndex": 0, "PrivateIpAddress": "10.0.0.9"}, {"DeviceIndex": 1, "PrivateIpAddress": "10.0.0.9"}),
         "InvalidIPAddress.InUse", "10.0.0.9"),
        (of({"DeviceIndex": 0, "Ipv6AddressCount": 1}), "InvalidParameterValue", "has no IPv6 CIDR block"),
        (of({"DeviceIndex": 0, "Ipv6PrefixCount": 1}), "UnsupportedOperation", "NetworkInterfaces.Ipv6PrefixCount"),
        (of({"DeviceIndex": 0, "InterfaceType": "efa"}), "UnsupportedOperation", "An interface of another type"),
    ):  # fmt: skip
        with refused(code, message):
            launch(ec2, NetworkInterfaces=specs)


def test_a_subnet_with_an_instance_cannot_be_deleted(paper, ec2, subnet):
    id = launch_running(paper, ec2, SubnetId=subnet)["InstanceId"]
    with refused("DependencyViolation"):
        ec2.delete_subnet(SubnetId=subnet)

    ec2.terminate_instances(InstanceIds=[id])
    paper.settle()

    ec2.delete_subnet(SubnetId=subnet)
    assert show(ec2, id)["State"]["Name"] == "terminated"
