"""What the host saw an instance do, recorded: the answers to what the operations asked for.

Operations ask (`pending`, `stopping`, `shutting-down`); the reconciler looks, and calls one of these in a transaction
of its own (without a caller).  An operation may have come in between the look and the record, so an event that the
state no longer allows is overtaken and changes nothing; each function tells whether it recorded.
"""

from datetime import timedelta
from typing import cast

from atoll.model.account import AccessKey
from atoll.model.address import ElasticIp
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lifecycle import INSTANCE, PEERING
from atoll.model.lookup import interfaces_of
from atoll.model.peering import ENDED, Peering
from atoll.model.resource import Resource
from atoll.model.volume import Volume
from atoll.model.world import Tx

TERMINATED_SHOWN = timedelta(hours=1)  # EC2 User Guide, "Terminate Amazon EC2 instances"
EXPIRED_KEY_KEPT = timedelta(days=1)  # so that its holder is told that it expired, not that it never was

# VPC Peering Guide, "VPC peering connection lifecycle": how long an ended connection is shown.
FAILED_SHOWN = timedelta(hours=2)
ENDED_SHOWN_TO_ACTOR = timedelta(hours=2)
ENDED_SHOWN = timedelta(days=2)

INTERNAL_ERROR = "Server.InternalError"
GUEST_SHUTDOWN = "Client.InstanceInitiatedShutdown"


def booted(tx: Tx, *instance_ids: str) -> bool:
    """Record that pending instances run."""
    found = [one for id in instance_ids if (one := _at(tx, id, "booted")) is not None]
    for instance in found:
        tx.put(instance.but(state=INSTANCE.after(instance.state, "booted"), host_error=None, stopped_at=None))
    return bool(found)


def halted(tx: Tx, instance_id: str) -> bool:
    """Record that a running instance shut itself down; its shutdown behaviour says what follows."""
    event = "halted"
    if (instance := _at(tx, instance_id, event)) is None:
        return False
    if instance.shutdown_behavior == "terminate":
        event = "halted-to-terminate"
    message = f"{GUEST_SHUTDOWN}: Instance initiated shutdown"
    tx.put(
        instance.but(
            state=INSTANCE.after(instance.state, event),
            state_reason=(GUEST_SHUTDOWN, message),
            state_transition=message,
        )
    )
    return True


def stopped(tx: Tx, instance_id: str) -> bool:
    """Record that a stopping instance has stopped: automatic public addresses are released, all others stay."""
    instance = _at(tx, instance_id, "exited")
    if instance is None or instance.state != "stopping":
        return False
    state = INSTANCE.after(instance.state, "exited")
    tx.put(instance.but(state=state, stopped_at=tx.now, host_error=None, host=None))
    _release_public_ips(tx, instance_id)
    return True


def terminated(tx: Tx, instance_id: str) -> bool:
    """Record that an instance has gone: its interfaces and its volume go with it; it is shown for an hour."""
    instance = _at(tx, instance_id, "exited")
    if instance is None or instance.state != "shutting-down":
        return False
    _end(tx, instance.but(state=INSTANCE.after(instance.state, "exited"), host_error=None))
    return True


def failed(tx: Tx, instance_id: str, reason: str) -> bool:
    """Record that the host could not boot an instance, and why.

    A new one is terminated, as on AWS; one that ran before is stopped again, and so keeps its disk.
    """
    if (instance := _at(tx, instance_id, "failed")) is None:
        return False
    message = f"{INTERNAL_ERROR}: {reason}"
    why = {"state_reason": (INTERNAL_ERROR, message), "state_transition": message, "host_error": reason}
    if instance.boot == 1:
        _end(tx, instance.but(state=INSTANCE.after(instance.state, "failed"), **why))
        return True
    tx.put(instance.but(state=INSTANCE.after(instance.state, "start-failed"), stopped_at=tx.now, host=None, **why))
    _release_public_ips(tx, instance_id)
    return True


def network_obeyed(tx: Tx, peering_id: str, status: str) -> bool:
    """Record that the kernel obeys a peering connection with this status: packets pass now, or no longer do."""
    peering = tx.world.seen_by(None).get(Peering, peering_id)
    event = {"provisioning": "in-force", "deleting": "out-of-force"}.get(status, "")
    if peering is None or peering.status != status or not PEERING.allows(status, event):
        return False
    message = "Active" if event == "in-force" else peering.message
    tx.put(peering.but(status=PEERING.after(status, event), message=message))
    return True


def forget_old_peerings(tx: Tx) -> None:
    """Let requests expire that nobody accepted in a week, and hide and forget connections that ended."""
    for peering in list(tx.world.seen_by(None).all(Peering)):
        if PEERING.allows(peering.status, "expire") and tx.now >= peering.expires:
            status = PEERING.after(peering.status, "expire")
            tx.put(peering.but(status=status, message="Expired", ended=peering.expires))
        elif peering.ended and peering.status in ENDED:
            _age(tx, peering, tx.now - peering.ended)


def _age(tx: Tx, peering: Peering, age: timedelta) -> None:
    is_ours = peering.requester.owner == peering.accepter.owner == peering.ended_by
    if age >= (FAILED_SHOWN if peering.status == "failed" or is_ours else ENDED_SHOWN):
        tx.delete(peering)
    elif peering.ended_by and not peering.hidden_from_actor and age >= ENDED_SHOWN_TO_ACTOR:
        tx.put(peering.but(hidden_from_actor=True))


def forget_old(tx: Tx) -> int:
    """Forget instances that were terminated an hour ago, and keys that expired a day ago; return how many."""
    old: list[Resource] = [
        instance
        for instance in tx.all(Instance, state="terminated")
        if instance.ended_at and tx.now - instance.ended_at >= TERMINATED_SHOWN
    ]
    old += [key for key in tx.all(AccessKey) if key.expires and tx.now - key.expires >= EXPIRED_KEY_KEPT]
    for resource in old:
        tx.delete(resource)
    return len(old)


def _at(tx: Tx, instance_id: str, event: str) -> Instance | None:
    """Return the instance if the event may happen to it now."""
    instance = tx.get(Instance, instance_id)
    return instance if instance and INSTANCE.allows(instance.state, event) else None


def _end(tx: Tx, instance: Instance) -> None:
    """Put a terminated instance, without what it held."""
    for interface in interfaces_of(tx.world, instance.id):
        _let_go(tx, interface)
    if volume := tx.get(Volume, instance.volume_id):
        tx.delete(volume)
    tx.put(instance.but(ended_at=tx.now, vpc_id=None, subnet_id=None, volume_id="", host=None))


def _let_go(tx: Tx, interface: Interface) -> None:
    """Delete an interface, or detach it if it outlives its instance; an Elastic IP stays with what stays."""
    assert interface.attachment, "an instance's interface is attached to it"
    dies = interface.attachment.delete_on_termination
    for eip in tx.world.bucket(ElasticIp, "interface_id", interface.id).values():
        eip = cast(ElasticIp, eip)
        if dies:
            eip = eip.but(association_id=None, interface_id=None, private_ip=None)
        tx.put(eip.but(instance_id=None))
    if dies:
        tx.delete(interface)
    else:
        tx.put(interface.but(attachment=None, public_ip=None))


def _release_public_ips(tx: Tx, instance_id: str) -> None:
    for interface in interfaces_of(tx.world, instance_id):
        if interface.public_ip:
            tx.put(interface.but(public_ip=None))
