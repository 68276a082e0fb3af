"""Starting, stopping, rebooting and terminating instances: each only says what should be.

Several instances are changed together or not at all.  The order of the checks, and what is quietly accepted (starting
what runs, stopping what is stopped), are AWS's.  Source: EC2 API Reference, "StopInstances" and its neighbours.
"""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2.errors import MISSING
from atoll.ec2.instance import find_all
from atoll.ec2.instance_render import state
from atoll.ec2.placement import place, wish_of
from atoll.model.instance import Instance
from atoll.model.lifecycle import INSTANCE
from atoll.model.lookup import elastic_ip_of, interfaces_of
from atoll.model.world import Tx
from atoll.network.ipam import NoFreePublicAddress, free_public_ip

CANNOT_START = Err("IncorrectInstanceState", "The instance '{id}' is not in a state from which it can be started.")
CANNOT_STOP = Err("IncorrectInstanceState", "This instance '{id}' is not in a state from which it can be stopped.")
NEVER_RAN = Err(
    "IncorrectInstanceState", "Instance '{id}' cannot be stopped as it has never reached the 'running' state."
)
CANNOT_REBOOT = Err("IncorrectInstanceState", "The instance '{id}' is not in a state from which it can be rebooted.")
PROTECTED = Err(
    "OperationNotPermitted",
    "The instance '{id}' may not be {what}. Modify its '{attribute}' instance attribute and try again.",
)
NO_HIBERNATION = Err(
    "UnsupportedHibernationConfiguration", "The instance '{id}' is not enabled for hibernation at launch."
)
NO_PUBLIC_ADDRESS = Err(
    "InsufficientFreeAddressesInSubnet", "There are not enough free public addresses to satisfy the request."
)


@operation("ec2", "StartInstances")
def start_instances(tx: Tx, *, instance_ids: Sequence[str]) -> Shape:
    """Ask for stopped instances to run; those that run already are left alone.  Each may stand elsewhere now."""
    found = _given(tx, instance_ids)
    for i in found:
        if i.state not in ("stopped", "pending", "running"):
            raise CANNOT_START(id=i.id)
    return {"StartingInstances": [_change(i, _start(tx, i)) for i in found]}


@operation("ec2", "StopInstances")
def stop_instances(
    tx: Tx,
    *,
    instance_ids: Sequence[str],
    force: bool = False,
    skip_os_shutdown: bool = False,
    hibernate: bool = False,
) -> Shape:
    """Ask for instances to stop; `force` and `skip_os_shutdown` do not wait for the guest."""
    found = _given(tx, instance_ids)
    for i in found:
        if i.api_stop_disabled and i.state in ("pending", "running"):
            raise PROTECTED(id=i.id, what="stopped", attribute="disableApiStop")
        if i.state == "pending" and i.boot == 1:
            raise NEVER_RAN(id=i.id)
        if i.state in ("shutting-down", "terminated"):
            raise CANNOT_STOP(id=i.id)
        if hibernate:
            raise NO_HIBERNATION(id=i.id)
    return {"StoppingInstances": [_change(i, _stop(tx, i, forced=force or skip_os_shutdown)) for i in found]}


@operation("ec2", "TerminateInstances")
def terminate_instances(
    tx: Tx, *, instance_ids: Sequence[str], force: bool = False, skip_os_shutdown: bool = False
) -> Shape:
    """Ask for instances to end; terminating what is terminated succeeds.

    An instance that ends is never waited for long, so `force` and `skip_os_shutdown` only spare the politeness.
    """
    found = _given(tx, instance_ids)
    for i in found:
        if i.state in ("shutting-down", "terminated"):
            continue
        if i.api_termination_disabled:
            raise PROTECTED(id=i.id, what="terminated", attribute="disableApiTermination")
        if i.api_stop_disabled:  # EC2 User Guide, "Enable stop protection": it protects from termination too
            raise PROTECTED(id=i.id, what="terminated", attribute="disableApiStop")
    forced = force or skip_os_shutdown
    return {"TerminatingInstances": [_change(i, _terminate(tx, i, forced=forced)) for i in found]}


