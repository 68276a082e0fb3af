"""Attributes of network interfaces."""

from collections.abc import Sequence
from dataclasses import replace

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import errors
from atoll.ec2.association import SERVICE_OWNED
from atoll.ec2.attachment import NOT_FOUND
from atoll.ec2.group import groups_for
from atoll.ec2.interface import render_attachment, render_groups
from atoll.ec2.kinds import check_id, find
from atoll.ec2.tracking import timeouts_of
from atoll.model.interface import Attachment, Interface
from atoll.model.lookup import public_ip_of
from atoll.model.world import Tx, World

SEVERAL_ATTRIBUTES = Err("InvalidParameterCombination", "Fields for multiple attribute types specified: {names}")
OTHER_ATTACHMENT = Err(
    "InvalidParameterValue", "Attachment '{attachment}' is not an attachment of the network interface '{id}'."
)


@operation("ec2", "ModifyNetworkInterfaceAttribute", network=True)
def modify_network_interface_attribute(
    tx: Tx,
    *,
    network_interface_id: str,
    groups: Sequence[str] = (),
    description: Shape | None = None,
    source_dest_check: Shape | None = None,
    attachment: Shape | None = None,
    connection_tracking_specification: Shape | None = None,
) -> None:
    """Set one attribute of an interface; a service's interface is the service's."""
    interface = find(tx.world, Interface, network_interface_id)
    changes: dict[str, object] = {}
    if groups:
        changes["group_ids"] = groups_for(tx.world, interface.vpc_id, groups)
    if description is not None:
        changes["description"] = description.get("Value", "")
    if source_dest_check is not None and "Value" in source_dest_check:
        changes["source_dest_check"] = source_dest_check["Value"]
    if attachment is not None:
        changes["attachment"] = _changed(interface, attachment)
    if connection_tracking_specification is not None:
        changes["timeouts"] = timeouts_of(connection_tracking_specification, interface.timeouts)
    if interface.requester_managed:
        raise SERVICE_OWNED()
    if not changes:
        raise errors.MISSING(name="attribute")
    if len(changes) > 1:
        raise SEVERAL_ATTRIBUTES(names=", ".join(changes))
    tx.put(interface.but(**changes))


def _changed(interface: Interface, request: Shape) -> Attachment:
    for member in ("DefaultEnaQueueCount", "EnaQueueCount"):
        if member in request:
            raise errors.UNSUPPORTED(what=f"{member} of an attachment")
    id = request.get("AttachmentId", "")
    if interface.attachment is None or interface.attachment.id != id:
        check_id(id, "eni-attach", NOT_FOUND)
        raise OTHER_ATTACHMENT(attachment=id, id=interface.id)
    if "DeleteOnTermination" not in request:
        raise errors.MISSING(name="attachment.deleteOnTermination")
    return replace(interface.attachment, delete_on_termination=request["DeleteOnTermination"])


@operation("ec2", "DescribeNetworkInterfaceAttribute")
def describe_network_interface_attribute(
    world: World, *, network_interface_id: str, attribute: str | None = None
) -> Shape:
    """Tell one attribute of an interface."""
    interface = find(world, Interface, network_interface_id)
    if attribute is None:
        raise errors.MISSING(name="attribute")
    answers: dict[str, Shape] = {
        "description": {"Description": {"Value": interface.description}},
        "groupSet": {"Groups": render_groups(world, interface)},
        "sourceDestCheck": {"SourceDestCheck": {"Value": interface.source_dest_check}},
        "attachment": {"Attachment": render_attachment(interface.attachment) if interface.attachment else None},
        "associatePublicIpAddress": {"AssociatePublicIpAddress": public_ip_of(world, interface) is not None},
    }
    return {"NetworkInterfaceId": interface.id, **answers[attribute]}
