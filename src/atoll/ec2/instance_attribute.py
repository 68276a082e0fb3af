"""The attributes of an instance, one at a time: describe, modify, reset.

A modification is an attribute's own parameter or, as in old clients, its name in `attribute` and a text in `value`.
"""

from collections.abc import Callable, Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors
from atoll.ec2 import image as images
from atoll.ec2 import instance_network as network
from atoll.ec2 import instance_options as options
from atoll.ec2.instance import find, refuse_members
from atoll.ec2.instance_render import block_devices, group_names
from atoll.model.classic import is_classic
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Interface
from atoll.model.lookup import interfaces_of
from atoll.model.subnet import Subnet
from atoll.model.world import Tx, World

NOT_STOPPED = Err("IncorrectInstanceState", "The instance '{id}' is not in the 'stopped' state.")
FIXED_GROUPS = Err(
    "InvalidParameterCombination", "The security groups of the EC2-Classic instance '{id}' are fixed at its launch."
)
ENDED = Err("IncorrectInstanceState", "The instance '{id}' is terminated: its attributes cannot be changed.")
SEVERAL_INTERFACES = Err(
    "InvalidInstanceID",
    "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation "
    "instead.",
)
ONE_AT_A_TIME = Err("InvalidParameterCombination", "Fields for multiple attribute types specified: {names}")
NO_ATTRIBUTE = Err("InvalidParameterCombination", "No attributes specified.")
FIXED = Err("UnsupportedOperation", "Atoll does not support changing the attribute {name} of an instance.")
BAD_BEHAVIOR = Err(
    "InvalidParameterValue",
    "Value ({value}) for parameter instanceInitiatedShutdownBehavior is invalid. Specify stop or terminate.",
)

NEEDS_STOPPED = frozenset(("instanceType", "userData", "ebsOptimized", "enaSupport"))


@operation("ec2", "DescribeInstanceAttribute")
def describe_instance_attribute(world: World, *, instance_id: str, attribute: str) -> Shape:
    """Describe one attribute of an instance."""
    i = find(world, instance_id)
    first = next(iter(interfaces_of(world, i.id)), None)
    answers: dict[str, Shape] = {
        "instanceType": {"InstanceType": {"Value": i.type}},
        "kernel": {"KernelId": {}},
        "ramdisk": {"RamdiskId": {}},
        "userData": {"UserData": {"Value": i.user_data} if i.user_data else {}},
        "disableApiTermination": {"DisableApiTermination": {"Value": i.api_termination_disabled}},
        "disableApiStop": {"DisableApiStop": {"Value": i.api_stop_disabled}},
        "instanceInitiatedShutdownBehavior": {"InstanceInitiatedShutdownBehavior": {"Value": i.shutdown_behavior}},
        "rootDeviceName": {"RootDeviceName": {"Value": i.root_device}},
        "blockDeviceMapping": {"BlockDeviceMappings": block_devices(world, i)},
        "productCodes": {"ProductCodes": []},
        "sourceDestCheck": {"SourceDestCheck": {"Value": first.source_dest_check} if first else {}},
        "groupSet": {"Groups": group_names(world, first.group_ids) if first else []},
        "ebsOptimized": {"EbsOptimized": {"Value": i.ebs_optimized}},
        "sriovNetSupport": {"SriovNetSupport": {}},
        "enaSupport": {"EnaSupport": {"Value": True}},
        "enclaveOptions": {"EnclaveOptions": {"Enabled": False}},
    }
    return {"InstanceId": i.id, **answers[attribute]}


@operation("ec2", "ModifyInstanceAttribute", network=True)
def modify_instance_attribute(
    tx: Tx,
    *,
    instance_id: str,
    attribute: str | None = None,
    value: str | None = None,
    source_dest_check: Shape | None = None,
    groups: Sequence[str] | None = None,
    user_data: Shape | None = None,
    instance_type: Shape | None = None,
    disable_api_termination: Shape | None = None,
    disable_api_stop: Shape | None = None,
    instance_initiated_shutdown_behavior: Shape | None = None,
    ebs_optimized: Shape | None = None,
    block_device_mappings: Sequence[Shape] | None = None,
) -> None:
    """Change one attribute of an instance."""
    given: dict[str, object] = {
        "sourceDestCheck": source_dest_check,
        "groupSet": groups,
        "userData": user_data,
        "instanceType": instance_type,
        "disableApiTermination": disable_api_termination,
        "disableApiStop": disable_api_stop,
        "instanceInitiatedShutdownBehavior": instance_initiated_shutdown_behavior,
        "ebsOptimized": ebs_optimized,
        "blockDeviceMapping": block_device_mappings,
    }
    chosen = {name: v.get("Value") if isinstance(v, dict) else v for name, v in given.items() if v is not None}
    if attribute is not None and (value is not None or not chosen):
        if value is None:
            raise errors.MISSING(name="value")
        chosen[attribute] = _from_text(attribute, value)
    if len(chosen) > 1:
        raise ONE_AT_A_TIME(names=", ".join(sorted(chosen)))
    if not chosen:
        raise NO_ATTRIBUTE()
    ((name, wanted),) = chosen.items()
    if wanted is None or wanted == []:
        raise errors.MISSING(name=f"{name} value")
    i = find(tx.world, instance_id)
    if i.state in ("shutting-down", "terminated"):
        raise ENDED(id=i.id)
    if name in NEEDS_STOPPED and i.state != "stopped":
        raise NOT_STOPPED(id=i.id)
    _SETTERS[name](tx, i, wanted)


