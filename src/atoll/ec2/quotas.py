"""What EC2 says when an account would have more than it may, and the quotas that nobody changes.

Those that can be set are in `model/quota.py`.  Source: VPC User Guide, "Amazon VPC quotas".
"""

from atoll.aws.errors import Err

NAT_ADDRESSES_MAX = 8  # of one gateway, whatever leads to them
INTERFACE_ADDRESSES_MAX = 50  # AWS: by instance type, at most 50
PREFIX_LISTS_MAX = 100  # per region; AWS: 100
PREFIX_LIST_ENTRIES_MAX = 1000  # that a list may have; AWS: 1000
PLACEMENT_GROUPS_MAX = 500  # per region; AWS: 500

FLOW_LOGS_MAX = 2  # of one VPC, subnet or interface; AWS: 2, for ever

FLOW_LOG_LIMIT = Err("FlowLogsLimitExceeded", "The maximum number of flow logs on {id} has been reached.")
VPC_LIMIT = Err("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
IGW_LIMIT = Err("InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.")
CIDR_LIMIT = Err("CidrLimitExceeded", "This network '{id}' has met its maximum number of allowed CIDRs: {limit}")
SUBNET_LIMIT = Err("SubnetLimitExceeded", "The maximum number of subnets has been reached.")
ROUTE_TABLE_LIMIT = Err("RouteTableLimitExceeded", "The maximum number of route tables has been reached.")
ROUTE_LIMIT = Err("RouteLimitExceeded", "The maximum number of routes has been reached.")
NAT_GATEWAY_LIMIT = Err(
    "NatGatewayLimitExceeded", "Performing this operation would exceed the limit of {limit} NAT gateways"
)
ADDRESS_LIMIT = Err("AddressLimitExceeded", "The maximum number of addresses has been reached.")
INTERFACE_LIMIT = Err("NetworkInterfaceLimitExceeded", "The maximum number of network interfaces has been reached.")
ADDRESSES_PER_INTERFACE = Err("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
ADDRESSES6_PER_INTERFACE = Err("Ipv6AddressLimitExceeded", "Number of IPv6 addresses will exceed limit.")
EGRESS_ONLY_LIMIT = Err(
    "EgressOnlyInternetGatewayLimitExceeded", "The maximum number of egress-only internet gateways has been reached."
)
GROUP_LIMIT = Err("SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.")
GROUPS_PER_INTERFACE = Err(
    "SecurityGroupsPerInterfaceLimitExceeded",
    "The maximum number of security groups per interface has been reached.",
)
RULE_LIMIT = Err(
    "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached."
)
PREFIX_LIST_LIMIT = Err("PrefixListLimitExceeded", "The maximum number of prefix lists has been reached.")
PEERING_LIMIT = Err(
    "ActiveVpcPeeringConnectionPerVpcLimitExceeded",
    "The maximum number of active VPC peering connections per VPC has been reached.",
)
PEERING_REQUEST_LIMIT = Err(
    "OutstandingVpcPeeringConnectionLimitExceeded",
    "The maximum number of outstanding VPC peering connection requests has been reached.",
)
ACL_LIMIT = Err("NetworkAclLimitExceeded", "The maximum number of network ACLs has been reached.")
ACL_ENTRY_LIMIT = Err("NetworkAclEntryLimitExceeded", "The maximum number of network acl entries has been reached.")
PLACEMENT_GROUP_LIMIT = Err("PlacementGroupLimitExceeded", "The maximum number of placement groups has been reached.")


def check(count: int, limit: int, error: Err) -> None:
    """Raise the error if one more than `count` would pass the limit."""
    if count >= limit:
        raise error()
