"""EC2 errors that several nouns share.

The rows of one noun stand at the top of its file.  Wording: EC2 API Reference, "Error codes", and recorded replies.
"""

from atoll.aws.errors import Err

# Parameters
MISSING = Err("MissingParameter", "The request must contain the parameter {name}")
BAD_VALUE = Err("InvalidParameterValue", "Value ({value}) for parameter {name} is invalid. {why}")
BAD_CIDR = Err(
    "InvalidParameterValue", "Value ({value}) for parameter {name} is invalid. This is not a valid CIDR block."
)
BAD_ADDRESS = Err("InvalidParameterValue", "Value ({value}) for parameter {name} is invalid. Not an IPv4 address.")
BAD_ADDRESS6 = Err("InvalidParameterValue", "Value ({value}) for parameter {name} is invalid. Not an IPv6 address.")
BOTH = Err("InvalidParameterCombination", "The parameter {one} cannot be used with the parameter {other}")
BAD_COMBINATION = Err("InvalidParameterCombination", "{why}")
UNSUPPORTED = Err("UnsupportedOperation", "{what} is not supported by Atoll.")

# Ids
MALFORMED_MESSAGE = 'Invalid id: "{id}" (expecting "{prefix}-...")'
BAD_ID = Err("InvalidID", "The ID '{id}' is not valid")

# Filters
BAD_FILTER = Err("InvalidParameterValue", "The filter '{name}' is invalid")
FILTER_LIMIT = Err("FilterLimitExceeded", "The maximum number of {what} specified on a single call is {limit}")

# Tags
BAD_TAG_TYPE = Err("InvalidParameterValue", "'{type}' is not a valid taggable resource type for this operation.")
NO_TAG_TYPE = Err("InvalidParameterValue", "Tag specification resource type must have a value")
NO_TAGS = Err("InvalidParameterValue", "Tag specification must have at least one tag")
REPEATED_TAG = Err("InvalidParameterValue", "Duplicate tag key '{key}' specified.")
REPEATED_TAG_TYPE = Err(
    "InvalidParameterValue", "The same resource type may not be specified more than once in tag specifications"
)
RESERVED_TAG = Err("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
EMPTY_TAG = Err("InvalidParameterValue", "Tag key cannot be empty")
LONG_TAG_KEY = Err("InvalidParameterValue", "Tag key exceeds the maximum length of {limit} characters")
LONG_TAG_VALUE = Err("InvalidParameterValue", "Tag value exceeds the maximum length of {limit} characters")
TAG_LIMIT = Err("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")

# Joins
OTHER_NETWORK = Err("InvalidParameterValue", "You have specified two resources that belong to different networks.")
DEPENDENCY = Err("DependencyViolation", "The {what} '{id}' has dependencies and cannot be deleted.")
