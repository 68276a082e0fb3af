"""DHCP options through boto3."""

import pytest

from atoll.control.guests import guests
from tests.api.machines import launch
from tests.api.paper import by, code, ids, refusal, tagging

GONE = "dopt-0123456789abcdef0"


def create(ec2, **options):
    configurations = [{"Key": k.replace("_", "-"), "Values": v} for k, v in options.items()]
    return ec2.create_dhcp_options(DhcpConfigurations=configurations)["DhcpOptions"]


def test_the_default_set_names_the_resolver_and_the_domain_of_the_region(ec2, abroad):
    for client, domain in ((ec2, "ec2.internal"), (abroad, "eu-west-1.compute.internal")):
        (default,) = client.describe_dhcp_options()["DhcpOptions"]

        assert default["DhcpConfigurations"] == [
            {"Key": "domain-name", "Values": [{"Value": domain}]},
            {"Key": "domain-name-servers", "Values": [{"Value": "AmazonProvidedDNS"}]},
        ]


def test_a_new_set_shows_what_was_asked_for(ec2):
    made = ec2.create_dhcp_options(
        DhcpConfigurations=[
            {"Key": "domain-name", "Values": ["example.com"]},
            {"Key": "domain-name-servers", "Values": ["10.2.5.1", "10.2.5.2"]},
            {"Key": "ntp-servers", "Values": ["169.254.169.123"]},
            {"Key": "netbios-node-type", "Values": ["2"]},
        ],
        TagSpecifications=tagging("dhcp-options", Name="mine"),
    )["DhcpOptions"]

    assert ec2.describe_dhcp_options(DhcpOptionsIds=[made["DhcpOptionsId"]])["DhcpOptions"] == [made]
    assert [c["Key"] for c in made["DhcpConfigurations"]] == [
        "domain-name", "domain-name-servers", "ntp-servers", "netbios-node-type",
    ]  # fmt: skip
    assert made["DhcpConfigurations"][1]["Values"] == [{"Value": "10.2.5.1"}, {"Value": "10.2.5.2"}]
    assert made["Tags"] == [{"Key": "Name", "Value": "mine"}]


@pytest.mark.parametrize(
    "options",
    [
        {"colour": ["blue"]},
        {"domain_name_servers": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]},
        {"domain_name_servers": ["ns.example.com"]},
        {"netbios_node_type": ["3"]},
        {"ntp_servers": ["yesterday"]},
        {"netbios_name_servers": ["2001:db8::53"]},
    ],
    ids=["unknown", "five servers", "a name", "no node type", "no address", "an IPv6 address for NetBIOS"],
)
def test_an_option_that_is_none_is_refused(ec2, options):
    assert code(create, ec2, **options) == "InvalidParameterValue"


def test_a_vpc_takes_a_set_or_none(ec2, vpc):
    options = create(ec2, domain_name=["example.com"])["DhcpOptionsId"]

    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"] == options
    assert ids(ec2.describe_vpcs(Filters=by(dhcp_options_id=options))["Vpcs"], "VpcId") == [vpc]

    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc)
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"] == "default"


def test_servers_may_have_ipv6_addresses_and_instances_ask_them(paper, ec2, subnet, vpc):
    options = create(ec2, domain_name_servers=["2001:db8::53", "AmazonProvidedDNS"], ntp_servers=["fd00:ec2::123"])
    ec2.associate_dhcp_options(DhcpOptionsId=options["DhcpOptionsId"], VpcId=vpc)
    launch(ec2, SubnetId=subnet)
    (guest,) = guests(paper.world).values()
    assert list(map(str, guest.resolvers)) == ["2001:db8::53", "10.0.0.2", "169.254.169.253"]


def test_a_set_in_use_stays(ec2, vpc):
    options = create(ec2, domain_name=["example.com"])["DhcpOptionsId"]
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)

    assert refusal(ec2.delete_dhcp_options, DhcpOptionsId=options) == (
        "DependencyViolation",
        f"The dhcpOptions '{options}' has dependencies and cannot be deleted.",
    )

    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc)
    ec2.delete_dhcp_options(DhcpOptionsId=options)
    assert code(ec2.describe_dhcp_options, DhcpOptionsIds=[options]) == "InvalidDhcpOptionID.NotFound"


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (by(key="ntp-servers"), 1),
        (by(value="10.2.*"), 1),
        (by(key="domain-name"), 2),
        (by(value="AmazonProvidedDNS"), 1),
        (by(owner_id="nobody"), 0),
    ],
    ids=str,
)
def test_filters(ec2, filters, count):
    create(ec2, domain_name=["example.com"], ntp_servers=["10.2.5.1"])

    assert len(ec2.describe_dhcp_options(Filters=filters)["DhcpOptions"]) == count


def test_ids_that_name_none(ec2, vpc):
    refused = "InvalidDhcpOptionID.NotFound", f"The dhcpOption ID '{GONE}' does not exist"
    assert refusal(ec2.describe_dhcp_options, DhcpOptionsIds=[GONE]) == refused
    assert refusal(ec2.delete_dhcp_options, DhcpOptionsId=GONE) == refused
    assert refusal(ec2.associate_dhcp_options, DhcpOptionsId=GONE, VpcId=vpc) == refused
    assert code(ec2.delete_dhcp_options, DhcpOptionsId="mine") == "InvalidDhcpOptionsId.Malformed"


def test_nobody_else_sees_a_set(ec2, stranger):
    options = create(ec2, domain_name=["example.com"])["DhcpOptionsId"]

    assert code(stranger.describe_dhcp_options, DhcpOptionsIds=[options]) == "InvalidDhcpOptionID.NotFound"


def test_the_default_set_is_made_anew_for_the_next_vpc(ec2):
    (default,) = ec2.describe_dhcp_options()["DhcpOptions"]
    for v in ec2.describe_vpcs()["Vpcs"]:
        ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=v["VpcId"])
    ec2.delete_dhcp_options(DhcpOptionsId=default["DhcpOptionsId"])

    made = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["DhcpOptionsId"]

    assert made != default["DhcpOptionsId"]
    assert ids(ec2.describe_dhcp_options()["DhcpOptions"], "DhcpOptionsId") == [made]
