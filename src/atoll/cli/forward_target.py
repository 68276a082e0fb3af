"""What `atoll port-forward` may lead to, and from where: names of caches and instances, DNS names, addresses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

from atoll.cache.endpoint import clustercfg_name, configuration_name, node_name, primary_name
from atoll.cache.serverless import name_of
from atoll.cli import enter, private, worlds
from atoll.cli.failure import Failure
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.names import DEFAULT_ACCOUNT, key
from atoll.model.serverless import ServerlessCache
from atoll.model.world import Caller, World
from atoll.network.places import PlaceError, endpoint

WRONG = 2
PORT_MAX = 65535
SERVERLESS_PORT, SERVERLESS_MEMCACHED_PORT = 6379, 11211


@dataclass(frozen=True, kw_only=True)
class Target:
    """One thing to lead to."""

    probe: str  # what to ask the tracer about: one node, where several answer to the name
    name: str
    host: str  # a DNS name of the VPC, or an address
    port: int
    local: int | None  # the port of this machine that was asked for
    tls: bool = False
    sharded: bool = False
    engine: str | None = None

    def hints(self, port: int) -> Iterator[str]:
        """Yield what to use it with, and what to know of it."""
        if self.engine == "memcached":
            yield f"printf 'stats\\r\\nquit\\r\\n' | nc 127.0.0.1 {port}" + ("  (TLS)" if self.tls else "")
        elif self.engine:
            secure = f" --tls --sni {self.host} --cacert ca.pem   # atoll ca >ca.pem" if self.tls else ""
            yield f"redis-cli -h 127.0.0.1 -p {port}{secure}"
        if self.sharded:
            yield "cluster mode: clients are sent on to private addresses; `atoll run --in INSTANCE` has none of that"


def find(text: str) -> Target:
    """Read `[PORT:]TARGET[:PORT]`.  Raises Failure."""
    parts = text.split(":")
    local = _port(parts.pop(0), text) if len(parts) > 1 and parts[0].isdigit() else None
    port = _port(parts.pop(), text) if len(parts) > 1 and parts[-1].isdigit() else None
    if len(parts) != 1 or not parts[0]:
        raise Failure(f"{text!r} is not [PORT:]TARGET[:PORT]", "atoll port-forward 6380:sessions:6379", WRONG)
    asked = parts[0]
    world, caller = _world()
    known = _cache(world.seen_by(caller), caller, asked)
    if known is not None:
        return replace(known, port=port or known.port, local=local)
    if port is None:
        raise Failure(f"{asked} is no cache: which port of it?", f"atoll port-forward {asked}:PORT", WRONG)
    host = _host(world, caller, asked)
    return Target(probe=host, name=asked, host=host, port=port, local=local)


def _port(text: str, whole: str) -> int:
    if not 0 <= int(text) <= PORT_MAX:
        raise Failure(f"{whole}: {text} is not a port", "give one from 1 to 65535", WRONG)
    return int(text)


def _world() -> tuple[World, Caller]:
    who = private.whose()
    caller = Caller(account=who["account"] or DEFAULT_ACCOUNT, region=who["region"], arn="")
    return worlds.open_world(worlds.LIVE), caller


def _cache(world: World, caller: Caller, name: str) -> Target | None:
    """Return the endpoint of a cache, its port, and how it is spoken with."""
    id = key(caller.account, caller.region, name.lower())
    if group := world.get(ReplicationGroup, id):
        host = clustercfg_name(group) if group.is_sharded else primary_name(group)
        first = world.seen_by(None)[CacheCluster, group.member_ids[0]]
        probe = node_name(first, first.nodes[0].id) if group.is_sharded else host
        return Target(probe=probe, name=name, host=host, port=group.port, local=None,
            tls=group.encryption == "required", sharded=group.is_sharded, engine=group.engine)  # fmt: skip
    if cluster := world.get(CacheCluster, id):
        several = cluster.is_memcached and len(cluster.nodes) > 1
        probe = node_name(cluster, cluster.nodes[0].id)
        return Target(probe=probe, name=name, host=configuration_name(cluster) if several else probe,
            port=cluster.port, local=None, tls=cluster.encryption == "required", engine=cluster.engine)  # fmt: skip
    if serverless := world.get(ServerlessCache, id):
        port = SERVERLESS_MEMCACHED_PORT if serverless.is_memcached else SERVERLESS_PORT
        return Target(probe=name, name=name, host=name_of(serverless), port=port, local=None, tls=True,
            engine=serverless.engine)  # fmt: skip
    return None


def _host(world: World, caller: Caller, asked: str) -> str:
    """Return an address, a DNS name, or the address of what is called so."""
    try:
        return str(ip_address(asked))
    except ValueError:
        pass
    try:
        return str(endpoint(world, caller, asked).address)
    except PlaceError as unknown:
        if "." in asked:
            return asked  # a name that only the VPC's resolver knows
        raise Failure(str(unknown), "`atoll status` lists what there is") from None


def choose(source: str | None, targets: Sequence[Target]) -> enter.Place:
    """Return where to connect from: what was named, or an instance that reaches every target.  Raises Failure."""
    if source is not None and not source.startswith("subnet-"):
        place = enter.place_of(private.machine(source))
        if place.kind not in ("instance", "outside"):
            raise Failure(f"{source} is a {place.kind}, not an instance", "--from INSTANCE, a subnet or an address")
        return place
    status = private.get("/_atoll/status", **private.whose())
    near = [i for i in status["instances"] if i["state"] == "running" and source in (None, i["subnet"])]
    for instance in near:
        if all(_reaches(instance["id"], target) for target in targets):
            return enter.place_of(private.machine(instance["id"]))
    if near:
        first = targets[0]
        step = f"atoll why {near[0]['id']} {first.probe}:{first.port}"
        raise Failure("no instance reaches " + ", ".join(t.name for t in targets), step)
    where = f" in {source}" if source else ""
    raise Failure(f"no instance runs{where} from which to connect", "launch one in a subnet of the VPC")


def _reaches(instance: str, target: Target) -> bool:
    question = {"from": instance, "to": target.probe, "port": target.port, **private.whose()}
    try:
        return bool(private.post("/_atoll/trace", question)["delivered"])
    except Failure:
        return False
