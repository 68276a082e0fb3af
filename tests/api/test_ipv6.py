"""IPv6 through boto3: ranges of VPCs and subnets, addresses of interfaces and instances, what comes with them."""

from ipaddress import IPv6Network

import pytest

from tests.api.machines import launch, show
from tests.api.paper import by, code, refusal


@pytest.fixture
def dual(ec2):
    """A VPC with IPv6."""
    return ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]


@pytest.fixture
def six(dual):
    """Its IPv6 range."""
    return dual["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]


@pytest.fixture
def subnet6(ec2, dual, six):
    """The id of a subnet of both versions."""
    made = ec2.create_subnet(VpcId=dual["VpcId"], CidrBlock="10.0.1.0/24", Ipv6CidrBlock=part(six, 1))
    return made["Subnet"]["SubnetId"]


def part(six, n):
    """Return a subnet's range: the nth /64."""
    return str(list(IPv6Network(six).subnets(new_prefix=64))[n])


def shown_subnet(ec2, id):
    return ec2.describe_subnets(SubnetIds=[id])["Subnets"][0]


def shown_vpc(ec2, id):
    return ec2.describe_vpcs(VpcIds=[id])["Vpcs"][0]


def interface(ec2, subnet, **more):
    return ec2.create_network_interface(SubnetId=subnet, **more)["NetworkInterface"]


def sixes(shape):
    return [a["Ipv6Address"] for a in shape["Ipv6Addresses"]]


def routes6(ec2, vpc):
    (table,) = ec2.describe_route_tables(Filters=by(vpc_id=vpc))["RouteTables"]
    return {r["DestinationIpv6CidrBlock"]: r for r in table["Routes"] if "DestinationIpv6CidrBlock" in r}


# ---- ranges of VPCs


def test_a_vpc_gets_a_range_of_its_own_and_what_comes_with_it(ec2, dual, six):
    vpc = dual["VpcId"]
    other = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]

    (association,) = dual["Ipv6CidrBlockAssociationSet"]
    assert six == "2001:db8:1000::/56"
    assert other["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"] == "2001:db8:1000:100::/56"
    assert association["AssociationId"].startswith("vpc-cidr-assoc-0")
    assert association | {"AssociationId": ""} == {
        "AssociationId": "", "Ipv6CidrBlock": six, "Ipv6CidrBlockState": {"State": "associated"},
        "NetworkBorderGroup": "us-east-1", "Ipv6Pool": "Amazon", "Ipv6AddressAttribute": "public",
        "IpSource": "amazon",
    }  # fmt: skip
    assert shown_vpc(ec2, vpc) == dual
    assert routes6(ec2, vpc)[six]["GatewayId"] == "local"
    (acl,) = ec2.describe_network_acls(Filters=by(vpc_id=vpc))["NetworkAcls"]
    assert [(e["RuleNumber"], e.get("Ipv6CidrBlock")) for e in acl["Entries"] if e["Egress"]] == [
        (100, None), (101, "::/0"), (32767, None), (32768, "::/0"),
    ]  # fmt: skip
    (group,) = ec2.describe_security_groups(Filters=by(vpc_id=vpc))["SecurityGroups"]
    assert [r["CidrIpv6"] for p in group["IpPermissionsEgress"] for r in p["Ipv6Ranges"]] == ["::/0"]


def test_a_range_that_comes_later_opens_only_what_nobody_has_changed(ec2, vpc):
    changed = ec2.create_security_group(GroupName="changed", Description="d", VpcId=vpc)["GroupId"]
    plain = ec2.create_security_group(GroupName="plain", Description="d", VpcId=vpc)["GroupId"]
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(GroupId=changed, IpPermissions=everything)

    answer = ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)

    assert answer["VpcId"] == vpc
    added = answer["Ipv6CidrBlockAssociation"]
    assert shown_vpc(ec2, vpc)["Ipv6CidrBlockAssociationSet"] == [added]
    assert list(routes6(ec2, vpc)) == [added["Ipv6CidrBlock"]]
    egress = {
        g["GroupId"]: [r for p in g["IpPermissionsEgress"] for r in p["Ipv6Ranges"]]
        for g in ec2.describe_security_groups(Filters=by(vpc_id=vpc))["SecurityGroups"]
    }
    assert egress[changed] == []
    assert egress[plain] == [{"CidrIpv6": "::/0"}]
    later = ec2.create_security_group(GroupName="later", Description="d", VpcId=vpc)["GroupId"]
    (shown,) = ec2.describe_security_groups(GroupIds=[later])["SecurityGroups"]
    assert [r["CidrIpv6"] for p in shown["IpPermissionsEgress"] for r in p["Ipv6Ranges"]] == ["::/0"]


