"""Network Insights: paths, and analyses that say in AWS's words what is reachable, and what is in the way."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.paper import by, code, ids, refusal, tagging

OPEN = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@pytest.fixture
def image(ec2):
    return ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]


@pytest.fixture
def launch(paper, ec2, image):
    """Launch an instance, and let it boot; returns its id."""

    def launch(subnet, *groups, **more):
        call = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet}
        if groups:
            call["SecurityGroupIds"] = list(groups)
        made = ec2.run_instances(**call, **more)["Instances"][0]["InstanceId"]
        paper.settle()
        return made

    return launch


@pytest.fixture
def group(ec2, vpc):
    """Make a security group with rules that let in."""

    def group(name, *rules):
        made = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for rule in rules:
            ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[rule])
        return made

    return group


def tcp(port, cidr):
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}


@pytest.fixture
def other_subnet(ec2, vpc):
    return ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24")["Subnet"]["SubnetId"]


@pytest.fixture
def gateway(ec2, vpc):
    """An internet gateway that the VPC's main table leads to."""
    made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc)
    (table,) = ec2.describe_route_tables(Filters=by(vpc_id=vpc))["RouteTables"]
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=made)
    return made


@pytest.fixture
def ask(paper, ec2):
    """Analyse a path; returns the analysis when it is done."""

    def ask(source, destination=None, port=None, **more):
        call = {"Source": source, "Protocol": "tcp", **more}
        if destination:
            call["Destination"] = destination
        if port:
            call["DestinationPort"] = port
        path = ec2.create_network_insights_path(**call)["NetworkInsightsPath"]["NetworkInsightsPathId"]
        started = ec2.start_network_insights_analysis(NetworkInsightsPathId=path)["NetworkInsightsAnalysis"]
        paper.settle()
        id = started["NetworkInsightsAnalysisId"]
        (done,) = ec2.describe_network_insights_analyses(NetworkInsightsAnalysisIds=[id])["NetworkInsightsAnalyses"]
        return done

    return ask


def codes(analysis):
    return [e["ExplanationCode"] for e in analysis.get("Explanations", [])]


def components(analysis, way="Forward"):
    return [c["Component"]["Id"].rpartition("-")[0] for c in analysis[f"{way}PathComponents"]]


# ---- paths


def test_a_path_is_made_and_described(ec2, vpc, subnet, launch):
    del vpc
    one, two = launch(subnet), launch(subnet)
    made = ec2.create_network_insights_path(
        Source=one, Destination=two, Protocol="tcp", DestinationPort=22,
        TagSpecifications=tagging("network-insights-path", Name="mine"),
    )["NetworkInsightsPath"]  # fmt: skip

    assert made["NetworkInsightsPathId"].startswith("nip-0")
    assert made["NetworkInsightsPathArn"].endswith(f":network-insights-path/{made['NetworkInsightsPathId']}")
    assert (made["Source"], made["Destination"], made["Protocol"], made["DestinationPort"]) == (one, two, "tcp", 22)
    assert made["SourceArn"].endswith(f":instance/{one}")
    assert made["Tags"] == [{"Key": "Name", "Value": "mine"}]
    assert ec2.describe_network_insights_paths()["NetworkInsightsPaths"] == [made]


def test_an_arn_names_an_end_too(ec2, subnet, launch):
    one, two = launch(subnet), launch(subnet)
    arn = f"arn:aws:ec2:us-east-1:000000000000:instance/{one}"
    made = ec2.create_network_insights_path(Source=arn, Destination=two, Protocol="udp")["NetworkInsightsPath"]
    assert made["Source"] == one


