"""DescribeInstances and DescribeInstanceStatus: shapes, filters, pages."""

import pytest

from atoll.ec2.instance_filters import FILTERS
from atoll.model.instance import Instance
from tests.api.machines import LINUX, NAT, image_id, launch, launch_running, launch_stopped, refused, show
from tests.api.paper import tagging


@pytest.fixture
def web(paper, ec2):
    """A running instance with an Elastic IP, tags and everything else that filters ask for."""
    ec2.create_key_pair(KeyName="k", KeyType="ed25519")
    machine = launch_running(
        paper,
        ec2,
        KeyName="k",
        IamInstanceProfile={"Name": "web"},
        TagSpecifications=[*tagging("instance", Name="web"), *tagging("network-interface", net="a")],
        ClientToken="token-1",
    )
    allocation = ec2.allocate_address(Domain="vpc", Address="203.0.113.73")["AllocationId"]
    ec2.associate_address(AllocationId=allocation, InstanceId=machine["InstanceId"])
    return show(ec2, machine["InstanceId"])


@pytest.fixture
def other(paper, ec2):
    """A stopped instance that differs from it in all of them."""
    subnet = ec2.create_subnet(
        VpcId=ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"],
        CidrBlock="10.0.0.0/24",
        AvailabilityZone="us-east-1b",
    )["Subnet"]["SubnetId"]
    return launch_stopped(
        paper,
        ec2,
        ImageId=image_id(NAT),
        InstanceType="m1.small",
        SubnetId=subnet,
        EbsOptimized=False,
        Monitoring={"Enabled": True},
        MetadataOptions={"HttpEndpoint": "disabled", "HttpPutResponseHopLimit": 7, "InstanceMetadataTags": "enabled"},
        MaintenanceOptions={"AutoRecovery": "disabled"},
        PrivateDnsNameOptions={"HostnameType": "resource-name", "EnableResourceNameDnsARecord": True},
    )


def instances(answer):
    return [i["InstanceId"] for r in answer["Reservations"] for i in r["Instances"]]


NAMES = "PrivateDnsNameOptions"

# Filter -> the path of a value that one has and the other has not.
TELLING = {
    "availability-zone": "Placement.AvailabilityZone",
    "availability-zone-id": "Placement.AvailabilityZoneId",
    "block-device-mapping.volume-id": "BlockDeviceMappings.0.Ebs.VolumeId",
    "client-token": "ClientToken",
    "dns-name": "PublicDnsName",
    "group-id": "SecurityGroups.0.GroupId",
    "iam-instance-profile.arn": "IamInstanceProfile.Arn",
    "iam-instance-profile.id": "IamInstanceProfile.Id",
    "image-id": "ImageId",
    "instance-id": "InstanceId",
    "instance-state-code": "State.Code",
    "instance-state-name": "State.Name",
    "instance-type": "InstanceType",
    "instance.group-id": "SecurityGroups.0.GroupId",
    "ip-address": "PublicIpAddress",
    "key-name": "KeyName",
    "maintenance-options.auto-recovery": "MaintenanceOptions.AutoRecovery",
    "metadata-options.http-endpoint": "MetadataOptions.HttpEndpoint",
    "metadata-options.http-put-response-hop-limit": "MetadataOptions.HttpPutResponseHopLimit",
    "metadata-options.http-tokens": "MetadataOptions.HttpTokens",
    "metadata-options.instance-metadata-tags": "MetadataOptions.InstanceMetadataTags",
    "monitoring-state": "Monitoring.State",
    "network-interface.addresses.association.public-dns-name": "PublicDnsName",
    "network-interface.addresses.association.public-ip": "PublicIpAddress",
    "network-interface.addresses.private-ip-address": "PrivateIpAddress",
    "network-interface.association.public-ip": "PublicIpAddress",
    "network-interface.association.public-dns-name": "PublicDnsName",
    "network-interface.attachment.attachment-id": "NetworkInterfaces.0.Attachment.AttachmentId",
    "network-interface.attachment.instance-id": "InstanceId",
    "network-interface.availability-zone": "Placement.AvailabilityZone",
    "network-interface.group-id": "SecurityGroups.0.GroupId",
    "network-interface.mac-address": "NetworkInterfaces.0.MacAddress",
    "network-interface.network-interface-id": "NetworkInterfaces.0.NetworkInterfaceId",
    "network-interface.private-dns-name": "PrivateDnsName",
    "network-interface.private-ip-address": "PrivateIpAddress",
    "network-interface.public-dns-name": "PublicDnsName",
    "network-interface.subnet-id": "SubnetId",
    "network-interface.vpc-id": "VpcId",
    "private-dns-name": "PrivateDnsName",
    "private-dns-name-options.enable-resource-name-dns-a-record": f"{NAMES}.EnableResourceNameDnsARecord",
    "private-dns-name-options.hostname-type": f"{NAMES}.HostnameType",
    "private-ip-address": "PrivateIpAddress",
    "reservation-id": None,
    "subnet-id": "SubnetId",
    "vpc-id": "VpcId",
}


