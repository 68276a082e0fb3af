"""Instance types: the catalogue as EC2 describes it."""

import pytest

from atoll.ec2.instance_type import FILTERS
from atoll.model.instance_type import INSTANCE_TYPES
from tests.api.machines import refused


def one(ec2, name):
    return ec2.describe_instance_types(InstanceTypes=[name])["InstanceTypes"][0]


def names(answer):
    return {t["InstanceType"] for t in answer["InstanceTypes"]}


# Source: EC2 User Guide, instance types and "Maximum IP addresses per network interface".
@pytest.mark.parametrize(
    ("name", "vcpus", "mib", "interfaces", "addresses"),
    [
        ("t1.micro", 1, 627, 2, 2),
        ("m1.small", 1, 1740, 2, 4),
        ("t2.micro", 1, 1024, 2, 2),
        ("t3.nano", 2, 512, 2, 2),
        ("t3a.small", 2, 2048, 2, 4),
        ("t4g.xlarge", 4, 16384, 4, 15),
        ("m4.large", 2, 8192, 2, 10),
        ("m4.16xlarge", 64, 262144, 8, 30),
        ("c4.8xlarge", 36, 61440, 8, 30),
        ("r4.16xlarge", 64, 499712, 15, 50),
        ("m5.large", 2, 8192, 3, 10),
        ("m5.4xlarge", 16, 65536, 8, 30),
        ("m5.24xlarge", 96, 393216, 15, 50),
        ("c5.9xlarge", 36, 73728, 8, 30),
        ("c5.18xlarge", 72, 147456, 15, 50),
        ("r5.2xlarge", 8, 65536, 4, 15),
        ("m6g.medium", 1, 4096, 2, 4),
        ("c6i.32xlarge", 128, 262144, 15, 50),
        ("r7g.16xlarge", 64, 524288, 15, 50),
    ],
)
def test_a_type_has_what_aws_says(ec2, name, vcpus, mib, interfaces, addresses):
    shown = one(ec2, name)

    assert shown["VCpuInfo"]["DefaultVCpus"] == vcpus
    assert shown["MemoryInfo"]["SizeInMiB"] == mib
    assert shown["NetworkInfo"]["MaximumNetworkInterfaces"] == interfaces
    assert shown["NetworkInfo"]["Ipv4AddressesPerInterface"] == addresses


def test_cores_and_threads_make_the_vcpus():
    for t in INSTANCE_TYPES.values():
        assert t.vcpus % t.threads_per_core == 0, t.name


def test_there_are_many_types_and_pages_show_each_once(ec2):
    pages = list(ec2.get_paginator("describe_instance_types").paginate(PaginationConfig={"PageSize": 100}))

    found = [t["InstanceType"] for p in pages for t in p["InstanceTypes"]]
    assert len(found) == len(set(found)) == len(INSTANCE_TYPES) >= 60
    with refused("InvalidParameterValue", "smaller than 100"):
        ec2.describe_instance_types(MaxResults=101)


def test_what_bursts_says_so(ec2):
    assert one(ec2, "t3.micro")["BurstablePerformanceSupported"] is True
    assert one(ec2, "m5.large")["BurstablePerformanceSupported"] is False
    assert one(ec2, "t3.micro")["FreeTierEligible"] is True


def test_disks_of_their_own(ec2):
    assert one(ec2, "m1.large")["InstanceStorageInfo"]["TotalSizeInGB"] == 840
    assert one(ec2, "m5.large")["InstanceStorageSupported"] is False


@pytest.mark.parametrize(
    ("name", "value", "has", "lacks"),
    [
        ("instance-type", "t3.*", "t3.micro", "t3a.micro"),
        ("processor-info.supported-architecture", "arm64", "t4g.micro", "t3.micro"),
        ("vcpu-info.default-vcpus", "2", "t3.micro", "t2.micro"),
        ("vcpu-info.default-cores", "1", "t3.micro", "t4g.micro"),
        ("memory-info.size-in-mib", "1024", "t2.micro", "t2.nano"),
        ("burstable-performance-supported", "true", "t2.micro", "m5.large"),
        ("current-generation", "false", "m1.small", "t2.micro"),
        ("hypervisor", "nitro", "t3.micro", "t2.micro"),
        ("free-tier-eligible", "true", "t2.micro", "t2.nano"),
        ("instance-storage-supported", "true", "m1.small", "t1.micro"),
        ("instance-storage-info.total-size-in-gb", "160", "m1.small", "m1.medium"),
        ("network-info.maximum-network-interfaces", "15", "m5.24xlarge", "m5.large"),
        ("network-info.network-performance", "Up to 5 Gigabit", "t3.micro", "m5.large"),
        ("supported-boot-mode", "legacy-bios", "t3.micro", "t4g.micro"),
    ],
)
def test_filters_tell_types_apart(ec2, name, value, has, lacks):
    found = names(ec2.describe_instance_types(Filters=[{"Name": name, "Values": [value]}]))

    assert has in found
    assert lacks not in found


def test_every_filter_is_answered(ec2):
    for name in FILTERS:
        assert ec2.describe_instance_types(Filters=[{"Name": name, "Values": ["*"]}])["InstanceTypes"], name


def test_unknown_types_are_named(ec2):
    with refused("InvalidInstanceType", "The following supplied instance types do not exist: [m5d.large]"):
        ec2.describe_instance_types(InstanceTypes=["t3.micro", "m5d.large"])
    with refused("InvalidParameterValue", "The filter 'colour' is invalid"):
        ec2.describe_instance_types(Filters=[{"Name": "colour", "Values": ["red"]}])
    with refused("InvalidParameterCombination"):
        ec2.describe_instance_types(InstanceTypes=["t3.micro"], MaxResults=5)


@pytest.mark.parametrize(
    ("kind", "places"),
    [(None, {"us-east-1"}), ("availability-zone", {f"us-east-1{z}" for z in "abcdef"}),
     ("availability-zone-id", {f"use1-az{n}" for n in range(1, 7)}), ("outpost", set())],
    ids=["region", "zones", "zone ids", "outposts"],
)  # fmt: skip
def test_every_type_is_offered_everywhere(ec2, kind, places):
    asked = {"LocationType": kind} if kind else {}
    mine = [{"Name": "instance-type", "Values": ["t3.micro"]}]

    offers = ec2.describe_instance_type_offerings(Filters=mine, **asked)["InstanceTypeOfferings"]

    assert {o["Location"] for o in offers} == places
    assert {o["InstanceType"] for o in offers} <= {"t3.micro"}


def test_offers_have_pages_and_filters(ec2):
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone", PaginationConfig={"PageSize": 500}
    )
    found = {(o["Location"], o["InstanceType"]) for p in pages for o in p["InstanceTypeOfferings"]}
    assert len(found) == 6 * len(INSTANCE_TYPES)

    here = [{"Name": "location", "Values": ["us-east-1b"]}]
    offers = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=here)
    assert {o["Location"] for o in offers["InstanceTypeOfferings"]} == {"us-east-1b"}
