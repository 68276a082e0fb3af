"""Network interfaces through boto3."""

import pytest

from atoll.model.interface import Attachment, Interface
from tests.api.machines import launch, launch_running
from tests.api.paper import ACCOUNT, by, code, ids, refusal, tagging

GONE = "eni-0123456789abcdef0"


@pytest.fixture
def eni(ec2, subnet):
    return ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]


@pytest.fixture
def instance(paper, ec2, subnet):
    return launch_running(paper, ec2, SubnetId=subnet)["InstanceId"]


@pytest.fixture
def owned(paper, eni):
    """An interface of a service: the id."""

    def take(tx):
        interface = tx.world[Interface, eni]
        attachment = Attachment(id="ela-attach-0123456789abcdef0", instance_owner="amazon-elasticache", time=tx.now)
        tx.put(
            interface.but(
                attachment=attachment,
                requester_id="amazon-elasticache",
                requester_managed=True,
                description="ElastiCache sessions-001",
            )
        )

    paper.write(take)
    return eni


def show(ec2, id):
    return ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"][0]


def addresses(ec2, id):
    return [a["PrivateIpAddress"] for a in show(ec2, id)["PrivateIpAddresses"]]


def group_of(ec2, vpc, name):
    return ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"]


def test_a_new_interface_has_every_member_that_aws_shows(ec2, vpc, subnet):
    made = ec2.create_network_interface(
        SubnetId=subnet, Description="spare", TagSpecifications=tagging("network-interface", Name="spare")
    )["NetworkInterface"]

    assert show(ec2, made["NetworkInterfaceId"]) == made
    (default,) = ec2.describe_security_groups(Filters=by(vpc_id=vpc))["SecurityGroups"]
    assert made == {
        "NetworkInterfaceId": made["NetworkInterfaceId"],
        "OwnerId": ACCOUNT,
        "VpcId": vpc,
        "SubnetId": subnet,
        "AvailabilityZone": "us-east-1a",
        "AvailabilityZoneId": "use1-az1",
        "Description": "spare",
        "InterfaceType": "interface",
        "MacAddress": made["MacAddress"],
        "Status": "available",
        "SourceDestCheck": True,
        "RequesterManaged": False,
        "Operator": {"Managed": False},
        "Groups": [{"GroupId": default["GroupId"], "GroupName": "default"}],
        "PrivateIpAddress": "10.0.1.4",
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": "10.0.1.4"}],
        "Ipv6Addresses": [],
        "TagSet": [{"Key": "Name", "Value": "spare"}],
    }
    assert made["MacAddress"].startswith("02:")
    ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[made["NetworkInterfaceId"]])


