"""The options of an instance that have calls of their own: CPU credits, maintenance, names."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2 import instance_options as options
from atoll.ec2.errors import BOTH, UNSUPPORTED
from atoll.ec2.filters import Table, select
from atoll.ec2.instance import find, find_all
from atoll.ec2.instance_attribute import ENDED, NOT_STOPPED
from atoll.model.instance import Instance
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.world import Tx, World

NO_CREDITS = Err("UnsupportedOperation", "The instance '{id}' is not a burstable performance instance.")

CREDIT_FILTERS: Table = {"instance-id": "id"}


@operation("ec2", "ModifyInstanceMaintenanceOptions")
def modify_instance_maintenance_options(
    tx: Tx, *, instance_id: str, auto_recovery: str | None = None, reboot_migration: str | None = None
) -> Shape:
    """Change whether an instance is recovered by itself."""
    i = _not_ended(tx, instance_id)
    if reboot_migration not in (None, "default"):
        raise UNSUPPORTED(what="RebootMigration")
    i = tx.put(i.but(auto_recovery=auto_recovery or i.auto_recovery))
    return {"InstanceId": i.id, "AutoRecovery": i.auto_recovery, "RebootMigration": "default"}


@operation("ec2", "ModifyPrivateDnsNameOptions", network=True)
def modify_private_dns_name_options(
    tx: Tx,
    *,
    instance_id: str,
    private_dns_hostname_type: str | None = None,
    enable_resource_name_dns_a_record: bool | None = None,
    enable_resource_name_dns_aaaa_record: bool | None = None,
) -> Shape:
    """Change how an instance is named; the kind of name only while it is stopped."""
    i = _not_ended(tx, instance_id)
    kind = private_dns_hostname_type or i.hostname_type
    if kind != i.hostname_type and i.state != "stopped":
        raise NOT_STOPPED(id=i.id)
    record, record6 = enable_resource_name_dns_a_record, enable_resource_name_dns_aaaa_record
    tx.put(
        i.but(
            hostname_type=kind,
            resource_name_a_record=i.resource_name_a_record if record is None else record,
            resource_name_aaaa_record=i.resource_name_aaaa_record if record6 is None else record6,
        )
    )
    return {"Return": True}


@operation("ec2", "DescribeInstanceCreditSpecifications")
def describe_instance_credit_specifications(
    world: World,
    *,
    instance_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """Tell how burstable instances burst; without ids only those that do so without limit, as AWS does."""
    if instance_ids and max_results is not None:
        raise BOTH(one="instanceIds", other="maxResults")
    if instance_ids:
        found = find_all(world, instance_ids)
        for i in found:
            if not INSTANCE_TYPES[i.type].burstable:
                raise NO_CREDITS(id=i.id)
    else:
        found = [i for i in world.all(Instance) if i.cpu_credits == "unlimited" and i.ended_at is None]
    chosen = select(world, found, filters, CREDIT_FILTERS)
    page, token = page_ec2(chosen, lambda i: i.id, max_results, next_token)
    shapes = [{"InstanceId": i.id, "CpuCredits": i.cpu_credits} for i in page]
    return {"InstanceCreditSpecifications": shapes, "NextToken": token}


@operation("ec2", "ModifyInstanceCreditSpecification")
def modify_instance_credit_specification(tx: Tx, *, instance_credit_specifications: Sequence[Shape]) -> Shape:
    """Change how burstable instances burst; those that cannot be changed are listed apart."""
    done: list[Shape] = []
    failed: list[Shape] = []
    for asked in instance_credit_specifications:
        id, value = asked.get("InstanceId", ""), asked.get("CpuCredits")
        i = tx.get(Instance, id)
        if i is None or i.ended_at is not None:
            failed.append(_failure(id, "InvalidInstanceID.NotFound", f"The instance ID '{id}' does not exist"))
        elif not INSTANCE_TYPES[i.type].burstable:
            failed.append(_failure(id, "InstanceCreditSpecification.NotSupported", NO_CREDITS(id=id).message))
        else:
            tx.put(i.but(cpu_credits=options.credits(value, INSTANCE_TYPES[i.type])))
            done.append({"InstanceId": id})
    return {
        "SuccessfulInstanceCreditSpecifications": done,
        "UnsuccessfulInstanceCreditSpecifications": failed,
    }


def _failure(id: str, code: str, message: str) -> Shape:
    return {"InstanceId": id, "Error": {"Code": code, "Message": message}}


def _not_ended(tx: Tx, id: str) -> Instance:
    i = find(tx.world, id)
    if i.state in ("shutting-down", "terminated"):
        raise ENDED(id=i.id)
    return i
