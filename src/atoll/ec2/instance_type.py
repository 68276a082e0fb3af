"""Instance types: the catalogue, as EC2 describes it.  Every type is offered in every zone."""

from collections.abc import Sequence
from typing import Any

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.aws.page import page_ec2
from atoll.ec2.errors import BOTH
from atoll.ec2.filters import Table, select
from atoll.ec2.path import shown
from atoll.ec2.zone import usable
from atoll.model.instance_type import INSTANCE_TYPES, InstanceType
from atoll.model.world import World

NO_SUCH_TYPES = Err("InvalidInstanceType", "The following supplied instance types do not exist: [{names}]")


@operation("ec2", "DescribeInstanceTypes")
def describe_instance_types(
    world: World,
    *,
    instance_types: Sequence[str] = (),
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """Describe instance types."""
    if instance_types and max_results is not None:
        raise BOTH(one="instanceTypes", other="maxResults")
    if missing := [name for name in instance_types if name not in INSTANCE_TYPES]:
        raise NO_SUCH_TYPES(names=", ".join(missing))
    found = [INSTANCE_TYPES[name] for name in dict.fromkeys(instance_types or INSTANCE_TYPES)]
    chosen = select(world, found, filters, FILTERS, tags=_no_tags)
    page, token = page_ec2(chosen, lambda t: t.name, max_results, next_token, high=100)
    return {"InstanceTypes": [render(world, t) for t in page], "NextToken": token}


@operation("ec2", "DescribeInstanceTypeOfferings")
def describe_instance_type_offerings(
    world: World,
    *,
    location_type: str = "region",
    filters: Sequence[Shape] = (),
    max_results: int | None = None,
    next_token: str | None = None,
) -> Shape:
    """List where each type is offered."""
    assert world.caller, "the wire knows the caller"
    region = world.caller.region
    places = {
        "region": [region],
        "availability-zone": [z.name for z in usable(world)],
        "availability-zone-id": [z.id for z in usable(world)],
        "outpost": [],
    }[location_type]
    offers = [
        {"InstanceType": name, "LocationType": location_type, "Location": place}
        for name in INSTANCE_TYPES
        for place in places
    ]
    chosen = select(world, offers, filters, OFFER_FILTERS, tags=_no_tags)
    page, token = page_ec2(chosen, _offer_key, max_results, next_token)
    return {"InstanceTypeOfferings": page, "NextToken": token}


def _offer_key(offer: Shape) -> str:
    return f"{offer['Location']} {offer['InstanceType']}"


def _no_tags(item: Any) -> dict[str, str]:
    del item
    return {}


def render(world: World, t: InstanceType) -> Shape:
    """Return AWS's InstanceTypeInfo."""
    del world
    cores = t.vcpus // t.threads_per_core
    shape: Shape = {
        "InstanceType": t.name,
        "CurrentGeneration": t.current,
        "FreeTierEligible": t.free_tier,
        "SupportedUsageClasses": ["on-demand"],
        "SupportedRootDeviceTypes": ["ebs"],
        "SupportedVirtualizationTypes": ["hvm"],
        "BareMetal": False,
        "Hypervisor": "nitro" if t.nitro else "xen",
        "ProcessorInfo": {"SupportedArchitectures": list(t.architectures), "Manufacturer": t.manufacturer},
        "VCpuInfo": {
            "DefaultVCpus": t.vcpus,
            "DefaultCores": cores,
            "DefaultThreadsPerCore": t.threads_per_core,
        },
        "MemoryInfo": {"SizeInMiB": t.memory_mib},
        "InstanceStorageSupported": bool(t.disk_gb),
        "EbsInfo": _ebs(t),
        "NetworkInfo": _network(t),
        "PlacementGroupInfo": {"SupportedStrategies": ["partition", "spread"] + ["cluster"] * (not t.burstable)},
        "HibernationSupported": False,
        "BurstablePerformanceSupported": t.burstable,
        "DedicatedHostsSupported": False,
        "AutoRecoverySupported": t.current,
        "SupportedBootModes": ["uefi"] if "arm64" in t.architectures else ["legacy-bios", "uefi"],
        "NitroEnclavesSupport": "unsupported",
        "NitroTpmSupport": "unsupported",
        "PhcSupport": "unsupported",
    }
    if t.ghz:
        shape["ProcessorInfo"]["SustainedClockSpeedInGhz"] = t.ghz
    if t.disk_gb:
        shape["InstanceStorageInfo"] = {
            "TotalSizeInGB": sum(t.disk_gb),
            "Disks": [{"SizeInGB": t.disk_gb[0], "Count": len(t.disk_gb), "Type": "hdd"}],
            "NvmeSupport": "unsupported",
            "EncryptionSupport": "unsupported",
        }
    return shape


def _ebs(t: InstanceType) -> Shape:
    return {
        "EbsOptimizedSupport": "default" if t.nitro or t.name[:2] in ("m4", "c4", "r4") else "unsupported",
        "EncryptionSupport": "supported",
        "NvmeSupport": "required" if t.nitro else "unsupported",
    }


def _network(t: InstanceType) -> Shape:
    return {
        "NetworkPerformance": t.network,
        "MaximumNetworkInterfaces": t.interfaces_max,
        "MaximumNetworkCards": 1,
        "DefaultNetworkCardIndex": 0,
        "NetworkCards": [
            {
                "NetworkCardIndex": 0,
                "NetworkPerformance": t.network,
                "MaximumNetworkInterfaces": t.interfaces_max,
            }
        ],
        "Ipv4AddressesPerInterface": t.addresses_max,
        "Ipv6AddressesPerInterface": t.addresses_max if t.name[:2] not in ("t1", "m1") else 0,
        "Ipv6Supported": t.name[:2] not in ("t1", "m1"),
        "EnaSupport": "required" if t.nitro else "unsupported",
        "EfaSupported": False,
        "EncryptionInTransitSupported": False,
        "EnaSrdSupported": False,
    }


# Filter -> members of the rendered type.  Source: EC2 API Reference, DescribeInstanceTypes.
_PATHS = {
    "auto-recovery-supported": "AutoRecoverySupported",
    "bare-metal": "BareMetal",
    "burstable-performance-supported": "BurstablePerformanceSupported",
    "current-generation": "CurrentGeneration",
    "dedicated-hosts-supported": "DedicatedHostsSupported",
    "ebs-info.ebs-optimized-support": "EbsInfo.EbsOptimizedSupport",
    "ebs-info.encryption-support": "EbsInfo.EncryptionSupport",
    "ebs-info.nvme-support": "EbsInfo.NvmeSupport",
    "free-tier-eligible": "FreeTierEligible",
    "hibernation-supported": "HibernationSupported",
    "hypervisor": "Hypervisor",
    "instance-storage-info.disk.count": "InstanceStorageInfo.Disks.Count",
    "instance-storage-info.disk.size-in-gb": "InstanceStorageInfo.Disks.SizeInGB",
    "instance-storage-info.disk.type": "InstanceStorageInfo.Disks.Type",
    "instance-storage-info.encryption-support": "InstanceStorageInfo.EncryptionSupport",
    "instance-storage-info.nvme-support": "InstanceStorageInfo.NvmeSupport",
    "instance-storage-info.total-size-in-gb": "InstanceStorageInfo.TotalSizeInGB",
    "instance-storage-supported": "InstanceStorageSupported",
    "memory-info.size-in-mib": "MemoryInfo.SizeInMiB",
    "network-info.efa-supported": "NetworkInfo.EfaSupported",
    "network-info.ena-support": "NetworkInfo.EnaSupport",
    "network-info.encryption-in-transit-supported": "NetworkInfo.EncryptionInTransitSupported",
    "network-info.ipv4-addresses-per-interface": "NetworkInfo.Ipv4AddressesPerInterface",
    "network-info.ipv6-addresses-per-interface": "NetworkInfo.Ipv6AddressesPerInterface",
    "network-info.ipv6-supported": "NetworkInfo.Ipv6Supported",
    "network-info.maximum-network-cards": "NetworkInfo.MaximumNetworkCards",
    "network-info.maximum-network-interfaces": "NetworkInfo.MaximumNetworkInterfaces",
    "network-info.network-performance": "NetworkInfo.NetworkPerformance",
    "nitro-enclaves-support": "NitroEnclavesSupport",
    "nitro-tpm-support": "NitroTpmSupport",
    "processor-info.supported-architecture": "ProcessorInfo.SupportedArchitectures",
    "processor-info.sustained-clock-speed-in-ghz": "ProcessorInfo.SustainedClockSpeedInGhz",
    "supported-boot-mode": "SupportedBootModes",
    "supported-root-device-type": "SupportedRootDeviceTypes",
    "supported-usage-class": "SupportedUsageClasses",
    "supported-virtualization-type": "SupportedVirtualizationTypes",
    "vcpu-info.default-cores": "VCpuInfo.DefaultCores",
    "vcpu-info.default-threads-per-core": "VCpuInfo.DefaultThreadsPerCore",
    "vcpu-info.default-vcpus": "VCpuInfo.DefaultVCpus",
}

FILTERS: Table = {"instance-type": lambda _, t: t.name} | {name: shown(render, path) for name, path in _PATHS.items()}
OFFER_FILTERS: Table = {
    "instance-type": lambda _, offer: offer["InstanceType"],
    "location": lambda _, offer: offer["Location"],
}