@operation("ec2", "RebootInstances")
def reboot_instances(tx: Tx, *, instance_ids: Sequence[str]) -> None:
    """Ask for another boot of running instances.

    One that is about to boot does so anyway, and "requests to reboot terminated instances are ignored".
    """
    found = _given(tx, instance_ids)
    for i in found:
        if i.state in ("stopping", "stopped"):
            raise CANNOT_REBOOT(id=i.id)
    for i in found:
        if i.state == "running":
            tx.put(i.but(boot=i.boot + 1))


@operation("ec2", "MonitorInstances")
def monitor_instances(tx: Tx, *, instance_ids: Sequence[str]) -> Shape:
    """Mark instances as monitored in detail."""
    return _monitor(tx, instance_ids, "enabled")


@operation("ec2", "UnmonitorInstances")
def unmonitor_instances(tx: Tx, *, instance_ids: Sequence[str]) -> Shape:
    """Take the mark away."""
    return _monitor(tx, instance_ids, "disabled")


def give_public_ip(tx: Tx, instance: Instance) -> None:
    """Give an instance's only interface an automatic public address, if its launch asked for one.

    Not with several interfaces, and not beside an Elastic IP.  Raises NO_PUBLIC_ADDRESS.
    Source: EC2 User Guide, "Public IPv4 addresses".
    """
    if not instance.public_ip_wanted:
        return  # no look: each makes a World of what was put before
    interfaces = interfaces_of(tx.world, instance.id)
    if len(interfaces) != 1 or elastic_ip_of(tx.world, interfaces[0].id):
        return
    try:
        tx.put(interfaces[0].but(public_ip=free_public_ip(tx.world)))
    except NoFreePublicAddress:
        raise NO_PUBLIC_ADDRESS() from None


def _given(tx: Tx, ids: Sequence[str]) -> list[Instance]:
    if not ids:
        raise MISSING(name="InstanceId")
    return find_all(tx.world, ids)


def _start(tx: Tx, i: Instance) -> Instance:
    if not INSTANCE.allows(i.state, "start"):
        return i
    where = place(tx.world, i.zone, wish_of(tx.world, i))
    started = tx.put(
        i.but(
            state=INSTANCE.after(i.state, "start"),
            boot=i.boot + 1,
            host=where.host,
            partition=where.partition,
            launched=tx.now,
            stopped_at=None,
            state_reason=None,
            state_transition="",
            host_error=None,
            forced=False,
        )
    )
    give_public_ip(tx, started)
    return started


def _stop(tx: Tx, i: Instance, *, forced: bool) -> Instance:
    if i.state == "stopping" and forced:
        return tx.put(i.but(forced=True))
    if not INSTANCE.allows(i.state, "stop"):
        return i
    return tx.put(i.but(state=INSTANCE.after(i.state, "stop"), forced=forced, **_by_user(tx)))


def _terminate(tx: Tx, i: Instance, *, forced: bool) -> Instance:
    if not INSTANCE.allows(i.state, "terminate"):
        return i
    return tx.put(i.but(state=INSTANCE.after(i.state, "terminate"), forced=forced, **_by_user(tx)))


def _by_user(tx: Tx) -> dict[str, object]:
    """Return why the state changes: someone asked for it."""
    code = "Client.UserInitiatedShutdown"
    return {
        "state_reason": (code, f"{code}: User initiated shutdown"),
        "state_transition": f"User initiated ({tx.now:%Y-%m-%d %H:%M:%S} GMT)",
    }


def _change(before: Instance, after: Instance) -> Shape:
    """Return AWS's InstanceStateChange."""
    return {
        "InstanceId": before.id,
        "CurrentState": state(after.state),
        "PreviousState": state(before.state),
    }


def _monitor(tx: Tx, ids: Sequence[str], value: str) -> Shape:
    found = [tx.put(i.but(monitoring=value)) for i in _given(tx, ids)]
    return {"InstanceMonitorings": [{"InstanceId": i.id, "Monitoring": {"State": i.monitoring}} for i in found]}
