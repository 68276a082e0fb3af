"""Plan caches of all kinds, each with a subnet group, and a parameter group if it needs one, of its own name."""

from typing import Any, TypeVar

from atoll.apply.action import CHANGE, CREATE, Planner, call, refused
from atoll.apply.document import Trouble, Wrong
from atoll.cache.families import choose
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup
from atoll.model.names import key as key_of
from atoll.model.parameter import CacheParameterGroup
from atoll.model.resource import Resource
from atoll.model.serverless import ServerlessCache
from atoll.recipe.step import Parameters, Step, Wait

NODE_TYPE = "cache.t3.micro"


def caches(planner: Planner) -> None:
    """Plan every cache."""
    for name, said in planner.wish.caches.items():
        if said.get("serverless"):
            _serverless(planner, name, said)
            continue
        _subnet_group(planner, name, said)
        if said.get("parameters"):
            _parameters(planner, name, said)
        if said["engine"] == "memcached":
            _cluster(planner, name, said)
        else:
            _group(planner, name, said)


R = TypeVar("R", bound=Resource)


def _there(planner: Planner, kind: type[R], name: str) -> R | None:
    caller = planner.world.caller
    assert caller is not None, "a plan is somebody's"
    found = planner.world.get(kind, key_of(caller.account, caller.region, name.lower()))
    if found is not None:
        planner.kept.add(found.id)
    return found


def _groups(planner: Planner, said: Any) -> list[str]:
    return [planner.id(f"sg:{group}") for group in said.get("groups", [])]


def _subnet_group(planner: Planner, name: str, said: Any) -> None:
    subnets = [planner.id(f"subnet:{subnet}") for subnet in said["subnets"]]
    there = _there(planner, CacheSubnetGroup, name)
    if there is None:
        step = call("elasticache", "CreateCacheSubnetGroup", CacheSubnetGroupName=name, SubnetIds=subnets,
            CacheSubnetGroupDescription=f"of {name}", Tags=planner.tags(name))  # fmt: skip
        planner.add(CREATE, "subnet group", name, step, what=", ".join(said["subnets"]))
    elif set(there.subnet_ids) != set(subnets):
        step = call("elasticache", "ModifyCacheSubnetGroup", CacheSubnetGroupName=name, SubnetIds=subnets)
        planner.add(CHANGE, "subnet group", name, step, what=", ".join(said["subnets"]))


def _version(said: Any) -> str | None:
    return str(said["version"]) if "version" in said else None


def _family(planner: Planner, name: str, said: Any) -> str:
    build = choose(planner.world.seen_by(None), said["engine"], _version(said))
    if build is None:
        raise Wrong([Trouble(1, 1, f"cache {name}: there is no {said['engine']} {_version(said) or ''} here")])
    return build.family


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _parameters(planner: Planner, name: str, said: Any) -> None:
    wanted = {key: _text(value) for key, value in said["parameters"].items()}
    if said.get("shards"):
        wanted["cluster-enabled"] = "yes"
    there = _there(planner, CacheParameterGroup, name)
    now = dict(there.values) if there else {}
    steps = []
    if there is None:
        steps.append(call("elasticache", "CreateCacheParameterGroup", CacheParameterGroupName=name,
            CacheParameterGroupFamily=_family(planner, name, said), Description=f"of {name}",
            Tags=planner.tags(name)))  # fmt: skip
    changed = [{"ParameterName": k, "ParameterValue": v} for k, v in wanted.items() if now.get(k) != v]
    if changed:
        steps.append(call("elasticache", "ModifyCacheParameterGroup", CacheParameterGroupName=name,
            ParameterNameValues=changed))  # fmt: skip
    gone = [{"ParameterName": k, "ParameterValue": v} for k, v in now.items() if k not in wanted]
    if gone:
        steps.append(call("elasticache", "ResetCacheParameterGroup", CacheParameterGroupName=name,
            ParameterNameValues=gone))  # fmt: skip
    if steps:
        what = ", ".join(f"{one['ParameterName']}={one['ParameterValue']}" for one in changed)
        planner.add(CHANGE if there else CREATE, "parameter group", name, *steps, what=what)