def test_names_appear_where_the_vpc_gives_names(ec2, vpc, eni):
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})

    assert show(ec2, eni)["PrivateDnsName"] == "ip-10-0-1-4.ec2.internal"


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ({"PrivateIpAddress": "10.0.1.55"}, ["10.0.1.55"]),
        (
            {
                "PrivateIpAddresses": [
                    {"PrivateIpAddress": "10.0.1.60"},
                    {"PrivateIpAddress": "10.0.1.55", "Primary": True},
                ]
            },
            ["10.0.1.55", "10.0.1.60"],
        ),
        ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.4"}]}, ["10.0.1.5", "10.0.1.4"]),
        ({"SecondaryPrivateIpAddressCount": 2}, ["10.0.1.4", "10.0.1.5", "10.0.1.6"]),
        (
            {"PrivateIpAddress": "10.0.1.5", "SecondaryPrivateIpAddressCount": 2},
            ["10.0.1.5", "10.0.1.4", "10.0.1.6"],
        ),
    ],
    ids=["one", "two", "only secondary", "a count", "one and a count"],
)
def test_addresses_can_be_asked_for(ec2, subnet, asked, got):
    made = ec2.create_network_interface(SubnetId=subnet, **asked)["NetworkInterface"]

    assert [a["PrivateIpAddress"] for a in made["PrivateIpAddresses"]] == got
    assert [a["Primary"] for a in made["PrivateIpAddresses"]] == [True, *[False] * (len(got) - 1)]


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (
            {"PrivateIpAddress": "10.0.2.4"},
            ("InvalidParameterValue", "Address does not fall within the subnet's address range"),
        ),
        (
            {"PrivateIpAddress": "10.0.1.3"},
            ("InvalidParameterValue", "Address is in subnet's reserved address range"),
        ),
        (
            {"PrivateIpAddress": "10.0.1.255"},
            ("InvalidParameterValue", "Address is in subnet's reserved address range"),
        ),
        ({"PrivateIpAddress": "10.0.1.4"}, ("InvalidIPAddress.InUse", "Address 10.0.1.4 is in use.")),
        (
            {"PrivateIpAddress": "ten"},
            ("InvalidParameterValue", "Value (ten) for parameter privateIpAddress is invalid. Not an IPv4 address."),
        ),
        (
            {
                "PrivateIpAddress": "10.0.1.8",
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.9", "Primary": True}],
            },
            ("InvalidParameterCombination", "Only one primary private IP address can be specified."),
        ),
        (
            {"Groups": ["sg-0123456789abcdef0"]},
            ("InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist"),
        ),
        (
            {"InterfaceType": "efa"},
            (
                "UnsupportedOperation",
                "Atoll does not support the parameter InterfaceType of CreateNetworkInterface.",
            ),
        ),
        (
            {"SecondaryPrivateIpAddressCount": 50},
            ("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."),
        ),
    ],
    ids=["outside", "reserved", "broadcast", "in use", "none", "two primaries", "group", "type", "too many"],
)
def test_an_interface_that_cannot_be_is_refused(ec2, subnet, eni, asked, refused):
    assert refusal(ec2.create_network_interface, SubnetId=subnet, **asked) == refused
    assert ids(ec2.describe_network_interfaces()["NetworkInterfaces"], "NetworkInterfaceId") == [eni]


def test_a_full_subnet_takes_no_more(ec2, vpc):
    small = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/28")["Subnet"]["SubnetId"]
    for _ in range(11):
        ec2.create_network_interface(SubnetId=small)

    assert refusal(ec2.create_network_interface, SubnetId=small) == (
        "InsufficientFreeAddressesInSubnet",
        "The specified subnet does not have enough free addresses to satisfy the request.",
    )


def test_a_group_of_another_vpc_is_refused(ec2, subnet):
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]

    assert refusal(ec2.create_network_interface, SubnetId=subnet, Groups=[group_of(ec2, other, "web")]) == (
        "InvalidGroup.NotFound",
        "You have specified two resources that belong to different networks.",
    )


def test_an_interface_carries_at_most_sixteen_groups(ec2, vpc, subnet):
    groups = [group_of(ec2, vpc, f"g{n}") for n in range(17)]

    assert code(ec2.create_network_interface, SubnetId=subnet, Groups=groups) == (
        "SecurityGroupsPerInterfaceLimitExceeded"
    )
    made = ec2.create_network_interface(SubnetId=subnet, Groups=groups[:16])["NetworkInterface"]
    assert [g["GroupId"] for g in made["Groups"]] == groups[:16]


def test_a_client_token_makes_one_interface(ec2, subnet):
    first, second = (ec2.create_network_interface(SubnetId=subnet, ClientToken="once") for _ in range(2))

    assert first["NetworkInterface"] == second["NetworkInterface"]
    assert code(ec2.create_network_interface, SubnetId=subnet, Description="x", ClientToken="once") == (
        "IdempotentParameterMismatch"
    )


