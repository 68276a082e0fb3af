"""Survey instances and the interfaces that are theirs or nobody's."""

import base64
from collections.abc import Iterator
from typing import Any

from atoll.model.instance import Instance, MetadataOptions
from atoll.model.interface import Interface
from atoll.model.lookup import primary_interface
from atoll.model.placement_group import PlacementGroup
from atoll.model.subnet import Subnet
from atoll.model.world import World
from atoll.recipe.step import Made, Parameters, Step, Wait
from atoll.recipe.survey_vpc import called, finding, tagged

STANDING = ("pending", "running", "stopping", "stopped")


def primary_of(instance_id: str) -> str:
    """Return what steps call the first interface of an instance."""
    return f"interface 0 of {instance_id}"


def interface_id(world: World, id: str) -> str:
    """Return what steps call an interface: one that is born with its instance has no step of its own."""
    found = world.get(Interface, id)
    attached = found.attachment if found else None
    return primary_of(attached.instance_id) if attached and attached.instance_id and not attached.device_index else id


def interfaces(world: World) -> Iterator[Step]:
    """Yield the steps of interfaces that somebody made by themselves."""
    for one in world.all(Interface):
        attached = one.attachment
        if one.kind != "interface" or one.requester_managed or (attached and attached.device_index == 0):
            continue
        asked: Parameters = {"SubnetId": one.subnet_id, "PrivateIpAddresses": [
            {"PrivateIpAddress": str(ip), "Primary": n == 0} for n, ip in enumerate(one.private_ips)]}  # fmt: skip
        if one.description:
            asked["Description"] = one.description
        if one.group_ids:
            asked["Groups"] = list(one.group_ids)
        if one.ipv6_addresses:
            asked["Ipv6Addresses"] = [{"Ipv6Address": str(ip)} for ip in one.ipv6_addresses]
        yield Step(service="ec2", operation="CreateNetworkInterface",
            parameters={**asked, **tagged("network-interface", one.tags)},
            made=(Made(id=one.id, path="NetworkInterface.NetworkInterfaceId", name=called(one.tags, "eni"),
                kind="eni"),))  # fmt: skip
        if not one.source_dest_check:
            yield Step(service="ec2", operation="ModifyNetworkInterfaceAttribute", changes=one.id,
                parameters={"NetworkInterfaceId": one.id, "SourceDestCheck": {"Value": False}})  # fmt: skip


def steps(world: World) -> Iterator[Step]:
    """Yield the steps of instances that stand or can be started again."""
    for instance in world.all(Instance):
        if instance.state in STANDING and instance.subnet_id:
            yield from _instance(world, instance)
    for one in world.all(Interface):
        attached = one.attachment
        if attached and attached.instance_id and attached.device_index and one.kind == "interface":
            yield Step(service="ec2", operation="AttachNetworkInterface",
                parameters={"InstanceId": attached.instance_id, "NetworkInterfaceId": one.id,
                    "DeviceIndex": attached.device_index},
                made=(Made(id=attached.id, path="AttachmentId", name=called(one.tags, "eni"), kind="attach"),))


def _instance(world: World, instance: Instance) -> Iterator[Step]:
    interface = primary_interface(world, instance.id)
    assert interface is not None, "an instance that stands has an interface"
    name = called(instance.tags, "instance")
    yield Step(service="ec2", operation="RunInstances",
        parameters={"ImageId": instance.image_id, "InstanceType": instance.type, "MinCount": 1, "MaxCount": 1,
            **_network(world, instance, interface), **_options(world, instance),
            **tagged("instance", instance.tags)},
        made=(Made(id=instance.id, path="Instances[0].InstanceId", name=name, kind="i"),),
        waits=(Wait(service="ec2", waiter="instance_running", parameters={"InstanceIds": [instance.id]}),))
    yield finding("DescribeNetworkInterfaces", "NetworkInterfaces[0].NetworkInterfaceId", primary_of(instance.id),
        f"{name}-eth0", "eni", {"attachment.instance-id": instance.id, "attachment.device-index": "0"},
        of=instance.id, terraform="primary_network_interface_id")  # fmt: skip
    if not interface.source_dest_check:
        yield Step(service="ec2", operation="ModifyInstanceAttribute", changes=instance.id,
            parameters={"InstanceId": instance.id, "SourceDestCheck": {"Value": False}})  # fmt: skip
    if instance.state in ("stopped", "stopping"):
        yield Step(service="ec2", operation="StopInstances", changes=instance.id,
            parameters={"InstanceIds": [instance.id]})  # fmt: skip


