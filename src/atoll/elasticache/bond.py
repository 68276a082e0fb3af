"""The bond of a replication group: what lets its nodes reach each other, whatever the user's security groups say.

On AWS replication does not pass the user's groups.  Here it passes one more group, which belongs to the service, so
that no account sees it, and which all members carry: everything from member to member, nothing else.
"""

from atoll.elasticache.nodes import OWNER
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.group import Rule, SecurityGroup
from atoll.model.interface import Interface
from atoll.model.names import bond_id
from atoll.model.world import Tx


def join(tx: Tx, group: ReplicationGroup, *members: CacheCluster) -> None:
    """Have the nodes of these members carry their group's bond, which is made for the first of them."""
    id = bond_id(group.id)
    for cluster in members:
        if tx.world.seen_by(None).get(SecurityGroup, id) is None:
            _make(tx, id, group, cluster.vpc_id)
        for node in cluster.nodes:
            interface = tx.world[Interface, node.interface_id]
            tx.put(interface.but(group_ids=carried(cluster.but(group_id=group.id), interface.group_ids)))


def leave(tx: Tx, cluster: CacheCluster) -> None:
    """Have the nodes of a former member carry only the groups that the user chose."""
    for node in cluster.nodes:
        tx.put(tx.world[Interface, node.interface_id].but(group_ids=cluster.security_group_ids))


def dissolve(tx: Tx, group: ReplicationGroup) -> None:
    """Remove the bond of a group that has no members."""
    made = tx.world.seen_by(None).get(SecurityGroup, bond_id(group.id))
    if made:
        tx.delete(made)


def carried(cluster: CacheCluster, security_group_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the interfaces of a cluster carry: the groups that the user chose, and the bond if there is one."""
    if cluster.group_id is None:
        return security_group_ids
    return tuple(dict.fromkeys((*security_group_ids, bond_id(cluster.group_id))))


def _make(tx: Tx, id: str, group: ReplicationGroup, vpc_id: str) -> None:
    rules = tuple(
        Rule(id=f"{id}-{way}", egress=way == "out", protocol="-1", group_id=id, group_account=OWNER)
        for way in ("in", "out")
    )
    tx.put(
        SecurityGroup(
            id=id,
            account=OWNER,
            region=group.region,
            vpc_id=vpc_id,
            name=f"elasticache-{group.name}",
            description=f"Between the nodes of {group.name}",
            rules=rules,
        )
    )
