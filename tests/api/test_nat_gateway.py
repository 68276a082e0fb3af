"""NAT gateways, through boto3: how they come and go, how they fail, and what they hold meanwhile."""

from datetime import timedelta

import pytest

from atoll.control.record import Recorder
from atoll.host.contract import Failure
from atoll.model import nat_transitions
from atoll.model.nat_gateway import NatGateway
from atoll.model.quota import NAT_GATEWAYS
from tests.api.paper import OTHER_ACCOUNT, by, code, ids, refusal, tagging


@pytest.fixture
def ec2(paper):
    return paper.client("ec2")


class Net:
    """A VPC with an internet gateway, a public and a private subnet."""

    def __init__(self, ec2, *, gateway=True, public="10.0.0.0/24"):
        self.ec2 = ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.public = self._subnet(public)
        self.private = self._subnet("10.0.1.0/24")
        self.igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        if gateway:
            ec2.attach_internet_gateway(InternetGatewayId=self.igw, VpcId=self.vpc)
        self.table = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]

    def _subnet(self, cidr):
        made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone="us-east-1a")
        return made["Subnet"]["SubnetId"]

    def address(self):
        return self.ec2.allocate_address(Domain="vpc")["AllocationId"]

    def nat(self, **more):
        """Make a public gateway, or whatever `more` says."""
        given = {"SubnetId": self.public, **more}
        if "ConnectivityType" not in given and "AllocationId" not in given:
            given["AllocationId"] = self.address()
        return self.ec2.create_nat_gateway(**given)["NatGateway"]


@pytest.fixture
def net(ec2):
    return Net(ec2)


def described(ec2, id):
    (found,) = ec2.describe_nat_gateways(NatGatewayIds=[id])["NatGateways"]
    return found


def test_a_gateway_is_pending_until_the_network_carries_it(paper, ec2, net):
    allocation = net.address()
    made = net.nat(AllocationId=allocation, TagSpecifications=tagging("natgateway", Name="way out"))
    assert (made["State"], made["VpcId"], made["SubnetId"]) == ("pending", net.vpc, net.public)
    assert made["ConnectivityType"] == "public"
    assert made["Tags"] == [{"Key": "Name", "Value": "way out"}]
    (address,) = made["NatGatewayAddresses"]
    assert (address["AllocationId"], address["IsPrimary"], address["PrivateIp"]) == (allocation, True, "10.0.0.4")
    assert address["Status"] == "associating"

    Recorder(paper.store).network_obeys(paper.world, set())
    now = described(ec2, made["NatGatewayId"])
    assert now["State"] == "available"
    assert now["NatGatewayAddresses"][0]["Status"] == "succeeded"
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[made["NatGatewayId"]])


@pytest.mark.parametrize("subject", ["its interface", "network"])
def test_a_gateway_that_the_host_refused_stays_pending(paper, ec2, net, subject):
    made = net.nat()
    id = made["NatGatewayAddresses"][0]["NetworkInterfaceId"] if subject == "its interface" else subject
    Recorder(paper.store).network_obeys(paper.world, {Failure(id, "no room").subject})
    assert described(ec2, made["NatGatewayId"])["State"] == "pending"


def test_what_was_seen_before_a_change_says_nothing_of_what_came_after(paper, ec2, net):
    made = net.nat()
    seen = paper.world[NatGateway, made["NatGatewayId"]]
    ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])
    assert paper.write(lambda tx: nat_transitions.in_force(tx, seen)) is False
    assert described(ec2, made["NatGatewayId"])["State"] == "deleting"