def at(shape, path):
    for member in path.split("."):
        shape = shape[int(member) if member.isdigit() else member]
    return str(shape).lower() if isinstance(shape, bool) else str(shape)


def test_a_filter_finds_the_one_that_has_the_value(ec2, web, other):
    for name, path in TELLING.items():
        value = at(web, path) if path else ec2.describe_instances()["Reservations"][0]["ReservationId"]

        found = instances(ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}]))

        assert found == [web["InstanceId"]], name
    assert other["InstanceId"] not in found


# Filter -> a value that both have.
COMMON = {
    "architecture": "x86_64",
    "block-device-mapping.delete-on-termination": "true",
    "block-device-mapping.device-name": "/dev/xvda",
    "block-device-mapping.status": "attached",
    "block-device-mapping.attach-time": "2026-11-20T*",
    "capacity-reservation-specification.capacity-reservation-preference": "open",
    "current-instance-boot-mode": "legacy-bios",
    "ebs-optimized": "false",
    "ena-support": "true",
    "enclave-options.enabled": "false",
    "group-name": "default",
    "hibernation-options.configured": "false",
    "hypervisor": "xen",
    "instance.group-name": "def*",
    "launch-index": "0",
    "launch-time": "2026-11-20T12:*",
    "metadata-options.http-protocol-ipv4": "enabled",
    "metadata-options.http-protocol-ipv6": "disabled",
    "metadata-options.state": "applied",
    "network-interface.addresses.primary": "true",
    "network-interface.attachment.attach-time": "2026-*",
    "network-interface.attachment.delete-on-termination": "true",
    "network-interface.attachment.device-index": "0",
    "network-interface.attachment.instance-owner-id": "000000000000",
    "network-interface.attachment.network-card-index": "0",
    "network-interface.attachment.status": "attached",
    "network-interface.group-name": "default",
    "network-interface.owner-id": "000000000000",
    "network-interface.requester-managed": "false",
    "network-interface.source-dest-check": "true",
    "network-interface.status": "in-use",
    "network-performance-options.bandwidth-weighting": "default",
    "owner-id": "000000000000",
    "platform-details": "Linux/UNIX",
    "private-dns-name-options.enable-resource-name-dns-aaaa-record": "false",
    "root-device-name": "/dev/xvda",
    "root-device-type": "ebs",
    "source-dest-check": "true",
    "tenancy": "default",
    "usage-operation": "RunInstances",
    "usage-operation-update-time": "2026-*",
    "virtualization-type": "hvm",
}

# Filters of the one alone that are not in the answer.
HIDDEN = {
    "boot-mode": "uefi-preferred",
    "network-interface.addresses.association.allocation-id": "eipalloc-*",
    "network-interface.addresses.association.association-id": "eipassoc-*",
    "network-interface.addresses.association.ip-owner-id": "000000000000",
    "network-interface.addresses.private-dns-name": "ip-*",  # the VPC of the other gives no names
    "network-interface.association.allocation-id": "eipalloc-*",
    "network-interface.association.association-id": "eipassoc-*",
    "network-interface.association.ip-owner-id": "000000000000",
    "network-interface.tag-key": "net",
    "network-interface.tag-value": "a",
    "tag:Name": "w?b",
    "tag-key": "Name",
}

# Filters of the other alone.
OF_THE_STOPPED = {
    "reason": "User initiated (*",
    "state-reason-code": "Client.UserInitiatedShutdown",
    "state-reason-message": "*: User initiated shutdown",
}


def test_filters_that_tell_nothing_apart_find_both(ec2, web, other):
    for name, value in COMMON.items():
        found = instances(ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}]))
        assert set(found) == {web["InstanceId"], other["InstanceId"]}, name
    for rows, machine in ((HIDDEN, web), (OF_THE_STOPPED, other)):
        for name, value in rows.items():
            found = instances(ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}]))
            assert found == [machine["InstanceId"]], name