def test_a_changed_default_acl_stays_as_it_is(ec2, vpc):
    (acl,) = ec2.describe_network_acls(Filters=by(vpc_id=vpc))["NetworkAcls"]
    ec2.delete_network_acl_entry(NetworkAclId=acl["NetworkAclId"], RuleNumber=100, Egress=True)
    ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    (acl,) = ec2.describe_network_acls(Filters=by(vpc_id=vpc))["NetworkAcls"]
    assert [e["RuleNumber"] for e in acl["Entries"] if e["Egress"]] == [32767, 32768]


def test_a_range_goes_when_no_subnet_is_in_it(ec2, dual, six, subnet6):
    (association,) = dual["Ipv6CidrBlockAssociationSet"]
    id = association["AssociationId"]
    assert refusal(ec2.disassociate_vpc_cidr_block, AssociationId=id) == (
        "InvalidCidrBlock.InUse", f"The vpc {dual['VpcId']} currently has a subnet within CIDR block {six}",
    )  # fmt: skip

    (of_subnet,) = shown_subnet(ec2, subnet6)["Ipv6CidrBlockAssociationSet"]
    ec2.disassociate_subnet_cidr_block(AssociationId=of_subnet["AssociationId"])
    gone = ec2.disassociate_vpc_cidr_block(AssociationId=id)["Ipv6CidrBlockAssociation"]

    assert gone["Ipv6CidrBlockState"]["State"] == "disassociating"
    assert "Ipv6CidrBlockAssociationSet" not in shown_vpc(ec2, dual["VpcId"])
    assert routes6(ec2, dual["VpcId"]) == {}


def test_a_vpc_has_five_ranges_at_most_and_no_foreign_border_group(ec2, dual):
    for _ in range(4):
        ec2.associate_vpc_cidr_block(VpcId=dual["VpcId"], AmazonProvidedIpv6CidrBlock=True)
    more = {"VpcId": dual["VpcId"], "AmazonProvidedIpv6CidrBlock": True}
    assert code(ec2.associate_vpc_cidr_block, **more) == "CidrLimitExceeded"
    assert code(ec2.associate_vpc_cidr_block, **more, CidrBlock="10.1.0.0/16") == "InvalidParameterCombination"
    abroad = {"AmazonProvidedIpv6CidrBlock": True, "Ipv6CidrBlockNetworkBorderGroup": "eu-west-1"}
    assert code(ec2.create_vpc, CidrBlock="10.0.0.0/16", **abroad) == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("name", "member"),
    [("ipv6-cidr-block", "Ipv6CidrBlock"), ("association-id", "AssociationId"), ("ipv6-pool", "Ipv6Pool")],
)
@pytest.mark.usefixtures("vpc")
def test_vpcs_are_found_by_their_range(ec2, dual, name, member):
    wanted = dual["Ipv6CidrBlockAssociationSet"][0][member]
    filters = [{"Name": f"ipv6-cidr-block-association.{name}", "Values": [wanted]}]
    assert [v["VpcId"] for v in ec2.describe_vpcs(Filters=filters)["Vpcs"]] == [dual["VpcId"]]


# ---- ranges of subnets


