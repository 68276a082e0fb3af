"""How much an account may have.  AWS's first quotas are small and raised on request; ours are what a request gets.

Source of the defaults in the comments: VPC User Guide, "Amazon VPC quotas".
"""

from atoll.aws.errors import Err

VPCS_MAX = 100  # per region; AWS: 5
INTERNET_GATEWAYS_MAX = VPCS_MAX  # AWS: follows the VPCs
VPC_CIDRS_MAX = 5  # per VPC, the primary one included; AWS: 5
SUBNETS_MAX = 200  # per VPC; AWS: 200
ROUTE_TABLES_MAX = 200  # per VPC; AWS: 200
ROUTES_MAX = 1000  # per table; AWS: 50, then 1000
ADDRESSES_MAX = 200  # Elastic IPs per region; AWS: 5
NAT_GATEWAYS_MAX = 20  # per zone; AWS: 5
NAT_ADDRESSES_MAX = 8  # of one gateway; AWS: 2 public ones, then 8
INTERFACES_MAX = 5000  # per region; AWS: 5000
INTERFACE_ADDRESSES_MAX = 50  # AWS: by instance type, at most 50
GROUPS_MAX = 2500  # per region; AWS: 2500
GROUPS_PER_INTERFACE_MAX = 16  # AWS: 5, then 16
RULES_MAX = 60  # of one group in one direction; AWS: 60
PREFIX_LISTS_MAX = 100  # per region; AWS: 100
PREFIX_LIST_ENTRIES_MAX = 1000  # that a list may have; AWS: 1000
PEERINGS_MAX = 125  # open ones per VPC; AWS: 50, at most 125
PEERING_REQUESTS_MAX = 25  # that wait; AWS: 25
ACLS_MAX = 200  # per VPC; AWS: 200
ACL_ENTRIES_MAX = 40  # of one ACL in one direction, the `*` entry included; AWS: 20, then 40
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
