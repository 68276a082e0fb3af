"""Elastic IP addresses through boto3."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from tests.api.machines import launch, launch_running
from tests.api.paper import ACCOUNT, by, code, ids, refusal, tagging

GONE = "eipalloc-0123456789abcdef0"
POOL = IPv4Network("203.0.113.0/24")


@pytest.fixture
def door(ec2, vpc):
    """The VPC has an internet gateway."""
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)


@pytest.fixture
def eip(ec2):
    return ec2.allocate_address(Domain="vpc")["AllocationId"]


@pytest.fixture
def eni(ec2, subnet, door):
    del door
    return ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]


def show(ec2, id):
    return ec2.describe_addresses(AllocationIds=[id])["Addresses"][0]


def test_a_new_address_is_public_and_leads_nowhere(ec2):
    made = ec2.allocate_address(Domain="vpc", TagSpecifications=tagging("elastic-ip", Name="nat"))

    made.pop("ResponseMetadata")
    assert IPv4Address(made["PublicIp"]) in POOL
    assert made == {
        "AllocationId": made["AllocationId"],
        "PublicIp": made["PublicIp"],
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": "us-east-1",
        "Domain": "vpc",
    }
    assert show(ec2, made["AllocationId"]) == {**made, "Tags": [{"Key": "Name", "Value": "nat"}]}


def test_addresses_differ(ec2, stranger):
    addresses = [c.allocate_address()["PublicIp"] for c in (ec2, stranger) for _ in range(10)]

    assert len(set(addresses)) == 20


def test_one_address_can_be_asked_for(ec2, stranger):
    assert ec2.allocate_address(Address="203.0.113.73")["PublicIp"] == "203.0.113.73"

    for client in (ec2, stranger):
        assert refusal(client.allocate_address, Address="203.0.113.73") == (
            "InvalidIPAddress.InUse",
            "Address 203.0.113.73 is in use.",
        )


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        (
            {"Address": "198.51.100.1"},
            ("InvalidAddress.NotFound", "Address '198.51.100.1' not found: it is not in pool 203.0.113.0/24."),
        ),
        (
            {"Address": "mine"},
            ("InvalidParameterValue", "Value (mine) for parameter address is invalid. Not an IPv4 address."),
        ),
        (
            {"PublicIpv4Pool": "ipv4pool-ec2-012345"},
            (
                "InvalidPublicIpv4PoolID.NotFound",
                "The Public IPv4 pool ID 'ipv4pool-ec2-012345' does not exist.",
            ),
        ),
        (
            {"Domain": "standard"},
            (
                "InvalidParameterValue",
                "Value (standard) for parameter domain is invalid. EC2-Classic is retired.",
            ),
        ),
        (
            {"NetworkBorderGroup": "us-east-1-lax-1"},
            (
                "InvalidParameterValue",
                "Value (us-east-1-lax-1) for parameter networkBorderGroup is invalid. Expecting one of us-east-1.",
            ),
        ),
        (
            {"CustomerOwnedIpv4Pool": "coip"},
            (
                "UnsupportedOperation",
                "Atoll does not support the parameter CustomerOwnedIpv4Pool of AllocateAddress.",
            ),
        ),
    ],
    ids=["another pool", "no address", "no such pool", "classic", "local zone", "outpost"],
)
def test_an_address_that_cannot_be_is_refused(ec2, parameters, refused):
    assert refusal(ec2.allocate_address, **parameters) == refused
    assert ec2.describe_addresses()["Addresses"] == []


def test_the_pool_can_be_used_up(ec2, stranger):
    for client, count in ((ec2, 200), (stranger, 54)):
        for _ in range(count):
            client.allocate_address()

    assert code(ec2.allocate_address) == "AddressLimitExceeded"
    assert code(stranger.allocate_address) == "InsufficientAddressCapacity"


def test_an_associated_address_leads_to_the_interface(ec2, subnet, eip, eni):
    made = ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)["AssociationId"]

    shown = show(ec2, eip)
    assert shown["AssociationId"] == made
    assert shown["NetworkInterfaceId"] == eni
    assert shown["NetworkInterfaceOwnerId"] == ACCOUNT
    assert shown["PrivateIpAddress"] == "10.0.1.4"
    assert shown["SubnetId"] == subnet
    (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    assert (
        interface["Association"]
        == interface["PrivateIpAddresses"][0]["Association"]
        == {
            "AllocationId": eip,
            "AssociationId": made,
            "IpOwnerId": ACCOUNT,
            "PublicDnsName": "",
            "PublicIp": shown["PublicIp"],
        }
    )


def test_associating_again_changes_nothing(ec2, eip, eni):
    first = ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)["AssociationId"]

    assert ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)["AssociationId"] == first


def test_an_instance_stands_for_its_interface(paper, ec2, subnet, eip, door):
    del door
    id = launch_running(paper, ec2, SubnetId=subnet)["InstanceId"]

    ec2.associate_address(AllocationId=eip, InstanceId=id)

    assert show(ec2, eip)["InstanceId"] == id
    (reservation,) = ec2.describe_instances(InstanceIds=[id])["Reservations"]
    assert reservation["Instances"][0]["PublicIpAddress"] == show(ec2, eip)["PublicIp"]
    ec2.terminate_instances(InstanceIds=[id])
    paper.settle()
    assert "AssociationId" not in show(ec2, eip)


def test_an_instance_that_does_not_run_yet_is_refused(ec2, subnet, eip, door):
    del door
    id = launch(ec2, SubnetId=subnet)["InstanceId"]

    assert refusal(ec2.associate_address, AllocationId=eip, InstanceId=id) == (
        "InvalidInstanceID",
        f"The pending instance '{id}' is not in a valid state for this operation.",
    )


def test_an_address_moves_unless_that_is_forbidden(ec2, subnet, eip, eni):
    first = ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)["AssociationId"]
    other = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    assert refusal(ec2.associate_address, AllocationId=eip, NetworkInterfaceId=other, AllowReassociation=False) == (
        "Resource.AlreadyAssociated",
        f"resource {eip} is already associated with associate-id {first}",
    )

    second = ec2.associate_address(AllocationId=eip, NetworkInterfaceId=other)["AssociationId"]

    assert second != first
    assert show(ec2, eip)["NetworkInterfaceId"] == other


def test_a_private_address_has_one_public_address(ec2, eip, eni):
    ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)
    second = ec2.allocate_address()["AllocationId"]

    ec2.associate_address(AllocationId=second, NetworkInterfaceId=eni)

    assert "AssociationId" not in show(ec2, eip)
    assert show(ec2, second)["NetworkInterfaceId"] == eni


def test_each_private_address_may_have_its_own(ec2, eip, eni):
    ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.99"])

    ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni, PrivateIpAddress="10.0.1.99")

    assert show(ec2, eip)["PrivateIpAddress"] == "10.0.1.99"
    assert (
        code(ec2.associate_address, AllocationId=eip, NetworkInterfaceId=eni, PrivateIpAddress="10.0.1.50")
        == "InvalidParameterValue"
    )


def test_without_a_gateway_there_is_nothing_to_lead_to(ec2, vpc, subnet, eip):
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]

    assert refusal(ec2.associate_address, AllocationId=eip, NetworkInterfaceId=eni) == (
        "Gateway.NotAttached",
        f"Network {vpc} is not attached to any internet gateway",
    )


def test_a_disassociated_address_leads_nowhere(ec2, eip, eni):
    id = ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)["AssociationId"]

    ec2.disassociate_address(AssociationId=id)

    assert "AssociationId" not in show(ec2, eip)
    assert refusal(ec2.disassociate_address, AssociationId=id) == (
        "InvalidAssociationID.NotFound",
        f"The association ID '{id}' does not exist",
    )


def test_an_address_can_be_named_by_itself(ec2, eip, eni):
    ip = show(ec2, eip)["PublicIp"]

    ec2.associate_address(PublicIp=ip, NetworkInterfaceId=eni)
    ec2.disassociate_address(PublicIp=ip)
    assert code(ec2.disassociate_address, PublicIp=ip) == "InvalidAssociationID.NotFound"
    ec2.release_address(PublicIp=ip)

    assert refusal(ec2.describe_addresses, PublicIps=[ip]) == (
        "InvalidAddress.NotFound",
        f"Address '{ip}' not found.",
    )


def test_an_associated_address_is_not_released(ec2, eip, eni):
    ip = show(ec2, eip)["PublicIp"]
    association = ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)["AssociationId"]
    assert refusal(ec2.release_address, AllocationId=eip) == (
        "InvalidIPAddress.InUse",
        f"Address {ip} is in use.",
    )

    ec2.disassociate_address(AssociationId=association)
    ec2.release_address(AllocationId=eip)

    assert refusal(ec2.release_address, AllocationId=eip) == (
        "InvalidAllocationID.NotFound",
        f"The allocation ID '{eip}' does not exist",
    )


def test_in_the_default_vpc_releasing_an_address_ends_its_association(ec2, eip):
    (subnet,) = ec2.describe_subnets(Filters=by(availability_zone="us-east-1a"))["Subnets"]
    eni = ec2.create_network_interface(SubnetId=subnet["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)

    ec2.release_address(AllocationId=eip)

    assert "Association" not in ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        ({"AllocationId": GONE, "NetworkInterfaceId": "eni-0123456789abcdef0"}, "InvalidAllocationID.NotFound"),
        ({"NetworkInterfaceId": "eni-0123456789abcdef0"}, "MissingParameter"),
        ({"PublicIp": "203.0.113.200", "NetworkInterfaceId": "eni-1"}, "InvalidAddress.NotFound"),
        ({"AllocationId": GONE, "PublicIp": "203.0.113.200"}, "InvalidParameterCombination"),
    ],
    ids=["gone", "no address", "not ours", "both"],
)
def test_an_association_of_nothing_is_refused(ec2, parameters, refused):
    assert code(ec2.associate_address, **parameters) == refused


def test_a_target_is_an_instance_or_an_interface(ec2, eip):
    assert code(ec2.associate_address, AllocationId=eip) == "MissingParameter"
    assert code(ec2.associate_address, AllocationId=eip, InstanceId="i-1", NetworkInterfaceId="eni-1") == (
        "InvalidParameterCombination"
    )


@pytest.mark.parametrize(
    "filters",
    [
        by(allocation_id="eipalloc-*", association_id="eipassoc-*"),
        by(domain="vpc", network_interface_id="eni-*"),
        by(network_border_group="us-east-1", private_ip_address="10.0.1.4"),
        by(network_interface_owner_id=ACCOUNT),
        by(public_ip="203.0.113.?"),
        by(tag_key="for"),
        [{"Name": "tag:for", "Values": ["nat"]}],
    ],
    ids=str,
)
def test_filters(ec2, eip, eni, filters):
    ec2.associate_address(AllocationId=eip, NetworkInterfaceId=eni)
    ec2.create_tags(Resources=[eip], Tags=[{"Key": "for", "Value": "nat"}])
    ec2.allocate_address(Address="203.0.113.222")

    assert ids(ec2.describe_addresses(Filters=filters)["Addresses"], "AllocationId") == [eip]


def test_reverse_names_are_asked_for_and_there_are_none(ec2, eip):
    assert ec2.describe_addresses_attribute(AllocationIds=[eip], Attribute="domain-name")["Addresses"] == []
    assert code(ec2.describe_addresses_attribute, AllocationIds=[GONE], Attribute="domain-name") == (
        "InvalidAllocationID.NotFound"
    )


def test_nobody_else_sees_an_address(stranger, abroad, eip):
    for other in (stranger, abroad):
        assert other.describe_addresses()["Addresses"] == []
        assert code(other.describe_addresses, AllocationIds=[eip]) == "InvalidAllocationID.NotFound"
        assert code(other.release_address, AllocationId=eip) == "InvalidAllocationID.NotFound"
