"""RunInstances: everything is read and checked first, then each instance is put with its interfaces and volume."""

from collections.abc import Sequence
from typing import Any

from atoll.aws.errors import AwsError, Err
from atoll.aws.operation import Shape, operation
from atoll.ec2 import image as images
from atoll.ec2 import instance_network as network
from atoll.ec2 import instance_options as options
from atoll.ec2 import instance_volume as volumes
from atoll.ec2 import metadata
from atoll.ec2 import placement as placements
from atoll.ec2.errors import BAD_COMBINATION, UNSUPPORTED
from atoll.ec2.instance import refuse_members
from atoll.ec2.instance_render import render_launched
from atoll.ec2.instance_state import give_public_ip
from atoll.ec2.keypair import find_named
from atoll.ec2.tags import tags_for
from atoll.model.instance import Instance
from atoll.model.lifecycle import INSTANCE
from atoll.model.world import Tx
from atoll.model.zones import zone

INSTANCES_MAX = 500  # of an account in a region, terminated ones not counted; AWS: by vCPUs

BAD_COUNT = Err(
    "InvalidParameterValue", "Value ( {value} ) for parameter {name} is invalid. Expected a positive integer."
)
MIN_OVER_MAX = Err(
    "InvalidParameterCombination", "The minimum count ({low}) must not be greater than the maximum count ({high})."
)
INSTANCE_LIMIT = Err(
    "InstanceLimitExceeded",
    "You have requested more instances ({asked}) than your current instance limit of {limit} allows for the "
    "specified instance type.",
)

TAGGED = ("instance", "volume", "network-interface")


@operation("ec2", "RunInstances")
def run_instances(
    tx: Tx, *, image_id: str, min_count: int, max_count: int, instance_type: str = "m1.small",
    key_name: str | None = None, subnet_id: str | None = None, security_group_ids: Sequence[str] = (),
    security_groups: Sequence[str] = (), private_ip_address: str | None = None,
    ipv6_addresses: Sequence[Shape] = (), ipv6_address_count: int | None = None,
    network_interfaces: Sequence[Shape] = (), placement: Shape | None = None,
    private_dns_name_options: Shape | None = None, user_data: str = "", block_device_mappings: Sequence[Shape] = (),
    ebs_optimized: bool | None = None, monitoring: Shape | None = None, iam_instance_profile: Shape | None = None,
    metadata_options: Shape | None = None, credit_specification: Shape | None = None,
    maintenance_options: Shape | None = None, instance_initiated_shutdown_behavior: str = "stop",
    disable_api_termination: bool = False, disable_api_stop: bool = False, hibernation_options: Shape | None = None,
    enclave_options: Shape | None = None, tag_specifications: Sequence[Shape] = (), client_token: str | None = None,
) -> Shape:  # fmt: skip
    """Launch instances: as many as there is room for, up to `max_count`, and none if that is under `min_count`."""
    _check_counts(min_count, max_count)
    image = images.find_for_launch(tx.world, image_id)
    type = options.instance_type(instance_type, image)
    _refuse_enabled("HibernationOptions.Configured", (hibernation_options or {}).get("Configured"))
    _refuse_enabled("EnclaveOptions.Enabled", (enclave_options or {}).get("Enabled"))
    of_instance, of_volume, of_interface = (tags_for(kind, tag_specifications, also=TAGGED) for kind in TAGGED)
    zone_name, wanted = _where(placement or {}), placements.wish(tx.world, placement or {}, type.name)
    nets = network.plan(
        tx.world, subnet_id=subnet_id, group_ids=security_group_ids, group_names=security_groups,
        private_ip=private_ip_address, sixes=ipv6_addresses, more_sixes=ipv6_address_count, specs=network_interfaces,
        zone_name=zone_name, type=type,
        tags=of_interface,
    )  # fmt: skip
    root = volumes.plan(block_device_mappings, image, of_volume)
    facts = {
        "image_id": image.id,
        "type": type.name,
        "user_data": options.user_data(user_data),
        "root_device": image.root_device,
        "ebs_optimized": options.ebs_optimized(ebs_optimized, type),
        "monitoring": "enabled" if _member(monitoring, "Monitoring", "Enabled") else "disabled",
        "instance_profile": options.profile(tx, iam_instance_profile or {}),
        "metadata": metadata.options_of_launch(tx, metadata_options or {}, image, of_instance),
        "cpu_credits": options.credits(_member(credit_specification, "CreditSpecification", "CpuCredits"), type),
        "auto_recovery": _member(maintenance_options, "MaintenanceOptions", "AutoRecovery") or "default",
        "shutdown_behavior": instance_initiated_shutdown_behavior,
        "api_termination_disabled": disable_api_termination,
        "api_stop_disabled": disable_api_stop,
        "client_token": client_token,
        "tags": of_instance,
        **_key(tx, key_name),
        **_dns_options(private_dns_name_options or {}, nets),
    }
    reservation, count = tx.new_id("r"), _count(tx, nets, min_count, max_count)
    made: list[Instance] = []
    for n in range(count):
        try:
            facts |= _place(tx, nets, wanted)
        except AwsError as no_room:
            if no_room.code != placements.NO_CAPACITY.code or n < min_count:
                raise
            break
        made.append(_make(tx, nets, root, reservation, n, facts))
    told = [render_launched(tx.world, instance) for instance in made]
    return {"ReservationId": reservation, "OwnerId": tx.account, "Groups": [], "Instances": told}


