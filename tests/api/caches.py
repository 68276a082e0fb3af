"""Caches on paper: what the control loop would have seen, said by hand; and a cache client with short ways to ask."""

from atoll.cache import admission, transitions
from atoll.cache.plan import nodes
from atoll.model.cache import CacheCluster
from atoll.model.engine import engine_build

NODE = "cache.t3.micro"
BUILDS = (("memcached", "1.6.18"), ("redis", "6.2.14"), ("redis", "7.0.15"), ("valkey", "9.1.2"))


def settle(paper):
    """Let every node answer or go, as it was asked to."""
    for cluster in list(paper.world.all(CacheCluster)):
        for node in cluster.nodes:
            if node.status == "deleting":
                paper.write(lambda tx, c=cluster.id, n=node.id: transitions.node_gone(tx, c, n))
            else:
                paper.write(lambda tx, c=cluster.id, n=node.id: transitions.node_answered(tx, c, n))
                about = cluster.id, node.id, node.boot, cluster.encryption
                paper.write(lambda tx, about=about: transitions.node_encrypted(tx, *about))
                paper.write(lambda tx, c=cluster.id: transitions.settle(tx, c))
        if left := paper.world.get(CacheCluster, cluster.id):
            paper.write(lambda tx, c=left: transitions.announced(tx, c.id, c.configuration_version))
    tune(paper)
    admit(paper)
    encrypt(paper)


def encrypt(paper):
    """Let the clients of every running node meet what its plan says."""
    for plan in nodes(paper.world):
        mode = plan.encryption.mode if plan.encryption else ""
        paper.write(lambda tx, p=plan, m=mode: transitions.node_encrypted(tx, p.cluster_id, p.node_id, p.boot, m))


def tune(paper, **refused):
    """Let every running engine take its group's parameters, but for those `refused`, with its words."""
    refused = {name.replace("_", "-"): because for name, because in refused.items()}
    for plan in nodes(paper.world):
        if plan.tuning:
            about = plan.cluster_id, plan.node_id, plan.boot, plan.tuning, refused
            paper.write(lambda tx, about=about: transitions.node_tuned(tx, *about))


def admit(paper):
    """Let every running engine take the users that it must be told, and all that waited for that happen."""
    for plan in nodes(paper.world):
        if plan.admission:
            paper.write(lambda tx, plan=plan: admission.node_being_told(tx, plan))
            paper.write(lambda tx, plan=plan: admission.node_told(tx, plan))
    paper.write(admission.settle_users)


def install(paper, builds=BUILDS, *, tls=True):
    """Let a host say which engines it can run, and whether it can speak TLS for them."""
    for engine, version in builds:
        paper.write(lambda tx, e=engine, v=version: tx.put(engine_build(e, v, tls=tls)))


class Caches:
    """A client, and the requests that most tests begin with."""

    def __init__(self, client):
        self.client = client

    def __getattr__(self, name):
        return getattr(self.client, name)

    def memcached(self, name="mem", count=1, **more):
        asked = {"Engine": "memcached", "NumCacheNodes": count, "CacheNodeType": NODE} | more
        return self.create_cache_cluster(CacheClusterId=name, **asked)["CacheCluster"]

    def redis(self, name="one", **more):
        asked = {"Engine": "redis", "NumCacheNodes": 1, "CacheNodeType": NODE} | more
        return self.create_cache_cluster(CacheClusterId=name, **asked)["CacheCluster"]

    def group(self, name="rg", count=2, **more):
        asked = {"Engine": "valkey", "NumCacheClusters": count, "CacheNodeType": NODE} | more
        made = self.create_replication_group(ReplicationGroupId=name, ReplicationGroupDescription="sessions", **asked)
        return made["ReplicationGroup"]

    def cluster(self, name):
        found = self.describe_cache_clusters(CacheClusterId=name, ShowCacheNodeInfo=True)
        return found["CacheClusters"][0]

    def shard(self, name="rg"):
        return self.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]["NodeGroups"][0]

    def told(self, source, type):
        found = self.describe_events(SourceIdentifier=source, SourceType=type)["Events"]
        return [event["Message"] for event in found]
