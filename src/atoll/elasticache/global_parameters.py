"""The parameter group that each member of a global datastore has of its own.

When a group joins a datastore, or is made the primary of one, AWS makes a parameter group for it, with what the
primary's says, and names it `global-datastore-...`.  It stays when the member has left and when it is deleted, until
somebody deletes it: Terraform's provider does, and fails if a member has a default group instead.

Source: terraform-provider-aws, issue 19255 and pull request 24558, which tell what AWS does.
"""

from atoll.cache.families import family
from atoll.cache.history import PARAMETER_GROUP, record
from atoll.elasticache import parameter_group
from atoll.elasticache.find import owner_key
from atoll.elasticache.order import started
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.global_group import GlobalReplicationGroup
from atoll.model.lifecycle import CACHE_CLUSTER
from atoll.model.names import key
from atoll.model.parameter import CacheParameterGroup
from atoll.model.world import Tx, World


def own_parameters(tx: Tx, datastore: GlobalReplicationGroup, group: ReplicationGroup) -> None:
    """Give all nodes of a member a parameter group of its own, which says what the primary's says.

    One of that name that an earlier member has left, or that a recipe of one has made, is used again, with its tags.
    Raises EXISTS: it is another's.
    """
    world = tx.world.seen_by(None)
    like = world[CacheCluster, world[ReplicationGroup, datastore.primary_id].member_ids[0]]
    said = world.get(CacheParameterGroup, key(like.account, like.region, like.parameter_group))
    line = said.family if said else family(like.engine, like.engine_version)
    id = owner_key(tx.world, name := _name(group, line))
    there = tx.get(CacheParameterGroup, id)
    if there and not there.is_global and _is_anothers(tx.world, group, name):
        raise parameter_group.EXISTS(name=name)
    made = CacheParameterGroup(
        id=id,
        account=group.account,
        region=group.region,
        name=name,
        family=line,
        description=f"Created by ElastiCache to be used by global cluster {datastore.name}",
        values=said.values if said else (),
        cluster_on=group.is_sharded,
        is_global=True,
        tags=there.tags if there else {},
    )
    if there is None:
        record(tx, made, PARAMETER_GROUP, name, f"Cache parameter group {name} created")
    tx.put(made)
    for id in group.member_ids:
        cluster = world[CacheCluster, id]
        if cluster.status == CACHE_CLUSTER.initial:  # it has not started yet
            cluster = cluster.but(nodes=tuple(started(node, made) for node in cluster.nodes))
        tx.put(cluster.but(parameter_group=name))


def _is_anothers(world: World, group: ReplicationGroup, name: str) -> bool:
    users = world.all(CacheCluster, parameter_group=name)
    return any(cluster.group_id != group.id for cluster in users)


def _name(group: ReplicationGroup, line: str) -> str:
    name = f"global-datastore-{group.name}-{line.replace('.', '-')}"
    return f"{name}-cluster-on" if group.is_sharded else name
