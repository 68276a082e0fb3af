"""The filters of DescribeInstances.  Source: EC2 API Reference, DescribeInstances."""

from collections.abc import Callable

from atoll.ec2.filters import Table, absent
from atoll.ec2.instance_render import STATE_CODES, placement_group, private_name, public_name, render, state_reason
from atoll.ec2.path import iso, shown
from atoll.model.address import ElasticIp
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.lookup import elastic_ip_of, interfaces_of
from atoll.model.vpc import Vpc
from atoll.model.world import World

Value = Callable[[World, Instance, Interface], object]


def _eip(world: World, interface: Interface) -> ElasticIp | None:
    return elastic_ip_of(world, interface.id)


# `network-interface.` and -> what one interface has.
_OF_INTERFACE: dict[str, Value] = {
    "addresses.association.allocation-id": lambda w, _, n: (e := _eip(w, n)) and e.id,
    "addresses.association.association-id": lambda w, _, n: (e := _eip(w, n)) and e.association_id,
    "association.allocation-id": lambda w, _, n: (e := _eip(w, n)) and e.id,
    "association.association-id": lambda w, _, n: (e := _eip(w, n)) and e.association_id,
    "attachment.instance-id": lambda _w, i, _n: i.id,
    "attachment.instance-owner-id": lambda _w, i, _n: i.account,
    "availability-zone": lambda _w, _i, n: n.zone,
    "private-dns-name": lambda w, i, n: private_name(i, n.address) if w[Vpc, n.vpc_id].gives_names else None,
    "public-dns-name": lambda w, _, n: public_name(w, n) or None,
    "requester-id": lambda _w, _i, n: n.requester_id,
    "requester-managed": lambda _w, _i, n: n.requester_managed,
    "tag-key": lambda _w, _i, n: list(n.tags),
    "tag-value": lambda _w, _i, n: list(n.tags.values()),
}

# `network-interface.` and -> a path in AWS's InstanceNetworkInterface.
_SHOWN_OF_INTERFACE = {
    "addresses.association.ip-owner-id": "PrivateIpAddresses.Association.IpOwnerId",
    "addresses.association.public-dns-name": "PrivateIpAddresses.Association.PublicDnsName",
    "addresses.association.public-ip": "PrivateIpAddresses.Association.PublicIp",
    "addresses.primary": "PrivateIpAddresses.Primary",
    "addresses.private-dns-name": "PrivateIpAddresses.PrivateDnsName",
    "addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
    "association.ip-owner-id": "Association.IpOwnerId",
    "association.public-dns-name": "Association.PublicDnsName",
    "association.public-ip": "Association.PublicIp",
    "attachment.attachment-id": "Attachment.AttachmentId",
    "attachment.delete-on-termination": "Attachment.DeleteOnTermination",
    "attachment.device-index": "Attachment.DeviceIndex",
    "attachment.network-card-index": "Attachment.NetworkCardIndex",
    "attachment.status": "Attachment.Status",
    "description": "Description",
    "group-id": "Groups.GroupId",
    "group-name": "Groups.GroupName",
    "mac-address": "MacAddress",
    "network-interface-id": "NetworkInterfaceId",
    "owner-id": "OwnerId",
    "private-ip-address": "PrivateIpAddress",
    "source-dest-check": "SourceDestCheck",
    "status": "Status",
    "subnet-id": "SubnetId",
    "vpc-id": "VpcId",
}

# What AWS knows and no instance of ours has.
_ABSENT = (
    "affinity", "capacity-reservation-id", "host-id", "instance-lifecycle", "kernel-id",
    "network-interface.addresses.association.carrier-ip", "network-interface.addresses.association.customer-owned-ip",
    "network-interface.association.carrier-ip", "network-interface.association.customer-owned-ip",
    "network-interface.ipv4-prefixes.ipv4-prefix", "network-interface.ipv6-addresses.is-primary-ipv6",
    "network-interface.ipv6-prefixes.ipv6-prefix", "network-interface.outpost-arn", "outpost-arn",
    "platform", "product-code", "product-code.type",
    "ramdisk-id", "requester-id", "spot-instance-request-id", "tpm-support",
)  # fmt: skip


def _each(value: Value) -> Callable[[World, Instance], list[object]]:
    """Return a filter over all interfaces of an instance from what one of them has."""

    def values(world: World, instance: Instance) -> list[object]:
        found: list[object] = []
        for interface in interfaces_of(world, instance.id):
            one = value(world, instance, interface)
            found += one if isinstance(one, list) else [one]
        return found

    return values


