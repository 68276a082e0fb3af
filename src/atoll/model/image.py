"""The catalogue of machine images.

All of them boot the same light machine; the names are those that programs look for.  An image's id depends on its
name and the region alone, so it stays the same from one Atoll to the next.
"""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from atoll.model.names import digest

AMAZON = "137112412989"  # the account that publishes Amazon Linux
CANONICAL = "099720109477"  # that of Ubuntu
ATOLL = "999999999999"  # that of Atoll's own images


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A machine image in a region."""

    id: str
    region: str
    name: str
    description: str
    architecture: str
    created: datetime
    owner: str
    owner_alias: str | None
    snapshot_id: str
    size: int = 8  # GiB
    volume_type: str = "gp2"
    root_device: str = "/dev/xvda"
    imds_v2: bool = False  # its instances ask for session tokens unless told otherwise
    is_nat: bool = False  # boots with forwarding and masquerade
    boot_mode: str | None = None  # None: AWS does not say
    user: str = "ec2-user"  # who logs in with the key
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Row:
    """What an image is in every region."""

    name: str
    description: str
    date: str
    architecture: str = "x86_64"
    volume_type: str = "gp2"
    owner: str = AMAZON
    imds_v2: bool = False
    is_nat: bool = False

    @property
    def boot_mode(self) -> str | None:
        """AWS's BootMode: of Amazon Linux 2023 and of Arm images."""
        if self.architecture == "arm64":
            return "uefi"
        return "uefi-preferred" if self.imds_v2 else None


def _ubuntu(release: str, code: str, date: str, *, volume_type: str, imds_v2: bool = False) -> Iterator[_Row]:
    disk = "hvm-ssd-gp3" if volume_type == "gp3" else "hvm-ssd"
    for architecture, name in (("x86_64", "amd64"), ("arm64", "arm64")):
        yield _Row(
            f"ubuntu/images/{disk}/ubuntu-{code}-{release}-{name}-server-{date.replace('-', '')}",
            f"Canonical, Ubuntu, {release}, {name} {code} image", date, architecture, volume_type, CANONICAL, imds_v2,
        )  # fmt: skip


_ATOLL = "Atoll's light machine: what every image of this catalogue boots"
_NAT = "Amazon Linux AMI VPC NAT x86_64 HVM"
_AL2 = "Amazon Linux 2 AMI 2.0.20260915.0"
_AL2023 = "Amazon Linux 2023 AMI 2023.9.20260921.0"

_ROWS = (
    _Row("atoll-linux-2026.11-x86_64", _ATOLL, "2026-11-20", volume_type="gp3", owner=ATOLL),
    _Row("atoll-linux-2026.11-arm64", _ATOLL, "2026-11-20", "arm64", volume_type="gp3", owner=ATOLL),
    _Row(
        "atoll-vpc-nat-2026.11-x86_64", "Atoll's light machine as a NAT instance", "2026-11-20", volume_type="gp3",
        owner=ATOLL, is_nat=True,
    ),
    _Row("amzn-ami-vpc-nat-2018.03.0.20230807.0-x86_64-ebs", f"{_NAT} ebs", "2023-08-07", is_nat=True),
    _Row("amzn-ami-vpc-nat-hvm-2018.03.0.20181116-x86_64-ebs", f"{_NAT} EBS", "2018-11-16", is_nat=True),
    _Row("amzn-ami-hvm-2018.03.0.20231218.0-x86_64-gp2", "Amazon Linux AMI 2018.03.0.20231218.0 x86_64 HVM gp2",
         "2023-12-18"),
    _Row("amzn2-ami-hvm-2.0.20260915.0-x86_64-gp2", f"{_AL2} x86_64 HVM gp2", "2026-09-15"),
    _Row("amzn2-ami-hvm-2.0.20260915.0-x86_64-ebs", f"{_AL2} x86_64 HVM ebs", "2026-09-15", volume_type="standard"),
    _Row("amzn2-ami-hvm-2.0.20260915.0-arm64-gp2", f"{_AL2} arm64 HVM gp2", "2026-09-15", "arm64"),
    _Row("amzn2-ami-kernel-5.10-hvm-2.0.20260915.0-x86_64-gp2", f"{_AL2} x86_64 HVM gp2", "2026-09-15"),
    _Row("amzn2-ami-kernel-5.10-hvm-2.0.20260915.0-arm64-gp2", f"{_AL2} arm64 HVM gp2", "2026-09-15", "arm64"),
    _Row("al2023-ami-2023.9.20260921.0-kernel-6.1-x86_64", f"{_AL2023} x86_64 HVM kernel-6.1", "2026-09-21",
         volume_type="gp3", imds_v2=True),
    _Row("al2023-ami-2023.9.20260921.0-kernel-6.1-arm64", f"{_AL2023} arm64 HVM kernel-6.1", "2026-09-21", "arm64",
         volume_type="gp3", imds_v2=True),
    _Row("al2023-ami-minimal-2023.9.20260921.0-kernel-6.1-x86_64", f"{_AL2023} x86_64 Minimal HVM kernel-6.1",
         "2026-09-21", volume_type="gp3", imds_v2=True),
    _Row("al2023-ami-minimal-2023.9.20260921.0-kernel-6.1-arm64", f"{_AL2023} arm64 Minimal HVM kernel-6.1",
         "2026-09-21", "arm64", volume_type="gp3", imds_v2=True),
    *_ubuntu("20.04", "focal", "2025-06-03", volume_type="gp2"),
    *_ubuntu("22.04", "jammy", "2026-09-14", volume_type="gp2"),
    *_ubuntu("24.04", "noble", "2026-09-14", volume_type="gp3", imds_v2=True),
)  # fmt: skip


@functools.lru_cache(maxsize=64)  # regions; there are some 40
def images(region: str) -> tuple[Image, ...]:
    """Return the images of a region; any name of a region will do."""
    return tuple(_image(row, region) for row in _ROWS)


def image(region: str, id: str) -> Image | None:
    """Return an image of a region, or None."""
    return next((i for i in images(region) if i.id == id), None)


def nat_images(regions: Iterable[str]) -> frozenset[str]:
    """Return the ids of the images that boot as NAT instances, in some regions."""
    return frozenset(i.id for region in regions for i in images(region) if i.is_nat)


def _image(row: _Row, region: str) -> Image:
    unique = f"{region}/{row.name}"
    return Image(
        id=f"ami-0{digest(unique, 16)}",
        region=region,
        name=row.name,
        description=row.description,
        architecture=row.architecture,
        created=datetime.fromisoformat(row.date).replace(tzinfo=UTC),
        owner=row.owner,
        owner_alias="amazon" if row.owner == AMAZON else None,
        snapshot_id=f"snap-0{digest('snapshot ' + unique, 16)}",
        volume_type=row.volume_type,
        imds_v2=row.imds_v2,
        is_nat=row.is_nat,
        boot_mode=row.boot_mode,
        root_device="/dev/sda1" if row.owner == CANONICAL else "/dev/xvda",
        user="ubuntu" if row.owner == CANONICAL else "ec2-user",
    )
