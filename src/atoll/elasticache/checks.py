"""What several requests must observe: ports, windows, and parameters that only have one value here."""

from collections.abc import Sequence

from atoll.aws.errors import Err
from atoll.cache import windows
from atoll.elasticache import errors
from atoll.elasticache.find import find_cache_security_group
from atoll.elasticache.subnet_group import CLASSIC
from atoll.model.cache import CacheSubnetGroup
from atoll.model.group import SecurityGroup
from atoll.model.world import Tx, World

PORT_MAX = 65535
DEFAULT_PORTS = {"memcached": 11211, "redis": 6379, "valkey": 6379}
TOPIC_PREFIX = "arn:aws:sns:"
RETENTION_DAYS_MAX = 35

BAD_MAINTENANCE = Err(
    "InvalidParameterValue",
    "Invalid maintenance window {got}. It must have the form ddd:hh24:mi-ddd:hh24:mi and last from 60 minutes to 24 "
    "hours.",
)
BAD_SNAPSHOT = Err(
    "InvalidParameterValue",
    "Invalid snapshot window {got}. It must have the form hh24:mi-hh24:mi and last 60 minutes.",
)
OVERLAP = Err(
    "InvalidParameterValue",
    "The snapshot window {snapshot} and the maintenance window {maintenance} must not overlap.",
)
NO_SNAPSHOTS = Err(
    "InvalidParameterCombination", "{name} is not supported for cache clusters of the engine memcached."
)


def port(asked: int | None, engine: str) -> int:
    """Return the port of a new cache: the one asked for, else the engine's own."""
    if asked is None:
        return DEFAULT_PORTS[engine]
    if not 1 <= asked <= PORT_MAX:
        raise errors.BAD_VALUE(got=asked, name="Port", why=f"Must be between 1 and {PORT_MAX}.")
    return asked


def maintenance_window(text: str) -> str:
    """Return a well formed maintenance window, in lower case."""
    parsed = windows.maintenance(text)
    if parsed is None or not windows.MINUTES_MIN <= parsed[1] <= windows.MAINTENANCE_MINUTES_MAX:
        raise BAD_MAINTENANCE(got=text)
    return text.lower()


def snapshot_window(text: str, maintenance: str) -> str:
    """Return a well formed snapshot window that does not meet the maintenance window."""
    parsed = windows.snapshot(text)
    if parsed is None or parsed[1] < windows.MINUTES_MIN:
        raise BAD_SNAPSHOT(got=text)
    if windows.overlap(maintenance, text):
        raise OVERLAP(snapshot=text, maintenance=maintenance)
    return text


def new_windows(tx: Tx, maintenance: str | None, snapshot: str | None) -> tuple[str, str]:
    """Return the two windows of a new cache: those asked for, else hours that dice choose in its region's night."""
    dice = int(tx.new_hex(8), 16)
    weekly = maintenance_window(maintenance) if maintenance else windows.pick_maintenance(tx.region, dice)
    return weekly, snapshot_window(snapshot, weekly) if snapshot else windows.pick_snapshot(weekly, dice)


def topic(arn: str | None) -> str | None:
    """Return a notification topic; it is kept and shown, but nothing is sent: DescribeEvents tells the events."""
    if arn and not arn.startswith(TOPIC_PREFIX):
        raise errors.BAD_VALUE(got=arn, name="NotificationTopicArn", why="Must be the ARN of an SNS topic.")
    return arn or None


def security_groups(
    world: World,
    ids: Sequence[str] | None,
    subnet_group: CacheSubnetGroup,
    cache_security_groups: Sequence[str] | None,
) -> tuple[str, ...]:
    """Return the security groups of a cache's interfaces: those asked for, else the VPC's own `default`.

    In EC2-Classic they are those of cache security groups.
    """
    if subnet_group.name == CLASSIC:
        return _in_classic(world, ids, cache_security_groups)
    if cache_security_groups:
        raise errors.CACHE_SECURITY_GROUPS_IN_VPC()
    if not ids:
        own = world.bucket(SecurityGroup, "vpc_id", subnet_group.vpc_id).values()
        return tuple(g.id for g in own if isinstance(g, SecurityGroup) and g.name == "default")
    unique = tuple(dict.fromkeys(ids))
    found = [group for group in (world.get(SecurityGroup, id) for id in unique) if group]
    if len(found) < len(unique):
        raise errors.BAD_GROUPS(ids=", ".join(unique))
    for group in found:
        if group.vpc_id != subnet_group.vpc_id:
            raise errors.OTHER_VPC(subnet_group=subnet_group.name, vpc=subnet_group.vpc_id, other=group.vpc_id)
    return unique


def _in_classic(world: World, ids: Sequence[str] | None, names: Sequence[str] | None) -> tuple[str, ...]:
    if ids:
        raise errors.VPC_GROUPS_IN_CLASSIC()
    found = [find_cache_security_group(world, name) for name in dict.fromkeys(names or ["default"])]
    return tuple(group.group_id for group in found)


def refuse_unless(value: object, allowed: object, name: str, because: str) -> None:
    """Refuse a parameter that has only one possible value here; None means that it was not given."""
    if value is not None and value != allowed:
        shown = {True: "true", False: "false"}[value] if isinstance(value, bool) else value
        raise errors.UNSUPPORTED(what=f"{name}={shown}", because=because)


def only_ipv4(network_type: str | None, ip_discovery: str | None) -> None:
    """Refuse IPv6."""
    refuse_unless(network_type, "ipv4", "NetworkType", "caches have IPv4 addresses.")
    refuse_unless(ip_discovery, "ipv4", "IpDiscovery", "caches have IPv4 addresses.")


def kms_key(id: str | None, *, at_rest: bool) -> str | None:
    """Return the key that a cache is said to be encrypted with; it is kept and shown, and nothing is encrypted."""
    if id and not at_rest:
        raise errors.BAD_COMBINATION(why="KmsKeyId can only be used with AtRestEncryptionEnabled.")
    return id or None


def retention(days: int | None, *, memcached: bool = False) -> int | None:
    """Return for how many days automatic snapshots are to be kept; 0: there are none, None: it was not said."""
    if days is None:
        return None
    if not 0 <= days <= RETENTION_DAYS_MAX:
        why = f"Must be between 0 and {RETENTION_DAYS_MAX}."
        raise errors.BAD_VALUE(got=days, name="SnapshotRetentionLimit", why=why)
    if days and memcached:
        raise NO_SNAPSHOTS(name="SnapshotRetentionLimit")
    return days