def test_every_filter_is_tried_or_known_to_find_nothing(ec2, web):
    tried = TELLING.keys() | COMMON.keys() | HIDDEN.keys() | OF_THE_STOPPED.keys()
    for name in FILTERS.keys() - tried:
        assert instances(ec2.describe_instances(Filters=[{"Name": name, "Values": ["*?*"]}])) == [], name
    assert web["State"]["Name"] == "running"


def test_filters_are_joined_by_and_and_values_by_or(ec2, web, other):
    both = {"Name": "instance-state-name", "Values": ["running", "stopped"]}
    running = {"Name": "instance-type", "Values": ["t3.*"]}

    assert set(instances(ec2.describe_instances(Filters=[both]))) == {web["InstanceId"], other["InstanceId"]}
    assert instances(ec2.describe_instances(Filters=[both, running])) == [web["InstanceId"]]
    assert instances(ec2.describe_instances(InstanceIds=[other["InstanceId"]], Filters=[running])) == []


def test_an_unknown_filter_is_refused(ec2):
    with refused("InvalidParameterValue", "The filter 'colour' is invalid"):
        ec2.describe_instances(Filters=[{"Name": "colour", "Values": ["red"]}])
    with refused("InvalidParameterValue", "The filter 'vpc-id' is invalid"):
        ec2.describe_instance_status(Filters=[{"Name": "vpc-id", "Values": ["vpc-1"]}])


def test_the_paginators_show_everything_once(paper, ec2):
    made = {launch(ec2)["InstanceId"] for _ in range(12)}
    paper.settle()

    pages = list(ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(instances(p)) for p in pages] == [5, 5, 2]
    assert {id for p in pages for id in instances(p)} == made
    status = ec2.get_paginator("describe_instance_status").paginate(PaginationConfig={"PageSize": 5})
    assert {s["InstanceId"] for p in status for s in p["InstanceStatuses"]} == made


@pytest.mark.parametrize("call", ["describe_instances", "describe_instance_status"])
def test_pages_and_ids_exclude_each_other(ec2, call):
    id = launch(ec2)["InstanceId"]

    with refused("InvalidParameterCombination", "cannot be used with the parameter maxResults"):
        getattr(ec2, call)(InstanceIds=[id], MaxResults=5)
    with refused("InvalidParameterValue", "maxResults"):
        getattr(ec2, call)(MaxResults=4)
    with refused("InvalidNextToken"):
        getattr(ec2, call)(MaxResults=5, NextToken="x")


@pytest.mark.parametrize("call", ["describe_instances", "describe_instance_status"])
def test_unknown_instances_are_named(ec2, call):
    with refused("InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"):
        getattr(ec2, call)(InstanceIds=["i-0123456789abcdef0"])
    with refused("InvalidInstanceID.NotFound", "The instance IDs 'i-11111111, i-22222222' do not exist"):
        getattr(ec2, call)(InstanceIds=["i-11111111", "i-22222222"])
    with refused("InvalidInstanceID.Malformed", 'Invalid id: "web" (expecting "i-...")'):
        getattr(ec2, call)(InstanceIds=["web"])


def test_status_is_of_running_instances_unless_all_are_asked_for(ec2, web, other):
    running = ec2.describe_instance_status()["InstanceStatuses"]
    every = ec2.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]

    assert [s["InstanceId"] for s in running] == [web["InstanceId"]]
    assert running[0]["InstanceStatus"] == {
        "Status": "ok",
        "Details": [{"Name": "reachability", "Status": "passed"}],
    }
    of_the_stopped = next(s for s in every if s["InstanceId"] == other["InstanceId"])
    assert of_the_stopped["InstanceStatus"] == {"Status": "not-applicable", "Details": []}


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("availability-zone", "us-east-1a", 1),
        ("availability-zone-id", "use1-az1", 1),
        ("instance-state-code", "16", 1),
        ("instance-state-name", "running", 1),
        ("instance-status.reachability", "passed", 1),
        ("instance-status.status", "ok", 1),
        ("system-status.reachability", "failed", 0),
        ("system-status.status", "ok", 1),
        ("attached-ebs-status.status", "ok", 1),
        ("event.code", "*", 0),
        ("event.description", "*", 0),
        ("event.instance-event-id", "*", 0),
        ("event.not-after", "*", 0),
        ("event.not-before", "*", 0),
        ("event.not-before-deadline", "*", 0),
    ],
)
def test_status_filters(ec2, web, name, value, count):
    found = ec2.describe_instance_status(Filters=[{"Name": name, "Values": [value]}])["InstanceStatuses"]

    assert [s["InstanceId"] for s in found] == [web["InstanceId"]] * count


