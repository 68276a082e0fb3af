"""Survey caches: what they need first, then clusters, replication groups and serverless caches."""

from collections.abc import Iterator, Mapping
from typing import Any

from atoll.cache.slots import count
from atoll.model.access import User, UserGroup
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup
from atoll.model.log_delivery import LogDelivery
from atoll.model.parameter import CacheParameterGroup
from atoll.model.serverless import ServerlessCache, UsageLimits
from atoll.model.world import World
from atoll.recipe.shell import Variable
from atoll.recipe.step import LeftOut, Parameters, Step, Wait
from atoll.recipe.terraform_names import identifier


def steps(world: World) -> Iterator[Step]:
    """Yield the steps of all caches."""
    for subnets in world.all(CacheSubnetGroup):
        if subnets.name != "default":
            yield _named("CreateCacheSubnetGroup", "CacheSubnetGroupName", subnets.name, subnets.tags, {
                "CacheSubnetGroupDescription": subnets.description, "SubnetIds": list(subnets.subnet_ids)})
    for group in world.all(CacheParameterGroup):
        yield from _parameters(group)
    for user in world.all(User):
        yield _user(user)
    for users in world.all(UserGroup):
        yield _named("CreateUserGroup", "UserGroupId", users.name, users.tags, {
            "Engine": users.engine, "UserIds": list(users.user_ids)}, attribute="user_group_id",
            also=("UserGroupIds",))  # fmt: skip
    for cluster in world.all(CacheCluster):
        if cluster.group_id is None:
            yield _cluster(world, cluster)
    for replicas in world.all(ReplicationGroup):
        yield _group(world, replicas)
    for serverless in world.all(ServerlessCache):
        yield _serverless(serverless)


def _named(
    operation: str, member: str, name: str, tags: Mapping[str, str], asked: Parameters, *, attribute: str = "name",
    also: tuple[str, ...] = (), waits: tuple[Wait, ...] = (),
) -> Step:  # fmt: skip
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    return Step(service="elasticache", operation=operation, attribute=attribute, imports=name, waits=waits,
        parameters={member: name, **asked, **({"Tags": listed} if listed else {})},
        named=tuple((one, name) for one in (member, *also)))  # fmt: skip


def _parameters(group: CacheParameterGroup) -> Iterator[Step]:
    yield _named("CreateCacheParameterGroup", "CacheParameterGroupName", group.name, group.tags, {
        "CacheParameterGroupFamily": group.family, "Description": group.description})  # fmt: skip
    said = {"cluster-enabled": "yes"} | dict(group.values) if group.cluster_on else dict(group.values)
    values = [{"ParameterName": name, "ParameterValue": value} for name, value in said.items()]
    if values:
        yield Step(service="elasticache", operation="ModifyCacheParameterGroup", changes=group.name,
            parameters={"CacheParameterGroupName": group.name, "ParameterNameValues": values})  # fmt: skip


def secret(what: str, name: str, number: int = 0) -> Variable:
    """Return the variable of a secret: the World has only its digest."""
    return Variable(f"{what}_{identifier(name)}{f'_{number + 1}' if number else ''}".upper())


def _user(user: User) -> Step:
    asked: Parameters = {"UserName": user.name, "Engine": user.engine, "AccessString": user.access}
    if user.authentication == "password":
        asked["Passwords"] = [secret("PASSWORD", user.user_id, n) for n in range(len(user.passwords))]
    elif user.authentication == "iam":
        asked["AuthenticationMode"] = {"Type": "iam"}
    else:
        asked["NoPasswordRequired"] = True
    return _named("CreateUser", "UserId", user.user_id, user.tags, asked, attribute="user_id", also=("UserIds",))


def _common(world: World, cluster: CacheCluster, owner_id: str) -> Parameters:
    """Return what clusters and groups say alike."""
    found: Parameters = {"CacheNodeType": cluster.node_type, "Engine": cluster.engine, "Port": cluster.port,
        "PreferredMaintenanceWindow": cluster.maintenance_window}  # fmt: skip
    if cluster.requested_version:
        found["EngineVersion"] = cluster.requested_version
    if not cluster.parameter_group.startswith("default."):
        found["CacheParameterGroupName"] = cluster.parameter_group
    if cluster.subnet_group != "default":
        found["CacheSubnetGroupName"] = cluster.subnet_group
    if cluster.security_group_ids:
        found["SecurityGroupIds"] = list(cluster.security_group_ids)
    if not cluster.auto_minor_upgrade:
        found["AutoMinorVersionUpgrade"] = False
    if cluster.notification_topic:
        found["NotificationTopicArn"] = cluster.notification_topic
    deliveries = [_delivery(d) for d in world.all(LogDelivery) if d.owner_id == owner_id and d.status != "disabling"]
    return {**found, **({"LogDeliveryConfigurations": deliveries} if deliveries else {})}


def _delivery(log: LogDelivery) -> Parameters:
    return {"LogType": log.log_type, "DestinationType": "cloudwatch-logs", "LogFormat": log.format,
        "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": log.log_group}}}  # fmt: skip


def _backups(retention: int, window: str | None) -> Parameters:
    if not retention:
        return {}
    return {"SnapshotRetentionLimit": retention, **({"SnapshotWindow": window} if window else {})}