@operation("ec2", "ResetInstanceAttribute", network=True)
def reset_instance_attribute(tx: Tx, *, instance_id: str, attribute: str) -> None:
    """Switch the source/destination check on again: no other attribute has anything to go back to."""
    i = find(tx.world, instance_id)
    if attribute != "sourceDestCheck":
        raise FIXED(name=attribute)
    tx.put(_only_interface(tx, i).but(source_dest_check=True))


def _from_text(name: str, text: str) -> object:
    """Read the value of an attribute that is given as a text."""
    if name in ("sourceDestCheck", "disableApiTermination", "disableApiStop", "ebsOptimized"):
        if text.lower() not in ("true", "false"):
            raise errors.BAD_VALUE(value=text, name=name, why="Specify true or false.")
        return text.lower() == "true"
    if name in ("userData", "instanceType", "instanceInitiatedShutdownBehavior"):
        return text
    if name == "groupSet":
        return [text]
    raise FIXED(name=name)


def _only_interface(tx: Tx, i: Instance) -> Interface:
    interfaces = interfaces_of(tx.world, i.id)
    if len(interfaces) > 1:
        raise SEVERAL_INTERFACES(id=i.id)
    if not interfaces:
        raise ENDED(id=i.id)
    return interfaces[0]


def _set_source_dest_check(tx: Tx, i: Instance, wanted: bool) -> None:
    tx.put(_only_interface(tx, i).but(source_dest_check=wanted))


def _set_groups(tx: Tx, i: Instance, wanted: Sequence[str]) -> None:
    interface = _only_interface(tx, i)
    if is_classic(tx.world, interface.vpc_id):
        raise FIXED_GROUPS(id=i.id)
    ids = network.groups(tx.world, tx.world[Subnet, interface.subnet_id], wanted)
    tx.put(interface.but(group_ids=ids))
    tx.put(i.but(group_ids=ids))


def _set_user_data(tx: Tx, i: Instance, wanted: bytes | str) -> None:
    tx.put(i.but(user_data=options.user_data_of(wanted) if isinstance(wanted, bytes) else options.user_data(wanted)))


def _set_type(tx: Tx, i: Instance, wanted: str) -> None:
    type = options.instance_type(wanted, images.find(tx.world, i.image_id))
    keeps_credits = type.burstable and INSTANCE_TYPES[i.type].burstable
    tx.put(i.but(type=type.name, cpu_credits=i.cpu_credits if keeps_credits else options.credits(None, type)))


def _set_shutdown_behavior(tx: Tx, i: Instance, wanted: str) -> None:
    if wanted not in ("stop", "terminate"):
        raise BAD_BEHAVIOR(value=wanted)
    tx.put(i.but(shutdown_behavior=wanted))


def _set_termination_protection(tx: Tx, i: Instance, wanted: bool) -> None:
    tx.put(i.but(api_termination_disabled=wanted))


def _set_stop_protection(tx: Tx, i: Instance, wanted: bool) -> None:
    tx.put(i.but(api_stop_disabled=wanted))


def _set_ebs_optimized(tx: Tx, i: Instance, wanted: bool) -> None:
    tx.put(i.but(ebs_optimized=options.ebs_optimized(wanted, INSTANCE_TYPES[i.type])))


def _set_block_devices(tx: Tx, i: Instance, wanted: Sequence[Shape]) -> None:
    """Accept what is so: the root volume is deleted with its instance, always."""
    del tx
    for mapping in wanted:
        refuse_members(mapping, "BlockDeviceMappings", ("DeviceName", "Ebs"))
        ebs = mapping.get("Ebs", {})
        refuse_members(ebs, "BlockDeviceMappings.Ebs", ("DeleteOnTermination", "VolumeId"))
        if mapping.get("DeviceName") != i.root_device or ebs.get("VolumeId", i.volume_id) != i.volume_id:
            raise errors.BAD_VALUE(
                value=mapping.get("DeviceName"), name="blockDeviceMapping", why="No such device is attached."
            )
        if ebs.get("DeleteOnTermination") is False:
            raise errors.UNSUPPORTED(what="A root volume that outlives its instance")


_SETTERS: dict[str, Callable[..., None]] = {
    "sourceDestCheck": _set_source_dest_check,
    "groupSet": _set_groups,
    "userData": _set_user_data,
    "instanceType": _set_type,
    "disableApiTermination": _set_termination_protection,
    "disableApiStop": _set_stop_protection,
    "instanceInitiatedShutdownBehavior": _set_shutdown_behavior,
    "ebsOptimized": _set_ebs_optimized,
    "blockDeviceMapping": _set_block_devices,
}