def _make(
    tx: Tx, nets: network.Network, root: volumes.Root, reservation: str, index: int, facts: dict[str, Any]
) -> Instance:
    """Put one instance with its interfaces and its volume."""
    id = tx.new_id("i")
    place = zone(tx.region, nets.subnet.zone)
    assert place, "a subnet is in a zone of its region"
    interfaces = network.make(tx, nets, id)
    instance = tx.make(
        Instance,
        id,
        profile_association_id=tx.new_id("iip-assoc") if facts["instance_profile"] else None,
        state=INSTANCE.initial,
        reservation_id=reservation,
        launched=tx.now,
        vpc_id=nets.subnet.vpc_id,
        subnet_id=nets.subnet.id,
        zone=place.name,
        launch_index=index,
        private_ip=str(interfaces[0].address),
        group_ids=interfaces[0].group_ids,
        volume_id=volumes.make(tx, root, id, place).id,
        public_ip_wanted=nets.public_ip,
        **facts,
    )
    give_public_ip(tx, instance)
    return instance


def _check_counts(low: int, high: int) -> None:
    for name, value in (("minCount", low), ("maxCount", high)):
        if value < 1:
            raise BAD_COUNT(value=value, name=name)
    if low > high:
        raise MIN_OVER_MAX(low=low, high=high)


def _count(tx: Tx, nets: network.Network, low: int, high: int) -> int:
    """Return how many instances to launch."""
    if nets.is_for_one and high > 1:
        raise BAD_COMBINATION(why="A private IP address or a network interface can be given to one instance only.")
    have = tx.world.count(Instance) - sum(1 for _ in tx.world.all(Instance, state="terminated"))
    if (left := INSTANCES_MAX - have) < low:
        raise INSTANCE_LIMIT(asked=have + low, limit=INSTANCES_MAX)
    if (room := network.room(tx.world, nets)) < low:
        raise network.SUBNET_FULL(id=nets.subnet.id)
    return min(high, left, room)


def _key(tx: Tx, name: str | None) -> dict[str, Any]:
    """Return the key pair's facts: the instance keeps the public key, whatever becomes of the pair."""
    if not name:
        return {}
    pair = find_named(tx.world, name)
    return {"key_name": pair.name, "public_key": pair.public_key}


def _where(placement: Shape) -> str | None:
    """Return the zone that a placement names; refuse what is not supported."""
    given = {name: value for name, value in placement.items() if value != ""}
    members = ("AvailabilityZone", "AvailabilityZoneId", "GroupId", "GroupName", "PartitionNumber", "Tenancy")
    refuse_members(given, "Placement", members)
    name, id = given.get("AvailabilityZone"), given.get("AvailabilityZoneId")
    if name and id:
        raise BAD_COMBINATION(why="availabilityZone and availabilityZoneId must not be used together.")
    return name or id


def _place(tx: Tx, nets: network.Network, wanted: placements.Wish) -> dict[str, Any]:
    """Return the facts of the place of one more instance."""
    found = placements.place(tx.world, nets.subnet.zone, wanted)
    group_id = wanted.group.id if wanted.group else None
    return {"host": found.host, "partition": found.partition, "placement_group_id": group_id}


def _dns_options(asked: Shape, nets: network.Network) -> dict[str, Any]:
    """Return how the instance is named: as asked, else as its subnet says."""
    members = ("HostnameType", "EnableResourceNameDnsARecord", "EnableResourceNameDnsAAAARecord")
    refuse_members(asked, "PrivateDnsNameOptions", members)
    quad_a = asked.get("EnableResourceNameDnsAAAARecord", nets.subnet.resource_name_aaaa_record)
    return {
        "hostname_type": asked.get("HostnameType", nets.subnet.hostname_type),
        "resource_name_a_record": asked.get("EnableResourceNameDnsARecord", nets.subnet.resource_name_a_record),
        "resource_name_aaaa_record": quad_a,
    }


def _member(shape: Shape | None, parameter: str, member: str) -> Any:
    """Return the one member of a structure that is supported; refuse others."""
    refuse_members(shape or {}, parameter, (member,))
    return (shape or {}).get(member)


def _refuse_enabled(what: str, value: bool | None) -> None:
    if value:
        raise UNSUPPORTED(what=what)
