"""Errors of VPC endpoints and endpoint services, and how they are found.

Codes: EC2 API Reference, "Error codes".  Wording: replies seen from AWS; where none was seen the words are ours.
"""

from atoll.aws.errors import Err

INVALID = Err("InvalidParameter", "{why}")
NO_SERVICE = Err("InvalidServiceName", "The Vpc Endpoint Service '{name}' does not exist")
DUPLICATE_SUBNETS = Err(
    "DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of {id}"
)
BAD_POLICY = Err("InvalidPolicyDocument", "The policy document is not valid: {why}")
NO_PRIVATE_DNS_VPC = Err(
    "InvalidParameter",
    "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for {vpc}",
)
NO_PRIVATE_DNS_SERVICE = Err(
    "InvalidParameter",
    "Private DNS can't be enabled because the service {name} does not provide a private DNS name.",
)
CONFLICTING_DNS = Err(
    "InvalidParameter",
    "private-dns-enabled cannot be set because there is already a conflicting DNS domain for {name} in the VPC {vpc}",
)
BAD_STATE = Err("InvalidState", "The VPC endpoint '{id}' is in the state {state}, in which it cannot be {verb}.")
ENDPOINT_LIMIT = Err("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")
CONNECTED = Err(
    "ExistingVpcEndpointConnections",
    "The VPC endpoint service '{id}' has VPC endpoint connections. Reject them before you delete it.",
)
