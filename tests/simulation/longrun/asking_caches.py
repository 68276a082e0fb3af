"""Calls about caches: clusters, replication groups, serverless caches, users, snapshots, parameters."""

from typing import TYPE_CHECKING, Any

from atoll.model.access import User, UserGroup
from atoll.model.cache import CacheCluster, CacheSubnetGroup, ReplicationGroup
from atoll.model.group import SecurityGroup
from atoll.model.parameter import CacheParameterGroup
from atoll.model.serverless import ServerlessCache, ServerlessSnapshot
from atoll.model.snapshot import Snapshot
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc

if TYPE_CHECKING:
    from tests.simulation.longrun.people import Hand

Call = tuple[str, dict[str, Any]]
DEFAULT = "elasticache"
SERVICE: dict[str, str] = {}
NODE = {"CacheNodeType": "cache.t3.micro"}


def placed(hand: "Hand") -> dict[str, Any]:
    """Return where a cache stands: in the default VPC, or in a subnet group, perhaps with a security group."""
    groups = list(hand.world.all(CacheSubnetGroup))
    if not groups or hand.chance(0.5):
        return {}
    of = hand.dice.choice(groups)
    made: dict[str, Any] = {"CacheSubnetGroupName": of.name}
    shields = list(hand.world.all(SecurityGroup, vpc_id=of.vpc_id))
    return made | ({"SecurityGroupIds": [hand.dice.choice(shields).id]} if shields and hand.chance(0.5) else {})


def memcached(hand: "Hand") -> Call:
    return "CreateCacheCluster", {
        "CacheClusterId": hand.name("m"), "Engine": "memcached", "NumCacheNodes": hand.dice.randint(1, 2), **NODE,
        **placed(hand)}  # fmt: skip


def single(hand: "Hand") -> Call:
    return "CreateCacheCluster", {
        "CacheClusterId": hand.name("r"), "Engine": "redis", "NumCacheNodes": 1, **NODE, **placed(hand)}  # fmt: skip


def replicated(hand: "Hand") -> Call:
    made: dict[str, Any] = {
        "ReplicationGroupId": hand.name("g"), "ReplicationGroupDescription": "g", "Engine": "valkey", **NODE,
        **placed(hand)}  # fmt: skip
    groups = list(hand.world.all(UserGroup))
    if groups and hand.chance(0.3):
        made |= {"UserGroupIds": [hand.dice.choice(groups).name], "TransitEncryptionEnabled": True}
    if hand.chance(0.3):
        made |= {"NumNodeGroups": 2, "ReplicasPerNodeGroup": 1, "AutomaticFailoverEnabled": True}
    else:
        made |= {"NumCacheClusters": 2, "AutomaticFailoverEnabled": hand.chance(0.6)}
    return "CreateReplicationGroup", made


def serverless(hand: "Hand") -> Call:
    return "CreateServerlessCache", {
        "ServerlessCacheName": hand.name("s"), "Engine": hand.dice.choice(("valkey", "memcached"))}  # fmt: skip


def subnet_group(hand: "Hand") -> Call:
    of = hand.pick(Vpc)
    return "CreateCacheSubnetGroup", {
        "CacheSubnetGroupName": hand.name("sn"), "CacheSubnetGroupDescription": "x",
        "SubnetIds": [one.id for one in hand.some(Subnet, 3, vpc_id=of.id)]}  # fmt: skip


def parameter_group(hand: "Hand") -> Call:
    return "CreateCacheParameterGroup", {
        "CacheParameterGroupName": hand.name("p"),
        "CacheParameterGroupFamily": "valkey8",
        "Description": "x",
    }


def user(hand: "Hand") -> Call:
    name = hand.name("u")
    return "CreateUser", {"UserId": name, "UserName": name, "Engine": "valkey", "AccessString": "on ~* +@all",
                          "Passwords": ["a-long-password-1"]}  # fmt: skip


def user_group(hand: "Hand") -> Call:
    return "CreateUserGroup", {"UserGroupId": hand.name("ug"), "Engine": "valkey",
                               "UserIds": [one.user_id for one in hand.some(User, 2)]}  # fmt: skip


def snapshot(hand: "Hand") -> Call:
    return "CreateSnapshot", {"SnapshotName": hand.name("sp"), "ReplicationGroupId": hand.pick(ReplicationGroup).name}


def serverless_snapshot(hand: "Hand") -> Call:
    return "CreateServerlessCacheSnapshot", {
        "ServerlessCacheSnapshotName": hand.name("ss"),
        "ServerlessCacheName": hand.pick(ServerlessCache).name,
    }


def restored(hand: "Hand") -> Call:
    return "CreateReplicationGroup", {
        "ReplicationGroupId": hand.name("g"), "ReplicationGroupDescription": "g", "Engine": "valkey",
        "NumCacheClusters": 1, "SnapshotName": hand.pick(Snapshot).name, **NODE}  # fmt: skip


# Change


def more_replicas(hand: "Hand") -> Call:
    return "IncreaseReplicaCount", {
        "ReplicationGroupId": hand.pick(ReplicationGroup).name,
        "NewReplicaCount": 2,
        "ApplyImmediately": True,
    }