def test_paths_are_filtered_paged_and_tagged(ec2, subnet, launch):
    one, two = launch(subnet), launch(subnet)
    for source, destination, protocol in ((one, two, "tcp"), (two, one, "udp")):
        ec2.create_network_insights_path(Source=source, Destination=destination, Protocol=protocol)

    def found(**filters):
        return len(ec2.describe_network_insights_paths(Filters=by(**filters))["NetworkInsightsPaths"])

    assert (found(source=one), found(destination=one), found(protocol="udp"), found(protocol="icmp")) == (1, 1, 1, 0)
    page = ec2.describe_network_insights_paths(MaxResults=1)
    rest = ec2.describe_network_insights_paths(MaxResults=1, NextToken=page["NextToken"])
    assert "NextToken" not in rest
    (id,) = ids(rest["NetworkInsightsPaths"], "NetworkInsightsPathId")
    ec2.create_tags(Resources=[id], Tags=[{"Key": "k", "Value": "v"}])
    tagged = ec2.describe_network_insights_paths(Filters=[{"Name": "tag:k", "Values": ["v"]}])["NetworkInsightsPaths"]
    assert ids(tagged, "NetworkInsightsPathId") == [id]
    assert code(ec2.describe_network_insights_paths, Filters=by(moon="x")) == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"Source": "i-0123456789abcdef0"}, ("InvalidInstanceID.NotFound", "does not exist")),
        ({"Source": "i-nonsense"}, ("InvalidInstanceID.Malformed", "i-nonsense")),
        ({"Destination": "eni-0123456789abcdef0"}, ("InvalidNetworkInterfaceID.NotFound", "does not exist")),
        ({"Destination": "igw-0123456789abcdef0"}, ("InvalidInternetGatewayID.NotFound", "does not exist")),
        ({"Destination": "pcx-0123456789abcdef0"}, ("InvalidVpcPeeringConnectionID.NotFound", "does not exist")),
        ({"Destination": "tgw-0123456789abcdef0"}, ("UnsupportedOperation", "tgw-0123456789abcdef0")),
        ({"Destination": "moon"}, ("InvalidID", "moon")),
        ({"Destination": None}, ("MissingParameter", "Destination")),
        ({"Protocol": "icmp"}, ("InvalidParameterValue", "Valid values: tcp, udp")),
        ({"DestinationPort": 65536}, ("InvalidParameterValue", "65535")),
        ({"DestinationIp": "10.0.0"}, ("InvalidParameterValue", "DestinationIp")),
        ({"FilterAtSource": {"SourceAddress": "10.0.0.1"}}, ("UnsupportedOperation", "FilterAtSource")),
    ],
)
def test_a_path_that_cannot_be_is_refused(ec2, subnet, launch, change, expected):
    one = launch(subnet)
    call = {"Source": one, "Destination": one, "Protocol": "tcp"} | change
    found = refusal(ec2.create_network_insights_path, **{k: v for k, v in call.items() if v is not None})
    assert found[0] == expected[0]
    assert expected[1] in found[1]


def test_another_accounts_paths_are_not_there(ec2, stranger, subnet, launch):
    one = launch(subnet)
    id = ec2.create_network_insights_path(Source=one, Destination=one, Protocol="tcp")["NetworkInsightsPath"][
        "NetworkInsightsPathId"
    ]
    assert stranger.describe_network_insights_paths()["NetworkInsightsPaths"] == []
    expected = "InvalidNetworkInsightsPathId.NotFound"
    assert code(stranger.start_network_insights_analysis, NetworkInsightsPathId=id) == expected
    assert code(stranger.delete_network_insights_path, NetworkInsightsPathId=id) == expected


