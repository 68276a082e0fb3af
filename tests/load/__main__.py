"""`python -m tests.load`: hundreds of nodes and instances, many clients, full-speed traffic; then nothing is left.

    python -m tests.load --minutes 10 --nodes 200 --instances 200 --clients 50 --write-docs

Needs root and the engines.  It asks for no error of any client, of the traffic or in the daemon's log; flat memory
of the daemon and of all that it runs; rules that are still those of the tracer, for pairs drawn at random, also after
a change; and that the kernel has, when all was deleted, what it had before.  Ends with 1 if something was wrong.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from tests.daemon.atoll import Atoll, running
from tests.load import docs, kernel, told
from tests.load.inside import connects
from tests.load.world import Loaded
from tests.tidy.tree import ROOT

CONNECT_SECONDS = 3.0  # a packet that is dropped is not answered; one that is let through is, however busy all are
SAMPLE_SECONDS = 2.0
GROWTH_MAX = 0.02  # of memory, a minute, and
GROWTH_MB = 3.0  # no less than this: what an allocator keeps or gives back
PAIRS = 2  # in a sample
END_SECONDS = 120.0  # for clients and traffic, after their time
TROUBLE = (OSError, AssertionError, ClientError, BotoCoreError, subprocess.TimeoutExpired)  # of a daemon that is none


@dataclass
class Found:
    """What a run saw."""

    nodes: int
    instances: int
    clients: int
    minutes: float
    build_seconds: float = 0.0
    delete_seconds: float = 0.0
    calls: int = 0
    call_seconds_max: float = 0.0
    answers: int = 0
    pairs: int = 0
    daemon_mb: float = 0.0
    daemon_growth: float = 0.0  # MB a minute
    guests_mb: float = 0.0
    guests_growth: float = 0.0
    processes: int = 0
    waiting: float = field(default_factory=lambda: os.getloadavg()[0])  # before it began: what else works here
    wrong: list[str] = field(default_factory=list)


def run(atoll: Atoll, found: Found, seed: int) -> None:
    """Do all of it; what was wrong is in `found.wrong`."""
    groups = [atoll._group(path) for path in atoll._run_dirs()]
    atoll.client("ec2").describe_vpcs()  # the account's default VPC comes with its first call
    atoll.client("elasticache").describe_cache_clusters()
    before = kernel.holdings(atoll.status(), groups)
    begun = time.monotonic()
    world = Loaded(atoll, found.nodes, found.instances)
    found.build_seconds = time.monotonic() - begun
    say(f"built in {found.build_seconds:.0f} s: {len(world.nodes)} nodes, {len(world.pids)} instances")
    found.nodes, found.instances = len(world.nodes), len(world.pids)
    seconds = found.minutes * 60
    begun_bytes = len(atoll.said())
    callers, traffic = start(atoll, found, world, seconds)
    try:
        watch(atoll, found, world, seconds, random.Random(seed))
        finish(atoll, found, callers, traffic)
    except TROUBLE as error:  # what was seen until then is told, and all is deleted
        found.wrong.append(f"ended early: {error}")
    finally:
        for process in (callers, traffic):
            process.kill()
            process.communicate()
    found.wrong += told.harms(atoll.said()[begun_bytes:])
    begun = time.monotonic()
    try:
        world.delete()
        found.delete_seconds = time.monotonic() - begun
        say(f"deleted in {found.delete_seconds:.0f} s")
        check_empty(atoll, found, before, groups)
    except TROUBLE as error:
        found.wrong.append(f"not deleted: {error}")
    found.wrong += [line for line in atoll.said().splitlines() if "Traceback" in line or "mistake" in line][:10]


def start(atoll, found, world, seconds):
    """Start the clients of the API and the traffic."""
    flows = world.flows()
    here = {"stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    callers = subprocess.Popen(
        [sys.executable, "-m", "tests.load.callers", str(atoll.port), str(found.clients), str(seconds), world.vpc],
        **here,
    )
    traffic = subprocess.Popen(
        [sys.executable, "-m", "tests.load.traffic", str(seconds)], stdin=subprocess.PIPE, **here
    )
    json.dump(flows, traffic.stdin)
    traffic.stdin.close()
    traffic.stdin = None
    return callers, traffic


def watch(atoll, found, world, seconds, rng):
    """Until the time is up: weigh everything, and compare packets with the tracer."""
    keeper, pid = atoll.status()["keeper"], atoll.status()["pid"]
    begun, daemon, guests = time.monotonic(), [], []
    said_at = 0.0
    while (now := time.monotonic() - begun) < seconds:
        below = kernel.children(keeper)
        daemon.append((now, kernel.resident_mb(pid)))
        guests.append((now, sum(map(kernel.resident_mb, below))))
        found.processes = len(below)
        try:
            compare(atoll, found, world, rng)
        except TROUBLE as error:
            if not kernel.resident_mb(pid):
                raise  # there is nobody to ask any more
            found.wrong.append(f"not compared: {error}")
        if now - said_at > 30:
            said_at = now
            say(f"{now:4.0f} s: daemon {daemon[-1][1]:.0f} MB, guests {guests[-1][1]:.0f} MB in {len(below)} "
                f"processes, {found.pairs} pairs, {len(found.wrong)} wrong")  # fmt: skip
        time.sleep(max(0.0, SAMPLE_SECONDS - (time.monotonic() - begun - now)))
    found.daemon_mb, found.guests_mb = daemon[-1][1], guests[-1][1]
    found.daemon_growth, found.guests_growth = kernel.slope(daemon), kernel.slope(guests)
    for name, at, growth in (("the daemon", found.daemon_mb, found.daemon_growth),
            ("the guests", found.guests_mb, found.guests_growth)):  # fmt: skip
        if seconds >= 120 and growth > max(GROWTH_MB, GROWTH_MAX * at):  # a start is no growth
            found.wrong.append(f"{name} grew by {growth:.1f} MB a minute")


def compare(atoll, found, world, rng):
    """Compare some pairs, and one whose rule was changed just now."""
    for _ in range(PAIRS):
        instance, (team, name, address, port, engine) = world.pair(rng)
        check(atoll, found, world, instance, address, port, name)
    app = world.groups[2 * team + 1]
    mine = world.instances[team][0]
    rule = {"GroupId": world.groups[2 * team], "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 6379,
        "ToPort": 11211, "UserIdGroupPairs": [{"GroupId": app}]}]}  # fmt: skip
    if engine == "memcached" and rng.random() < 0.3:  # the traffic's connections are tracked, and go on
        world.ec2.revoke_security_group_ingress(**rule)
        try:
            if check(atoll, found, world, mine, address, port, name):
                found.wrong.append(f"{mine} is still admitted to {name}")
        finally:
            world.ec2.authorize_security_group_ingress(**rule)
        if not check(atoll, found, world, mine, address, port, name):
            found.wrong.append(f"{mine} is no longer admitted to {name}")


def check(atoll, found, world, instance, address, port, name):
    """Return whether a connection is made; what differs from the tracer is wrong."""
    said = atoll.post("/_atoll/trace", {"from": instance, "to": address, "port": port})["delivered"]
    made = connects(world.pids[instance], address, port, CONNECT_SECONDS)
    found.pairs += 1
    if made != said:
        found.wrong.append(f"{instance} to {name} {address}:{port}: {made}, and the tracer says {said}")
    return made


def finish(atoll, found, callers, traffic):
    """Read what clients and traffic saw."""
    said, heard = (json.loads(process.communicate(timeout=END_SECONDS)[0] or "{}") for process in (callers, traffic))
    found.calls, found.call_seconds_max = said.get("calls", 0), said.get("seconds_max", 0.0)
    found.answers = heard.get("answers", 0)
    for what, seen in (("clients", said), ("traffic", heard)):
        if not seen:
            found.wrong.append(f"{what} ended without a word")
        elif seen["errors"]:
            found.wrong += [f"{what}: {seen['errors']} errors", *seen["told"][:5]]
    if not found.answers:
        found.wrong.append("there was no traffic")
    for address in heard.get("addresses", ()):
        say("\n  ".join([f"{address}:", *told.about(atoll, address)]))


def check_empty(atoll, found, before, groups):
    """The kernel must have what it had."""
    end = time.monotonic() + 60
    while (after := kernel.holdings(atoll.status(), groups)) != before and time.monotonic() < end:
        time.sleep(0.5)
    found.wrong += [f"left: {what} ({count})" for what, count in (after - before).items()][:20]
    found.wrong += [f"gone: {what} ({count})" for what, count in (before - after).items()][:20]


def say(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write-docs", action="store_true", help="put the figures into docs/reliability.md")
    parser.add_argument("--keep-log", metavar="FILE", help="keep the daemon's log")
    asked = parser.parse_args()
    found = Found(asked.nodes, asked.instances, asked.clients, asked.minutes)
    try:
        with running("root") as atoll:
            try:
                run(atoll, found, asked.seed)
            finally:
                if asked.keep_log:
                    Path(asked.keep_log).write_text(atoll.said())
    except TROUBLE as error:  # it was not built, or something of it is left
        found.wrong.append(f"ended early: {error}")
    say(docs.text(found))
    for wrong in found.wrong:
        say(f"WRONG {wrong}")
    if asked.write_docs:
        docs.write(found)
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
