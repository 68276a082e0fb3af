"""ElastiCache errors that several nouns share, and the table of what AWS's codes say.

The rows of one noun stand at the top of its file.  Wording: ElastiCache API Reference, and replies seen from AWS;
where no reply was seen the words are ours and the code is AWS's.
"""

from atoll.aws.errors import Err

# Parameters
MISSING = Err("InvalidParameterValue", "The parameter {name} must be provided and must not be null.")
BAD_VALUE = Err("InvalidParameterValue", "Invalid value {got} for {name}. {why}")
BAD_COMBINATION = Err("InvalidParameterCombination", "{why}")
BAD_IDENTIFIER = Err(
    "InvalidParameterValue",
    "The parameter {name} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII "
    "letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens.",
)
LONG_IDENTIFIER = Err("InvalidParameterValue", "The parameter {name} must be shorter than {limit} characters.")
# What Atoll does not do: said by name, never accepted and left undone.
UNSUPPORTED = Err("InvalidParameterValue", "Atoll does not support {what}: {because}")

# Things that are not there
CLUSTER_NOT_FOUND = Err("CacheClusterNotFound", "CacheCluster not found: {name}", 404)
GROUP_NOT_FOUND = Err("ReplicationGroupNotFoundFault", "ReplicationGroup {name} not found.", 404)
SHARD_NOT_FOUND = Err("NodeGroupNotFoundFault", "Node group {id} not found.", 404)
SUBNET_GROUP_NOT_FOUND = Err("CacheSubnetGroupNotFoundFault", "Cache Subnet Group {name} does not exist.")
PARAMETER_GROUP_NOT_FOUND = Err("CacheParameterGroupNotFound", "CacheParameterGroup not found: {name}", 404)
SNAPSHOT_NOT_FOUND = Err("SnapshotNotFoundFault", "Snapshot not found: {name}", 404)
USER_NOT_FOUND = Err("UserNotFound", "User {name} not found.", 404)
USER_GROUP_NOT_FOUND = Err("UserGroupNotFound", "User group {name} not found.", 404)
GLOBAL_GROUP_NOT_FOUND = Err("GlobalReplicationGroupNotFoundFault", "Global Replication Group {name} not found.", 404)
SERVERLESS_NOT_FOUND = Err("ServerlessCacheNotFoundFault", "ServerlessCache not found: {name}", 404)
SERVERLESS_SNAPSHOT_NOT_FOUND = Err(
    "ServerlessCacheSnapshotNotFoundFault", "ServerlessCacheSnapshot not found: {name}", 404
)
SERVICE_UPDATE_NOT_FOUND = Err("ServiceUpdateNotFoundFault", "Service update {name} not found.", 404)
RESERVED_NODE_NOT_FOUND = Err("ReservedCacheNodeNotFound", "ReservedCacheNode not found: {name}", 404)
OFFERING_NOT_FOUND = Err("ReservedCacheNodesOfferingNotFound", "ReservedCacheNodesOffering not found: {name}", 404)

# Names that are taken, and statuses that forbid
CLUSTER_EXISTS = Err("CacheClusterAlreadyExists", "Cache cluster already exists: {name}")
GROUP_EXISTS = Err("ReplicationGroupAlreadyExists", "Replication group with specified name already exists.")
CLUSTER_NOT_AVAILABLE = Err("InvalidCacheClusterState", "Cache cluster {name} is not in available state.")
GROUP_NOT_AVAILABLE = Err("InvalidReplicationGroupState", "Replication group {name} is not in available state.")

# The network
OTHER_VPC = Err(
    "InvalidParameterCombination", "Subnet group [{subnet_group}] belongs to a different VPC [{vpc}] than [{other}]"
)
BAD_GROUPS = Err("InvalidParameterValue", "Some input security groups in :[{ids}] are invalid.")
NO_ADDRESSES = Err(
    "InvalidVPCNetworkStateFault", "The subnets of cache subnet group {name} do not have enough free IP addresses."
)
CACHE_SECURITY_GROUPS = Err(
    "InvalidParameterValue",
    "Use of cache security groups is not permitted in this API version for your account.",
)
VPC_GROUPS_IN_CLASSIC = Err(
    "InvalidParameterCombination",
    "Use of security group Ids is not permitted without a cache subnet group: name cache security groups instead.",
)
CACHE_SECURITY_GROUP_NOT_FOUND = Err("CacheSecurityGroupNotFound", "Cache security group {name} does not exist.", 404)
CACHE_SECURITY_GROUPS_IN_VPC = Err(
    "InvalidParameterCombination",
    "Use of cache security groups is not permitted along with cache subnet group and/or security group Ids.",
)

# Quotas
CLUSTER_NODES = Err(
    "NodeQuotaForClusterExceeded",
    "Cluster node quota exceeded. Each cluster can have at most {limit} nodes in this region.",
)
REGION_NODES = Err(
    "NodeQuotaForCustomerExceeded",
    "Customer node quota exceeded. You can have at most {limit} nodes in this region",
)
