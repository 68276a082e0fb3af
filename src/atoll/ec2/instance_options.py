"""The options of an instance that a launch sets and a later call may change: read, checked, as our facts."""

import base64
import binascii

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.ec2.errors import BAD_VALUE
from atoll.model.image import Image
from atoll.model.instance_type import INSTANCE_TYPES, InstanceType
from atoll.model.names import arn
from atoll.model.world import Tx

USER_DATA_BYTES_MAX = 16 << 10  # EC2 User Guide, "Work with instance user data"

NO_SUCH_TYPE = Err("InvalidParameterValue", "Invalid value '{name}' for InstanceType.")
OTHER_ARCHITECTURE = Err(
    "InvalidParameterValue",
    "The architecture '{type}' of the specified instance type does not match the architecture '{image}' of the "
    "specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can use "
    "'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI.",
)
NOT_BASE64 = Err("InvalidParameterValue", "Invalid BASE64 encoding of user data.")
LONG_USER_DATA = Err("InvalidParameterValue", "User data is limited to {limit} bytes")
TWO_PROFILE_NAMES = Err(
    "InvalidParameterCombination",
    "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
)
BAD_PROFILE = Err("InvalidParameterValue", "Value ({value}) for parameter iamInstanceProfile.arn is invalid.")
NOT_BURSTABLE = Err(
    "InvalidParameterCombination",
    "The parameter creditSpecification is not supported for the instance type '{type}': it is not burstable.",
)
NOT_EBS_OPTIMIZED = Err("Unsupported", "EBS-optimized instances are not supported for your requested configuration.")


def instance_type(name: str, image: Image) -> InstanceType:
    """Return a type that can run an image."""
    type = INSTANCE_TYPES.get(name)
    if type is None:
        raise NO_SUCH_TYPE(name=name)
    if image.architecture not in type.architectures:
        raise OTHER_ARCHITECTURE(type=",".join(type.architectures), image=image.architecture)
    return type


def user_data(text: str) -> str | None:
    """Return user data in canonical base64; `None` if it is empty."""
    try:
        raw = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NOT_BASE64() from None
    return user_data_of(raw)


def user_data_of(raw: bytes) -> str | None:
    """Return user data given as bytes in base64; `None` if it is empty."""
    if len(raw) > USER_DATA_BYTES_MAX:
        raise LONG_USER_DATA(limit=USER_DATA_BYTES_MAX)
    return base64.b64encode(raw).decode() or None


def profile(tx: Tx, asked: Shape) -> str | None:
    """Return the ARN of an instance profile, given by name or ARN; there is no IAM, so any name will do."""
    name, given = asked.get("Name"), asked.get("Arn")
    if name and given:
        raise TWO_PROFILE_NAMES()
    if given and not (given.startswith("arn:aws:iam::") and ":instance-profile/" in given):
        raise BAD_PROFILE(value=given)
    return given or (arn("iam", "", tx.account, f"instance-profile/{name}") if name else None)


def credits(value: str | None, type: InstanceType) -> str | None:
    """Return how an instance bursts; `None` if its type does not."""
    if value is None:
        return None if not type.burstable else "unlimited" if type.unlimited_by_default else "standard"
    if not type.burstable:
        raise NOT_BURSTABLE(type=type.name)
    if value not in ("standard", "unlimited"):
        raise BAD_VALUE(value=value, name="cpuCredits", why="Specify standard or unlimited.")
    return value


def ebs_optimized(asked: bool | None, type: InstanceType) -> bool:
    """Tell whether an instance is EBS-optimized, as far as its type can be."""
    if asked and not type.nitro and type.name[:2] in ("t1", "t2"):
        raise NOT_EBS_OPTIMIZED()
    return bool(asked)