def _network(world: World, instance: Instance, interface: Interface) -> Parameters:
    """Say where it stands: in the plain way if that says all, else as an interface."""
    subnet = world[Subnet, interface.subnet_id]
    six = {"Ipv6Addresses": [{"Ipv6Address": str(ip)} for ip in interface.ipv6_addresses]}
    more: Parameters = six if interface.ipv6_addresses else {}
    if instance.public_ip_wanted == subnet.map_public_ip and len(interface.private_ips) == 1:
        return {"SubnetId": subnet.id, "PrivateIpAddress": str(interface.address),
            "SecurityGroupIds": list(interface.group_ids), **more}  # fmt: skip
    first: dict[str, Any] = {"DeviceIndex": 0, "SubnetId": subnet.id, "Groups": list(interface.group_ids), **more}
    if len(interface.private_ips) == 1:
        first["PrivateIpAddress"] = str(interface.address)
    else:
        first["PrivateIpAddresses"] = [
            {"PrivateIpAddress": str(ip), "Primary": n == 0} for n, ip in enumerate(interface.private_ips)]
    if instance.public_ip_wanted != subnet.map_public_ip:
        first["AssociatePublicIpAddress"] = instance.public_ip_wanted
    return {"NetworkInterfaces": [first]}


def _options(world: World, instance: Instance) -> Parameters:
    found: Parameters = {}
    group = world.get(PlacementGroup, instance.placement_group_id) if instance.placement_group_id else None
    placed = {"Tenancy": instance.tenancy, "GroupName": group.name if group else None,
        "PartitionNumber": instance.partition}  # fmt: skip
    if placement := {k: v for k, v in placed.items() if v not in (None, "default")}:
        found["Placement"] = placement
    if instance.key_name:
        found["KeyName"] = instance.key_name
    if instance.user_data:
        found["UserData"] = base64.b64decode(instance.user_data).decode(errors="replace")
    if instance.instance_profile:
        found["IamInstanceProfile"] = {"Name": instance.instance_profile.rpartition("/")[2]}
    for member, on in (("DisableApiTermination", instance.api_termination_disabled),
            ("DisableApiStop", instance.api_stop_disabled), ("EbsOptimized", instance.ebs_optimized)):  # fmt: skip
        if on:
            found[member] = True
    if instance.monitoring != "disabled":
        found["Monitoring"] = {"Enabled": True}
    if instance.shutdown_behavior != "stop":
        found["InstanceInitiatedShutdownBehavior"] = instance.shutdown_behavior
    if instance.cpu_credits:
        found["CreditSpecification"] = {"CpuCredits": instance.cpu_credits}
    if options := _metadata(instance.metadata):
        found["MetadataOptions"] = options
    return found


def _metadata(options: MetadataOptions) -> Parameters:
    said = {"HttpTokens": options.tokens, "HttpEndpoint": options.endpoint, "HttpProtocolIpv6": options.ipv6,
        "HttpPutResponseHopLimit": options.hop_limit, "InstanceMetadataTags": options.instance_tags}  # fmt: skip
    plain = MetadataOptions()
    usual = (plain.tokens, plain.endpoint, plain.ipv6, plain.hop_limit, plain.instance_tags)
    return {k: v for (k, v), normal in zip(said.items(), usual, strict=True) if v != normal}
