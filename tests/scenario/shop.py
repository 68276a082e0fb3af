"""A world of caches: one of each engine, and an instance that may use them."""

from dataclasses import dataclass

from tests.scenario.stage import ANYWHERE, Stage


@dataclass(frozen=True)
class Shop:
    """A VPC with an instance, a group that is open at the cache ports, and one node or group of each engine."""

    vpc: str
    private: str
    subnet_group: str
    app: str
    group: str
    memcached: str  # three nodes
    redis: str  # one node
    valkey: str  # a replication group: a primary and two replicas


def build(stage: Stage) -> Shop:
    """Build it: everything is available."""
    vpc = stage.vpc()
    public, private = stage.subnet(vpc, "10.0.0.0/24", public=True), stage.subnet(vpc, "10.0.1.0/24")
    subnets, group = stage.subnet_group(private), stage.group(vpc)
    stage.allow(group, 6379, ANYWHERE)
    stage.allow(group, 11211, ANYWHERE)
    return Shop(
        vpc=vpc,
        private=private,
        subnet_group=subnets,
        app=stage.instance(public),
        group=group,
        memcached=stage.cluster("memcached", subnets, group, NumCacheNodes=3),
        redis=stage.cluster("redis", subnets, group),
        valkey=stage.replication_group("valkey", subnets, group, 3),
    )


def redis(stage: Stage, shop: Shop, node: str, *words: str) -> str:
    """Ask the node of a cluster, from the application's instance."""
    return stage.redis(shop.app, stage.node_addresses(node)[0], 6379, *words)


def info(stage: Stage, shop: Shop, node: str, field: str) -> str:
    lines = redis(stage, shop, node, "INFO", "everything").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)[field].strip()


def user_program(stage: Stage, shop: Shop, script: str, *words: str) -> str:
    """Run the user's own program, with the user's own libraries, in the instance's network: `atoll run --in`."""
    return stage.atoll.cli("run", "--in", shop.app, "--", stage.python, "-c", script, *words).strip()