def test_a_subnets_range_comes_and_goes(ec2, six, subnet6):
    (association,) = shown_subnet(ec2, subnet6)["Ipv6CidrBlockAssociationSet"]
    assert (association["Ipv6CidrBlock"], association["Ipv6CidrBlockState"]) == (
        part(six, 1),
        {"State": "associated"},
    )
    filters = [{"Name": "ipv6-cidr-block-association.ipv6-cidr-block", "Values": [part(six, 1)]}]
    assert [s["SubnetId"] for s in ec2.describe_subnets(Filters=filters)["Subnets"]] == [subnet6]

    ec2.disassociate_subnet_cidr_block(AssociationId=association["AssociationId"])
    assert shown_subnet(ec2, subnet6)["Ipv6CidrBlockAssociationSet"] == []
    again = ec2.associate_subnet_cidr_block(SubnetId=subnet6, Ipv6CidrBlock=part(six, 2))
    assert shown_subnet(ec2, subnet6)["Ipv6CidrBlockAssociationSet"] == [again["Ipv6CidrBlockAssociation"]]


def test_a_subnets_range_is_a_part_of_its_vpcs_and_nobody_elses(ec2, dual, six, subnet6):
    vpc = dual["VpcId"]

    def make(cidr):
        return code(ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.2.0/24", Ipv6CidrBlock=cidr)

    assert make(part(six, 1)) == "InvalidSubnet.Conflict"
    assert make("2001:db8:1000:100::/64") == "InvalidSubnet.Range"
    assert make(six.replace("/56", "/62")) == "InvalidSubnet.Range"
    assert make("10.0.9.0/24") == "InvalidParameterValue"
    assert code(ec2.associate_subnet_cidr_block, SubnetId=subnet6, Ipv6CidrBlock=part(six, 3)) == (
        "InvalidSubnet.Conflict"
    )
    assert code(ec2.associate_subnet_cidr_block, SubnetId=subnet6) == "MissingParameter"
    assert code(ec2.disassociate_subnet_cidr_block, AssociationId="subnet-cidr-assoc-0123456789abcdef0") == (
        "InvalidSubnetCidrBlockAssociationID.NotFound"
    )
    assert code(ec2.disassociate_subnet_cidr_block, AssociationId="x") == (
        "InvalidSubnetCidrBlockAssociationId.Malformed"
    )


def test_a_range_in_use_stays(ec2, subnet6):
    (association,) = shown_subnet(ec2, subnet6)["Ipv6CidrBlockAssociationSet"]
    id = association["AssociationId"]
    ec2.modify_subnet_attribute(SubnetId=subnet6, AssignIpv6AddressOnCreation={"Value": True})
    assert refusal(ec2.disassociate_subnet_cidr_block, AssociationId=id) == (
        "InvalidCidrBlock.InUse",
        f"The subnet IPv6 CIDR block with association ID {id} may not be disassociated, because its subnet has "
        "assign-ipv6-address-on-creation set to true.",
    )
    interface(ec2, subnet6)
    ec2.modify_subnet_attribute(SubnetId=subnet6, AssignIpv6AddressOnCreation={"Value": False})
    assert code(ec2.disassociate_subnet_cidr_block, AssociationId=id) == "InvalidCidrBlock.InUse"


def test_only_a_subnet_with_a_range_assigns_addresses(ec2, subnet, subnet6):
    assert refusal(ec2.modify_subnet_attribute, SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True}) == (
        "InvalidParameterValue",
        "Invalid value 'true' for assign-ipv6-address-on-creation. Cannot set assign-ipv6-address-on-creation to "
        f"true unless the subnet ({subnet}) has an IPv6 CIDR block associated with it.",
    )
    ec2.modify_subnet_attribute(SubnetId=subnet6, AssignIpv6AddressOnCreation={"Value": True})
    assert shown_subnet(ec2, subnet6)["AssignIpv6AddressOnCreation"] is True
    assert len(sixes(interface(ec2, subnet6))) == 1
    assert sixes(interface(ec2, subnet6, Ipv6AddressCount=0)) == []


# ---- addresses


