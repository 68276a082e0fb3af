"""(h) From the loss of a primary to the next write that a client has accepted, over Redis Sentinel's time for it.

Ours is `atoll drill failover`: the clients run in an instance of the VPC and use the primary endpoint.  The baseline
is the bare engine on loopback with a Sentinel that is tuned as far as people tune it (`down-after-milliseconds`
1000), asked every millisecond whether a write is accepted; for a planned change, the engine's own FAILOVER command.
A stopped process is to a Sentinel what one behind a broken network is.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.ground import Atoll, end, one, running, until
from bench.rows import Asked, Row, interleave, rows
from bench.vpc import allow, build, group, instance

FAULTS = {"kill": "<= 50 ms", "hang": "<= 300 ms", "partition": "<= 1,100 ms", "planned": "<= 20 ms"}
BASELINES = {"kill": "kill", "hang": "stop", "partition": "stop", "planned": "FAILOVER"}
IN_SHARDS = ("kill", "planned")  # of the first of three shards
DRILL_SECONDS = "2"
DOWN_AFTER_MS = 1000


def measure(rounds: int, faults: tuple[str, ...] = tuple(FAULTS)) -> list[Row]:
    """Lose `rounds` primaries in each way."""
    in_shards = [fault for fault in IN_SHARDS if fault in faults]
    baselines = {fault: BASELINES[fault] for fault in faults}
    with running() as atoll:
        vpc = build(atoll.api)
        cache_group = group(atoll.api, vpc, "cache")
        allow(atoll.api, cache_group, "10.0.0.0/24")
        instance(atoll.api, vpc.public, group(atoll.api, vpc, "client"))
        named = {"CacheSubnetGroupName": "g", "CacheSubnetGroupDescription": "d"}
        atoll.api.cache("CreateCacheSubnetGroup", **named, **{"SubnetIds.member.1": vpc.private})
        make_group(atoll, "rg", cache_group, NumCacheClusters=3)
        make_group(atoll, "cl", cache_group, ClusterMode="enabled", NumNodeGroups=3, ReplicasPerNodeGroup=2)
        engine = atoll.engine("redis")
        measures = {f"{fault}: fault to next write": partial(_drill, atoll, "rg", fault) for fault in faults}
        measures |= {f"cluster mode, {fault}": partial(_drill, atoll, "cl", fault) for fault in in_shards}
        measures |= {_bare(how): partial(_sentinel, engine, how) for how in dict.fromkeys(baselines.values())}
        series = interleave(measures, rounds)
    asked = [
        Asked(series=f"{fault}: fault to next write", unit="ms", baseline=_bare(how), target=FAULTS[fault])
        for fault, how in baselines.items()
    ]
    asked += [
        Asked(series=f"cluster mode, {fault}", unit="ms", baseline=_bare(baselines[fault]), target=FAULTS[fault])
        for fault in in_shards
    ]
    return rows("failover", series, asked)


def _bare(how: str) -> str:
    return "FAILOVER command" if how == "FAILOVER" else f"Sentinel, {how}"


def make_group(atoll: Atoll, name: str, group_id: str, **more: object) -> None:
    """Make a replication group, and wait until it is available."""
    atoll.api.cache(
        "CreateReplicationGroup",
        ReplicationGroupId=name,
        ReplicationGroupDescription="d",
        CacheNodeType="cache.t3.micro",
        CacheSubnetGroupName="g",
        AutomaticFailoverEnabled="true",
        **{"Engine": "redis", "SecurityGroupIds.member.1": group_id, **more},
    )
    available(atoll, name)


def available(atoll: Atoll, name: str) -> None:
    """Wait until a group is available."""
    def is_available() -> bool:
        return one(atoll.api.cache("DescribeReplicationGroups", ReplicationGroupId=name), "Status") == "available"

    until(is_available, 0.01)


def _drill(atoll: Atoll, name: str, fault: str) -> float:
    """Return the milliseconds without an accepted write; nothing that was acknowledged may be gone."""
    command = [sys.executable, "-m", "atoll.cli", "drill", "failover", name, "--fault", fault, "--json"]
    environment = os.environ | {"ATOLL_ENDPOINT": f"http://127.0.0.1:{atoll.api.port}"}
    done = subprocess.run(
        [*command, "--clients", "1", "--seconds", DRILL_SECONDS],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{fault}: {done.stdout} {done.stderr}")
    available(atoll, name)
    return float(json.loads(done.stdout)["outage_ms"])


def _sentinel(engine: str, how: str) -> float:
    """Return the milliseconds until a bare group, watched by a Sentinel, takes a write again."""
    with _bare_group(engine, watched=how != "FAILOVER") as (processes, ports):
        begun = time.perf_counter()
        if how == "FAILOVER":
            _ask(ports[0], "FAILOVER", "TO", "127.0.0.1", str(ports[1]))
        else:
            processes[0].send_signal(signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        until(lambda: any(_ask(port, "SET", "k", "v") == "+OK" for port in ports[1:3]))
        return (time.perf_counter() - begun) * 1000


@contextlib.contextmanager
def _bare_group(engine: str, *, watched: bool) -> "Iterator[tuple[list[subprocess.Popen[str]], list[int]]]":
    """Run a primary with two replicas on loopback, and a Sentinel that knows all three."""
    ports, processes = [_free_port() for _ in range(4)], []
    with tempfile.TemporaryDirectory(prefix="ab-", dir="/tmp") as directory:
        for n, port in enumerate(ports[:3]):
            follows = ["--replicaof", f"127.0.0.1 {ports[0]}"] if n else []
            settings = ["--port", str(port), "--save", "", "--repl-diskless-sync-delay", "0", "--hz", "100"]
            processes.append(_start("redis-server", engine, [*settings, *follows], directory))
        try:
            until(lambda: ":2" in _ask(ports[0], "WAIT", "2", "10"))
            if watched:
                conf = Path(directory, "sentinel.conf")
                lines = [f"port {ports[3]}", f"sentinel monitor m 127.0.0.1 {ports[0]} 1"]
                conf.write_text("\n".join([*lines, f"sentinel down-after-milliseconds m {DOWN_AFTER_MS}", ""]))
                processes.append(_start("redis-sentinel", engine, [str(conf), "--sentinel"], directory))
                until(lambda: "slaves=2" in _ask(ports[3], "INFO", "sentinel"))
            yield processes, ports
        finally:
            end(processes)


def _start(name: str, engine: str, arguments: list[str], directory: str) -> "subprocess.Popen[str]":
    """Start the engine under a name: the program goes by it."""
    silent = subprocess.DEVNULL
    return subprocess.Popen(
        [name, *arguments], executable=engine, cwd=directory, stdout=silent, stderr=silent, text=True
    )


def _ask(port: int, *words: str) -> str:
    """Return the answer to one command, or nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), 0.2) as link:
            link.sendall((" ".join(words) + "\r\n").encode())
            return link.recv(4096).decode(errors="replace").strip()
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