def test_an_interface_can_be_plugged_in_and_out(ec2, eni, instance):
    id = ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)["AttachmentId"]

    shown = show(ec2, eni)
    assert shown["Status"] == "in-use"
    attachment = shown["Attachment"]
    attachment.pop("AttachTime")
    assert attachment == {
        "AttachmentId": id,
        "DeleteOnTermination": False,
        "DeviceIndex": 1,
        "NetworkCardIndex": 0,
        "InstanceId": instance,
        "InstanceOwnerId": ACCOUNT,
        "Status": "attached",
    }
    assert refusal(ec2.delete_network_interface, NetworkInterfaceId=eni) == (
        "InvalidParameterValue",
        f"Network interface '{eni}' is currently in use.",
    )

    ec2.detach_network_interface(AttachmentId=id)

    assert show(ec2, eni)["Status"] == "available"
    assert refusal(ec2.detach_network_interface, AttachmentId=id) == (
        "InvalidAttachmentID.NotFound",
        f"The attachment ID '{id}' does not exist",
    )
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    assert code(ec2.describe_network_interfaces, NetworkInterfaceIds=[eni]) == "InvalidNetworkInterfaceID.NotFound"


def test_the_primary_interface_stays(ec2, instance):
    (primary,) = ec2.describe_network_interfaces(Filters=by(attachment__instance_id=instance))["NetworkInterfaces"]

    assert refusal(ec2.detach_network_interface, AttachmentId=primary["Attachment"]["AttachmentId"]) == (
        "OperationNotPermitted",
        "The network interface at device index 0 and networkCard index 0 cannot be detached.",
    )


def test_attachments_that_cannot_be_are_refused(ec2, vpc, subnet, eni, instance):
    def attach(interface=eni, index=1, **more):
        return refusal(
            ec2.attach_network_interface, NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=index, **more
        )

    assert attach(index=0) == (
        "InvalidParameterValue",
        f"Instance '{instance}' already has an interface attached at device index '0'.",
    )
    assert attach(index=99)[0] == "InvalidParameterValue"
    assert attach(NetworkCardIndex=1)[0] == "UnsupportedOperation"
    elsewhere = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-1b")["Subnet"]
    far = ec2.create_network_interface(SubnetId=elsewhere["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    assert attach(interface=far) == (
        "InvalidParameterValue",
        "You may not attach a network interface to an instance if they are not in the same availability zone",
    )
    ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)
    assert attach() == ("InvalidNetworkInterface.InUse", f"Interface: [{eni}] in use.")
    third = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    assert attach(interface=third, index=2) == (  # a t3.micro has two
        "AttachmentLimitExceeded",
        "Interface count 3 exceeds the limit for t3.micro",
    )


def test_only_an_instance_that_runs_or_is_stopped_takes_an_interface(ec2, subnet, eni):
    pending = launch(ec2, SubnetId=subnet)["InstanceId"]

    assert code(ec2.attach_network_interface, NetworkInterfaceId=eni, InstanceId=pending, DeviceIndex=1) == (
        "IncorrectState"
    )


def describe_attribute(ec2, id, name):
    shown = ec2.describe_network_interface_attribute(NetworkInterfaceId=id, Attribute=name)
    shown.pop("ResponseMetadata")
    assert shown.pop("NetworkInterfaceId") == id
    return shown


def test_attributes_change_one_by_one(ec2, vpc, eni):
    group = group_of(ec2, vpc, "web")

    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[group])
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Description={"Value": "changed"})
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})

    assert describe_attribute(ec2, eni, "groupSet") == {"Groups": [{"GroupId": group, "GroupName": "web"}]}
    assert describe_attribute(ec2, eni, "description") == {"Description": {"Value": "changed"}}
    assert describe_attribute(ec2, eni, "sourceDestCheck") == {"SourceDestCheck": {"Value": False}}
    assert describe_attribute(ec2, eni, "attachment") == {}
    assert describe_attribute(ec2, eni, "associatePublicIpAddress") == {"AssociatePublicIpAddress": False}
    assert refusal(
        ec2.modify_network_interface_attribute,
        NetworkInterfaceId=eni,
        Description={"Value": "x"},
        SourceDestCheck={"Value": True},
    ) == (
        "InvalidParameterCombination",
        "Fields for multiple attribute types specified: description, source_dest_check",
    )
    assert code(ec2.modify_network_interface_attribute, NetworkInterfaceId=eni) == "MissingParameter"
    assert code(ec2.describe_network_interface_attribute, NetworkInterfaceId=eni) == "MissingParameter"


