"""The root volume of a launch.  There are no other disks: a block device mapping may only shape the root."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.ec2.errors import BAD_VALUE, BOTH, MISSING, UNSUPPORTED
from atoll.ec2.instance import refuse_members
from atoll.model.image import Image
from atoll.model.names import arn, digest
from atoll.model.volume import Volume
from atoll.model.world import Tx
from atoll.model.zones import Zone

TOO_SMALL = Err(
    "InvalidBlockDeviceMapping",
    "Volume of size {size}GB is smaller than snapshot '{snapshot}', expect size >= {least}GB",
)
NO_SUCH_SNAPSHOT = Err("InvalidSnapshot.NotFound", "The snapshot '{id}' does not exist.")
NOT_FOR_TYPE = Err("InvalidParameterCombination", "The parameter {name} is not supported for {type} volumes.")
NEEDED_FOR_TYPE = Err("MissingParameter", "The parameter {name} must be specified for {type} volumes.")

_EBS_MEMBERS = (
    "DeleteOnTermination", "Encrypted", "Iops", "KmsKeyId", "SnapshotId", "Throughput", "VolumeSize", "VolumeType",
)  # fmt: skip
_BOOT_TYPES = ("gp2", "gp3", "io1", "io2", "standard")
# EBS User Guide, "Amazon EBS volume types": IOPS by type, and gp3's throughput in MiB/s.
_IOPS = {"gp3": (3_000, 16_000), "io1": (100, 64_000), "io2": (100, 256_000)}
_THROUGHPUT = (125, 1_000)
_SIZE_MAX = {"standard": 1_024}
_SIZE_MAX_DEFAULT = 16_384  # GiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """What the root volume of each launched instance is like."""

    image: Image
    size: int
    type: str
    iops: int | None
    throughput: int | None
    encrypted: bool
    kms_key_id: str | None
    tags: Mapping[str, str] = field(default_factory=dict)


def plan(mappings: Sequence[Shape], image: Image, tags: Mapping[str, str]) -> Root:
    """Return the root volume that a launch asks for; raises for any other device."""
    ebs: Shape = {}
    for mapping in mappings:
        refuse_members(mapping, "BlockDeviceMappings", ("DeviceName", "Ebs"))
        if mapping.get("DeviceName") is None:
            raise MISSING(name="deviceName")
        if mapping["DeviceName"] != image.root_device:
            raise UNSUPPORTED(what=f"A disk besides the root device {image.root_device}")
        ebs = mapping.get("Ebs", {})
    refuse_members(ebs, "BlockDeviceMappings.Ebs", _EBS_MEMBERS)
    if ebs.get("DeleteOnTermination") is False:
        raise UNSUPPORTED(what="A root volume that outlives its instance")
    if ebs.get("SnapshotId", image.snapshot_id) != image.snapshot_id:
        raise NO_SUCH_SNAPSHOT(id=ebs["SnapshotId"])
    if "KmsKeyId" in ebs and not ebs.get("Encrypted"):
        raise BOTH(one="KmsKeyId", other="an unencrypted volume")
    type = ebs.get("VolumeType", image.volume_type)
    if type not in _BOOT_TYPES:
        raise BAD_VALUE(value=type, name="volumeType", why="A boot volume cannot be of this type.")
    size = ebs.get("VolumeSize", image.size)
    if size < image.size:
        raise TOO_SMALL(size=size, snapshot=image.snapshot_id, least=image.size)
    if size > (limit := _SIZE_MAX.get(type, _SIZE_MAX_DEFAULT)):
        raise BAD_VALUE(value=size, name="volumeSize", why=f"A {type} volume has at most {limit} GiB.")
    return Root(
        image=image,
        size=size,
        type=type,
        iops=_iops(type, size, ebs.get("Iops")),
        throughput=_throughput(type, ebs.get("Throughput")),
        encrypted=ebs.get("Encrypted", False),
        kms_key_id=ebs.get("KmsKeyId"),
        tags=tags,
    )


def make(tx: Tx, root: Root, instance_id: str, zone: Zone) -> Volume:
    """Put the root volume of an instance."""
    id = tx.new_id("vol")
    key = root.kms_key_id
    if root.encrypted and key is None:  # the account's own key for EBS
        key = arn("kms", tx.region, tx.account, f"key/{digest(f'aws/ebs {tx.account} {tx.region}', 32)}")
    return tx.make(
        Volume,
        id,
        instance_id=instance_id,
        device=root.image.root_device,
        size=root.size,
        type=root.type,
        zone=zone.name,
        snapshot_id=root.image.snapshot_id,
        created=tx.now,
        iops=root.iops,
        throughput=root.throughput,
        encrypted=root.encrypted,
        kms_key_id=key,
        tags=root.tags,
    )


def _iops(type: str, size: int, given: int | None) -> int | None:
    if type not in _IOPS:
        if given is not None:
            raise NOT_FOR_TYPE(name="iops", type=type)
        return min(max(100, 3 * size), 16_000) if type == "gp2" else None  # gp2: 3 IOPS per GiB, at least 100
    low, high = _IOPS[type]
    if given is None and type != "gp3":
        raise NEEDED_FOR_TYPE(name="iops", type=type)
    iops = low if given is None else given
    if not low <= iops <= high:
        raise BAD_VALUE(value=iops, name="iops", why=f"A {type} volume has {low} to {high} IOPS.")
    return iops


def _throughput(type: str, given: int | None) -> int | None:
    if type != "gp3":
        if given is not None:
            raise NOT_FOR_TYPE(name="throughput", type=type)
        return None
    low, high = _THROUGHPUT
    throughput = low if given is None else given
    if not low <= throughput <= high:
        raise BAD_VALUE(value=throughput, name="throughput", why=f"A gp3 volume has {low} to {high} MiB/s.")
    return throughput
