"""Network interfaces and the instances they are plugged into."""

from typing import cast

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors
from atoll.ec2.kinds import check_id, find
from atoll.model.address import ElasticIp
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Attachment, Interface
from atoll.model.lookup import interfaces_of
from atoll.model.world import Tx, World

NOT_FOUND = Err("InvalidAttachmentID.NotFound", "The attachment ID '{id}' does not exist")
IN_USE = Err("InvalidNetworkInterface.InUse", "Interface: [{id}] in use.")
BAD_STATE = Err("IncorrectState", "The instance '{id}' is not in a state from which it can be attached to: {state}.")
INDEX_TAKEN = Err(
    "InvalidParameterValue", "Instance '{id}' already has an interface attached at device index '{index}'."
)
OTHER_ZONE = Err(
    "InvalidParameterValue",
    "You may not attach a network interface to an instance if they are not in the same availability zone",
)
LIMIT = Err("AttachmentLimitExceeded", "Interface count {count} exceeds the limit for {type}")
PRIMARY = Err(
    "OperationNotPermitted", "The network interface at device index 0 and networkCard index 0 cannot be detached."
)
SERVICE_OWNED = Err("OperationNotPermitted", "You are not allowed to manage '{prefix}' attachments.")

INDEX_MAX = 31


@operation("ec2", "AttachNetworkInterface", network=True)
def attach_network_interface(
    tx: Tx, *, network_interface_id: str, instance_id: str, device_index: int, network_card_index: int = 0
) -> Shape:
    """Plug an interface into an instance of its zone and VPC."""
    interface = find(tx.world, Interface, network_interface_id)
    instance = find(tx.world, Instance, instance_id)
    if network_card_index:
        raise errors.UNSUPPORTED(what="A NetworkCardIndex other than 0")
    if interface.attachment:
        raise IN_USE(id=interface.id)
    if instance.state not in ("running", "stopped"):
        raise BAD_STATE(id=instance.id, state=instance.state)
    if (interface.zone, interface.vpc_id) != (instance.zone, instance.vpc_id):
        raise OTHER_ZONE()
    if not 0 <= device_index <= INDEX_MAX:
        raise errors.BAD_VALUE(value=device_index, name="deviceIndex", why=f"Expecting 0 to {INDEX_MAX}.")
    others = interfaces_of(tx.world, instance.id)
    if any(o.attachment and o.attachment.device_index == device_index for o in others):
        raise INDEX_TAKEN(id=instance.id, index=device_index)
    if len(others) >= INSTANCE_TYPES[instance.type].interfaces_max:
        raise LIMIT(count=len(others) + 1, type=instance.type)
    attachment = Attachment(
        id=tx.new_id("eni-attach"),
        instance_owner=tx.account,
        instance_id=instance.id,
        device_index=device_index,
        time=tx.now,
        delete_on_termination=False,
    )
    tx.put(interface.but(attachment=attachment))
    tell_addresses(tx, interface, instance.id)
    return {"AttachmentId": attachment.id, "NetworkCardIndex": 0}


@operation("ec2", "DetachNetworkInterface", network=True)
def detach_network_interface(tx: Tx, *, attachment_id: str, force: bool = False) -> None:
    """Unplug an interface from its instance, at once: there is nothing that force would add."""
    del force
    interface = _find(tx.world, attachment_id)
    attachment = interface.attachment
    assert attachment, "it was found by its attachment"
    if interface.requester_managed or attachment.instance_id is None:
        raise SERVICE_OWNED(prefix=attachment.id.rpartition("-")[0])
    if attachment.device_index == 0:
        raise PRIMARY()
    tx.put(interface.but(attachment=None, public_ip=None))
    tell_addresses(tx, interface, None)


def _find(world: World, attachment_id: str) -> Interface:
    for interface in world.all(Interface):
        if interface.attachment and interface.attachment.id == attachment_id:
            return interface
    check_id(attachment_id, "eni-attach", NOT_FOUND)
    raise NOT_FOUND(id=attachment_id)


def tell_addresses(tx: Tx, interface: Interface, instance_id: str | None) -> None:
    """Let the interface's Elastic IPs name the instance that they lead to now."""
    for eip in tx.world.bucket(ElasticIp, "interface_id", interface.id).values():
        tx.put(cast(ElasticIp, eip).but(instance_id=instance_id))