def _common(planner: Planner, name: str, said: Any) -> Parameters:
    found: Parameters = {"Engine": said["engine"], "CacheNodeType": said.get("node_type", NODE_TYPE),
        "CacheSubnetGroupName": name}  # fmt: skip
    if version := _version(said):
        found["EngineVersion"] = version
    if said.get("parameters"):
        found["CacheParameterGroupName"] = name
    if groups := _groups(planner, said):
        found["SecurityGroupIds"] = groups
    for member, parameter in (("port", "Port"), ("tls", "TransitEncryptionEnabled"),
            ("snapshot_days", "SnapshotRetentionLimit")):  # fmt: skip
        if said.get(member):
            found[parameter] = said[member]
    return {**found, "Tags": planner.tags(name, said.get("tags"))}


def _cluster(planner: Planner, name: str, said: Any) -> None:
    nodes, there = said.get("nodes", 1), _there(planner, CacheCluster, name)
    wait = Wait(service="elasticache", waiter="cache_cluster_available", parameters={"CacheClusterId": name})
    if there is None:
        asked = {"CacheClusterId": name, "NumCacheNodes": nodes, **_common(planner, name, said)}
        if len(said["subnets"]) > 1 and nodes > 1 and _zones(planner, said) > 1:
            asked["AZMode"] = "cross-az"
        make = Step(service="elasticache", operation="CreateCacheCluster", parameters=asked, waits=(wait,))
        planner.add(CREATE, "cache", name, make, what=f"memcached, {nodes} nodes")
        return
    _same_engine(name, there.engine, said["engine"])
    changed = _changed(planner, there, said)
    if len(there.nodes) != nodes:
        changed["NumCacheNodes"] = nodes
        if nodes < len(there.nodes):
            changed["CacheNodeIdsToRemove"] = [node.id for node in there.nodes[nodes:]]
    if changed:
        asked = {"CacheClusterId": name, "ApplyImmediately": True, **changed}
        step = Step(service="elasticache", operation="ModifyCacheCluster", parameters=asked, waits=(wait,))
        planner.add(CHANGE, "cache", name, step, what=", ".join(changed))


def _zones(planner: Planner, said: Any) -> int:
    return len({planner.wish.subnets[subnet].get("zone", "a") for subnet in said["subnets"]})


def _same_engine(name: str, now: str, wanted: str) -> None:
    if now != wanted and (now, wanted) != ("redis", "valkey"):
        raise refused("cache", name, "engine", now, wanted)


def _changed(planner: Planner, cluster: CacheCluster, said: Any) -> Parameters:
    """Return what ModifyCacheCluster and ModifyReplicationGroup change alike."""
    found: Parameters = {}
    groups = _groups(planner, said)
    if groups and set(groups) != set(cluster.security_group_ids):
        found["SecurityGroupIds"] = groups
    if said.get("node_type", cluster.node_type) != cluster.node_type:
        found["CacheNodeType"] = said["node_type"]
    if said.get("parameters") and cluster.parameter_group != cluster.name and not cluster.group_id:
        found["CacheParameterGroupName"] = cluster.name
    if said.get("port", cluster.port) != cluster.port:
        raise refused("cache", cluster.name, "port", cluster.port, said["port"])
    return found


def _group(planner: Planner, name: str, said: Any) -> None:
    there = _there(planner, ReplicationGroup, name)
    shards, replicas = said.get("shards"), said.get("replicas", 0)
    failover = said.get("automatic_failover", replicas > 0 or bool(shards))
    wait = Wait(service="elasticache", waiter="replication_group_available",
        parameters={"ReplicationGroupId": name})  # fmt: skip
    if there is None:
        asked = {"ReplicationGroupId": name, "ReplicationGroupDescription": name, **_common(planner, name, said),
            "AutomaticFailoverEnabled": failover}  # fmt: skip
        asked |= {"NumNodeGroups": shards, "ReplicasPerNodeGroup": replicas} if shards else {
            "NumCacheClusters": replicas + 1}  # fmt: skip
        if shards:
            asked["ClusterMode"] = "enabled"
        if failover and replicas and _zones(planner, said) > 1:
            asked["MultiAZEnabled"] = True
        make = Step(service="elasticache", operation="CreateReplicationGroup", parameters=asked, waits=(wait,))
        what = f"{said['engine']}, {f'{shards} shards of ' if shards else ''}{replicas + 1} nodes"
        planner.add(CREATE, "cache", name, make, what=what)
    else:
        _change_group(planner, there, name, said, failover, wait)


