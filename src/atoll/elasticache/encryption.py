"""TransitEncryptionEnabled and TransitEncryptionMode: what may be asked for."""

from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.cache.encryption import MODES, PREFERRED, REQUIRED
from atoll.cache.families import Build, builds, numbers
from atoll.elasticache import errors, subnet_group
from atoll.elasticache.subnet_group import CLASSIC
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup
from atoll.model.lifecycle import CACHE_CLUSTER, REPLICATION_GROUP
from atoll.model.world import Tx, World

MODE_SINCE = (7, 0, 5)
MEMCACHED_SINCE = (1, 6, 12)

NOT_ENABLED = Err(
    "InvalidParameterCombination", "To modify transit encryption mode, set encryption-in-transit as enabled."
)
OLD_ENGINE = Err(
    "InvalidParameterCombination",
    "Transit encryption mode is not supported for engine version {version}. "
    "Please use engine version 7.0.5 or higher.",
)
OLD_MEMCACHED = Err(
    "InvalidParameterCombination",
    "In-transit encryption is not supported for memcached version {version}. Please use version 1.6.12 or higher.",
)
NO_VPC = Err(
    "InvalidParameterCombination", "In-transit encryption is only supported in a VPC: name a cache subnet group."
)
AT_CREATION = Err(
    "InvalidParameterCombination",
    "In-transit encryption cannot be enabled together with PrimaryClusterId. "
    "Create the replication group first, then modify it.",
)
ACCESS_CONTROL = Err(
    "InvalidParameterCombination",
    "Modification of transit encryption is not supported for access control enabled clusters.",
)
PREFERRED_ACCESS = Err(
    "InvalidParameterCombination", "Transit encryption preferred is not supported with redis access control."
)
TWO_STEPS = Err(
    "InvalidParameterCombination",
    "Setting TransitEncryptionMode to required is a two-step process: first set TransitEncryptionEnabled to true and "
    "TransitEncryptionMode to preferred.",
)
TWO_STEPS_BACK = Err(
    "InvalidParameterCombination",
    "Disabling in-transit encryption is a two-step process: first set TransitEncryptionMode to preferred.",
)


def asked(enabled: bool | None, mode: str | None) -> str:
    """Return the mode that a new cache is to have; "": none."""
    if mode is not None and mode not in MODES:
        raise errors.BAD_VALUE(got=mode, name="TransitEncryptionMode", why="Must be preferred or required.")
    if not enabled:
        if mode is not None:
            raise NOT_ENABLED()
        return ""
    return mode or REQUIRED


def check(build: Build, subnets: CacheSubnetGroup, mode: str) -> None:
    """Refuse TLS where an engine, a network or this machine has none."""
    if subnets.name == CLASSIC:
        raise NO_VPC()
    if build.engine == "memcached":
        if numbers(build.version) < MEMCACHED_SINCE:
            raise OLD_MEMCACHED(version=build.version)
    elif mode != REQUIRED and numbers(build.version) < MODE_SINCE:
        raise OLD_ENGINE(version=build.version)
    if not build.tls:
        raise errors.UNSUPPORTED(
            what="TransitEncryptionEnabled=true",
            because="nothing on this machine can speak TLS for an engine. Install the package haproxy "
            "(sudo apt-get install --no-install-recommends haproxy, or run bin/setup), then start Atoll again.",
        )


def check_access(group: ReplicationGroup) -> ReplicationGroup:
    """Return a new group, unless it would let clients give passwords in plain text."""
    if group.encryption == PREFERRED and (group.access.tokens or group.access.user_group_id):
        raise PREFERRED_ACCESS()
    return group


def changed(world: World, group: ReplicationGroup, enabled: bool | None, mode: str | None) -> str:
    """Return the mode that a group is to have, for a request to change it; "" is plain text.

    Source: ElastiCache User Guide, "Enabling in-transit encryption": each step leaves clients the time to follow.
    """
    now = group.encryption
    if enabled is None and mode is None:
        return now
    if group.access.tokens or group.access.user_group_id:
        raise ACCESS_CONTROL()
    if mode is not None and enabled is False:
        raise NOT_ENABLED()
    wanted = asked(enabled if enabled is not None else group.tls, mode)
    if enabled and now and mode is None:
        wanted = now
    if wanted == now:
        return now
    member = world[CacheCluster, group.member_ids[0]]
    if numbers(member.engine_version) < MODE_SINCE:
        raise OLD_ENGINE(version=member.engine_version)
    if not now and wanted == REQUIRED:
        raise TWO_STEPS()
    if not wanted and now == REQUIRED:
        raise TWO_STEPS_BACK()
    if wanted:
        tls = any(build.tls for build in builds(world, member.engine))
        build = Build(member.engine, member.engine_version, tls=tls)
        check(build, subnet_group.find(world, member.subnet_group), wanted)
    return wanted


def begin(tx: Tx, group: ReplicationGroup, mode: str) -> None:
    """Put a group and its members with another mode: they are `modifying` until all nodes are seen to obey."""
    if mode == group.encryption:
        return
    said = {"tls": bool(mode), "tls_mode": mode or REQUIRED}
    for id in group.member_ids:
        cluster = tx.world[CacheCluster, id]
        status = CACHE_CLUSTER.after(cluster.status, "modify") if cluster.status == "available" else cluster.status
        tx.put(cluster.but(status=status, **said))
    status = REPLICATION_GROUP.after(group.status, "modify") if group.status == "available" else group.status
    tx.put(group.but(status=status, **said))


def render(world: World, group: ReplicationGroup) -> Shape:
    """Return the members about TLS of AWS's ReplicationGroup: what is in force."""
    mode = _in_force(world, group)
    return {"TransitEncryptionEnabled": bool(mode), "TransitEncryptionMode": mode or None}


def pending(world: World, group: ReplicationGroup) -> Shape:
    """Return the members about TLS of AWS's ReplicationGroupPendingModifiedValues."""
    mode = group.encryption
    if _in_force(world, group) == mode:
        return {}
    return {"TransitEncryptionEnabled": bool(mode), "TransitEncryptionMode": mode or None}


def _in_force(world: World, group: ReplicationGroup) -> str:
    """Return the mode that the clients of a group meet: the new one, when all its nodes have it."""
    if group.status == "modifying":
        for id in group.member_ids:
            for node in world[CacheCluster, id].nodes:
                if node.status == "available" and node.encryption != group.encryption:
                    return node.encryption
    return group.encryption
