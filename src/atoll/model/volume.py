"""Volumes: the root disks of instances.  There are no others."""

from dataclasses import dataclass
from datetime import datetime

from atoll.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Resource):
    """The root disk of an instance; made and deleted with it, so it is always attached."""

    instance_id: str
    device: str  # "/dev/xvda"
    size: int  # GiB
    type: str
    zone: str
    snapshot_id: str
    created: datetime
    iops: int | None = None  # None: the type has no such figure
    throughput: int | None = None  # MiB/s; only gp3 has it
    encrypted: bool = False
    kms_key_id: str | None = None