def _change_group(
    planner: Planner, there: ReplicationGroup, name: str, said: Any, failover: bool, wait: Wait
) -> None:
    _same_engine(name, there.engine, said["engine"])
    shards, replicas = said.get("shards"), said.get("replicas", 0)
    if bool(shards) != there.is_sharded:
        raise refused("cache", name, "cluster mode", there.cluster_mode, "enabled" if shards else "disabled")
    if said.get("tls", there.tls) != there.tls:
        raise refused("cache", name, "encryption in transit", there.tls, said["tls"])
    first = planner.world.seen_by(None)[CacheCluster, there.member_ids[0]]
    changed = _changed(planner, first, said)
    if said.get("parameters") and first.parameter_group != name:
        changed["CacheParameterGroupName"] = name
    if said.get("snapshot_days", there.snapshot_retention) != there.snapshot_retention:
        changed["SnapshotRetentionLimit"] = said["snapshot_days"]
    on = there.automatic_failover.startswith("enabl")
    switch = {"AutomaticFailoverEnabled": failover, **({} if failover else {"MultiAZEnabled": False})}
    count = _replicas(there, name, replicas, wait)
    if on and not failover:  # a group that fails over keeps a replica
        changed |= switch
    _modify(planner, name, changed, wait)
    planner.actions += [] if count is None else [_action(name, count, f"{replicas} replicas")]
    if failover and not on:
        _modify(planner, name, switch, wait)
    if shards and len(there.node_groups) != shards:
        asked: Parameters = {"ReplicationGroupId": name, "NodeGroupCount": shards, "ApplyImmediately": True}
        if shards < len(there.node_groups):
            asked["NodeGroupsToRemove"] = [shard.id for shard in there.node_groups[shards:]]
        step = Step(service="elasticache", operation="ModifyReplicationGroupShardConfiguration", parameters=asked,
            waits=(wait,))  # fmt: skip
        planner.actions.append(_action(name, step, f"{shards} shards"))


def _action(name: str, step: Step, what: str) -> Any:
    from atoll.apply.action import Action

    return Action(verb=CHANGE, kind="cache", name=name, what=what, steps=(step,))


def _modify(planner: Planner, name: str, changed: Parameters, wait: Wait) -> None:
    if changed:
        asked = {"ReplicationGroupId": name, "ApplyImmediately": True, **changed}
        step = Step(service="elasticache", operation="ModifyReplicationGroup", parameters=asked, waits=(wait,))
        planner.add(CHANGE, "cache", name, step, what=", ".join(changed))


def _replicas(there: ReplicationGroup, name: str, replicas: int, wait: Wait) -> Step | None:
    now = len(there.node_groups[0].member_ids) - 1
    if now == replicas:
        return None
    operation = "IncreaseReplicaCount" if replicas > now else "DecreaseReplicaCount"
    asked = {"ReplicationGroupId": name, "NewReplicaCount": replicas, "ApplyImmediately": True}
    return Step(service="elasticache", operation=operation, parameters=asked, waits=(wait,))


def _serverless(planner: Planner, name: str, said: Any) -> None:
    there, groups = _there(planner, ServerlessCache, name), _groups(planner, said)
    if there is None:
        asked: Parameters = {"ServerlessCacheName": name, "Engine": said["engine"],
            "SubnetIds": [planner.id(f"subnet:{subnet}") for subnet in said["subnets"]],
            "Tags": planner.tags(name, said.get("tags"))}  # fmt: skip
        asked |= {"SecurityGroupIds": groups} if groups else {}
        asked |= {"MajorEngineVersion": _version(said)} if "version" in said else {}
        asked |= {"SnapshotRetentionLimit": said["snapshot_days"]} if said.get("snapshot_days") else {}
        planner.add(CREATE, "cache", name, call("elasticache", "CreateServerlessCache", **asked),
            what=f"{said['engine']}, serverless")  # fmt: skip
        return
    _same_engine(name, there.engine, said["engine"])
    changed: Parameters = {}
    if groups and set(groups) != set(there.security_group_ids):
        changed["SecurityGroupIds"] = groups
    if said.get("snapshot_days", there.snapshot_retention) != there.snapshot_retention:
        changed["SnapshotRetentionLimit"] = said["snapshot_days"]
    if changed:
        step = call("elasticache", "ModifyServerlessCache", ServerlessCacheName=name, **changed)
        planner.add(CHANGE, "cache", name, step, what=", ".join(changed))