def test_an_interface_gets_the_addresses_asked_for(ec2, subnet6):
    one = interface(ec2, subnet6, Ipv6AddressCount=2)
    other = interface(ec2, subnet6, Ipv6Addresses=[{"Ipv6Address": "2001:db8:1000:1::abcd"}])

    assert sixes(one) == ["2001:db8:1000:1::4", "2001:db8:1000:1::5"]
    assert one["Ipv6Address"] == "2001:db8:1000:1::4"
    assert sixes(other) == ["2001:db8:1000:1::abcd"]
    filters = [{"Name": "ipv6-addresses.ipv6-address", "Values": ["2001:db8:1000:1::5"]}]
    (found,) = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert found["NetworkInterfaceId"] == one["NetworkInterfaceId"]


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({"Ipv6Addresses": [{"Ipv6Address": "2001:db8:9::9"}]},
         ("InvalidParameterValue", "Address does not fall within the subnet's address range")),
        ({"Ipv6Addresses": [{"Ipv6Address": "2001:db8:1000:1::3"}]},
         ("InvalidParameterValue", "Address is in subnet's reserved address range")),
        ({"Ipv6Addresses": [{"Ipv6Address": "2001:db8:1000:1:ffff:ffff:ffff:ffff"}]},
         ("InvalidParameterValue", "Address is in subnet's reserved address range")),
        ({"Ipv6Addresses": [{"Ipv6Address": "2001:db8:1000:1::4"}]},
         ("InvalidIPAddress.InUse", "Address 2001:db8:1000:1::4 is in use.")),
        ({"Ipv6Addresses": [{"Ipv6Address": "10.0.1.9"}]},
         ("InvalidParameterValue", "Value (10.0.1.9) for parameter ipv6Address is invalid. Not an IPv6 address.")),
        ({"Ipv6Addresses": [{"Ipv6Address": "2001:db8:1000:1::9"}], "Ipv6AddressCount": 1},
         ("InvalidParameterCombination",
          "The parameter ipv6AddressCount cannot be used with the parameter ipv6Addresses")),
        ({"Ipv6AddressCount": -1},
         ("InvalidParameterValue", "Value (-1) for parameter ipv6AddressCount is invalid.")),
        ({"Ipv6AddressCount": 51}, ("Ipv6AddressLimitExceeded", "Number of IPv6 addresses will exceed limit.")),
    ],
    ids=["outside", "reserved", "the last", "taken", "version 4", "both", "negative", "too many"],
)  # fmt: skip
def test_addresses_that_cannot_be(ec2, subnet6, asked, refused):
    interface(ec2, subnet6, Ipv6AddressCount=1)
    assert refusal(ec2.create_network_interface, SubnetId=subnet6, **asked) == refused


def test_a_subnet_without_a_range_gives_no_address(ec2, subnet):
    assert refusal(ec2.create_network_interface, SubnetId=subnet, Ipv6AddressCount=1) == (
        "InvalidParameterValue", f"The subnet '{subnet}' has no IPv6 CIDR block associated with it.",
    )  # fmt: skip


def test_addresses_are_assigned_and_taken_away(ec2, subnet6):
    id = interface(ec2, subnet6)["NetworkInterfaceId"]

    given = ec2.assign_ipv6_addresses(NetworkInterfaceId=id, Ipv6AddressCount=2)
    chosen = ec2.assign_ipv6_addresses(NetworkInterfaceId=id, Ipv6Addresses=["2001:db8:1000:1::99"])

    assert given["AssignedIpv6Addresses"] == ["2001:db8:1000:1::4", "2001:db8:1000:1::5"]
    assert chosen["AssignedIpv6Addresses"] == ["2001:db8:1000:1::99"]
    gone = ec2.unassign_ipv6_addresses(NetworkInterfaceId=id, Ipv6Addresses=["2001:db8:1000:1::4"])
    assert (gone["NetworkInterfaceId"], gone["UnassignedIpv6Addresses"]) == (id, ["2001:db8:1000:1::4"])
    (shown,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[id])["NetworkInterfaces"]
    assert sixes(shown) == ["2001:db8:1000:1::5", "2001:db8:1000:1::99"]
    assert refusal(ec2.unassign_ipv6_addresses, NetworkInterfaceId=id, Ipv6Addresses=["2001:db8:1000:1::4"]) == (
        "InvalidParameterValue", f"Some of the specified addresses are not assigned to interface {id}",
    )  # fmt: skip
    assert code(ec2.assign_ipv6_addresses, NetworkInterfaceId=id) == "MissingParameter"
    assert code(ec2.assign_ipv6_addresses, NetworkInterfaceId=id, Ipv6AddressCount=60) == "Ipv6AddressLimitExceeded"
    assert code(ec2.unassign_ipv6_addresses, NetworkInterfaceId=id) == "MissingParameter"