def test_its_interface_is_the_services_own(ec2, net):
    made = net.nat()
    (address,) = made["NatGatewayAddresses"]
    (eni,) = ec2.describe_network_interfaces(Filters=by(interface_type="nat_gateway"))["NetworkInterfaces"]
    assert eni["NetworkInterfaceId"] == address["NetworkInterfaceId"]
    assert eni["Description"] == f"Interface for NAT Gateway {made['NatGatewayId']}"
    assert (eni["RequesterManaged"], eni["SourceDestCheck"], eni["Groups"]) == (True, False, [])
    assert (eni["Status"], eni["Attachment"]["InstanceOwnerId"]) == ("in-use", "amazon-aws")
    assert eni["Association"]["AllocationId"] == address["AllocationId"]
    id = eni["NetworkInterfaceId"]
    assert (
        code(ec2.modify_network_interface_attribute, NetworkInterfaceId=id, SourceDestCheck={"Value": True})
        == "AuthFailure"
    )
    assert code(ec2.delete_network_interface, NetworkInterfaceId=id) == "InvalidParameterValue"
    assert (
        code(ec2.detach_network_interface, AttachmentId=eni["Attachment"]["AttachmentId"]) == "OperationNotPermitted"
    )


def test_its_elastic_ip_is_held_until_it_goes(ec2, net):
    allocation = net.address()
    made = net.nat(AllocationId=allocation)
    (address,) = ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
    assert code(ec2.release_address, AllocationId=allocation) == "InvalidIPAddress.InUse"
    assert code(ec2.disassociate_address, AssociationId=address["AssociationId"]) == "AuthFailure"
    eni = ec2.create_network_interface(SubnetId=net.public)["NetworkInterface"]["NetworkInterfaceId"]
    assert code(ec2.associate_address, AllocationId=allocation, NetworkInterfaceId=eni) == "AuthFailure"
    assert code(ec2.detach_internet_gateway, InternetGatewayId=net.igw, VpcId=net.vpc) == "DependencyViolation"

    assert ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])["NatGatewayId"] == made["NatGatewayId"]
    (address,) = ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
    assert "AssociationId" not in address
    ec2.release_address(AllocationId=allocation)


def test_a_deleted_gateway_is_deleting_until_the_network_lost_it_and_shown_for_an_hour(paper, ec2, net):
    id = net.nat()["NatGatewayId"]
    paper.settle()
    assert code(ec2.delete_subnet, SubnetId=net.public) == "DependencyViolation"
    ec2.delete_nat_gateway(NatGatewayId=id)
    assert described(ec2, id)["State"] == "deleting"
    paper.settle()
    gone = described(ec2, id)
    assert gone["State"] == "deleted"
    assert gone["DeleteTime"] > gone["CreateTime"]
    assert gone["NatGatewayAddresses"][0]["PublicIp"], "what it had is still shown"
    ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[id])
    ec2.delete_nat_gateway(NatGatewayId=id)  # again: nothing
    ec2.delete_subnet(SubnetId=net.public)
    paper.clock += timedelta(minutes=61)
    paper.write(nat_transitions.forget_old)
    assert refusal(ec2.describe_nat_gateways, NatGatewayIds=[id]) == (
        "NatGatewayNotFound", f"NatGateway {id} was not found",
    )  # fmt: skip


def full_subnet(ec2, net):
    for _ in range(11):
        ec2.create_network_interface(SubnetId=net.public)


@pytest.mark.parametrize("why", ["gateway", "unknown", "taken", "full"])
def test_a_gateway_that_cannot_be_made_fails_and_says_why(paper, ec2, why):
    net = Net(ec2, gateway=why != "gateway", public="10.0.0.0/28" if why == "full" else "10.0.0.0/24")
    allocation = net.address()
    if why == "unknown":
        allocation = "eipalloc-0123456789abcdef0"
    if why == "taken":
        net.nat(AllocationId=allocation)
    if why == "full":
        full_subnet(ec2, net)
    made = net.nat(AllocationId=allocation)
    assert made["State"] == "pending", "AWS finds out later"
    assert "FailureCode" not in made
    paper.settle()
    failed = described(ec2, made["NatGatewayId"])
    assert (failed["State"], failed["FailureCode"], failed["FailureMessage"]) == ("failed", *{
        "gateway": ("Gateway.NotAttached", f"Network {net.vpc} has no Internet gateway attached"),
        "unknown": (
            "InvalidAllocationID.NotFound",
            f"Elastic IP address {allocation} could not be associated with this NAT gateway",
        ),
        "taken": ("Resource.AlreadyAssociated", f"Elastic IP address [{allocation}] is already associated"),
        "full": (
            "InsufficientFreeAddressesInSubnet",
            "Subnet has insufficient free addresses to create this NAT gateway",
        ),
    }[why])  # fmt: skip
    assert "NetworkInterfaceId" not in failed["NatGatewayAddresses"][0]
    ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])
    paper.settle()
    assert described(ec2, made["NatGatewayId"])["State"] == "deleted"