def test_a_path_with_analyses_is_kept(ec2, subnet, launch, ask):
    one, two = launch(subnet), launch(subnet)
    done = ask(one, two)
    path, analysis = done["NetworkInsightsPathId"], done["NetworkInsightsAnalysisId"]
    assert refusal(ec2.delete_network_insights_path, NetworkInsightsPathId=path) == (
        "AnalysisExistsForNetworkInsightsPath", f"There are existing analyses for the path {path}.",
    )  # fmt: skip
    deleted = ec2.delete_network_insights_analysis(NetworkInsightsAnalysisId=analysis)
    assert deleted["NetworkInsightsAnalysisId"] == analysis
    assert ec2.delete_network_insights_path(NetworkInsightsPathId=path)["NetworkInsightsPathId"] == path
    missing = "InvalidNetworkInsightsAnalysisId.NotFound"
    assert code(ec2.delete_network_insights_analysis, NetworkInsightsAnalysisId=analysis) == missing
    assert (
        code(ec2.delete_network_insights_path, NetworkInsightsPathId=path) == "InvalidNetworkInsightsPathId.NotFound"
    )


# ---- analyses


def test_an_analysis_runs_and_then_says_what_it_found(paper, ec2, subnet, launch):
    one, two = launch(subnet), launch(subnet)
    path = ec2.create_network_insights_path(Source=one, Destination=two, Protocol="tcp", DestinationPort=22)
    id = path["NetworkInsightsPath"]["NetworkInsightsPathId"]
    started = ec2.start_network_insights_analysis(
        NetworkInsightsPathId=id, TagSpecifications=tagging("network-insights-analysis", k="v")
    )["NetworkInsightsAnalysis"]
    assert started["Status"] == "running"
    assert "NetworkPathFound" not in started
    paper.settle()
    (done,) = ec2.describe_network_insights_analyses(NetworkInsightsPathId=id)["NetworkInsightsAnalyses"]
    assert (done["Status"], done["NetworkPathFound"]) == ("succeeded", True)
    assert done["Tags"] == [{"Key": "k", "Value": "v"}]


def test_the_answer_is_that_of_the_moment_it_was_asked(paper, ec2, vpc, subnet, launch):
    one, two = launch(subnet), launch(subnet)
    path = ec2.create_network_insights_path(Source=one, Destination=two, Protocol="tcp", DestinationPort=22)
    id = path["NetworkInsightsPath"]["NetworkInsightsPathId"]
    ec2.start_network_insights_analysis(NetworkInsightsPathId=id)
    default = ec2.describe_security_groups(Filters=by(vpc_id=vpc))["SecurityGroups"][0]
    ec2.revoke_security_group_ingress(GroupId=default["GroupId"], IpPermissions=default["IpPermissions"])
    paper.settle()
    (done,) = ec2.describe_network_insights_analyses(NetworkInsightsPathId=id)["NetworkInsightsAnalyses"]
    assert done["NetworkPathFound"] is True


def test_the_way_is_shown_component_by_component(subnet, other_subnet, launch, group, ask):
    asker, asked = group("asker"), group("asked", tcp(6379, "10.0.1.0/24"))
    one, two = launch(subnet, asker), launch(other_subnet, asked)
    done = ask(one, two, 6379)

    assert components(done) == ["i", "eni", "sg", "acl", "rtb", "acl", "sg", "eni", "i"]
    assert components(done, "Return") == ["i", "eni", "sg", "acl", "rtb", "acl", "sg", "eni", "i"]
    numbers = [c["SequenceNumber"] for c in done["ForwardPathComponents"]]
    assert numbers == list(range(1, 10))
    first, eni, out, acl, table, _, into, *_ = done["ForwardPathComponents"]
    assert first["OutboundHeader"] == {
        "DestinationAddresses": ["10.0.2.4/32"], "DestinationPortRanges": [{"From": 6379, "To": 6379}],
        "Protocol": "6", "SourceAddresses": ["10.0.1.4/32"], "SourcePortRanges": [{"From": 40000, "To": 40000}],
    }  # fmt: skip
    assert eni["AttachedTo"]["Id"] == one
    assert eni["Subnet"]["Id"] == subnet
    assert out["SecurityGroupRule"] == {"Cidr": "0.0.0.0/0", "Direction": "egress", "Protocol": "all"}
    assert acl["AclRule"] == {
        "Cidr": "0.0.0.0/0", "Egress": True, "Protocol": "all", "RuleAction": "allow", "RuleNumber": 100,
    }  # fmt: skip
    assert table["RouteTableRoute"] == {
        "DestinationCidr": "10.0.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active",
    }  # fmt: skip
    assert into["SecurityGroupRule"] == {
        "Cidr": "10.0.1.0/24", "Direction": "ingress", "PortRange": {"From": 6379, "To": 6379}, "Protocol": "tcp",
    }  # fmt: skip
    assert into["Component"]["Arn"].endswith(f":security-group/{asked}")


