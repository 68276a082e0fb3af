"""Flow logs: create, describe, delete.  What they write is made by `control/flow_logs.py`.

Source: EC2 API Reference, CreateFlowLogs, DescribeFlowLogs, DeleteFlowLogs; VPC User Guide, "Logging IP traffic".
"""

from collections.abc import Sequence

from atoll.aws.errors import AwsError, Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2 import errors, quotas
from atoll.ec2.filters import Table, select
from atoll.ec2.flow_log_target import Target, target_of
from atoll.ec2.kinds import check_id, find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model.flow_log import FlowLog, stands
from atoll.model.interface import Interface
from atoll.model.resource import Resource
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import Tx, World
from atoll.network.flow_format import DEFAULT_FORMAT, FormatError, fields_of

EXISTS = Err(
    "FlowLogAlreadyExists", "Error. There is an existing Flow Log with the same configuration and log destination."
)
NOT_FOUND = Err(
    "InvalidFlowLogId.NotFound",
    "These flow log ids in the input list are not found: [TotalCount: {count}] {ids}",
)
BAD_INTERVAL = Err("InvalidParameter", "Invalid Flow Log Max Aggregation Interval")
BAD_FORMAT = Err("InvalidParameter", "{why}")
TOO_MANY = Err("InvalidParameter", "At most {limit} resources may be specified.")
NO_RESOURCE = Err("MissingParameter", "The request must contain the parameter ResourceIds")
INTERVALS = (60, 600)
RESOURCES_MAX = 300
KINDS: dict[str, type[Resource]] = {"VPC": Vpc, "Subnet": Subnet, "NetworkInterface": Interface}

FILTERS: Table = {
    "deliver-log-status": "status",
    "flow-log-id": "id",
    "log-destination-type": "destination_type",
    "log-group-name": "log_group",
    "resource-id": "resource_id",
    "traffic-type": "traffic",
}


