"""ConnectionTrackingSpecification through boto3: an interface's own idle timeouts."""

import pytest

from tests.api.machines import launch
from tests.api.paper import code, refusal

ALL = {"TcpEstablishedTimeout": 600, "UdpStreamTimeout": 90, "UdpTimeout": 45}


def shown(ec2, id):
    found = ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"][0]
    return found.get("ConnectionTrackingConfiguration")


def make(ec2, subnet, **more):
    return ec2.create_network_interface(SubnetId=subnet, **more)["NetworkInterface"]["NetworkInterfaceId"]


def test_an_interface_shows_timeouts_of_its_own_and_no_defaults(ec2, subnet):
    assert shown(ec2, make(ec2, subnet)) is None
    assert shown(ec2, make(ec2, subnet, ConnectionTrackingSpecification=ALL)) == ALL
    assert shown(ec2, make(ec2, subnet, ConnectionTrackingSpecification={"UdpTimeout": 60})) == {"UdpTimeout": 60}


def test_a_change_leaves_what_it_does_not_name(ec2, subnet):
    eni = make(ec2, subnet, ConnectionTrackingSpecification=ALL)
    ec2.modify_network_interface_attribute(
        NetworkInterfaceId=eni, ConnectionTrackingSpecification={"TcpEstablishedTimeout": 60}
    )

    assert shown(ec2, eni) == ALL | {"TcpEstablishedTimeout": 60}
    several = {"Description": {"Value": "x"}, "ConnectionTrackingSpecification": {"UdpTimeout": 30}}
    assert code(ec2.modify_network_interface_attribute, NetworkInterfaceId=eni, **several) == (
        "InvalidParameterCombination"
    )


def test_an_instance_is_launched_with_them(ec2, subnet):
    wish = {"DeviceIndex": 0, "SubnetId": subnet, "ConnectionTrackingSpecification": ALL}
    made = launch(ec2, NetworkInterfaces=[wish])

    assert made["NetworkInterfaces"][0]["ConnectionTrackingConfiguration"] == ALL


@pytest.mark.parametrize(
    ("member", "low", "high"),
    [("TcpEstablishedTimeout", 60, 432_000), ("UdpStreamTimeout", 60, 180), ("UdpTimeout", 30, 60)],
)
def test_timeouts_have_bounds(ec2, subnet, member, low, high):
    for seconds in (low, high):
        make(ec2, subnet, ConnectionTrackingSpecification={member: seconds})
    for seconds in (low - 1, high + 1):
        assert refusal(
            ec2.create_network_interface, SubnetId=subnet, ConnectionTrackingSpecification={member: seconds}
        ) == (
            "InvalidParameterValue",
            f"Value ({seconds}) for parameter ConnectionTrackingSpecification.{member} is invalid. "
            f"It must be from {low} to {high} seconds.",
        )
