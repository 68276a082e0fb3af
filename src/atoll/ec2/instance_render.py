"""Instances, as EC2 shows them."""

from collections.abc import Sequence
from ipaddress import IPv4Address

from atoll.aws.fragments import told
from atoll.aws.operation import Shape
from atoll.ec2.path import second
from atoll.ec2.tags import render_tags
from atoll.ec2.tracking import render_timeouts
from atoll.model import image as catalogue
from atoll.model.classic import is_classic
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance, MetadataOptions
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Interface
from atoll.model.lookup import elastic_ip_of, interfaces_of, public_ip_of
from atoll.model.names import digest, internal_domain, private_dns, public_dns
from atoll.model.placement_group import PlacementGroup
from atoll.model.volume import Volume
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.model.zones import zone

# EC2 API Reference, InstanceState.
STATE_CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}


def state(name: str) -> Shape:
    """Return AWS's InstanceState."""
    return {"Code": STATE_CODES[name], "Name": name}


def reservations(world: World, instances: Sequence[Instance]) -> list[Shape]:
    """Return instances by the launch that made them, in order of each launch's first."""
    launches: dict[str, Shape] = {}
    for i in instances:
        launch = launches.setdefault(
            i.reservation_id,
            {"ReservationId": i.reservation_id, "OwnerId": i.account, "Groups": [], "Instances": []},
        )
        launch["Instances"].append(told(world, render, i))
    return list(launches.values())


def render_launched(world: World, i: Instance) -> Shape:
    """Return AWS's Instance as RunInstances answers it, after recorded answers of EC2: nothing has come about yet.

    The volume and a public address are not there, the interface is attaching, metadata options are pending, and
    what the instance is billed as is not told.
    """
    return {
        **_facts(world, i),
        "BlockDeviceMappings": [],
        "MetadataOptions": {**metadata_options(i.metadata), "State": "pending"},
        "Monitoring": {"State": "pending" if i.monitoring == "enabled" else i.monitoring},
        "StateReason": {"Code": "pending", "Message": "pending"},
        **_network(world, i, is_attached=False),
    }


def render(world: World, i: Instance) -> Shape:
    """Return AWS's Instance."""
    shape: Shape = {
        **_facts(world, i),
        "BlockDeviceMappings": block_devices(world, i),
        "MetadataOptions": metadata_options(i.metadata),
        "Monitoring": {"State": i.monitoring},
        "HibernationOptions": {"Configured": False},
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "UsageOperationUpdateTime": second(i.launched),
        **_network(world, i),
    }
    if reason := state_reason(i):
        shape["StateReason"] = {"Code": reason[0], "Message": reason[1]}
    return shape