def test_a_group_in_the_way_is_named_with_its_place(vpc, subnet, launch, group, ask):
    closed = group("closed")
    one, two = launch(subnet), launch(subnet, closed)
    done = ask(one, two, 22)
    (found,) = done["Explanations"]
    assert done["NetworkPathFound"] is False
    assert (found["ExplanationCode"], found["Direction"]) == ("SG_HAS_NO_RULES", "ingress")
    assert [g["Id"] for g in found["SecurityGroups"]] == [closed]
    assert (found["Subnet"]["Id"], found["Vpc"]["Id"]) == (subnet, vpc)
    refusing = [c for c in done["ForwardPathComponents"] if c.get("Explanations")]
    assert [c["Component"]["Id"] for c in refusing] == [closed]


def test_everything_in_the_way_is_explained(ec2, vpc, subnet, other_subnet, launch, group, ask):
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    (own,) = ec2.describe_network_acls(Filters=by(association__subnet_id=other_subnet))["NetworkAcls"]
    (old,) = [a for a in own["Associations"] if a["SubnetId"] == other_subnet]
    ec2.replace_network_acl_association(AssociationId=old["NetworkAclAssociationId"], NetworkAclId=acl)
    one, two = launch(subnet), launch(other_subnet, group("some", tcp(22, "10.9.0.0/16")))
    done = ask(one, two, 22)
    assert codes(done) == ["SUBNET_ACL_RESTRICTION", "ENI_SG_RULES_MISMATCH", "SUBNET_ACL_RESTRICTION"]
    into, _, back = done["Explanations"]
    assert into["AclRule"] == {
        "Cidr": "0.0.0.0/0", "Egress": False, "Protocol": "all", "RuleAction": "deny", "RuleNumber": 32767,
    }  # fmt: skip
    assert (into["Acl"]["Id"], into["Subnet"]["Id"], back["Direction"]) == (acl, other_subnet, "egress")


def test_from_the_internet_any_client_and_any_port_will_do(ec2, gateway, subnet, launch, group, ask):
    one = launch(subnet, group("ssh", tcp(22, "198.51.100.27/32")))
    allocation = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=allocation["AllocationId"], InstanceId=one)

    some = ask(gateway, one)
    strange = ask(gateway, one, 22, SourceIp="198.51.100.28")

    assert some["NetworkPathFound"] is True
    first, *_ = some["ForwardPathComponents"]
    assert first["Component"]["Id"] == gateway
    assert first["InboundHeader"]["SourceAddresses"] == ["198.51.100.27/32"]
    assert components(some) == ["igw", "acl", "sg", "eni", "i"]
    assert codes(strange) == ["ENI_SG_RULES_MISMATCH"]