def test_instances_have_addresses(ec2, subnet6):
    plain = launch(ec2, SubnetId=subnet6)
    one = launch(ec2, SubnetId=subnet6, Ipv6AddressCount=1)
    own = [{"Ipv6Address": "2001:db8:1000:1::77"}]
    of_interface = [{"DeviceIndex": 0, "SubnetId": subnet6, "Ipv6Addresses": own}]
    two = launch(ec2, NetworkInterfaces=of_interface)

    assert sixes(plain["NetworkInterfaces"][0]) == []
    assert show(ec2, one["InstanceId"])["Ipv6Address"] == "2001:db8:1000:1::4"
    assert sixes(two["NetworkInterfaces"][0]) == ["2001:db8:1000:1::77"]
    for name in ("ipv6-address", "network-interface.ipv6-addresses.ipv6-address"):
        found = ec2.describe_instances(Filters=[{"Name": name, "Values": ["2001:db8:1000:1::77"]}])["Reservations"]
        assert [i["InstanceId"] for r in found for i in r["Instances"]] == [two["InstanceId"]]
    twice = {"SubnetId": subnet6, "Ipv6Addresses": [{"Ipv6Address": "2001:db8:1000:1::78"}], "MaxCount": 2}
    assert code(launch, ec2, **twice) == "InvalidParameterCombination"


# ---- rules, entries, routes, peers


def test_rules_and_entries_name_ranges(ec2, dual, six):
    group = ec2.create_security_group(GroupName="six", Description="d", VpcId=dual["VpcId"])["GroupId"]
    ping = {"IpProtocol": "icmpv6", "FromPort": 128, "ToPort": -1, "Ipv6Ranges": [{"CidrIpv6": six}]}
    (rule,) = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[ping])["SecurityGroupRules"]
    assert (rule["CidrIpv6"], rule["IpProtocol"], rule["FromPort"]) == (six, "icmpv6", 128)
    assert code(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[ping]) == (
        "InvalidPermission.Duplicate"
    )
    acl = ec2.create_network_acl(VpcId=dual["VpcId"])["NetworkAcl"]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "RuleNumber": 7, "RuleAction": "allow", "Egress": False}
    ec2.create_network_acl_entry(**entry, Protocol="58", Ipv6CidrBlock=six, IcmpTypeCode={"Type": -1, "Code": -1})
    (shown,) = ec2.describe_network_acls(Filters=[{"Name": "entry.ipv6-cidr", "Values": [six]}])["NetworkAcls"]
    assert [e for e in shown["Entries"] if e["RuleNumber"] == 7] == [{
        "RuleNumber": 7, "Egress": False, "Protocol": "58", "RuleAction": "allow", "Ipv6CidrBlock": six,
        "IcmpTypeCode": {"Type": -1, "Code": -1},
    }]  # fmt: skip
    assert code(ec2.create_network_acl_entry, **entry, Protocol="58", Ipv6CidrBlock=six) == "MissingParameter"
    assert code(ec2.create_network_acl_entry, **entry, Protocol="-1", Ipv6CidrBlock="six") == "InvalidParameterValue"


def test_peers_show_their_ranges(ec2, dual):
    asked = ec2.create_vpc_peering_connection(
        VpcId=dual["VpcId"], PeerVpcId=ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    )["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=asked)
    (shown,) = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[asked])["VpcPeeringConnections"]
    assert shown["RequesterVpcInfo"]["Ipv6CidrBlockSet"] == [{"Ipv6CidrBlock": "2001:db8:1000::/56"}]
    assert shown["AccepterVpcInfo"].get("Ipv6CidrBlockSet", []) == []
