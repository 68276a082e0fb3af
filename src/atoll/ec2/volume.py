"""Volumes: the root disks of instances, as EC2 describes them.  They come and go with their instance."""

from collections.abc import Sequence

from atoll.aws.fragments import told
from atoll.aws.operation import Shape, operation
from atoll.ec2.filters import Table, absent, listing
from atoll.ec2.path import iso, second, shown
from atoll.ec2.tags import render_tags
from atoll.model.volume import Volume
from atoll.model.world import World
from atoll.model.zones import zone


@operation("ec2", "DescribeVolumes", pure=True)
def describe_volumes(
    world: World,
    *,
    volume_ids: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    include_managed_resources: bool = False,
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List volumes.  None is managed by a service."""
    del include_managed_resources
    found, token = listing(
        world,
        Volume,
        FILTERS,
        ids=volume_ids,
        filters=filters,
        max_results=max_results,
        next_token=next_token,
        ids_name="volumeIds",
    )
    return {"Volumes": [told(world, render, v) for v in found], "NextToken": token}


def render(world: World, v: Volume) -> Shape:
    """Return AWS's Volume."""
    del world
    place = zone(v.region, v.zone)
    assert place, "a volume is in a zone of its region"
    shape: Shape = {
        "VolumeId": v.id,
        "AvailabilityZone": place.name,
        "AvailabilityZoneId": place.id,
        "CreateTime": v.created,
        "Encrypted": v.encrypted,
        "MultiAttachEnabled": False,
        "Size": v.size,
        "SnapshotId": v.snapshot_id,
        "State": "in-use",
        "VolumeType": v.type,
        "Tags": render_tags(v),
        "Attachments": [
            {
                "VolumeId": v.id,
                "InstanceId": v.instance_id,
                "Device": v.device,
                "State": "attached",
                "AttachTime": second(v.created),
                "DeleteOnTermination": True,
            }
        ],
    }
    if v.iops is not None:
        shape["Iops"] = v.iops
    if v.throughput is not None:
        shape["Throughput"] = v.throughput
    if v.kms_key_id is not None:
        shape["KmsKeyId"] = v.kms_key_id
    return shape


FILTERS: Table = {
    "attachment.attach-time": shown(render, "Attachments.AttachTime"),
    "attachment.delete-on-termination": shown(render, "Attachments.DeleteOnTermination"),
    "attachment.device": "device",
    "attachment.instance-id": "instance_id",
    "attachment.status": shown(render, "Attachments.State"),
    "availability-zone": "zone",
    "availability-zone-id": shown(render, "AvailabilityZoneId"),
    "create-time": lambda _, v: iso(v.created),
    "encrypted": "encrypted",
    "fast-restored": absent,
    "multi-attach-enabled": lambda _w, _v: False,
    "size": "size",
    "snapshot-id": "snapshot_id",
    "status": shown(render, "State"),
    "volume-id": "id",
    "volume-type": "type",
}
