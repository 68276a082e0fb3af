"""Instances and what belongs to them: which argument of Terraform is which parameter of EC2."""

from typing import Any

from atoll.recipe.hcl import Block, Comment, Item
from atoll.recipe.terraform_rows import (
    TAGGED,
    Change,
    Row,
    Table,
    Target,
    absent,
    attribute,
    block,
    flat,
    same,
    table,
)

_INTERFACE: dict[str, str] = {
    "SubnetId": "subnet_id", "Groups": "vpc_security_group_ids", "PrivateIpAddress": "private_ip",
    "AssociatePublicIpAddress": "associate_public_ip_address", "Ipv6AddressCount": "ipv6_address_count",
}  # fmt: skip
_METADATA = same("HttpEndpoint HttpTokens HttpPutResponseHopLimit HttpProtocolIpv6 InstanceMetadataTags")
_PLACEMENT: dict[str, Target] = {**same("AvailabilityZone Tenancy HostId GroupId"), "GroupName": "placement_group",
    "PartitionNumber": "placement_partition_number"}  # fmt: skip
_DISK = {**same("DeleteOnTermination Encrypted Iops KmsKeyId SnapshotId Throughput VolumeSize VolumeType")}


def _count(value: Any) -> list[Item]:
    return [("count", value)] if value != 1 else []


def _profile(value: Any) -> list[Item]:
    name = value.get("Name") or str(value.get("Arn", "")).rpartition("/")[2]
    return [("iam_instance_profile", name)]


def _interfaces(value: Any) -> list[Item]:
    """Return what the first interface says; one that is there already is a block."""
    first, *others = value or [{}]
    if "NetworkInterfaceId" in first or others:
        known = {**same("DeviceIndex NetworkInterfaceId DeleteOnTermination NetworkCardIndex")}
        return block("network_interface", known)(value)
    found: list[Item] = []
    for member, it in first.items():
        if member in _INTERFACE:
            found.append((_INTERFACE[member], it))
        elif member == "PrivateIpAddresses":
            found += _private(it)
        elif member == "Ipv6Addresses":
            found.append(("ipv6_addresses", [one.get("Ipv6Address", "") for one in it]))
        elif member != "DeviceIndex":
            found.append(Comment(f"not here: {member} of the interface"))
    return found


def _private(value: Any) -> list[Item]:
    first = [one.get("PrivateIpAddress", "") for one in value if one.get("Primary")]
    rest = [one.get("PrivateIpAddress", "") for one in value if not one.get("Primary")]
    return [*(("private_ip", a) for a in first), *([("secondary_private_ips", rest)] if rest else [])]


def _disks(value: Any) -> list[Item]:
    found: list[Item] = []
    for disk in value:
        made = block("ebs_block_device", _DISK)(disk.get("Ebs", {}))
        for it in made:
            assert isinstance(it, Block), "a structure makes one block"
            found.append(Block(it.name, (), (("device_name", disk.get("DeviceName", "")), *it.body)))
    return found


INSTANCES: Table = table("ec2", {
    "RunInstances": Row("aws_instance", {
        "ImageId": "ami", "PrivateIpAddress": "private_ip", "SecurityGroupIds": "vpc_security_group_ids",
        "Ipv6Addresses": lambda them: [("ipv6_addresses", [one.get("Ipv6Address", "") for one in them])],
        **same("InstanceType SubnetId KeyName UserData SecurityGroups EbsOptimized DisableApiTermination "
            "DisableApiStop InstanceInitiatedShutdownBehavior Ipv6AddressCount"),
        "MinCount": lambda _: [], "MaxCount": _count, "IamInstanceProfile": _profile,
        "Monitoring": flat({"Enabled": "monitoring"}), "Placement": flat(_PLACEMENT),
        "MetadataOptions": block("metadata_options", _METADATA),
        "CreditSpecification": block("credit_specification", same("CpuCredits")),
        "MaintenanceOptions": block("maintenance_options", same("AutoRecovery")),
        "EnclaveOptions": block("enclave_options", same("Enabled")),
        "HibernationOptions": flat({"Configured": "hibernation"}),
        "PrivateDnsNameOptions": block("private_dns_name_options", same(
            "HostnameType EnableResourceNameDnsARecord EnableResourceNameDnsAAAARecord")),
        "BlockDeviceMappings": _disks, "NetworkInterfaces": _interfaces, **TAGGED}),
    "ModifyInstanceAttribute": Change("aws_instance", "InstanceId", {
        "SourceDestCheck": attribute("source_dest_check"), "Groups": "vpc_security_group_ids",
        "DisableApiTermination": attribute("disable_api_termination"),
        "DisableApiStop": attribute("disable_api_stop"), "EbsOptimized": attribute("ebs_optimized"),
        "InstanceType": attribute("instance_type"), "UserData": attribute("user_data"),
        "InstanceInitiatedShutdownBehavior": attribute("instance_initiated_shutdown_behavior"),
        **absent("Attribute Value BlockDeviceMappings")}),
    "ModifyInstanceMetadataOptions": Change("aws_instance", "InstanceId", {
        "MetadataOptions": block("metadata_options", _METADATA)}, gather=("MetadataOptions", frozenset(_METADATA))),
    "ModifyInstanceMetadataDefaults": Row("aws_ec2_instance_metadata_defaults", {
        **same("HttpEndpoint HttpTokens HttpPutResponseHopLimit InstanceMetadataTags"),
        **absent("HttpTokensEnforced")}),
    "AssociateIamInstanceProfile": Change("aws_instance", "InstanceId", {"IamInstanceProfile": _profile}),
    "ImportKeyPair": Row("aws_key_pair", {
        "KeyName": "key_name", "PublicKeyMaterial": lambda it: [("public_key", _text(it))], **TAGGED}, "KeyName"),
    "CreatePlacementGroup": Row("aws_placement_group", {
        "GroupName": "name", **same("Strategy PartitionCount SpreadLevel"), **TAGGED}, "GroupName"),
})  # fmt: skip


def _text(material: Any) -> Any:
    return material.decode(errors="replace") if isinstance(material, bytes) else material
