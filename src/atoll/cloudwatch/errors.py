"""What the verbs refuse, in CloudWatch's words where they are known."""

from atoll.aws.errors import Err

BAD_TOKEN = Err("InvalidParameterValue", "Invalid nextToken")
BAD_DATA_TOKEN = Err("InvalidNextToken", "The next token specified is invalid.")
BAD_LENGTH = Err(
    "ValidationError",
    "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must have length {limit}",
)
NO_STATISTICS = Err(
    "InvalidParameterCombination",
    "At least one of the parameters Statistics and ExtendedStatistics must be specified.",
)
BAD_TIMES = Err("InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime.")
BAD_DATA_TIMES = Err("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
BAD_PERIOD = Err(
    "InvalidParameterValue", "The parameter Period must be 1, 5, 10, 30 or a multiple of 60, and is {got}."
)
TOO_MANY_POINTS = Err(
    "InvalidParameterCombination",
    "You have requested up to {asked} datapoints, which exceeds the limit of {limit}. You may reduce the datapoints "
    "requested by increasing Period, or decreasing the time range.",
)
BAD_ID = Err(
    "ValidationError",
    "The value {id} for parameter MetricDataQueries.Id is invalid: it must begin with a lower-case letter, followed "
    "by letters, digits and underscores.",
)
SAME_ID = Err("ValidationError", "The values for parameter Id in MetricDataQueries are not unique: {id}.")
NO_QUERY = Err("ValidationError", "MetricDataQueries must have 1 to {limit} queries, not {got}.")
NO_METRIC = Err("ValidationError", "The query {id} has no MetricStat.")
NOTHING_RETURNED = Err("ValidationError", "At least one of MetricDataQueries must have ReturnData set to true.")
NO_STAT = Err("ValidationError", "Atoll does not support the Stat {got} of the query {id}: it has {known}.")
NOT_SUPPORTED = Err("ValidationError", "Atoll does not support {what} of a query, which {id} has.")
BAD_MAXIMUM = Err("ValidationError", "MaxDatapoints must be between 1 and {limit}, and is {got}.")
