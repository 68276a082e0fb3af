"""Instances: light machines in the place of what really runs, with its addresses, groups and switches."""

from collections.abc import Iterable
from dataclasses import dataclass

from atoll.model.image import image, images
from atoll.model.instance import Instance, MetadataOptions
from atoll.model.instance_type import INSTANCE_TYPES
from atoll.model.interface import Interface
from atoll.model.route import RouteTable
from atoll.model.subnet import Subnet
from atoll.model.volume import Volume
from atoll.twin.draft import Draft
from atoll.twin.row import Row

_STATES = {"pending": "pending", "running": "pending", "stopping": "stopped", "stopped": "stopped"}
_TYPE = "t3.micro"  # in the place of a type that is not known here
_MACHINES_TOLD = 100  # so many boot on a small machine; of more, the user is told


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an instance stands."""

    reservation: str
    subnet: Subnet


def instances(draft: Draft) -> None:
    """Rebuild instances that run or are stopped."""
    count = 0
    for launch in draft.recording.rows("describe-instances"):
        for row in launch.rows("Instances"):
            state = row.row("State").text("Name")
            if state not in _STATES:
                continue
            if not row.has("SubnetId"):
                draft.note("left out", row.text("InstanceId"), "an instance of EC2-Classic, which is gone")
                continue
            subnet = draft.need(row, "SubnetId", Subnet, row.id("SubnetId", "subnet"))
            reservation = launch.text("ReservationId", draft.new_id("r", row.text("InstanceId")))
            _instance(draft, row, _Place(reservation, subnet), _STATES[state])
            count += state in ("pending", "running")
    if count > _MACHINES_TOLD:
        why = "they all boot here: `atoll up --paper` decides without them"
        draft.note("approximated", f"{count} instances", why)


def _instance(draft: Draft, row: Row, place: _Place, state: str) -> None:
    id, named = row.id("InstanceId", "i"), row.text("InstanceType")
    type = named if named in INSTANCE_TYPES else _TYPE
    if type != named:
        draft.note("approximated", id, f"its type {named[:40]} is not known here: it is a {type}")
    root, zone = row.text("RootDeviceName", "/dev/xvda"), place.subnet.zone
    profile = row.row("IamInstanceProfile").maybe("Arn")
    asked, names = row.row("MetadataOptions"), row.row("PrivateDnsNameOptions")
    draft.make(
        row, Instance, id, image_id=_image(draft, row, id), type=type, state=state, reservation_id=place.reservation,
        launched=row.time("LaunchTime", draft.now), vpc_id=place.subnet.vpc_id, subnet_id=place.subnet.id, zone=zone,
        host=draft.host(zone) if state == "pending" else None, launch_index=row.number("AmiLaunchIndex", 0),
        key_name=row.maybe("KeyName"), state_transition=row.text("StateTransitionReason", ""),
        ebs_optimized=row.flag("EbsOptimized"), monitoring=_monitoring(row), instance_profile=profile,
        profile_association_id=draft.new_id("iip-assoc", id) if profile else None,
        client_token=row.maybe("ClientToken"), root_device=root, volume_id=_volume(draft, row, id, root, zone),
        private_ip=row.maybe("PrivateIpAddress"),
        group_ids=tuple(one.id("GroupId", "sg") for one in row.rows("SecurityGroups")),
        hostname_type=names.text("HostnameType", "ip-name"),
        resource_name_a_record=names.flag("EnableResourceNameDnsARecord"),
        resource_name_aaaa_record=names.flag("EnableResourceNameDnsAAAARecord"),
        auto_recovery=row.row("MaintenanceOptions").text("AutoRecovery", "default"),
        metadata=MetadataOptions(
            tokens=asked.text("HttpTokens", "optional"), endpoint=asked.text("HttpEndpoint", "enabled"),
            hop_limit=asked.number("HttpPutResponseHopLimit", 1),
            instance_tags=asked.text("InstanceMetadataTags", "disabled"),
            ipv6=asked.text("HttpProtocolIpv6", "disabled"),
        ),
        public_ip_wanted=row.has("PublicIpAddress"), tags=row.tags(),
    )  # fmt: skip


def _monitoring(row: Row) -> str:
    return "enabled" if row.row("Monitoring").text("State", "disabled") in ("enabled", "pending") else "disabled"


def _image(draft: Draft, row: Row, id: str) -> str:
    found = row.id("ImageId", "ami")
    if image(draft.region, found) is None:
        why = "a light machine in its place: its programs, users, iptables rules and processes are not there"
        draft.note("stand-in", id, why)
    return found


def _volume(draft: Draft, row: Row, id: str, root: str, zone: str) -> str:
    disks = [*row.rows("BlockDeviceMappings")]
    ebs = next((one.row("Ebs") for one in disks if one.text("DeviceName", "") == root), row.row("Ebs"))
    volume = ebs.maybe_id("VolumeId", "vol") or draft.new_id("vol", id)
    draft.make(
        row, Volume, volume, instance_id=id, device=root, size=8, type="gp3", zone=zone, iops=3000, throughput=125,
        snapshot_id=draft.new_id("snap", id), created=ebs.time("AttachTime", draft.now),
    )  # fmt: skip
    return volume


def routers(draft: Draft) -> None:
    """Boot as NAT instances those to which a route leads: what theirs really does with a packet is not recorded."""
    for id in dict.fromkeys(_led_to(draft, draft.all(RouteTable))):
        instance = draft.get(Instance, id)
        if instance is None:
            continue
        nat = next(one for one in images(draft.region) if one.is_nat)
        draft.put(instance.but(image_id=nat.id))
        why = f"a route leads to it: it boots as a NAT instance ({nat.id} in the place of {instance.image_id})"
        draft.note("stand-in", id, why)


def _led_to(draft: Draft, tables: Iterable[RouteTable]) -> Iterable[str]:
    for table in tables:
        for route in table.routes:
            interface = draft.get(Interface, route.target)
            if interface is not None and interface.instance_id and not interface.source_dest_check:
                yield interface.instance_id
