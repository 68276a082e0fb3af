"""The catalogue of instance types: what each has, as tables.

vCPU, memory and network limits are those of the EC2 API (DescribeInstanceTypes); an instance here gets the memory, as
a limit, and shares the machine's processors.  A type is never taken out again: stored instances name it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

GIB = 1024  # MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """One type."""

    name: str
    architectures: tuple[str, ...]  # "x86_64", "arm64", "i386"
    manufacturer: str
    ghz: float | None  # None: AWS does not say
    nitro: bool
    current: bool  # of the current generation
    burstable: bool
    vcpus: int
    threads_per_core: int
    memory_mib: int
    interfaces_max: int
    addresses_max: int  # private IPv4 addresses of each interface
    network: str  # AWS's words for its performance
    disk_gb: tuple[int, ...] = ()  # of its own disks
    free_tier: bool = False

    @property
    def unlimited_by_default(self) -> bool:
        """Tell whether an instance launched without a credit specification may burst without limit.

        Source: EC2 User Guide, "Unlimited mode for burstable performance instances".
        """
        return self.burstable and not self.name.startswith(("t1.", "t2."))


@dataclass(frozen=True, slots=True)
class _Family:
    """What the types of a family share."""

    name: str
    architectures: tuple[str, ...]
    manufacturer: str
    ghz: float | None
    nitro: bool = True
    current: bool = True
    burstable: bool = False
    threads: int = 2


# vCPUs, MiB, interfaces, addresses of each, network performance; of the first types also their own disks in GB.
_Row = tuple[int, int, int, int, str] | tuple[int, int, int, int, str, tuple[int, ...]]

_X86, _ARM, _OLD = ("x86_64",), ("arm64",), ("i386", "x86_64")

_LISTED: Mapping[_Family, Mapping[str, _Row]] = {
    _Family("t1", _OLD, "Intel", None, nitro=False, current=False, threads=1): {
        "micro": (1, 627, 2, 2, "Very Low"),
    },
    _Family("m1", _OLD, "Intel", None, nitro=False, current=False, threads=1): {
        "small": (1, 1740, 2, 4, "Low", (160,)),
        "medium": (1, 3788, 2, 6, "Moderate", (410,)),
        "large": (2, 7680, 3, 10, "Moderate", (420, 420)),
        "xlarge": (4, 15360, 4, 15, "High", (420, 420, 420, 420)),
    },
    _Family("t2", _X86, "Intel", 2.3, nitro=False, burstable=True, threads=1): {
        "nano": (1, 512, 2, 2, "Low to Moderate"),
        "micro": (1, 1 * GIB, 2, 2, "Low to Moderate"),
        "small": (1, 2 * GIB, 3, 4, "Low to Moderate"),
        "medium": (2, 4 * GIB, 3, 6, "Low to Moderate"),
        "large": (2, 8 * GIB, 3, 12, "Low to Moderate"),
        "xlarge": (4, 16 * GIB, 3, 15, "Moderate"),
        "2xlarge": (8, 32 * GIB, 3, 15, "Moderate"),
    },
    _Family("t3", _X86, "Intel", 2.5, burstable=True): {
        "nano": (2, 512, 2, 2, "Up to 5 Gigabit"),
        "micro": (2, 1 * GIB, 2, 2, "Up to 5 Gigabit"),
        "small": (2, 2 * GIB, 3, 4, "Up to 5 Gigabit"),
        "medium": (2, 4 * GIB, 3, 6, "Up to 5 Gigabit"),
        "large": (2, 8 * GIB, 3, 12, "Up to 5 Gigabit"),
        "xlarge": (4, 16 * GIB, 4, 15, "Up to 5 Gigabit"),
        "2xlarge": (8, 32 * GIB, 4, 15, "Up to 5 Gigabit"),
    },
    _Family("t3a", _X86, "AMD", 2.2, burstable=True): {
        "nano": (2, 512, 2, 2, "Up to 5 Gigabit"),
        "micro": (2, 1 * GIB, 2, 2, "Up to 5 Gigabit"),
        "small": (2, 2 * GIB, 2, 4, "Up to 5 Gigabit"),
        "medium": (2, 4 * GIB, 3, 6, "Up to 5 Gigabit"),
        "large": (2, 8 * GIB, 3, 12, "Up to 5 Gigabit"),
        "xlarge": (4, 16 * GIB, 4, 15, "Up to 5 Gigabit"),
        "2xlarge": (8, 32 * GIB, 4, 15, "Up to 5 Gigabit"),
    },
    _Family("t4g", _ARM, "AWS", 2.5, burstable=True, threads=1): {
        "nano": (2, 512, 2, 2, "Up to 5 Gigabit"),
        "micro": (2, 1 * GIB, 2, 2, "Up to 5 Gigabit"),
        "small": (2, 2 * GIB, 3, 4, "Up to 5 Gigabit"),
        "medium": (2, 4 * GIB, 3, 6, "Up to 5 Gigabit"),
        "large": (2, 8 * GIB, 3, 12, "Up to 5 Gigabit"),
        "xlarge": (4, 16 * GIB, 4, 15, "Up to 5 Gigabit"),
        "2xlarge": (8, 32 * GIB, 4, 15, "Up to 5 Gigabit"),
    },
    _Family("m4", _X86, "Intel", 2.4, nitro=False): {
        "large": (2, 8 * GIB, 2, 10, "Moderate"),
        "xlarge": (4, 16 * GIB, 4, 15, "High"),
        "2xlarge": (8, 32 * GIB, 4, 15, "High"),
        "4xlarge": (16, 64 * GIB, 8, 30, "High"),
        "10xlarge": (40, 160 * GIB, 8, 30, "10 Gigabit"),
        "16xlarge": (64, 256 * GIB, 8, 30, "25 Gigabit"),
    },
    _Family("c4", _X86, "Intel", 2.9, nitro=False): {
        "large": (2, 3840, 3, 10, "Moderate"),
        "xlarge": (4, 7680, 4, 15, "High"),
        "2xlarge": (8, 15 * GIB, 4, 15, "High"),
        "4xlarge": (16, 30 * GIB, 8, 30, "High"),
        "8xlarge": (36, 60 * GIB, 8, 30, "10 Gigabit"),
    },
    _Family("r4", _X86, "Intel", 2.3, nitro=False): {
        "large": (2, 15616, 3, 10, "Up to 10 Gigabit"),
        "xlarge": (4, 31232, 4, 15, "Up to 10 Gigabit"),
        "2xlarge": (8, 61 * GIB, 4, 15, "Up to 10 Gigabit"),
        "4xlarge": (16, 122 * GIB, 8, 30, "Up to 10 Gigabit"),
        "8xlarge": (32, 244 * GIB, 8, 30, "10 Gigabit"),
        "16xlarge": (64, 488 * GIB, 15, 50, "25 Gigabit"),
    },
}

# Since Nitro the sizes are regular: vCPUs by size, memory by vCPU, interfaces by vCPUs; only the network differs.
_VCPUS = {
    "medium": 1, "large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32, "9xlarge": 36, "12xlarge": 48,
    "16xlarge": 64, "18xlarge": 72, "24xlarge": 96, "32xlarge": 128, "48xlarge": 192,
}  # fmt: skip

_UP_TO_10 = dict.fromkeys(("large", "xlarge", "2xlarge", "4xlarge"), "Up to 10 Gigabit")
_UP_TO_12 = dict.fromkeys(("large", "xlarge", "2xlarge", "4xlarge"), "Up to 12.5 Gigabit")
_FIFTH = _UP_TO_10 | {
    "8xlarge": "10 Gigabit", "12xlarge": "12 Gigabit", "16xlarge": "20 Gigabit", "24xlarge": "25 Gigabit",
}  # fmt: skip
_FIFTH_C = _UP_TO_10 | {
    "9xlarge": "12 Gigabit", "12xlarge": "12 Gigabit", "18xlarge": "25 Gigabit", "24xlarge": "25 Gigabit",
}  # fmt: skip
_SIXTH = _UP_TO_12 | {
    "8xlarge": "12.5 Gigabit", "12xlarge": "18.75 Gigabit", "16xlarge": "25 Gigabit", "24xlarge": "37.5 Gigabit",
    "32xlarge": "50 Gigabit",
}  # fmt: skip
_SEVENTH = _UP_TO_12 | {
    "8xlarge": "12.5 Gigabit", "12xlarge": "18.75 Gigabit", "16xlarge": "25 Gigabit", "24xlarge": "37.5 Gigabit",
    "48xlarge": "50 Gigabit",
}  # fmt: skip
_SIXTH_ARM = {"medium": "Up to 10 Gigabit"} | _UP_TO_10 | {
    "8xlarge": "12 Gigabit", "12xlarge": "20 Gigabit", "16xlarge": "25 Gigabit",
}  # fmt: skip
_SEVENTH_ARM = {"medium": "Up to 12.5 Gigabit"} | _UP_TO_12 | {
    "4xlarge": "Up to 15 Gigabit", "8xlarge": "15 Gigabit", "12xlarge": "22.5 Gigabit", "16xlarge": "30 Gigabit",
}  # fmt: skip

# The family, GiB of each vCPU, network performance by size.
_REGULAR: tuple[tuple[_Family, int, Mapping[str, str]], ...] = (
    (_Family("m5", _X86, "Intel", 3.1), 4, _FIFTH),
    (_Family("c5", _X86, "Intel", 3.4), 2, _FIFTH_C),
    (_Family("r5", _X86, "Intel", 3.1), 8, _FIFTH),
    (_Family("m6i", _X86, "Intel", 3.5), 4, _SIXTH),
    (_Family("c6i", _X86, "Intel", 3.5), 2, _SIXTH),
    (_Family("r6i", _X86, "Intel", 3.5), 8, _SIXTH),
    (_Family("m6g", _ARM, "AWS", 2.5, threads=1), 4, _SIXTH_ARM),
    (_Family("c6g", _ARM, "AWS", 2.5, threads=1), 2, _SIXTH_ARM),
    (_Family("r6g", _ARM, "AWS", 2.5, threads=1), 8, _SIXTH_ARM),
    (_Family("m7i", _X86, "Intel", 3.2), 4, _SEVENTH),
    (_Family("m7g", _ARM, "AWS", 2.6, threads=1), 4, _SEVENTH_ARM),
    (_Family("c7g", _ARM, "AWS", 2.6, threads=1), 2, _SEVENTH_ARM),
    (_Family("r7g", _ARM, "AWS", 2.6, threads=1), 8, _SEVENTH_ARM),
)

_FREE_TIER = frozenset(("t2.micro", "t3.micro", "t3.small", "t4g.micro", "t4g.small"))


def _limits(vcpus: int) -> tuple[int, int]:
    """Return the interfaces of a regular type, and the addresses of each.

    Source: EC2 User Guide, "Maximum IP addresses per network interface".
    """
    for up_to, limits in ((1, (2, 4)), (2, (3, 10)), (8, (4, 15)), (48, (8, 30))):
        if vcpus <= up_to:
            return limits
    return 15, 50


def _catalogue() -> Iterator[InstanceType]:
    for family, rows in _LISTED.items():
        for size, row in rows.items():
            yield _type(family, size, row)
    for family, gib, network in _REGULAR:
        for size, performance in network.items():
            vcpus = _VCPUS[size]
            yield _type(family, size, (vcpus, vcpus * gib * GIB, *_limits(vcpus), performance))


def _type(family: _Family, size: str, row: _Row) -> InstanceType:
    vcpus, memory, interfaces, addresses, network = row[:5]
    name = f"{family.name}.{size}"
    return InstanceType(
        name=name,
        architectures=family.architectures,
        manufacturer=family.manufacturer,
        ghz=family.ghz,
        nitro=family.nitro,
        current=family.current,
        burstable=family.burstable,
        vcpus=vcpus,
        threads_per_core=1 if vcpus == 1 else family.threads,
        memory_mib=memory,
        interfaces_max=interfaces,
        addresses_max=addresses,
        network=network,
        disk_gb=row[5] if len(row) == 6 else (),
        free_tier=name in _FREE_TIER,
    )


INSTANCE_TYPES: Mapping[str, InstanceType] = {t.name: t for t in _catalogue()}
