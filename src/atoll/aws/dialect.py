"""How each service words the failures that come before its operations: one row a failure, one table a service.

Sources: EC2 API Reference, "Error codes"; ElastiCache and STS API References, "Common errors"; messages as the
services are seen to send them.  Where AWS swallows an unknown parameter (the query services do) it is refused here
by name: what is not supported is never ignored.
"""

from dataclasses import dataclass, replace

from atoll.aws.errors import Err

ECHO_CHARS_MAX = 120  # how much of a caller's own input is said back in a message


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The errors of the wire, as one service words them."""

    unknown: Err  # name: a parameter that the model lacks
    missing: Err  # name
    invalid: Err  # name, got, reason
    unsupported: Err  # name, action: a parameter that AWS has and Atoll lacks
    unsupported_action: Err  # action
    invalid_action: Err  # action, version
    no_credentials: Err
    unknown_key: Err
    bad_signature: Err
    expired: Err  # why
    expired_token: Err
    internal: Err


# The same in every service.
MALFORMED = Err("MalformedQueryString", "The query string contains a syntax error: {why}")
MISSING_ACTION = Err("MissingAction", "The request is missing an action or a required parameter.")
INCOMPLETE_SIGNATURE = Err("IncompleteSignature", "{why}")
TOO_LARGE = Err("RequestEntityTooLarge", "The request is larger than {limit} bytes.", 413)

_NOT_VALIDATED = Err("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)

EC2 = Dialect(
    unknown=Err("UnknownParameter", "The parameter {name} is not recognized"),
    missing=Err("MissingParameter", "The request must contain the parameter {name}"),
    invalid=Err("InvalidParameterValue", "Value ({got}) for parameter {name} is invalid. {reason}"),
    unsupported=Err("UnsupportedOperation", "Atoll does not support the parameter {name} of {action}."),
    unsupported_action=Err("UnsupportedOperation", "Atoll does not support the operation {action}."),
    invalid_action=Err("InvalidAction", "The action {action} is not valid for this web service."),
    no_credentials=_NOT_VALIDATED,
    unknown_key=_NOT_VALIDATED,
    bad_signature=_NOT_VALIDATED,
    expired=Err("RequestExpired", "Request has expired. {why}"),
    expired_token=Err("RequestExpired", "Request has expired. The session token is no longer valid."),
    internal=Err("InternalError", "An internal error has occurred", 500),
)


def _query(code: str, missing: str, invalid: str) -> Dialect:
    """Return the dialect of a query service, with its code and its words for a bad parameter."""
    return Dialect(
        unknown=Err(code, "The parameter {name} is not recognized"),
        missing=Err(code, missing),
        invalid=Err(code, invalid),
        unsupported=Err(code, "Atoll does not support the parameter {name} of {action}."),
        unsupported_action=Err("InvalidAction", "Atoll does not support the operation {action}."),
        invalid_action=Err("InvalidAction", "Could not find operation {action} for version {version}"),
        no_credentials=Err("MissingAuthenticationToken", "Request is missing Authentication Token", 403),
        unknown_key=Err("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
        bad_signature=Err("SignatureDoesNotMatch", _SIGNATURE, 403),
        expired=Err("SignatureDoesNotMatch", "{why}", 403),
        expired_token=Err("ExpiredToken", "The security token included in the request is expired", 403),
        internal=Err("InternalFailure", "An internal error has occurred", 500),
    )


_VALIDATION = _query(
    "ValidationError",
    "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null",
    "1 validation error detected: Value '{got}' at '{name}' failed to satisfy constraint: {reason}",
)

SERVICE_QUOTAS = Dialect(
    unknown=Err("ValidationException", "The parameter {name} is not recognized"),
    missing=Err(
        "ValidationException",
        "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null",
    ),
    invalid=Err("ValidationException", "Value {got} at '{name}' is not valid. {reason}"),
    unsupported=Err("ValidationException", "Atoll does not support the parameter {name} of {action}."),
    unsupported_action=Err("UnknownOperationException", "Atoll does not support the operation {action}."),
    invalid_action=Err("UnknownOperationException", "There is no operation {action} in version {version}"),
    no_credentials=Err("MissingAuthenticationTokenException", "Missing Authentication Token"),
    unknown_key=Err("UnrecognizedClientException", "The security token included in the request is invalid."),
    bad_signature=Err("InvalidSignatureException", _SIGNATURE),
    expired=Err("InvalidSignatureException", "{why}"),
    expired_token=Err("ExpiredTokenException", "The security token included in the request is expired"),
    internal=Err("ServiceException", "An internal error has occurred", 500),
)

LOGS = replace(
    SERVICE_QUOTAS,
    unknown=Err("InvalidParameterException", "The parameter {name} is not recognized"),
    missing=Err(
        "InvalidParameterException",
        "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null",
    ),
    invalid=Err("InvalidParameterException", "Value {got} at '{name}' is not valid. {reason}"),
    unsupported=Err("InvalidParameterException", "Atoll does not support the parameter {name} of {action}."),
)

SSM = replace(
    SERVICE_QUOTAS,
    unsupported_action=Err(
        "UnknownOperationException",
        "Atoll does not support the operation {action}: of Systems Manager it has the public parameters of machine "
        "images. Into a VPC lead `atoll port-forward` and `atoll exec` (docs/getting-in.md).",
    ),
)

DIALECTS = {
    "ec2": EC2,
    "elasticache": _query(
        "InvalidParameterValue",
        "The parameter {name} must be provided and must not be null.",
        "Invalid value {got} for {name}. {reason}",
    ),
    "elbv2": _VALIDATION,
    "sts": _VALIDATION,
    "cloudwatch": _VALIDATION,
    "service-quotas": SERVICE_QUOTAS,
    "logs": LOGS,
    "ssm": SSM,
}


def clip(text: str) -> str:
    """Shorten a caller's input for a message."""
    return text if len(text) <= ECHO_CHARS_MAX else text[:ECHO_CHARS_MAX] + "..."
