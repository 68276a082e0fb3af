"""What EC2 says about the account itself."""

from collections.abc import Sequence

from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors
from atoll.ec2.defaults import default_vpc
from atoll.model import quota
from atoll.model.classic import network_of
from atoll.model.quota import allowed
from atoll.model.world import World

INSTANCES_MAX = 20  # what AWS still shows for it, though its quota counts processors today
NO_VPC = "none"


@operation("ec2", "DescribeAccountAttributes")
def describe_account_attributes(world: World, *, attribute_names: Sequence[str] = ()) -> Shape:
    """List what the account may have and where: in VPCs, and in EC2-Classic only if `atoll classic` says so."""
    vpc = default_vpc(world)
    attributes: dict[str, str | tuple[str, ...]] = {
        "supported-platforms": ("EC2", "VPC") if network_of(world) else ("VPC",),
        "default-vpc": vpc.id if vpc else NO_VPC,
        "max-instances": str(INSTANCES_MAX),
        "vpc-max-security-groups-per-interface": str(allowed(world, quota.GROUPS_PER_INTERFACE)),
        "max-elastic-ips": str(allowed(world, quota.ADDRESSES)),
        "vpc-max-elastic-ips": str(allowed(world, quota.ADDRESSES)),
    }
    for name in attribute_names:
        if name not in attributes:
            raise errors.BAD_VALUE(value=name, name="attributeName", why=f"Expecting one of {', '.join(attributes)}.")
    return {
        "AccountAttributes": [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": v} for v in _several(value)]}
            for name, value in attributes.items()
            if not attribute_names or name in attribute_names
        ]
    }


def _several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