@pytest.mark.parametrize("missing", ["address", "route", "gateway", "group", "acl"])
def test_each_condition_of_the_internet_is_named_when_it_is_missing(
    ec2, vpc, gateway, subnet, launch, group, ask, missing
):
    one = launch(subnet, group("web", *([] if missing == "group" else [tcp(80, "0.0.0.0/0")])))
    (table,) = ec2.describe_route_tables(Filters=by(vpc_id=vpc))["RouteTables"]
    if missing != "address":
        allocation = ec2.allocate_address(Domain="vpc")
        associated = ec2.associate_address(AllocationId=allocation["AllocationId"], InstanceId=one)
    if missing == "route":
        ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    if missing == "gateway":
        ec2.disassociate_address(AssociationId=associated["AssociationId"])
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    if missing == "acl":
        (acl,) = ec2.describe_network_acls(Filters=by(vpc_id=vpc))["NetworkAcls"]
        ec2.create_network_acl_entry(
            NetworkAclId=acl["NetworkAclId"], RuleNumber=1, Protocol="-1", RuleAction="deny", Egress=False,
            CidrBlock="0.0.0.0/0",
        )  # fmt: skip
    done = ask(gateway, one, 80)
    out = ask(one, gateway, 443)
    expected = {
        "address": "IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS", "route": "NO_ROUTE_TO_DESTINATION",
        "gateway": "IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS", "group": "SG_HAS_NO_RULES",
        "acl": "SUBNET_ACL_RESTRICTION",
    }  # fmt: skip
    assert codes(done)[0] == expected[missing]
    leaving = {
        "address": ["IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"], "route": ["NO_ROUTE_TO_DESTINATION"],
        "gateway": ["BAD_STATE_ROUTE"], "group": [], "acl": [],
    }  # fmt: skip
    assert codes(out) == leaving[missing]


def test_an_address_outside_is_a_destination(gateway, ec2, subnet, launch, ask):
    one = launch(subnet)
    allocation = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=allocation["AllocationId"], InstanceId=one)
    done = ask(one, None, 443, DestinationIp="8.8.8.8")
    assert done["NetworkPathFound"] is True
    (out,) = [c for c in done["ForwardPathComponents"] if c["Component"]["Id"] == gateway]
    assert out["OutboundHeader"]["SourceAddresses"] == [f"{allocation['PublicIp']}/32"]


def test_a_peering_is_an_end(paper, ec2, peered, near, far, image, ask):
    def machine(vpc, cidr):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]
        made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet)
        paper.settle()
        return made["Instances"][0]["InstanceId"]

    one, _ = machine(near, "10.0.1.0/24"), machine(far, "10.1.1.0/24")
    before = ask(one, peered, 22)
    (table,) = ec2.describe_route_tables(Filters=by(vpc_id=near))["RouteTables"]
    ec2.create_route(
        RouteTableId=table["RouteTableId"], DestinationCidrBlock="10.1.0.0/16", VpcPeeringConnectionId=peered
    )
    after = ask(one, peered, 22)

    assert codes(before) == ["NO_ROUTE_TO_DESTINATION"]
    assert after["NetworkPathFound"] is True
    assert components(after)[-1] == "pcx"


def test_an_interface_endpoint_is_a_destination(paper, ec2, vpc, subnet, launch, group, ask):
    closed, opened = group("closed"), group("https", tcp(443, "10.0.0.0/8"))
    made = ec2.create_vpc_endpoint(
        VpcId=vpc, VpcEndpointType="Interface", ServiceName="com.amazonaws.us-east-1.ec2", SubnetIds=[subnet],
        SecurityGroupIds=[closed], PrivateDnsEnabled=False,
    )["VpcEndpoint"]["VpcEndpointId"]  # fmt: skip
    paper.settle()
    one = launch(subnet)
    before = ask(one, made, 443)
    ec2.modify_vpc_endpoint(VpcEndpointId=made, AddSecurityGroupIds=[opened], RemoveSecurityGroupIds=[closed])
    after = ask(one, made, 443)
    assert codes(before) == ["SG_HAS_NO_RULES"]
    assert after["NetworkPathFound"] is True
    assert components(after)[-1] == "eni"
    assert (
        code(ec2.create_network_insights_path, Source=made, Destination=one, Protocol="tcp") == "UnsupportedOperation"
    )


