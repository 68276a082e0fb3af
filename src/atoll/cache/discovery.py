"""What the nodes of a Memcached cluster tell clients of its nodes: ElastiCache's auto discovery.

Source: ElastiCache User Guide, "Adding auto discovery to your client library".
"""

from atoll.cache.endpoint import NAMED, address_of, node_name
from atoll.model.cache import CacheCluster, CacheNode
from atoll.model.world import World


def payload(world: World, cluster: CacheCluster) -> bytes:
    r"""Return what a cluster's nodes answer: its version, then `name|address|port` of each node, each with its LF.

        b"12\nmem.pc4ldq.0001.use1.cache.amazonaws.com|10.0.1.4|11211 mem.pc4ldq.0002.use1...|10.0.1.5|11211\n"

    The nodes are in the order of their names, as AWS has them.  Other engines tell nothing.
    """
    if not cluster.is_memcached:
        return b""
    nodes = sorted((node_name(cluster, node.id), address_of(world, node)) for node in listed(cluster))
    told = " ".join(f"{name}|{address}|{cluster.port}" for name, address in nodes)
    return f"{cluster.configuration_version}\n{told}\n".encode()


def version_of(told: bytes) -> int:
    """Return the version that a payload has."""
    return int(told.partition(b"\n")[0])


def listed(cluster: CacheCluster) -> list[CacheNode]:
    """Return the nodes that clients shall know: a new one once it serves, none that leaves.

    One that is being started again stays.  Before a cluster is available nobody knows its endpoint, so its first
    list has all nodes.
    """
    if cluster.status == "creating":
        return [node for node in cluster.nodes if node.status != "deleting"]
    return [node for node in cluster.nodes if node.status in NAMED]


def is_announced(cluster: CacheCluster) -> bool:
    """Tell whether the nodes have been told of the newest change of membership."""
    return not cluster.is_memcached or cluster.announced_version >= cluster.configuration_version
