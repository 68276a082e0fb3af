"""The resources of a VPC: which argument of Terraform is which parameter of EC2."""

from collections.abc import Iterator
from typing import Any

from atoll.recipe.hcl import Comment, Item
from atoll.recipe.terraform_rows import (
    TAGGED,
    Change,
    Many,
    Parameters,
    Row,
    Table,
    Target,
    absent,
    attribute,
    block,
    flat,
    same,
    table,
)

DHCP = {"domain-name": "domain_name", "domain-name-servers": "domain_name_servers", "ntp-servers": "ntp_servers",
    "netbios-name-servers": "netbios_name_servers", "netbios-node-type": "netbios_node_type",
    "ipv6-address-preferred-lease-time": "ipv6_address_preferred_lease_time"}  # fmt: skip
DHCP_SINGLE = ("domain-name", "netbios-node-type", "ipv6-address-preferred-lease-time")
FLOW_SUBJECTS = {"VPC": "vpc_id", "Subnet": "subnet_id", "NetworkInterface": "eni_id"}
NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp"}


def _dhcp(configurations: Any) -> list[Item]:
    found: list[Item] = []
    for one in configurations:
        key, values = one.get("Key", ""), list(one.get("Values", []))
        if key in DHCP:
            found.append((DHCP[key], values[0] if key in DHCP_SINGLE and values else values))
        else:
            found.append(Comment(f"not here: Terraform has no argument for {key}"))
    return found


def _rules(parameters: Parameters) -> list[dict[str, Any]]:
    """Return a call for each source of each permission: that is a rule."""
    tags = {k: v for k, v in parameters.items() if k == "TagSpecifications"}
    return [{"GroupId": parameters.get("GroupId", ""), **rule, **tags} for rule in _each(parameters)]


def _each(parameters: Parameters) -> Iterator[dict[str, Any]]:
    sources = (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("PrefixListIds", "PrefixListId"),
        ("UserIdGroupPairs", "GroupId"))  # fmt: skip
    for permission in parameters.get("IpPermissions", []):
        ports = {k: permission[k] for k in ("FromPort", "ToPort") if k in permission}
        for name, key in sources:
            for source in permission.get(name, []):
                said = {"Description": source["Description"]} if source.get("Description") else {}
                protocol = permission.get("IpProtocol", "-1")
                yield {"Source" + key: source.get(key), "IpProtocol": protocol, **ports, **said}
    if "CidrIp" in parameters:
        names = ("IpProtocol", "FromPort", "ToPort")
        yield {"SourceCidrIp": parameters["CidrIp"], **{k: parameters[k] for k in names if k in parameters}}


def _rule(way: str) -> Many:
    members: dict[str, Target] = {
        "GroupId": "security_group_id", "SourceCidrIp": "cidr_ipv4", "SourceCidrIpv6": "cidr_ipv6",
        "SourcePrefixListId": "prefix_list_id", "SourceGroupId": "referenced_security_group_id",
        **same("IpProtocol FromPort ToPort Description"), **TAGGED,
    }  # fmt: skip
    return Many(Row(f"aws_vpc_security_group_{way}_rule", members), _rules)


def _flow_logs(parameters: Parameters) -> list[dict[str, Any]]:
    subject = FLOW_SUBJECTS.get(str(parameters.get("ResourceType")), "vpc_id")
    rest = {k: v for k, v in parameters.items() if k not in ("ResourceIds", "ResourceType")}
    return [{f"Subject {subject}": id, **rest} for id in parameters.get("ResourceIds", [])]


def _tags(parameters: Parameters) -> list[dict[str, Any]]:
    return [
        {"ResourceId": id, "Key": tag.get("Key", ""), "Value": tag.get("Value", "")}
        for id in parameters.get("Resources", [])
        for tag in parameters.get("Tags", [])
    ]


def _addresses(value: Any) -> list[Item]:
    return [("private_ips", [one.get("PrivateIpAddress", "") for one in value])]


def _principals(parameters: Parameters) -> list[dict[str, Any]]:
    added = parameters.get("AddAllowedPrincipals", [])
    return [{"ServiceId": parameters.get("ServiceId", ""), "Principal": principal} for principal in added]


def _connections(parameters: Parameters) -> list[dict[str, Any]]:
    service = parameters.get("ServiceId", "")
    return [{"ServiceId": service, "VpcEndpointId": id} for id in parameters.get("VpcEndpointIds", [])]


_PEER: dict[str, Target] = {"AllowDnsResolutionFromRemoteVpc": "allow_remote_vpc_dns_resolution"}
_PEERING: dict[str, Target] = {"RequesterPeeringConnectionOptions": block("requester", _PEER),
    "AccepterPeeringConnectionOptions": block("accepter", _PEER)}  # fmt: skip
