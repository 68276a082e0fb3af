"""ELB errors that several nouns share.

Codes: ELB API Reference (2015-12-01).  Wording: replies seen from AWS; where none was seen the words are ours.
"""

from atoll.aws.errors import Err

INVALID = Err("ValidationError", "{why}")
MISSING = Err("ValidationError", "{name} must be specified")
BAD_CONFIGURATION = Err("InvalidConfigurationRequest", "{why}")
# What Atoll does not do: said by name, never accepted and left undone.
UNSUPPORTED = Err("InvalidConfigurationRequest", "Atoll does not support {what}: {because}")
BAD_PROTOCOL = Err("UnsupportedProtocol", "Atoll does not support {protocol} listeners: {because}")

BALANCER_NOT_FOUND = Err("LoadBalancerNotFound", "One or more load balancers not found")
NAMED_BALANCER_NOT_FOUND = Err("LoadBalancerNotFound", "Load balancers '[{names}]' not found")
GROUP_NOT_FOUND = Err("TargetGroupNotFound", "One or more target groups not found")
LISTENER_NOT_FOUND = Err("ListenerNotFound", "One or more listeners not found")
SUBNET_NOT_FOUND = Err("SubnetNotFound", "The subnet ID '{id}' does not exist")
BAD_SECURITY_GROUP = Err("InvalidSecurityGroup", "One or more security groups are invalid")
ALLOCATION_NOT_FOUND = Err("AllocationIdNotFound", "The allocation IDs '{id}' do not exist")
ALLOCATION_IN_USE = Err("ResourceInUse", "The allocation IDs '{id}' are not available for use")
BAD_SUBNET = Err("InvalidSubnet", "{why}")

BAD_MARKER = Err("ValidationError", "Invalid marker: {got}")
BAD_PAGE_SIZE = Err("ValidationError", "1 validation error detected: Value '{got}' at 'pageSize' failed to satisfy "
                    "constraint: Member must have value between 1 and 400")  # fmt: skip
