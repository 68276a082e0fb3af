"""A cache as its pages see it: a replication group, a cluster of its own or a serverless cache, as AWS says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from atoll.console.ask import Ask

Kind = Literal["group", "cluster", "serverless"]
KINDS: tuple[Kind, ...] = ("group", "cluster", "serverless")
ONE_BY_ONE_MAX = 6  # members that are asked for by name; of more than that, all clusters are listed at once
LIVE = ("ReplicationGroup", "CacheCluster", "ServerlessCache")  # what changes them
Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A cache: what AWS says of it, and of its clusters as far as they were asked for."""

    kind: Kind
    said: Said
    clusters: Sequence[Said] = ()

    @property
    def name(self) -> str:
        """Return its name."""
        member = {"group": "ReplicationGroupId", "cluster": "CacheClusterId", "serverless": "ServerlessCacheName"}
        return str(self.said[member[self.kind]])

    @property
    def live(self) -> tuple[str, ...]:
        """Return the kinds whose changes its pages follow."""
        return LIVE

    @property
    def path(self) -> str:
        """Return where its pages begin."""
        return path_of(self.kind, self.name)

    @property
    def engine(self) -> str:
        """Return "valkey", "redis" or "memcached"."""
        return str(self.said["Engine"])

    @property
    def version(self) -> str:
        """Return the engine's version, as far as it is known here."""
        if self.kind == "serverless":
            return str(self.said["FullEngineVersion"])
        of = self.said if self.kind == "cluster" else next(iter(self.clusters), {})
        return str(of.get("EngineVersion", ""))

    @property
    def status(self) -> str:
        """Return AWS's status."""
        return str(self.said.get("CacheClusterStatus" if self.kind == "cluster" else "Status", ""))

    @property
    def mode(self) -> str:
        """Return how it is made: the key of a text."""
        if self.kind == "serverless":
            return "serverless"
        if self.kind == "group":
            return "sharded" if self.said.get("ClusterEnabled") else "replicated"
        return "nodes" if self.engine == "memcached" else "single"

    @property
    def is_sharded(self) -> bool:
        """Tell whether clients must know which shard has a slot."""
        return self.mode == "sharded"

    @property
    def shards(self) -> Sequence[Said]:
        """Return AWS's node groups."""
        found: Sequence[Said] = self.said.get("NodeGroups", ())
        return found

    @property
    def member_names(self) -> Sequence[str]:
        """Return the names of its clusters."""
        if self.kind == "group":
            names: Sequence[str] = self.said.get("MemberClusters", ())
            return names
        return [self.name] if self.kind == "cluster" else []

    @property
    def node_count(self) -> int:
        """Return how many nodes it has; of a serverless cache none that anybody sees."""
        if self.kind == "cluster":
            return int(self.said.get("NumCacheNodes", 0))
        return len(self.member_names)

    @property
    def node_type(self) -> str:
        """Return the type of its nodes."""
        return str(self.said.get("CacheNodeType", ""))

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """Return the name and port that applications use; None while there is none."""
        return _first(_endpoints(self))

    @property
    def reader(self) -> tuple[str, int] | None:
        """Return the name and port for reads; None if there is none of its own."""
        if self.kind == "serverless":
            return _place(self.said.get("ReaderEndpoint"))
        return _place(self.shards[0].get("ReaderEndpoint")) if self.shards else None

    @property
    def address(self) -> str:
        """Return the endpoint as text; empty while there is none."""
        return f"{self.endpoint[0]}:{self.endpoint[1]}" if self.endpoint else ""

    @property
    def tls(self) -> bool:
        """Tell whether clients must speak TLS."""
        return self.kind == "serverless" or bool(self.said.get("TransitEncryptionEnabled"))

    @property
    def arn(self) -> str:
        """Return its ARN."""
        return str(self.said["ARN"])

    @property
    def is_available(self) -> bool:
        """Tell whether it takes changes."""
        return self.status == "available"


def path_of(kind: Kind, name: str) -> str:
    """Return where a cache's pages begin."""
    return f"/cache/caches/{kind}/{name}"


def _endpoints(cache: Cache) -> list[tuple[str, int] | None]:
    """Return every endpoint, the one for applications first."""
    said = cache.said
    found = [_place(said.get("ConfigurationEndpoint")), _place(said.get("Endpoint"))]
    found += [_place(shard.get("PrimaryEndpoint")) for shard in cache.shards]
    found += [_place(node.get("Endpoint")) for node in said.get("CacheNodes", ())]
    return found


def _first(found: Sequence[tuple[str, int] | None]) -> tuple[str, int] | None:
    return next((one for one in found if one), None)


def _place(endpoint: Said | None) -> tuple[str, int] | None:
    return (str(endpoint["Address"]), int(endpoint["Port"])) if endpoint else None


def is_kind(text: str) -> TypeGuard[Kind]:
    """Tell whether a part of a path names a kind of cache."""
    return text in KINDS


async def every_cache(ask: Ask) -> list[Cache]:
    """Return every cache of the caller's, by name."""
    groups = await ask.aws_all("elasticache", "DescribeReplicationGroups", "ReplicationGroups")
    clusters = await ask.aws_all(
        "elasticache",
        "DescribeCacheClusters",
        "CacheClusters",
        ShowCacheNodeInfo=True,
        ShowCacheClustersNotInReplicationGroups=True,
    )
    serverless = await ask.aws_all("elasticache", "DescribeServerlessCaches", "ServerlessCaches")
    found = [Cache(kind="group", said=said) for said in groups]
    found += [Cache(kind="cluster", said=said, clusters=[said]) for said in clusters]
    found += [Cache(kind="serverless", said=said) for said in serverless]
    return sorted(found, key=lambda cache: cache.name)


async def cache_of(ask: Ask, *, members: bool = True) -> Cache:
    """Return the cache that a path is about, with its clusters if `members`.  Raises AwsError."""
    name = ask.parts["name"]
    match ask.parts["kind"]:
        case "serverless":
            found = await ask.aws("elasticache", "DescribeServerlessCaches", ServerlessCacheName=name)
            return Cache(kind="serverless", said=found["ServerlessCaches"][0])
        case "cluster":
            found = await ask.aws("elasticache", "DescribeCacheClusters", CacheClusterId=name, ShowCacheNodeInfo=True)
            said = found["CacheClusters"][0]
            return Cache(kind="cluster", said=said, clusters=[said])
        case _:
            found = await ask.aws("elasticache", "DescribeReplicationGroups", ReplicationGroupId=name)
            said = found["ReplicationGroups"][0]
            return Cache(kind="group", said=said, clusters=await _members(ask, said) if members else ())


async def _members(ask: Ask, said: Said) -> list[Said]:
    names: Sequence[str] = said.get("MemberClusters", ())
    if len(names) > ONE_BY_ONE_MAX:
        every = await ask.aws_all("elasticache", "DescribeCacheClusters", "CacheClusters", ShowCacheNodeInfo=True)
        return [cluster for cluster in every if cluster.get("ReplicationGroupId") == said["ReplicationGroupId"]]
    return [
        found["CacheClusters"][0]
        for name in names
        for found in [
            await ask.aws("elasticache", "DescribeCacheClusters", CacheClusterId=name, ShowCacheNodeInfo=True)
        ]
    ]