_SUBNET_V6 = "AssignIpv6AddressOnCreation EnableDns64 EnableResourceNameDnsARecordOnLaunch " \
    "EnableResourceNameDnsAAAARecordOnLaunch MapPublicIpOnLaunch MapCustomerOwnedIpOnLaunch"  # fmt: skip

EC2: Table = table("ec2", {
    "CreateVpc": Row("aws_vpc", {
        **same("CidrBlock InstanceTenancy Ipv6CidrBlockNetworkBorderGroup"), **TAGGED,
        "AmazonProvidedIpv6CidrBlock": "assign_generated_ipv6_cidr_block"}),
    "CreateDefaultVpc": Row("aws_default_vpc", {**TAGGED}),
    "ModifyVpcAttribute": Change("aws_vpc", "VpcId", {
        "EnableDnsSupport": attribute("enable_dns_support"), "EnableDnsHostnames": attribute("enable_dns_hostnames"),
        "EnableNetworkAddressUsageMetrics": attribute("enable_network_address_usage_metrics")}),
    "AssociateVpcCidrBlock": Row("aws_vpc_ipv4_cidr_block_association", {
        **same("VpcId CidrBlock"), **absent("AmazonProvidedIpv6CidrBlock Ipv6CidrBlockNetworkBorderGroup")}),
    "CreateSubnet": Row("aws_subnet", {
        **same("VpcId CidrBlock Ipv6CidrBlock AvailabilityZone AvailabilityZoneId"), **TAGGED}),
    "CreateDefaultSubnet": Row("aws_default_subnet", {
        **same("AvailabilityZone Ipv6Native"), **absent("AvailabilityZoneId"), **TAGGED}),
    "ModifySubnetAttribute": Change("aws_subnet", "SubnetId", {
        **{m: attribute(str(t)) for m, t in same(_SUBNET_V6).items()},
        "PrivateDnsHostnameTypeOnLaunch": "private_dns_hostname_type_on_launch"}),
    "AssociateSubnetCidrBlock": Change("aws_subnet", "SubnetId", same("Ipv6CidrBlock")),
    "CreateInternetGateway": Row("aws_internet_gateway", {**TAGGED}),
    "AttachInternetGateway": Row("aws_internet_gateway_attachment", same("InternetGatewayId VpcId")),
    "CreateEgressOnlyInternetGateway": Row("aws_egress_only_internet_gateway", {**same("VpcId"), **TAGGED}),
    "CreateRouteTable": Row("aws_route_table", {**same("VpcId"), **TAGGED}),
    "CreateRoute": Row("aws_route", {
        **same("RouteTableId DestinationCidrBlock DestinationIpv6CidrBlock DestinationPrefixListId GatewayId "
            "NatGatewayId NetworkInterfaceId VpcPeeringConnectionId VpcEndpointId TransitGatewayId"),
        "EgressOnlyInternetGatewayId": "egress_only_gateway_id", **absent("InstanceId")}),
    "AssociateRouteTable": Row("aws_route_table_association", same("RouteTableId SubnetId GatewayId")),
    "CreateSecurityGroup": Row("aws_security_group", {
        "GroupName": "name", **same("Description VpcId"), **TAGGED}, "GroupName"),
    "AuthorizeSecurityGroupIngress": _rule("ingress"),
    "AuthorizeSecurityGroupEgress": _rule("egress"),
    "CreateNetworkAcl": Row("aws_network_acl", {**same("VpcId"), **TAGGED}),
    "CreateNetworkAclEntry": Row("aws_network_acl_rule", {
        **same("NetworkAclId RuleNumber Egress RuleAction CidrBlock Ipv6CidrBlock"),
        "Protocol": lambda p: [("protocol", NUMBERS.get(str(p), p))],
        "PortRange": flat({"From": "from_port", "To": "to_port"}),
        "IcmpTypeCode": flat({"Type": "icmp_type", "Code": "icmp_code"})}),
    "AllocateAddress": Row("aws_eip", {
        **same("Domain Address NetworkBorderGroup"), "PublicIpv4Pool": "public_ipv4_pool", **TAGGED}),
    "AssociateAddress": Row("aws_eip_association", {
        **same("AllocationId InstanceId NetworkInterfaceId PrivateIpAddress AllowReassociation PublicIp")}),
    "CreateNatGateway": Row("aws_nat_gateway", {
        **same("AllocationId SubnetId ConnectivityType SecondaryAllocationIds SecondaryPrivateIpAddressCount "
            "SecondaryPrivateIpAddresses"), "PrivateIpAddress": "private_ip",
        **absent("AvailabilityMode"), **TAGGED}),
    "CreateVpcPeeringConnection": Row("aws_vpc_peering_connection", {
        **same("VpcId PeerVpcId PeerOwnerId PeerRegion"), **TAGGED}),
    "AcceptVpcPeeringConnection": Row("aws_vpc_peering_connection_accepter", same("VpcPeeringConnectionId"),
        fixed=(("auto_accept", True),)),
    "ModifyVpcPeeringConnectionOptions": Row("aws_vpc_peering_connection_options", {
        **same("VpcPeeringConnectionId"), **_PEERING}),
    "CreateVpcEndpoint": Row("aws_vpc_endpoint", {
        **same("VpcId ServiceName ServiceRegion VpcEndpointType SubnetIds SecurityGroupIds RouteTableIds "
            "PrivateDnsEnabled IpAddressType"), "PolicyDocument": "policy",
        "DnsOptions": block("dns_options", same("DnsRecordIpType PrivateDnsOnlyForInboundResolverEndpoint")),
        "SubnetConfigurations": block("subnet_configuration", same("SubnetId Ipv4 Ipv6")), **TAGGED}),
    "CreateVpcEndpointServiceConfiguration": Row("aws_vpc_endpoint_service", {
        **same("AcceptanceRequired NetworkLoadBalancerArns PrivateDnsName SupportedIpAddressTypes"), **TAGGED}),
    "ModifyVpcEndpointServicePermissions": Many(Row("aws_vpc_endpoint_service_allowed_principal", {
        "ServiceId": "vpc_endpoint_service_id", "Principal": "principal_arn"}), _principals),
    "AcceptVpcEndpointConnections": Many(Row("aws_vpc_endpoint_connection_accepter", {
        "ServiceId": "vpc_endpoint_service_id", "VpcEndpointId": "vpc_endpoint_id"}), _connections),
    "CreateDhcpOptions": Row("aws_vpc_dhcp_options", {"DhcpConfigurations": _dhcp, **TAGGED}),
    "AssociateDhcpOptions": Row("aws_vpc_dhcp_options_association", same("DhcpOptionsId VpcId")),
    "CreateManagedPrefixList": Row("aws_ec2_managed_prefix_list", {
        "PrefixListName": "name", **same("AddressFamily MaxEntries"),
        "Entries": block("entry", same("Cidr Description")), **TAGGED}, "PrefixListName"),
    "CreateNetworkInterface": Row("aws_network_interface", {
        **same("SubnetId Description Ipv6AddressCount"), "Groups": "security_groups",
        "PrivateIpAddress": lambda address: [("private_ips", [address])], "PrivateIpAddresses": _addresses,
        "Ipv6Addresses": lambda them: [("ipv6_addresses", [one.get("Ipv6Address", "") for one in them])],
        "SecondaryPrivateIpAddressCount": "private_ips_count", **absent("ConnectionTrackingSpecification"),
        **TAGGED}),
    "AttachNetworkInterface": Row("aws_network_interface_attachment", {
        **same("InstanceId NetworkInterfaceId DeviceIndex"), **absent("NetworkCardIndex")}),
    "ModifyNetworkInterfaceAttribute": Change("aws_network_interface", "NetworkInterfaceId", {
        "Groups": "security_groups", "SourceDestCheck": attribute("source_dest_check"),
        "Description": attribute("description"), **absent("Attachment ConnectionTrackingSpecification")}),
    "CreateFlowLogs": Many(Row("aws_flow_log", {
        **{f"Subject {name}": name for name in FLOW_SUBJECTS.values()},
        **same("TrafficType LogDestination LogDestinationType LogFormat MaxAggregationInterval LogGroupName "
            "DeliverCrossAccountRole"), "DeliverLogsPermissionArn": "iam_role_arn",
        "DestinationOptions": block("destination_options", same("FileFormat HiveCompatiblePartitions "
            "PerHourPartition")), **TAGGED}), _flow_logs),
    "CreateNetworkInsightsPath": Row("aws_ec2_network_insights_path", {
        **same("Source SourceIp Destination DestinationIp Protocol DestinationPort"), **TAGGED}),
    "StartNetworkInsightsAnalysis": Row("aws_ec2_network_insights_analysis", {
        **same("NetworkInsightsPathId"), **TAGGED}),
    "CreateTags": Many(Row("aws_ec2_tag", same("ResourceId Key Value")), _tags),
})  # fmt: skip
