"""The page's first half: a cluster is reached from an instance of its VPC, once its security group allows it."""

from atoll.cli.demo.facts import CLIENT, NODES, Engine
from atoll.cli.demo.stage import Stage, Typed
from atoll.cli.demo.world import World, rule

NAME = "demo"
NODE_TYPE = "cache.t3.micro"
ANYWHERE = "0.0.0.0/0"


def answered(typed: Typed, engine: Engine) -> bool:
    """Tell whether a node answered what was typed into telnet."""
    return "Connected to" in typed.output and engine.answer in typed.output


def dropped(typed: Typed) -> bool:
    """Tell whether the SYN vanished: neither accepted nor refused, as a security group does it."""
    return typed.code is None and "Connected to" not in typed.output and "refused" not in typed.output


def proof(typed: Typed, engine: Engine) -> str:
    """Say in a few words what happened."""
    if answered(typed, engine):
        return next(line for line in typed.output.splitlines() if engine.answer in line)
    return "timed out" if dropped(typed) else typed.output.splitlines()[-1] if typed.output else "no output"


def create(stage: Stage, world: World, engine: Engine) -> list[str]:
    """Create the cluster with three nodes; returns the nodes' names."""
    stage.chapter(f"The cluster: {engine.title} with three nodes, in the private subnet")
    group = {"CacheSubnetGroupName": NAME, "CacheSubnetGroupDescription": "private", "SubnetIds": [world.private]}
    stage.aws("elasticache", "CreateCacheSubnetGroup", **group)
    stage.undo("elasticache", "DeleteCacheSubnetGroup", CacheSubnetGroupName=NAME)
    common: dict[str, object] = {
        "Engine": engine.name,
        "CacheNodeType": NODE_TYPE,
        "CacheSubnetGroupName": NAME,
        "SecurityGroupIds": [world.cluster_group],
    }
    names, port = _memcached(stage, common) if engine.is_memcached else _replicated(stage, common)
    row = "18" if engine.is_memcached else "19"
    stage.check(row, f"without a Port, {engine.title} listens at {engine.port}", port == engine.port, str(port))
    found = [stage.type_in(world.app, f"getent hosts {name}").output.split(" ")[0] for name in names]
    stage.check("47, 187", "the names of the nodes resolve inside the VPC", found == list(NODES), ", ".join(found))
    return names


def authorize(stage: Stage, world: World, engine: Engine) -> None:
    """Allow ingress to the cluster, as the console's six steps do."""
    stage.chapter("Authorize access: the security group of the cluster")
    node, port = NODES[0], engine.port

    def connect(here: str, at: int = port, *, expected: bool) -> Typed:
        return stage.telnet(here, node, at, engine.hello, engine.bye, expected=expected)

    before = connect(world.app, expected=False)
    stage.check(
        "8, 173", "before the rule an instance of the VPC is not let in", dropped(before), proof(before, engine)
    )
    anywhere = {"GroupId": world.cluster_group, "IpPermissions": rule(port, cidr=ANYWHERE)}
    stage.aws("ec2", "AuthorizeSecurityGroupIngress", **anywhere)
    after = connect(world.app, expected=True)
    stage.check("2, 20, 24", "after it the same instance is, at once", answered(after, engine), proof(after, engine))
    other = connect(world.app, port + 1, expected=False)
    stage.check("26", "the rule covers its port only", dropped(other), f"port {port + 1} {proof(other, engine)}")
    outside = connect(CLIENT, expected=False)
    claim = "0.0.0.0/0 does not open the cluster to the internet"
    stage.check("1, 21", claim, not answered(outside, engine), f"{CLIENT}: {proof(outside, engine)}")
    stage.say("The page's second half wants the NAT instance, and nobody else, to be let in: the rule goes again.")
    stage.aws("ec2", "RevokeSecurityGroupIngress", **anywhere)
    gone = connect(world.app, expected=False)
    stage.check("8", "without the rule new connections are dropped again", dropped(gone), proof(gone, engine))


def _memcached(stage: Stage, common: dict[str, object]) -> tuple[list[str], int]:
    stage.aws("elasticache", "CreateCacheCluster", CacheClusterId=NAME, NumCacheNodes=3, **common)
    stage.undo_by(lambda: _delete_cluster(stage))
    stage.wait("elasticache", "cache_cluster_available", CacheClusterId=NAME)
    found = stage.aws("elasticache", "DescribeCacheClusters", CacheClusterId=NAME, ShowCacheNodeInfo=True)
    endpoints = [node["Endpoint"] for node in found["CacheClusters"][0]["CacheNodes"]]
    return [endpoint["Address"] for endpoint in endpoints], endpoints[0]["Port"]


def _replicated(stage: Stage, common: dict[str, object]) -> tuple[list[str], int]:
    call = {"ReplicationGroupId": NAME, "ReplicationGroupDescription": "demo", "NumCacheClusters": 3}
    stage.aws("elasticache", "CreateReplicationGroup", **call, **common)
    stage.undo_by(lambda: _delete_group(stage))
    stage.wait("elasticache", "replication_group_available", ReplicationGroupId=NAME)
    found = stage.aws("elasticache", "DescribeReplicationGroups", ReplicationGroupId=NAME)
    members = found["ReplicationGroups"][0]["NodeGroups"][0]["NodeGroupMembers"]
    endpoints = [member["ReadEndpoint"] for member in members]
    return [endpoint["Address"] for endpoint in endpoints], endpoints[0]["Port"]


def _delete_cluster(stage: Stage) -> None:
    stage.aws("elasticache", "DeleteCacheCluster", CacheClusterId=NAME)
    stage.wait("elasticache", "cache_cluster_deleted", CacheClusterId=NAME)


def _delete_group(stage: Stage) -> None:
    stage.aws("elasticache", "DeleteReplicationGroup", ReplicationGroupId=NAME)
    stage.wait("elasticache", "replication_group_deleted", ReplicationGroupId=NAME)