FILTERS: Table = {
    "architecture": shown(render, "Architecture"),
    "availability-zone": "zone",
    "availability-zone-id": shown(render, "Placement.AvailabilityZoneId"),
    "block-device-mapping.attach-time": shown(render, "BlockDeviceMappings.Ebs.AttachTime"),
    "block-device-mapping.delete-on-termination": shown(render, "BlockDeviceMappings.Ebs.DeleteOnTermination"),
    "block-device-mapping.device-name": shown(render, "BlockDeviceMappings.DeviceName"),
    "block-device-mapping.status": shown(render, "BlockDeviceMappings.Ebs.Status"),
    "block-device-mapping.volume-id": shown(render, "BlockDeviceMappings.Ebs.VolumeId"),
    "boot-mode": shown(render, "BootMode"),
    "capacity-reservation-specification.capacity-reservation-preference": lambda _w, _i: "open",
    "client-token": "client_token",
    "current-instance-boot-mode": shown(render, "CurrentInstanceBootMode"),
    "dns-name": shown(render, "PublicDnsName"),
    "ebs-optimized": "ebs_optimized",
    "ena-support": shown(render, "EnaSupport"),
    "enclave-options.enabled": lambda _w, _i: False,
    "hibernation-options.configured": lambda _w, _i: False,
    "hypervisor": shown(render, "Hypervisor"),
    "iam-instance-profile.arn": "instance_profile",
    "iam-instance-profile.id": shown(render, "IamInstanceProfile.Id"),
    "image-id": "image_id",
    "instance-id": "id",
    "instance-state-code": lambda _, i: STATE_CODES[i.state],
    "instance-state-name": "state",
    "instance-type": "type",
    "instance.group-id": shown(render, "SecurityGroups.GroupId"),
    "instance.group-name": shown(render, "SecurityGroups.GroupName"),
    "group-id": shown(render, "SecurityGroups.GroupId"),
    "group-name": shown(render, "SecurityGroups.GroupName"),
    "ip-address": shown(render, "PublicIpAddress"),
    "ipv6-address": shown(render, "NetworkInterfaces.Ipv6Addresses.Ipv6Address"),
    "key-name": "key_name",
    "launch-index": "launch_index",
    "launch-time": lambda _, i: iso(i.launched),
    "maintenance-options.auto-recovery": "auto_recovery",
    "metadata-options.http-endpoint": "metadata.endpoint",
    "metadata-options.http-protocol-ipv4": lambda _w, _i: "enabled",
    "metadata-options.http-protocol-ipv6": "metadata.ipv6",
    "metadata-options.http-put-response-hop-limit": "metadata.hop_limit",
    "metadata-options.http-tokens": "metadata.tokens",
    "metadata-options.instance-metadata-tags": "metadata.instance_tags",
    "metadata-options.state": lambda _w, _i: "applied",
    "monitoring-state": "monitoring",
    "network-interface.attachment.attach-time": shown(render, "NetworkInterfaces.Attachment.AttachTime"),
    "network-interface.ipv6-address": shown(render, "NetworkInterfaces.Ipv6Addresses.Ipv6Address"),
    "network-interface.ipv6-addresses.ipv6-address": shown(render, "NetworkInterfaces.Ipv6Addresses.Ipv6Address"),
    "network-performance-options.bandwidth-weighting": lambda _w, _i: "default",
    "owner-id": "account",
    "placement-group-name": lambda w, i: (group := placement_group(w, i)) and group.name,
    "placement-partition-number": "partition",
    "platform-details": shown(render, "PlatformDetails"),
    "private-dns-name": shown(render, "PrivateDnsName"),
    "private-dns-name-options.enable-resource-name-dns-a-record": "resource_name_a_record",
    "private-dns-name-options.enable-resource-name-dns-aaaa-record": "resource_name_aaaa_record",
    "private-dns-name-options.hostname-type": "hostname_type",
    "private-ip-address": shown(render, "NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress"),
    "reason": "state_transition",
    "reservation-id": "reservation_id",
    "root-device-name": "root_device",
    "root-device-type": shown(render, "RootDeviceType"),
    "source-dest-check": shown(render, "SourceDestCheck"),
    "state-reason-code": lambda _, i: (reason := state_reason(i)) and reason[0],
    "state-reason-message": lambda _, i: (reason := state_reason(i)) and reason[1],
    "subnet-id": "subnet_id",
    "tenancy": "tenancy",
    "usage-operation": shown(render, "UsageOperation"),
    "usage-operation-update-time": lambda _, i: iso(i.launched),
    "virtualization-type": shown(render, "VirtualizationType"),
    "vpc-id": "vpc_id",
    **{f"network-interface.{name}": _each(value) for name, value in _OF_INTERFACE.items()},
    **{
        f"network-interface.{name}": shown(render, f"NetworkInterfaces.{path}")
        for name, path in _SHOWN_OF_INTERFACE.items()
    },
    **dict.fromkeys(_ABSENT, absent),
}
