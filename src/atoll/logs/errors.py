"""What the verbs refuse, in CloudWatch Logs' words where they are known."""

from atoll.aws.errors import Err

NO_GROUP = Err("ResourceNotFoundException", "The specified log group does not exist.")
NO_STREAM = Err("ResourceNotFoundException", "The specified log stream does not exist.")
GROUP_EXISTS = Err("ResourceAlreadyExistsException", "The specified log group already exists")
BEING_DELETED = Err(
    "OperationAbortedException",
    "A conflicting operation is currently in progress against this resource. Please try again.",
)
NO_TAGGED = Err("ResourceNotFoundException", "The specified resource does not exist.")
BAD_TOKEN = Err("InvalidParameterException", "The specified nextToken is invalid.")
BAD_LIMIT = Err(
    "InvalidParameterException",
    "1 validation error detected: Value '{got}' at 'limit' failed to satisfy constraint: Member must have value less "
    "than or equal to {most}, and greater than or equal to 1",
)
BAD_NAME = Err(
    "InvalidParameterException",
    "1 validation error detected: Value '{got}' at 'logGroupName' failed to satisfy constraint: Member must satisfy "
    "regular expression pattern: [\\.\\-_/#A-Za-z0-9]+",
)
TWO_NAMES = Err("InvalidParameterException", "Only one of logGroupName and logGroupIdentifier can be specified.")
TWO_STREAMS = Err(
    "InvalidParameterException", "Only one of logStreamNames and logStreamNamePrefix can be specified, not both."
)
TWO_PREFIXES = Err(
    "InvalidParameterException", "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
)
PREFIX_BY_TIME = Err("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")
NO_NAME = Err("InvalidParameterException", "One of logGroupName and logGroupIdentifier must be specified.")
UNSUPPORTED = Err("InvalidParameterException", "{what} is not supported here.")
BAD_RETENTION = Err("InvalidParameterException", "Invalid retention value. Must be one of: [{known}]")