def _facts(world: World, i: Instance) -> Shape:
    """Return what an instance is told as from its launch on."""
    type, image = INSTANCE_TYPES[i.type], catalogue.image(i.region, i.image_id)
    architecture = image.architecture if image else type.architectures[-1]  # a later catalogue may lack the image
    shape: Shape = {
        "InstanceId": i.id,
        "ImageId": i.image_id,
        "InstanceType": i.type,
        "State": state(i.state),
        "StateTransitionReason": i.state_transition,
        "AmiLaunchIndex": i.launch_index,
        "LaunchTime": second(i.launched),
        "Placement": _placement(world, i),
        "Architecture": architecture,
        "ClientToken": i.client_token or "",
        "EbsOptimized": i.ebs_optimized,
        "EnaSupport": True,
        "Hypervisor": "xen",
        "ProductCodes": [],
        "RootDeviceName": i.root_device,
        "RootDeviceType": "ebs",
        "VirtualizationType": "hvm",
        "CpuOptions": {"CoreCount": type.vcpus // type.threads_per_core, "ThreadsPerCore": type.threads_per_core},
        "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
        "EnclaveOptions": {"Enabled": False},
        "MaintenanceOptions": {"AutoRecovery": i.auto_recovery, "RebootMigration": "default"},
        "CurrentInstanceBootMode": "uefi" if architecture == "arm64" else "legacy-bios",
    }
    if i.tags:  # EC2 leaves the member out, as it does not for a subnet or a volume
        shape["Tags"] = render_tags(i)
    if image and image.boot_mode:
        shape["BootMode"] = image.boot_mode
    if i.key_name:
        shape["KeyName"] = i.key_name
    if i.instance_profile:
        shape["IamInstanceProfile"] = rendered_profile(i)
    return shape


def state_reason(i: Instance) -> tuple[str, str] | None:
    """Return the code and message of an instance's state; what the host could not do comes first."""
    if i.host_error:
        return "Server.InternalError", f"Server.InternalError: {i.host_error}"
    return i.state_reason


def rendered_profile(i: Instance) -> Shape:
    """Return AWS's IamInstanceProfile of an instance that has one."""
    assert i.instance_profile, "the caller has looked"
    return {"Arn": i.instance_profile, "Id": f"AIPA{digest(i.instance_profile, 17).upper()}"}


def metadata_options(m: MetadataOptions) -> Shape:
    """Return AWS's InstanceMetadataOptionsResponse."""
    return {
        "State": "applied",
        "HttpTokens": m.tokens,
        "HttpPutResponseHopLimit": m.hop_limit,
        "HttpEndpoint": m.endpoint,
        "HttpProtocolIpv6": m.ipv6,
        "InstanceMetadataTags": m.instance_tags,
    }


def block_devices(world: World, i: Instance) -> list[Shape]:
    """Return AWS's block device mappings: the root volume, until the instance is terminated."""
    if not i.volume_id:
        return []
    volume = world[Volume, i.volume_id]
    return [
        {
            "DeviceName": volume.device,
            "Ebs": {
                "VolumeId": volume.id,
                "AttachTime": second(volume.created),
                "DeleteOnTermination": True,
                "Status": "attached",
            },
        }
    ]


def group_names(world: World, group_ids: Sequence[str]) -> list[Shape]:
    """Return AWS's GroupIdentifier list."""
    return [{"GroupId": id, "GroupName": world[SecurityGroup, id].name} for id in group_ids]


def private_name(i: Instance, address: IPv4Address) -> str:
    """Return an instance's private DNS name: by its address, or by its id if it was launched so."""
    if i.hostname_type == "resource-name":
        return f"{i.id}.{internal_domain(i.region)}"
    return private_dns(address, i.region)


def public_name(world: World, interface: Interface) -> str:
    """Return an interface's public DNS name; empty unless its VPC gives names and it has a public address."""
    address = public_ip_of(world, interface)
    if address is None or not world[Vpc, interface.vpc_id].gives_names:
        return ""
    return public_dns(address, interface.region)


def _placement(world: World, i: Instance) -> Shape:
    place = zone(i.region, i.zone)
    assert place, "an instance is in a zone of its region"
    shape: Shape = {
        "AvailabilityZone": place.name,
        "AvailabilityZoneId": place.id,
        "GroupName": "",
        "Tenancy": i.tenancy,
    }
    if group := placement_group(world, i):
        shape |= {"GroupName": group.name, "GroupId": group.id}
        if i.partition is not None:
            shape["PartitionNumber"] = i.partition
    return shape


def placement_group(world: World, i: Instance) -> PlacementGroup | None:
    """Return the placement group of an instance; a terminated one may have outlived its group."""
    return world.get(PlacementGroup, i.placement_group_id) if i.placement_group_id else None


def _network(world: World, i: Instance, *, is_attached: bool = True) -> Shape:
    """Return what an instance shows of its interfaces; nothing once it is terminated.

    Before they are attached, no public address is told of.
    """
    interfaces = interfaces_of(world, i.id)
    if i.ended_at or not interfaces:
        return {"PrivateDnsName": "", "PublicDnsName": "", "SecurityGroups": [], "NetworkInterfaces": []}
    first = interfaces[0]
    shape: Shape = {
        "VpcId": first.vpc_id,
        "SubnetId": first.subnet_id,
        "PrivateIpAddress": str(first.address),
        "PrivateDnsName": private_name(i, first.address),
        "PublicDnsName": public_name(world, first) if is_attached else "",
        "PrivateDnsNameOptions": {
            "HostnameType": i.hostname_type,
            "EnableResourceNameDnsARecord": i.resource_name_a_record,
            "EnableResourceNameDnsAAAARecord": i.resource_name_aaaa_record,
        },
        "SecurityGroups": group_names(world, first.group_ids),
        "SourceDestCheck": first.source_dest_check,
        "NetworkInterfaces": [_interface(world, i, interface, is_attached) for interface in interfaces],
    }
    if first.ipv6_address:
        shape["Ipv6Address"] = str(first.ipv6_address)
    if is_attached and (address := public_ip_of(world, first)):
        shape["PublicIpAddress"] = str(address)
    if is_classic(world, first.vpc_id):
        for member in ("VpcId", "SubnetId", "SourceDestCheck", "PrivateDnsNameOptions"):
            del shape[member]
        shape["NetworkInterfaces"] = []
    return shape


def _interface(world: World, i: Instance, interface: Interface, is_attached: bool) -> Shape:
    """Return AWS's InstanceNetworkInterface."""
    assert interface.attachment, "an instance's interface is attached to it"
    shape: Shape = {
        "NetworkInterfaceId": interface.id,
        "OwnerId": interface.account,
        "VpcId": interface.vpc_id,
        "SubnetId": interface.subnet_id,
        "Description": interface.description,
        "MacAddress": interface.mac,
        "PrivateIpAddress": str(interface.address),
        "SourceDestCheck": interface.source_dest_check,
        "Status": interface.status,
        "InterfaceType": interface.kind,
        "ConnectionTrackingConfiguration": render_timeouts(interface.timeouts),
        "Groups": group_names(world, interface.group_ids),
        "Ipv6Addresses": [{"Ipv6Address": str(ip), "IsPrimaryIpv6": False} for ip in interface.ipv6_addresses],
        "Attachment": {
            "AttachmentId": interface.attachment.id,
            "AttachTime": second(interface.attachment.time),
            "DeleteOnTermination": interface.attachment.delete_on_termination,
            "DeviceIndex": interface.attachment.device_index,
            "NetworkCardIndex": 0,
            "Status": interface.attachment.status if is_attached else "attaching",
        },
        "PrivateIpAddresses": [_address(world, i, interface, ip, is_attached) for ip in interface.private_ips],
    }
    if world[Vpc, interface.vpc_id].gives_names:  # the instance itself has a name in every VPC
        shape["PrivateDnsName"] = private_name(i, interface.address)
    if is_attached and (association := _association(world, interface, interface.address)):
        shape["Association"] = association
    return shape


def _address(world: World, i: Instance, interface: Interface, ip: IPv4Address, is_attached: bool) -> Shape:
    """Return AWS's InstancePrivateIpAddress."""
    shape: Shape = {
        "Primary": ip == interface.address,
        "PrivateIpAddress": str(ip),
    }
    if world[Vpc, interface.vpc_id].gives_names:
        shape["PrivateDnsName"] = private_dns(ip, i.region)
    if is_attached and (association := _association(world, interface, ip)):
        shape["Association"] = association
    return shape


def _association(world: World, interface: Interface, ip: IPv4Address) -> Shape | None:
    """Return the public side of a private address: its Elastic IP, or the automatic address of the first."""
    eip = elastic_ip_of(world, interface.id, ip)
    address = eip.public_ip if eip else interface.public_ip if ip == interface.address else None
    if address is None:
        return None
    name = public_dns(address, interface.region) if world[Vpc, interface.vpc_id].gives_names else ""
    return {"IpOwnerId": eip.account if eip else "amazon", "PublicDnsName": name, "PublicIp": str(address)}