def test_a_terminated_end_is_in_a_bad_state(paper, ec2, subnet, launch, ask):
    one, two = launch(subnet), launch(subnet)
    ec2.terminate_instances(InstanceIds=[two])
    paper.settle()
    (found,) = ask(one, two)["Explanations"]
    assert (found["ExplanationCode"], found["Component"]["Id"], found["State"]) == ("BAD_STATE", two, "terminated")


def test_an_end_that_has_gone_makes_an_analysis_fail(paper, ec2, subnet, launch):
    one = launch(subnet)
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    path = ec2.create_network_insights_path(Source=one, Destination=eni, Protocol="tcp")["NetworkInsightsPath"]
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    ec2.start_network_insights_analysis(NetworkInsightsPathId=path["NetworkInsightsPathId"])
    paper.settle()
    (done,) = ec2.describe_network_insights_analyses()["NetworkInsightsAnalyses"]
    assert (done["Status"], done["StatusMessage"]) == ("failed", f"The resource {eni} does not exist")


def test_analyses_are_filtered_by_path_status_finding_and_time(ec2, subnet, launch, group, ask):
    one, two, three = launch(subnet), launch(subnet), launch(subnet, group("closed"))
    good, bad = ask(one, two, 22), ask(one, three, 22)

    def found(**call):
        return ids(
            ec2.describe_network_insights_analyses(**call)["NetworkInsightsAnalyses"], "NetworkInsightsAnalysisId"
        )

    assert found(Filters=by(path_found="true")) == [good["NetworkInsightsAnalysisId"]]
    assert found(Filters=by(path_found="false")) == [bad["NetworkInsightsAnalysisId"]]
    assert len(found(Filters=by(status="succeeded"))) == 2
    assert found(NetworkInsightsPathId=bad["NetworkInsightsPathId"]) == [bad["NetworkInsightsAnalysisId"]]
    assert found(AnalysisStartTime=datetime.now(UTC) + timedelta(days=9)) == []
    assert len(found(AnalysisEndTime=datetime.now(UTC) + timedelta(days=9))) == 2
    assert len(found(MaxResults=1)) == 1
    assert code(ec2.describe_network_insights_analyses, NetworkInsightsPathId="nip-0123456789abcdef0") == (
        "InvalidNetworkInsightsPathId.NotFound"
    )


@pytest.mark.parametrize("name", ["AdditionalAccounts", "FilterInArns", "FilterOutArns"])
def test_what_an_analysis_cannot_do_is_refused_by_name(ec2, subnet, launch, name):
    one = launch(subnet)
    path = ec2.create_network_insights_path(Source=one, Destination=one, Protocol="tcp")["NetworkInsightsPath"]
    found = refusal(
        ec2.start_network_insights_analysis, NetworkInsightsPathId=path["NetworkInsightsPathId"], **{name: ["x"]}
    )
    assert found[0] == "UnsupportedOperation"
    assert name.removesuffix("s") in found[1]


def test_a_gateways_own_table_and_its_route_are_on_the_way_in(ec2, vpc, subnet, other_subnet, gateway, launch, ask):
    box, web = launch(other_subnet), launch(subnet)
    for instance in (box, web):
        allocation = ec2.allocate_address()["AllocationId"]
        ec2.associate_address(AllocationId=allocation, InstanceId=instance)
    ec2.modify_instance_attribute(InstanceId=box, SourceDestCheck={"Value": False})
    default = ec2.describe_security_groups(Filters=by(vpc_id=vpc))["SecurityGroups"][0]["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=default, IpPermissions=[OPEN])
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.0.1.0/24", InstanceId=box)
    ec2.associate_route_table(RouteTableId=table, GatewayId=gateway)
    done = ask(gateway, web, port=443)
    (hop,) = [c for c in done["ForwardPathComponents"] if c["Component"]["Id"] == table]
    assert hop["RouteTableRoute"]["DestinationCidr"] == "10.0.1.0/24"
    assert hop["RouteTableRoute"]["InstanceId"] == box