def test_what_the_host_could_not_do_impairs_the_instance(paper, ec2, web):
    id = web["InstanceId"]
    paper.write(lambda tx: tx.put(tx.world[Instance, id].but(host_error="no memory left")))

    (status,) = ec2.describe_instance_status()["InstanceStatuses"]

    assert (status["InstanceStatus"]["Status"], status["SystemStatus"]["Status"]) == ("impaired", "ok")
    assert show(ec2, id)["StateReason"]["Message"] == "Server.InternalError: no memory left"


def test_a_launch_tells_only_what_has_come_about(ec2):
    """As recorded answers of EC2 have it: no volume and no public address yet, and nothing of what it is billed."""
    made = launch(ec2, ImageId=image_id(LINUX), Monitoring={"Enabled": True})

    later = show(ec2, made["InstanceId"])

    assert made["StateReason"] == {"Code": "pending", "Message": "pending"}
    assert (made["BlockDeviceMappings"], made["PublicDnsName"]) == ([], "")
    assert (made["MetadataOptions"]["State"], made["Monitoring"]["State"]) == ("pending", "pending")
    (interface,) = made["NetworkInterfaces"]
    assert interface["Attachment"]["Status"] == "attaching"
    assert "Association" not in interface | interface["PrivateIpAddresses"][0]
    billed = {"PlatformDetails", "UsageOperation", "UsageOperationUpdateTime"}
    assert later.keys() - made.keys() == billed | {"PublicIpAddress", "HibernationOptions"}
    different = {"BlockDeviceMappings", "PublicDnsName", "MetadataOptions", "Monitoring", "NetworkInterfaces"}
    assert {name for name, value in made.items() if value != later.get(name)} == different | {"StateReason"}


def test_an_instance_outlives_its_image_in_the_catalogue(paper, ec2):
    id = launch(ec2)["InstanceId"]
    paper.write(lambda tx: tx.put(tx.world[Instance, id].but(image_id="ami-0123456789abcdef0")))

    shown = show(ec2, id)

    assert (shown["ImageId"], shown["Architecture"]) == ("ami-0123456789abcdef0", "x86_64")
    assert "BootMode" not in shown


def test_an_instance_without_tags_in_a_vpc_without_names_tells_neither(ec2, other):
    (interface,) = other["NetworkInterfaces"]

    assert "Tags" not in other
    assert other["PrivateDnsName"] == f"{other['InstanceId']}.ec2.internal"
    assert "PrivateDnsName" not in interface
    assert interface["PrivateIpAddresses"] == [{"Primary": True, "PrivateIpAddress": other["PrivateIpAddress"]}]

    ec2.modify_vpc_attribute(VpcId=other["VpcId"], EnableDnsHostnames={"Value": True})

    (interface,) = show(ec2, other["InstanceId"])["NetworkInterfaces"]
    assert interface["PrivateDnsName"] == other["PrivateDnsName"]
    assert interface["PrivateIpAddresses"][0]["PrivateDnsName"] == "ip-10-0-0-4.ec2.internal"


def test_launches_and_attachments_are_told_to_the_second_as_filters_have_them(paper, ec2):
    paper.clock = paper.clock.replace(microsecond=345_000)
    machine = launch_running(paper, ec2)
    id = machine["InstanceId"]
    (volume,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [id]}])["Volumes"]
    interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [id]}])

    told = {
        machine["LaunchTime"],
        machine["UsageOperationUpdateTime"],
        machine["BlockDeviceMappings"][0]["Ebs"]["AttachTime"],
        machine["NetworkInterfaces"][0]["Attachment"]["AttachTime"],
        volume["Attachments"][0]["AttachTime"],
        interfaces["NetworkInterfaces"][0]["Attachment"]["AttachTime"],
    }

    assert [moment.microsecond for moment in told] == [0]
    assert volume["CreateTime"].microsecond == 345_000
    launched = machine["LaunchTime"].strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert instances(ec2.describe_instances(Filters=[{"Name": "launch-time", "Values": [launched]}])) == [id]