def _cluster(world: World, cluster: CacheCluster) -> Step:
    zones = [node.zone for node in cluster.nodes]
    asked = {**_common(world, cluster, cluster.id), "NumCacheNodes": len(zones)}
    if len(set(zones)) > 1:
        asked |= {"AZMode": cluster.az_mode, "PreferredAvailabilityZones": zones}
    elif zones:
        asked["PreferredAvailabilityZone"] = zones[0]
    if cluster.tls:
        asked["TransitEncryptionEnabled"] = True
    asked |= _backups(cluster.snapshot_retention, cluster.snapshot_window)
    done = Wait(service="elasticache", waiter="cache_cluster_available", parameters={"CacheClusterId": cluster.name})
    return _named("CreateCacheCluster", "CacheClusterId", cluster.name, cluster.tags, asked, attribute="cluster_id",
        waits=(done,))  # fmt: skip


def _group(world: World, group: ReplicationGroup) -> Step:
    members = {id: world.seen_by(None)[CacheCluster, id] for id in group.member_ids}
    first = members[group.member_ids[0]]
    asked: Parameters = {"ReplicationGroupDescription": group.description, **_common(world, first, group.id)}
    counts = {len(shard.member_ids) for shard in group.node_groups}
    if group.is_sharded and len(counts) > 1:
        asked["NodeGroupConfiguration"] = [
            {"NodeGroupId": s.id, "ReplicaCount": len(s.member_ids) - 1} for s in group.node_groups]  # fmt: skip
    elif group.is_sharded:
        asked |= {"NumNodeGroups": len(group.node_groups), "ReplicasPerNodeGroup": counts.pop() - 1}
    else:
        zones = [members[id].nodes[0].zone for id in group.member_ids]
        asked |= {"NumCacheClusters": len(zones), "PreferredCacheClusterAZs": zones}
    if group.cluster_mode == "compatible" or (group.is_sharded and "CacheParameterGroupName" not in asked):
        asked["ClusterMode"] = group.cluster_mode
    asked["AutomaticFailoverEnabled"] = group.automatic_failover.startswith("enabl")
    asked["MultiAZEnabled"] = group.multi_az.startswith("enabl")
    asked |= _encryption(group)
    asked |= _backups(group.snapshot_retention, group.snapshot_window)
    done = Wait(service="elasticache", waiter="replication_group_available",
        parameters={"ReplicationGroupId": group.name})  # fmt: skip
    return _named("CreateReplicationGroup", "ReplicationGroupId", group.name, group.tags, asked,
        attribute="replication_group_id", waits=(done,))  # fmt: skip


def _encryption(group: ReplicationGroup) -> Parameters:
    found: Parameters = {"AtRestEncryptionEnabled": True} if group.at_rest else {}
    found |= {"KmsKeyId": group.kms_key_id} if group.kms_key_id else {}
    found |= {"TransitEncryptionEnabled": True} if group.tls else {}
    found |= {"TransitEncryptionMode": group.tls_mode} if group.tls and group.tls_mode != "required" else {}
    if group.access.user_group_id:
        found["UserGroupIds"] = [group.access.user_group_id.rpartition("/")[2]]
    if group.access.tokens:
        found["AuthToken"] = secret("AUTH_TOKEN", group.name)
    return found


def _serverless(cache: ServerlessCache) -> Step:
    asked: Parameters = {"Engine": cache.engine, "MajorEngineVersion": cache.major_version,
        "SubnetIds": list(cache.subnet_ids)}  # fmt: skip
    wanted: dict[str, Any] = {"Description": cache.description, "SecurityGroupIds": list(cache.security_group_ids),
        "UserGroupId": cache.user_group, "KmsKeyId": cache.kms_key_id, "CacheUsageLimits": _limits(cache.limits),
        "SnapshotRetentionLimit": cache.snapshot_retention, "DailySnapshotTime": cache.snapshot_time}  # fmt: skip
    asked |= {member: value for member, value in wanted.items() if value}
    if not cache.snapshot_retention:
        asked.pop("DailySnapshotTime", None)
    return _named("CreateServerlessCache", "ServerlessCacheName", cache.name, cache.tags, asked)


def _limits(limits: UsageLimits) -> Parameters:
    size = {"Maximum": limits.data_max_gb, "Minimum": limits.data_min_gb}
    units = {"Maximum": limits.ecpu_max, "Minimum": limits.ecpu_min}
    data = {k: v for k, v in size.items() if v is not None}
    rate = {k: v for k, v in units.items() if v is not None}
    return {**({"DataStorage": {**data, "Unit": "GB"}} if data else {}), **({"ECPUPerSecond": rate} if rate else {})}


def left_out(world: World) -> Iterator[LeftOut]:
    """Yield what a group cannot be asked for."""
    for group in world.all(ReplicationGroup):
        sizes = [count(shard.slots) for shard in group.node_groups]
        evenly = max(sizes) - min(sizes) <= 1
        if group.is_sharded and not (evenly and all(len(shard.slots) == 1 for shard in group.node_groups)):
            yield LeftOut(group.name, "its slots are shared out evenly among its shards again")