def fewer_replicas(hand: "Hand") -> Call:
    return "DecreaseReplicaCount", {
        "ReplicationGroupId": hand.pick(ReplicationGroup).name, "NewReplicaCount": hand.dice.randint(0, 1),
        "ApplyImmediately": True}  # fmt: skip


def reshard(hand: "Hand") -> Call:
    of = hand.pick(ReplicationGroup)
    made = {"ReplicationGroupId": of.name, "NodeGroupCount": hand.dice.randint(1, 3), "ApplyImmediately": True}
    if made["NodeGroupCount"] < len(of.node_groups):
        made["NodeGroupsToRetain"] = [one.id for one in of.node_groups[: made["NodeGroupCount"]]]
    return "ModifyReplicationGroupShardConfiguration", made


def change_group(hand: "Hand") -> Call:
    made: dict[str, Any] = {"ReplicationGroupId": hand.pick(ReplicationGroup).name, "ApplyImmediately": True}
    what = hand.dice.randrange(4)
    if what == 0:
        made["CacheParameterGroupName"] = hand.pick(CacheParameterGroup).name
    elif what == 1:
        made["CacheNodeType"] = hand.dice.choice(("cache.t3.micro", "cache.t3.small"))
    elif what == 2:
        made["SecurityGroupIds"] = [hand.pick(SecurityGroup).id]
    else:
        made["AutomaticFailoverEnabled"] = hand.chance(0.5)
    return "ModifyReplicationGroup", made


def node_count(hand: "Hand") -> Call:
    of, count = hand.pick(CacheCluster, engine="memcached"), hand.dice.randint(1, 3)
    made: dict[str, Any] = {"CacheClusterId": of.name, "NumCacheNodes": count, "ApplyImmediately": True}
    if count < len(of.nodes):
        made["CacheNodeIdsToRemove"] = [one.id for one in of.nodes[count:]]
    return "ModifyCacheCluster", made


def reboot_cluster(hand: "Hand") -> Call:
    of = hand.pick(CacheCluster)
    return "RebootCacheCluster", {"CacheClusterId": of.name, "CacheNodeIdsToReboot": [of.nodes[0].id]}


def fail_over(hand: "Hand") -> Call:
    of = hand.pick(ReplicationGroup)
    return "TestFailover", {"ReplicationGroupId": of.name, "NodeGroupId": hand.dice.choice(of.node_groups).id}


def parameters(hand: "Hand") -> Call:
    return "ModifyCacheParameterGroup", {
        "CacheParameterGroupName": hand.pick(CacheParameterGroup).name,
        "ParameterNameValues": [{"ParameterName": "timeout", "ParameterValue": str(hand.dice.randrange(20, 90))}],
    }


def members(hand: "Hand") -> Call:
    verb = hand.dice.choice(("UserIdsToAdd", "UserIdsToRemove"))
    return "ModifyUserGroup", {"UserGroupId": hand.pick(UserGroup).name, verb: [hand.pick(User).user_id]}


def rights(hand: "Hand") -> Call:
    return "ModifyUser", {
        "UserId": hand.pick(User).user_id,
        "AccessString": hand.dice.choice(("on ~* +@all", "on ~a +get")),
    }


# End


def drop_cluster(hand: "Hand") -> Call:
    return "DeleteCacheCluster", {"CacheClusterId": hand.pick(CacheCluster).name}


def drop_replicated(hand: "Hand") -> Call:
    made: dict[str, Any] = {"ReplicationGroupId": hand.pick(ReplicationGroup).name}
    return "DeleteReplicationGroup", made | ({"FinalSnapshotIdentifier": hand.name("sp")} if hand.chance(0.2) else {})


def drop(hand: "Hand") -> Call:
    operation, parameter, kind, field = hand.dice.choice((
        ("DeleteServerlessCache", "ServerlessCacheName", ServerlessCache, "name"),
        ("DeleteServerlessCache", "ServerlessCacheName", ServerlessCache, "name"),
        ("DeleteServerlessCacheSnapshot", "ServerlessCacheSnapshotName", ServerlessSnapshot, "name"),
        ("DeleteSnapshot", "SnapshotName", Snapshot, "name"),
        ("DeleteUser", "UserId", User, "user_id"), ("DeleteUserGroup", "UserGroupId", UserGroup, "name"),
        ("DeleteCacheSubnetGroup", "CacheSubnetGroupName", CacheSubnetGroup, "name"),
        ("DeleteCacheParameterGroup", "CacheParameterGroupName", CacheParameterGroup, "name"),
    ))  # fmt: skip
    return operation, {parameter: getattr(hand.pick(kind), field)}


MAKE = (memcached, single, replicated, replicated, serverless, subnet_group, parameter_group, user, user_group,
        snapshot, serverless_snapshot, restored)  # fmt: skip
CHANGE = (more_replicas, fewer_replicas, reshard, change_group, change_group, node_count, reboot_cluster, fail_over,
          parameters, members, rights)  # fmt: skip
END = (drop_cluster, drop_cluster, drop_replicated, drop_replicated, drop, drop)
