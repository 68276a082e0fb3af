"""Flow logs: what passed interfaces, and what was refused there, written down in windows of time."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.interface import Interface
from atoll.model.resource import Resource
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLog(Resource):
    """A flow log of a VPC, a subnet or an interface.  Nothing about it can be changed; whether it is written may."""

    vpc_id: str
    resource_id: str
    traffic: str  # ACCEPT, REJECT or ALL
    destination_type: str = "cloud-watch-logs"  # or s3
    destination: str | None = None  # an ARN; None: a log group was named
    log_group: str | None = None  # None: s3
    permission_arn: str | None = None
    cross_account_role: str | None = None
    format: str
    interval_seconds: int
    hive_partitions: bool = False
    hour_partitions: bool = False
    created: datetime
    trouble: str | None = None  # why its records could not be written; None: they are

    @property
    def status(self) -> str:
        """AWS's DeliverLogsStatus."""
        return "FAILED" if self.trouble else "SUCCESS"

    def covers(self, interface: Interface) -> bool:
        """Tell whether it is about an interface."""
        return self.resource_id in (interface.id, interface.subnet_id, interface.vpc_id)


def stands(world: World, log: FlowLog) -> bool:
    """Tell whether what a log is about still exists: the log goes with it."""
    everyone = world.seen_by(None)
    return any(everyone.get(kind, log.resource_id) for kind in (Vpc, Subnet, Interface))
