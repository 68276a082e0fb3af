"""Where a flow log's records go: a log group or a bucket.  What is named need not exist: both are files here."""

import re
from typing import NamedTuple

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.ec2 import errors

EMPTY = Err("InvalidParameter", "{name} can't be empty if {other} is {value}.")
WRONG_TYPE = Err("InvalidParameter", "LogDestinationType type must be cloud-watch-logs if LogGroupName is provided.")
BOTH = Err("InvalidParameter", "Please only provide LogGroupName or only provide LogDestination.")
BAD_DESTINATION = Err("InvalidParameter", "LogDestination: {given} {why}")
NOT_FOR_S3 = Err("InvalidParameter", "{name} is not supported for LogDestinationType s3.")
ONLY_FOR_S3 = Err("InvalidParameter", "DestinationOptions is only supported for LogDestinationType s3.")
GROUP_CHARS_MAX = 512
_GROUP = re.compile(r"[.\-_/#A-Za-z0-9]+")
_GROUP_ARN = re.compile(r"arn:aws[a-z-]*:logs:[a-z0-9-]+:\d{12}:log-group:([^:*]+)(:\*)?")
_BUCKET_ARN = re.compile(r"arn:aws[a-z-]*:s3:::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*'()=-]+)*)/?")


class Target(NamedTuple):
    """Fields of a FlowLog."""

    destination_type: str
    destination: str | None
    log_group: str | None
    permission_arn: str | None
    hive_partitions: bool
    hour_partitions: bool


def target_of(kind: str, destination: str | None, group: str | None, role: str | None, options: Shape) -> Target:
    """Return where records go; raises the error of the first parameter that does not belong to the others."""
    if destination and group:
        raise BOTH()
    if group and kind != "cloud-watch-logs":
        raise WRONG_TYPE()
    if kind == "cloud-watch-logs":
        if not destination and not group:
            raise EMPTY(name="LogDestination", other="LogGroupName", value="not provided")
        if not role:
            raise EMPTY(name="DeliverLogsPermissionArn", other="LogDestinationType", value=kind)
        if options:
            raise ONLY_FOR_S3()
        return Target(kind, destination, _log_group(destination, group), role, False, False)
    if kind != "s3":
        raise errors.UNSUPPORTED(what=f"LogDestinationType {kind}")
    if role:
        raise NOT_FOR_S3(name="DeliverLogsPermissionArn")
    if not destination:
        raise EMPTY(name="LogDestination", other="LogDestinationType", value=kind)
    bucket_of(destination)
    if options.get("FileFormat", "plain-text") != "plain-text":
        raise errors.UNSUPPORTED(what=f"FileFormat {options['FileFormat']}")
    hive, hours = options.get("HiveCompatiblePartitions", False), options.get("PerHourPartition", False)
    return Target(kind, destination, None, None, hive, hours)


def _log_group(destination: str | None, group: str | None) -> str:
    found = _GROUP_ARN.fullmatch(destination) if destination else None
    name = found.group(1) if found else group
    if name is None or len(name) > GROUP_CHARS_MAX or not _GROUP.fullmatch(name):
        raise BAD_DESTINATION(given=destination or group, why="does not name a log group.")
    return name


def bucket_of(destination: str) -> tuple[str, str]:
    """Return the bucket and the prefix that an ARN names.  Raises BAD_DESTINATION."""
    found = _BUCKET_ARN.fullmatch(destination)
    if found is None:
        raise BAD_DESTINATION(given=destination, why="does not name a bucket.")
    folders = found.group(2).strip("/")
    if "AWSLogs" in folders.split("/"):
        raise BAD_DESTINATION(given=destination, why="has AWSLogs as a subfolder, which is reserved.")
    if {".", ".."} & set(folders.split("/")):
        raise BAD_DESTINATION(given=destination, why="does not name a bucket.")
    return found.group(1), folders