def test_what_becomes_of_an_interface_with_its_instance_can_be_changed(paper, ec2, eni, instance):
    id = ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)["AttachmentId"]
    change = {"AttachmentId": id, "DeleteOnTermination": True}
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Attachment=change)
    assert show(ec2, eni)["Attachment"]["DeleteOnTermination"]
    assert (
        code(
            ec2.modify_network_interface_attribute,
            NetworkInterfaceId=eni,
            Attachment={"AttachmentId": "eni-attach-0123456789abcdef0", "DeleteOnTermination": True},
        )
        == "InvalidParameterValue"
    )

    ec2.terminate_instances(InstanceIds=[instance])
    paper.settle()

    assert code(ec2.describe_network_interfaces, NetworkInterfaceIds=[eni]) == "InvalidNetworkInterfaceID.NotFound"


def test_further_addresses_come_and_go(ec2, eni):
    made = ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.9", "10.0.1.8"])
    assert made["AssignedPrivateIpAddresses"] == [
        {"PrivateIpAddress": "10.0.1.9"},
        {"PrivateIpAddress": "10.0.1.8"},
    ]
    ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=2)
    assert addresses(ec2, eni) == ["10.0.1.4", "10.0.1.9", "10.0.1.8", "10.0.1.5", "10.0.1.6"]

    ec2.unassign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.9", "10.0.1.5"])

    assert addresses(ec2, eni) == ["10.0.1.4", "10.0.1.8", "10.0.1.6"]


def test_addresses_that_cannot_come_or_go_are_refused(ec2, subnet, eni):
    other = ec2.create_network_interface(SubnetId=subnet, SecondaryPrivateIpAddressCount=1)["NetworkInterface"]
    primary, secondary = (a["PrivateIpAddress"] for a in other["PrivateIpAddresses"])

    def assign(**what):
        return code(ec2.assign_private_ip_addresses, NetworkInterfaceId=eni, **what)

    assert assign() == "MissingParameter"
    assert assign(PrivateIpAddresses=[secondary]) == "InvalidIPAddress.InUse"
    assert assign(PrivateIpAddresses=[primary], AllowReassignment=True) == "InvalidIPAddress.InUse"
    assert assign(PrivateIpAddresses=["10.0.2.9"]) == "InvalidParameterValue"
    assert assign(SecondaryPrivateIpAddressCount=60) == "PrivateIpAddressLimitExceeded"
    assert refusal(ec2.unassign_private_ip_addresses, NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.99"]) == (
        "InvalidParameterValue",
        f"Some of the specified addresses are not assigned to interface {eni}",
    )
    assert code(ec2.unassign_private_ip_addresses, NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.4"]) == (
        "InvalidParameterValue"
    )
    assert addresses(ec2, eni) == ["10.0.1.4"]


def test_an_address_moves_if_that_is_allowed(ec2, subnet, eni):
    other = ec2.create_network_interface(SubnetId=subnet, SecondaryPrivateIpAddressCount=1)["NetworkInterface"]
    moved = other["PrivateIpAddresses"][1]["PrivateIpAddress"]

    ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=[moved], AllowReassignment=True)

    assert moved in addresses(ec2, eni)
    assert moved not in addresses(ec2, other["NetworkInterfaceId"])