def test_a_public_gateway_needs_an_elastic_ip(ec2, net):
    """Row 189."""
    assert refusal(ec2.create_nat_gateway, SubnetId=net.public) == (
        "MissingParameter",
        "The request must include the AllocationId parameter. Add the required parameter and retry the request.",
    )


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"SubnetId": "nonsense"}, "InvalidSubnetID.Malformed"),
        ({"ConnectivityType": "secret"}, "InvalidParameterValue"),
        ({"ConnectivityType": "private", "AllocationId": "eipalloc-1"}, "InvalidParameterCombination"),
        ({"ConnectivityType": "private", "SecondaryAllocationIds": ["eipalloc-1"]}, "InvalidParameterCombination"),
        ({"SecondaryPrivateIpAddressCount": 1}, "InvalidParameterCombination"),
        ({"SecondaryPrivateIpAddresses": ["10.0.0.9"]}, "InvalidParameterCombination"),
        ({"PrivateIpAddress": "10.0.1.9"}, "InvalidParameterValue"),
        ({"PrivateIpAddress": "10.0.0.1"}, "InvalidParameterValue"),
        ({"AvailabilityMode": "regional"}, "UnsupportedOperation"),
        ({"TagSpecifications": tagging("vpc", a="b")}, "InvalidParameterValue"),
        (
            {"ConnectivityType": "private", "PrivateIpAddress": "10.0.0.9",
             "SecondaryPrivateIpAddresses": ["10.0.0.9"]},
            "InvalidIPAddress.InUse",
        ),
        ({"ConnectivityType": "private", "SecondaryPrivateIpAddressCount": 8}, "PrivateIpAddressLimitExceeded"),
        (
            {"ConnectivityType": "private", "SecondaryPrivateIpAddressCount": 1,
             "SecondaryPrivateIpAddresses": ["10.0.0.9"]},
            "InvalidParameterCombination",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_request_is_refused_at_once(ec2, net, given, refused):
    before = len(ec2.describe_nat_gateways()["NatGateways"])
    given = {"SubnetId": net.public, **given}
    if "ConnectivityType" not in given:
        given["AllocationId"] = net.address()
    assert code(ec2.create_nat_gateway, **given) == refused
    assert len(ec2.describe_nat_gateways()["NatGateways"]) == before


def test_a_zone_holds_so_many_and_those_that_ended_do_not_count(paper, ec2, net):
    made = [net.nat(ConnectivityType="private")["NatGatewayId"] for _ in range(NAT_GATEWAYS.ours)]
    assert refusal(net.nat, ConnectivityType="private") == (
        "NatGatewayLimitExceeded",
        f"Performing this operation would exceed the limit of {NAT_GATEWAYS.ours} NAT gateways",
    )
    ec2.delete_nat_gateway(NatGatewayId=made[0])
    assert code(net.nat, ConnectivityType="private") == "NatGatewayLimitExceeded"
    paper.settle()
    net.nat(ConnectivityType="private")


def test_a_private_gateway_needs_no_internet(paper, ec2):
    net = Net(ec2, gateway=False)
    made = net.nat(ConnectivityType="private", PrivateIpAddress="10.0.0.77", SecondaryPrivateIpAddressCount=2)
    paper.settle()
    now = described(ec2, made["NatGatewayId"])
    assert (now["State"], now["ConnectivityType"]) == ("available", "private")
    assert [a["PrivateIp"] for a in now["NatGatewayAddresses"]] == ["10.0.0.77", "10.0.0.4", "10.0.0.5"]
    assert [a["IsPrimary"] for a in now["NatGatewayAddresses"]] == [True, False, False]
    assert all("PublicIp" not in a for a in now["NatGatewayAddresses"])


def test_the_same_token_makes_one_gateway(ec2, net):
    given = {"SubnetId": net.public, "AllocationId": net.address(), "ClientToken": "once"}
    one, two = ec2.create_nat_gateway(**given), ec2.create_nat_gateway(**given)
    assert one["NatGateway"]["NatGatewayId"] == two["NatGateway"]["NatGatewayId"]
    assert one["ClientToken"] == "once"


def test_gateways_are_filtered_paged_tagged_and_nobody_elses(paper, ec2, net):
    some = [net.nat(ConnectivityType="private")["NatGatewayId"] for _ in range(6)]
    paper.settle()
    ec2.delete_nat_gateway(NatGatewayId=some[0])
    ec2.create_tags(Resources=[some[1]], Tags=[{"Key": "team", "Value": "net"}])

    def found(**filters):
        return ids(ec2.describe_nat_gateways(Filter=by(**filters))["NatGateways"], "NatGatewayId")

    assert found(state="available") == sorted(some[1:])
    assert found(state=["deleting", "deleted"]) == some[:1]
    assert found(vpc_id=net.vpc) == found(subnet_id=net.public) == sorted(some)
    assert found(nat_gateway_id=some[2]) == [some[2]]
    assert (
        ec2.describe_nat_gateways(Filter=[{"Name": "tag:team", "Values": ["net"]}])["NatGateways"][0]["NatGatewayId"]
        == some[1]
    )
    assert code(ec2.describe_nat_gateways, Filter=by(colour="blue")) == "InvalidParameterValue"
    page = ec2.describe_nat_gateways(MaxResults=5)
    assert len(page["NatGateways"]) == 5
    assert len(ec2.describe_nat_gateways(MaxResults=5, NextToken=page["NextToken"])["NatGateways"]) == 1
    tags = ec2.describe_tags(Filters=by(resource_type="natgateway"))["Tags"]
    assert [(t["ResourceId"], t["Key"]) for t in tags] == [(some[1], "team")]
    stranger = paper.client("ec2", account=OTHER_ACCOUNT)
    assert stranger.describe_nat_gateways()["NatGateways"] == []
    assert code(stranger.delete_nat_gateway, NatGatewayId=some[1]) == "NatGatewayNotFound"
    assert code(ec2.delete_nat_gateway, NatGatewayId="nonsense") == "NatGatewayMalformed"


def routes(ec2, table):
    (found,) = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return {r["DestinationCidrBlock"]: r for r in found["Routes"]}


def test_a_route_to_a_gateway_is_active_until_the_gateway_goes(ec2, net):
    id = net.nat()["NatGatewayId"]
    ec2.create_route(RouteTableId=net.table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=id)
    route = routes(ec2, net.table)["0.0.0.0/0"]
    assert (route["NatGatewayId"], route["State"]) == (id, "active")
    assert "GatewayId" not in route
    assert ids(ec2.describe_route_tables(Filters=by(route__nat_gateway_id=id))["RouteTables"], "RouteTableId") == [
        net.table
    ]
    ec2.delete_nat_gateway(NatGatewayId=id)
    assert routes(ec2, net.table)["0.0.0.0/0"]["State"] == "blackhole"
    other = net.nat()["NatGatewayId"]
    ec2.replace_route(RouteTableId=net.table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=other)
    assert routes(ec2, net.table)["0.0.0.0/0"]["State"] == "active"


def test_a_route_needs_a_gateway_of_its_vpc_that_stands(ec2, net):
    def to(id, cidr="0.0.0.0/0"):
        return refusal(ec2.create_route, RouteTableId=net.table, DestinationCidrBlock=cidr, NatGatewayId=id)

    unknown = "nat-0123456789abcdef0"
    assert to(unknown) == ("InvalidNatGatewayID.NotFound", f"The natGateway ID '{unknown}' does not exist")
    assert to("nonsense")[0] == "InvalidNatGatewayID.Malformed"
    gone = net.nat()["NatGatewayId"]
    ec2.delete_nat_gateway(NatGatewayId=gone)
    assert to(gone)[0] == "InvalidNatGatewayID.NotFound"
    elsewhere = Net(ec2).nat()["NatGatewayId"]
    assert to(elsewhere)[0] == "InvalidParameterValue"
    here = net.nat()["NatGatewayId"]
    assert to(here, "10.0.1.0/25")[0] == "InvalidParameterValue"
    ec2.create_route(RouteTableId=net.table, DestinationCidrBlock="10.0.1.0/24", NatGatewayId=here)


def test_secondary_elastic_ips_come_and_go(paper, ec2, net):
    id = net.nat(SecondaryAllocationIds=[net.address()])["NatGatewayId"]
    paper.settle()
    third = net.address()
    added = ec2.associate_nat_gateway_address(NatGatewayId=id, AllocationIds=[third])
    (shown,) = added["NatGatewayAddresses"]
    assert (shown["AllocationId"], shown["Status"], shown["IsPrimary"]) == (third, "associating", False)
    paper.settle()
    addresses = described(ec2, id)["NatGatewayAddresses"]
    assert [a["PrivateIp"] for a in addresses] == ["10.0.0.4", "10.0.0.5", "10.0.0.6"]
    assert {a["Status"] for a in addresses} == {"succeeded"}
    assert (
        code(ec2.associate_nat_gateway_address, NatGatewayId=id, AllocationIds=[third])
        == "Resource.AlreadyAssociated"
    )
    gone = ec2.disassociate_nat_gateway_address(NatGatewayId=id, AssociationIds=[shown["AssociationId"]])
    assert gone["NatGatewayAddresses"][0]["Status"] == "disassociating"
    assert len(described(ec2, id)["NatGatewayAddresses"]) == 2
    assert "AssociationId" not in ec2.describe_addresses(AllocationIds=[third])["Addresses"][0]
    assert (
        code(ec2.disassociate_nat_gateway_address, NatGatewayId=id, AssociationIds=[addresses[0]["AssociationId"]])
        == "InvalidParameterValue"
    )
    assert (
        code(ec2.disassociate_nat_gateway_address, NatGatewayId=id, AssociationIds=[shown["AssociationId"]])
        == "InvalidAssociationID.NotFound"
    )


def test_secondary_private_addresses_come_and_go(paper, ec2, net):
    id = net.nat(ConnectivityType="private")["NatGatewayId"]
    ec2.assign_private_nat_gateway_address(NatGatewayId=id, PrivateIpAddresses=["10.0.0.50"])
    ec2.assign_private_nat_gateway_address(NatGatewayId=id, PrivateIpAddressCount=1)
    paper.settle()
    assert [a["PrivateIp"] for a in described(ec2, id)["NatGatewayAddresses"]] == [
        "10.0.0.4", "10.0.0.50", "10.0.0.5",
    ]  # fmt: skip
    ec2.unassign_private_nat_gateway_address(NatGatewayId=id, PrivateIpAddresses=["10.0.0.50"])
    assert len(described(ec2, id)["NatGatewayAddresses"]) == 2
    for verb, given, refused in (
        (ec2.unassign_private_nat_gateway_address, {"PrivateIpAddresses": ["10.0.0.4"]}, "InvalidParameterValue"),
        (ec2.unassign_private_nat_gateway_address, {"PrivateIpAddresses": ["10.0.0.99"]}, "InvalidParameterValue"),
        (ec2.assign_private_nat_gateway_address, {"PrivateIpAddresses": ["10.0.0.4"]}, "InvalidIPAddress.InUse"),
        (ec2.assign_private_nat_gateway_address, {"PrivateIpAddressCount": 7}, "PrivateIpAddressLimitExceeded"),
        (ec2.assign_private_nat_gateway_address, {"PrivateIpAddressCount": 0}, "InvalidParameterValue"),
        (ec2.assign_private_nat_gateway_address, {}, "MissingParameter"),
        (ec2.associate_nat_gateway_address, {"AllocationIds": [net.address()]}, "InvalidParameterCombination"),
    ):
        assert code(verb, NatGatewayId=id, **given) == refused
    ec2.delete_nat_gateway(NatGatewayId=id)
    assert code(ec2.assign_private_nat_gateway_address, NatGatewayId=id, PrivateIpAddressCount=1) == "IncorrectState"