@operation("ec2", "CreateFlowLogs", network=True)
def create_flow_logs(
    tx: Tx,
    *,
    resource_ids: Sequence[str],
    resource_type: str,
    traffic_type: str | None = None,
    log_destination_type: str = "cloud-watch-logs",
    log_destination: str | None = None,
    log_group_name: str | None = None,
    deliver_logs_permission_arn: str | None = None,
    deliver_cross_account_role: str | None = None,
    log_format: str | None = None,
    max_aggregation_interval: int = 600,
    destination_options: Shape | None = None,
    client_token: str | None = None,
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Create a flow log for each resource; those for which there can be none are told beside the others."""
    if not resource_ids:
        raise NO_RESOURCE()
    if len(resource_ids) > RESOURCES_MAX:
        raise TOO_MANY(limit=RESOURCES_MAX)
    if resource_type not in KINDS:
        raise errors.UNSUPPORTED(what=f"A flow log of a {resource_type}")
    if traffic_type is None:
        raise errors.MISSING(name="TrafficType")
    if max_aggregation_interval not in INTERVALS:
        raise BAD_INTERVAL()
    target = target_of(
        log_destination_type, log_destination, log_group_name, deliver_logs_permission_arn, destination_options or {}
    )
    log = _template(tx, target, traffic_type, log_format, max_aggregation_interval)
    log = log.but(cross_account_role=deliver_cross_account_role, tags=tags_for("vpc-flow-log", tag_specifications))
    made: list[str] = []
    failed: list[tuple[str, AwsError]] = []
    for id in dict.fromkeys(resource_ids):
        try:
            made.append(_create(tx, log, KINDS[resource_type], id).id)
        except AwsError as error:
            failed.append((id, error))
    if failed and len(failed) == len(resource_ids) == 1:
        raise failed[0][1]
    token = client_token or tx.new_hex(32)  # AWS makes one when none is given
    return {"ClientToken": token, "FlowLogIds": made, "Unsuccessful": [_unsuccessful(*f) for f in failed]}


def _template(tx: Tx, target: Target, traffic: str, format: str | None, interval: int) -> FlowLog:
    """Return a log of nothing yet."""
    try:
        fields_of(DEFAULT_FORMAT if format is None else format)
    except FormatError as error:
        raise BAD_FORMAT(why=str(error)) from None
    return FlowLog(
        id="", account=tx.account, region=tx.region, vpc_id="", resource_id="", traffic=traffic,
        format=DEFAULT_FORMAT if format is None else format, interval_seconds=interval, created=tx.now,
        **target._asdict(),
    )  # fmt: skip


def _create(tx: Tx, template: FlowLog, kind: type[Resource], id: str) -> FlowLog:
    resource = find(tx.world, kind, id)
    others = [log for log in tx.all(FlowLog) if log.resource_id == id]
    if any(_configuration(log) == _configuration(template) for log in others):
        raise EXISTS()
    if len(others) >= quotas.FLOW_LOGS_MAX:
        raise quotas.FLOW_LOG_LIMIT(id=id)
    vpc_id = id if isinstance(resource, Vpc) else getattr(resource, "vpc_id")  # noqa: B009  # both others have one
    return tx.put(template.but(id=tx.new_id("fl"), resource_id=id, vpc_id=vpc_id))


def _configuration(log: FlowLog) -> tuple[object, ...]:
    return log.traffic, log.destination_type, log.destination, log.log_group, log.format


def _unsuccessful(id: str, error: AwsError) -> Shape:
    return {"ResourceId": id, "Error": {"Code": error.code, "Message": error.message}}


@operation("ec2", "DescribeFlowLogs")
def describe_flow_logs(
    world: World,
    *,
    flow_log_ids: Sequence[str] = (),
    filter: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List flow logs."""
    if flow_log_ids and max_results is not None:
        raise errors.BOTH(one="flowLogIds", other="maxResults")
    items = [find(world, FlowLog, id) for id in dict.fromkeys(flow_log_ids)] if flow_log_ids else world.all(FlowLog)
    found = select(world, [log for log in items if stands(world, log)], filter, FILTERS)
    page, token = page_ec2(found, lambda log: log.id, max_results, next_token)
    return {"FlowLogs": [render(log) for log in page], "NextToken": token}


@operation("ec2", "DeleteFlowLogs", network=True)
def delete_flow_logs(tx: Tx, *, flow_log_ids: Sequence[str]) -> Shape:
    """Delete flow logs, all or none; what they have written stays."""
    for id in flow_log_ids:
        check_id(id, "fl", Err("InvalidFlowLogId.Malformed", errors.MALFORMED_MESSAGE))
    missing = [id for id in dict.fromkeys(flow_log_ids) if tx.get(FlowLog, id) is None]
    if missing:
        raise NOT_FOUND(count=len(missing), ids=" ".join(missing))
    for id in dict.fromkeys(flow_log_ids):
        tx.delete(find(tx.world, FlowLog, id))
    return {"Unsuccessful": []}


def render(log: FlowLog) -> Shape:
    """Return a flow log as DescribeFlowLogs shows it."""
    options = {
        "FileFormat": "plain-text",
        "HiveCompatiblePartitions": log.hive_partitions,
        "PerHourPartition": log.hour_partitions,
    }
    return {
        "CreationTime": log.created,
        "DeliverLogsErrorMessage": log.trouble,
        "DeliverLogsPermissionArn": log.permission_arn,
        "DeliverCrossAccountRole": log.cross_account_role,
        "DeliverLogsStatus": log.status,
        "FlowLogId": log.id,
        "FlowLogStatus": "ACTIVE",
        "LogGroupName": log.log_group,
        "ResourceId": log.resource_id,
        "TrafficType": log.traffic,
        "LogDestinationType": log.destination_type,
        "LogDestination": log.destination,
        "LogFormat": log.format,
        "MaxAggregationInterval": log.interval_seconds,
        "DestinationOptions": options if log.destination_type == "s3" else None,
        "Tags": render_tags(log),
    }
