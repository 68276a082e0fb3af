"""GetParameter and its like, over the public parameters.  There are no parameters of one's own here."""

from collections.abc import Sequence

from atoll.aws.errors import AwsError, Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.model.image_parameter import Parameter, find, listing, parameters, split
from atoll.model.world import World

NAMES_MAX, RESULTS_MAX = 10, 10
NOT_FOUND = Err(
    "ParameterNotFound",
    "There is no parameter {name}. Atoll has the public ones that `aws ssm get-parameters-by-path {listing}` lists.",
)
VERSION_NOT_FOUND = Err(
    "ParameterVersionNotFound",
    "Systems Manager could not find version {selector} of {name}. Its version is {version}.",
)
BAD_COUNT = Err(
    "ValidationException",
    "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length between 1 "
    "and {most}, inclusive",
)
BAD_PATH = Err(
    "ValidationException",
    "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "
    '"/".',
)
BAD_SIZE = Err(
    "ValidationException",
    "1 validation error detected: Value '{got}' at 'maxResults' failed to satisfy constraint: Member must have value "
    "between 1 and {most}",
)
BAD_TOKEN = Err("InvalidNextToken", "The specified token is not valid.")


@operation("ssm", "GetParameter")
def get_parameter(world: World, *, name: str, with_decryption: bool = False) -> Shape:
    """Return a parameter; none of ours is encrypted."""
    del with_decryption
    return {"Parameter": _render(world, _find(world, name), name)}


@operation("ssm", "GetParameters")
def get_parameters(world: World, *, names: Sequence[str], with_decryption: bool = False) -> Shape:
    """Return those of some parameters that there are, and the names of the others."""
    del with_decryption
    if not 1 <= len(names) <= NAMES_MAX:
        raise BAD_COUNT(most=NAMES_MAX)
    found, invalid = [], []
    for name in dict.fromkeys(names):
        try:
            found.append(_render(world, _find(world, name), name))
        except AwsError:
            invalid.append(name)
    return {"Parameters": found, "InvalidParameters": invalid}


@operation("ssm", "GetParametersByPath")
def get_parameters_by_path(
    world: World,
    *,
    path: str,
    recursive: bool = False,
    with_decryption: bool = False,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List the parameters below a path; those further below, too, if that is asked for."""
    del with_decryption
    if not path.startswith("/"):
        raise BAD_PATH()
    if max_results is not None and not 1 <= max_results <= RESULTS_MAX:
        raise BAD_SIZE(got=max_results, most=RESULTS_MAX)
    assert world.caller, "the wire knows the caller"
    above = path.rstrip("/") + "/"
    # What is public is below /aws only: "/" is the root of one's own.
    below = [p for p in parameters(world.caller.region).values() if p.name.startswith(above) and above != "/"]
    if not recursive:
        below = [p for p in below if "/" not in p.name.removeprefix(above)]
    try:
        page, token = page_ec2(below, lambda p: p.name, max_results or RESULTS_MAX, next_token, low=1)
    except AwsError:
        raise BAD_TOKEN() from None
    return {"Parameters": [_render(world, p, p.name) for p in page], "NextToken": token}


def _find(world: World, name: str) -> Parameter:
    """Return the parameter that a name asks for; raises NOT_FOUND, VERSION_NOT_FOUND."""
    assert world.caller, "the wire knows the caller"
    parameter, selector = find(world.caller.region, name), split(name)[1]
    if parameter is None:
        raise NOT_FOUND(name=split(name)[0], listing=listing(name))
    if selector not in (None, str(parameter.version)):
        raise VERSION_NOT_FOUND(selector=selector, name=parameter.name, version=parameter.version)
    return parameter


def _render(world: World, p: Parameter, asked: str) -> Shape:
    """Return AWS's Parameter."""
    assert world.caller, "the wire knows the caller"
    selector = split(asked)[1]
    return {
        "Name": p.name,
        "Type": "String",
        "Value": p.image.id,
        "Version": p.version,
        "LastModifiedDate": p.image.created,
        "ARN": f"arn:aws:ssm:{world.caller.region}::parameter{p.name}",
        "DataType": "aws:ec2:image",
        **({"Selector": f":{selector}"} if selector else {}),
    }