def test_a_services_interface_is_the_services(ec2, vpc, subnet, owned):
    shown = show(ec2, owned)
    assert (shown["RequesterManaged"], shown["RequesterId"]) == (True, "amazon-elasticache")
    assert shown["Attachment"]["InstanceOwnerId"] == "amazon-elasticache"
    assert "InstanceId" not in shown["Attachment"]

    assert refusal(ec2.detach_network_interface, AttachmentId="ela-attach-0123456789abcdef0") == (
        "OperationNotPermitted",
        "You are not allowed to manage 'ela-attach' attachments.",
    )
    theirs = "AuthFailure", "You do not have permission to access the specified resource."
    group = group_of(ec2, vpc, "web")
    assert refusal(ec2.modify_network_interface_attribute, NetworkInterfaceId=owned, Groups=[group]) == theirs
    assert (
        refusal(ec2.assign_private_ip_addresses, NetworkInterfaceId=owned, SecondaryPrivateIpAddressCount=1) == theirs
    )
    eip = ec2.allocate_address()["AllocationId"]
    assert refusal(ec2.associate_address, AllocationId=eip, NetworkInterfaceId=owned) == theirs
    assert code(ec2.delete_network_interface, NetworkInterfaceId=owned) == "InvalidParameterValue"
    assert code(ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"


@pytest.mark.parametrize(
    "filters",
    [
        by(addresses__private_ip_address="10.0.1.4"),
        by(addresses__primary="true", status="in-use", attachment__device_index="1"),
        by(attachment__attachment_id="eni-attach-*", attachment__device_index="1"),
        by(attachment__delete_on_termination="false"),
        by(attachment__instance_owner_id=ACCOUNT, description="spare"),
        by(attachment__status="attached", description="spa?e"),
        by(attachment__attach_time="2026-11-20T*", description="spare"),
        by(availability_zone="us-east-1a", availability_zone_id="use1-az1", description="spare"),
        by(group_name="default", description="spare"),
        by(group_id="sg-*", description="spare"),
        by(interface_type="interface", description="spare"),
        by(mac_address="02:*", description="spare"),
        by(owner_id=ACCOUNT, description="spare"),
        by(private_ip_address="10.0.1.4"),
        by(requester_managed="false", description="spare"),
        by(source_dest_check="true", description="spare"),
        by(status="in-use", description="spare"),
        by(tag_key="Name"),
        [{"Name": "tag:Name", "Values": ["s*"]}],
    ],
    ids=str,
)
def test_filters(paper, ec2, vpc, subnet, filters):
    eni = ec2.create_network_interface(
        SubnetId=subnet, Description="spare", TagSpecifications=tagging("network-interface", Name="spare")
    )["NetworkInterface"]["NetworkInterfaceId"]
    instance = launch_running(paper, ec2, SubnetId=subnet)["InstanceId"]
    ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1)

    found = ec2.describe_network_interfaces(Filters=[*filters, *by(vpc_id=vpc)])["NetworkInterfaces"]

    assert ids(found, "NetworkInterfaceId") == [eni]


def test_filters_on_public_addresses(ec2, vpc, subnet, eni):
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    ec2.create_network_interface(SubnetId=subnet)
    eip = ec2.allocate_address(Address="203.0.113.73")["AllocationId"]
    association = ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)["AssociationId"]

    for filters in (
        by(association__allocation_id=eip),
        by(association__association_id=association),
        by(association__public_ip="203.0.113.73"),
        by(association__ip_owner_id=ACCOUNT),
        by(addresses__association__public_ip="203.0.113.*"),
        by(addresses__association__owner_id=ACCOUNT),
    ):
        found = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        assert ids(found, "NetworkInterfaceId") == [eni]


def test_the_paginator_shows_every_interface_once(ec2, subnet):
    for _ in range(11):
        ec2.create_network_interface(SubnetId=subnet)

    pages = list(ec2.get_paginator("describe_network_interfaces").paginate(PaginationConfig={"PageSize": 5}))

    assert [len(p["NetworkInterfaces"]) for p in pages] == [5, 5, 1]


def test_ids_that_name_no_interface(ec2, stranger, abroad, eni):
    refused = "InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{GONE}' does not exist"
    assert refusal(ec2.describe_network_interfaces, NetworkInterfaceIds=[GONE]) == refused
    assert refusal(ec2.delete_network_interface, NetworkInterfaceId=GONE) == refused
    assert code(ec2.delete_network_interface, NetworkInterfaceId="eth0") == "InvalidNetworkInterfaceId.Malformed"
    for other in (stranger, abroad):
        assert other.describe_network_interfaces()["NetworkInterfaces"] == []
        assert code(other.delete_network_interface, NetworkInterfaceId=eni) == "InvalidNetworkInterfaceID.NotFound"
