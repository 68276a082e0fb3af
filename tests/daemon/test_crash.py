"""kill -9 of the daemon: what it runs goes on, and the next daemon takes it over and mends what was broken."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.daemon.atoll import Atoll, until
from tests.daemon.stage import Stage

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


class Kernel:
    """What a vandal with the daemon's rights can do to its network, whether it runs or not."""

    def __init__(self, atoll: Atoll):
        self._atoll, status = atoll, atoll.status()
        user = ["--user", "--preserve-credentials"] if atoll.mode == "rootless" else []
        self._keeper = ["nsenter", "--target", str(status["keeper"]), *user, "--mount"]
        self._namespaces = status["namespaces"]

    def run(self, namespace: str, script: str) -> str:
        """Run a shell script of the host in one of the network namespaces."""
        return self._do([*self._keeper, "nsenter", f"--net={self._namespaces}/{namespace}", "sh", "-c", script])

    @contextlib.contextmanager
    def process(self, namespace: str, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a process of the host in one of the network namespaces."""
        entered = [*self._keeper, "nsenter", f"--net={self._namespaces}/{namespace}", *command]
        process = self._atoll.start_process(entered, stdout=subprocess.PIPE)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def remove(self, namespace: str) -> None:
        self._do([*self._keeper, "umount", f"{self._namespaces}/{namespace}"])

    def _do(self, command: list[str]) -> str:
        process = self._atoll.start_process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = process.communicate(timeout=10)[0].decode()
        assert process.returncode == 0, out
        return out


def test_machines_data_connections_and_rules_outlive_the_daemon(atoll):
    stage = Stage(atoll)
    before, pids = atoll.status(), stage.pids()
    with stage.shell() as shell:
        shell.connect(*stage.node("val-001"))
        assert shell.say("SET kept yes") == "+OK"

        atoll.kill()

        assert shell.say("EXISTS kept") == ":1", "the open connection lives"
        memcached, shut = ("mem", "shut")
        nodes = {c["name"]: c["nodes"][0]["address"] for c in before["caches"]}
        assert shell.reaches(nodes[memcached], 11211), "what was allowed is allowed"
        assert not shell.reaches(nodes[shut], 11211), "what was refused is refused"

        begun = time.perf_counter()
        atoll.up()
        print(f"adopted after {time.perf_counter() - begun:.3f} s")

        assert stage.pids() == pids, "the same processes"
        assert shell.say("EXISTS kept") == ":1", "the same connection"
        assert not shell.reaches(nodes[shut], 11211)
    after = atoll.status()
    assert [after[k] for k in ("vpcs", "instances", "caches")] == [before[k] for k in ("vpcs", "instances", "caches")]
    assert "hostname" not in atoll.inside(stage.instance, "true")


def test_what_was_broken_while_the_daemon_was_away_is_mended(atoll):
    stage = Stage(atoll)
    vpc, kernel = atoll.status()["vpcs"][0]["id"], Kernel(atoll)
    address, port = stage.node("mem")
    victim = stage.pids()["mem:0002"]
    rules, routes = kernel.run(vpc, "nft list ruleset"), kernel.run(vpc, "ip route show table all")
    route = next(line for line in routes.splitlines() if address in line)

    atoll.kill()
    kernel.run(vpc, f"nft flush ruleset; ip route del {route}")
    os.kill(victim, signal.SIGKILL)
    atoll.up()
    stage.settled()

    assert stage.pids()["mem:0002"] != victim
    assert kernel.run(vpc, "ip route show table all") == routes
    assert without_counts(kernel.run(vpc, "nft list ruleset")) == without_counts(rules)
    with stage.shell() as shell:
        assert shell.reaches(address, port)
        assert not shell.reaches(*stage.node("shut"))


def without_counts(rules: str) -> list[str]:
    """Return rules in an order of their own: elements of sets have none, and counters go on."""
    rules = re.sub(r"set (drops|paces) \{.*?\n\t\}", "", rules, flags=re.DOTALL)  # packets fill them
    return sorted(re.split(r"[\s,]+", re.sub(r"packets \d+ bytes \d+|expires \S+", "", rules)))


def test_what_somebody_breaks_is_mended_within_seconds(atoll):
    stage = Stage(atoll)
    vpc, kernel, shut = atoll.status()["vpcs"][0]["id"], Kernel(atoll), stage.node("shut")

    kernel.run(vpc, "nft flush ruleset")

    until(lambda: any(vpc in repair for repair in atoll.status()["loop"]["repairs"]), 12, "the repair")
    with stage.shell() as shell:
        assert not shell.reaches(*shut)
        assert shell.reaches(*stage.node("mem"))


def test_a_namespace_that_is_deleted_comes_back_and_with_it_its_resolver(atoll):
    stage = Stage(atoll)
    status, kernel = atoll.status(), Kernel(atoll)
    vpc, (address, port) = status["vpcs"][0]["id"], stage.node("mem")
    name = next(c for c in status["caches"] if c["name"] == "mem")["nodes"][0]["endpoint"].rpartition(":")[0]

    kernel.remove(vpc)

    until(lambda: any(vpc in repair for repair in atoll.status()["loop"]["repairs"]), 12, "the repair")
    with stage.shell() as shell:
        until(lambda: shell.reaches(address, port), 10, "the network")
        until(lambda: address in shell.run(f"getent hosts {name}"), 10, "the resolver")


def test_a_crash_in_a_burst_of_calls_loses_nothing_that_was_answered(atoll):
    made, stop = set(), threading.Event()
    Stage(atoll)

    def create(worker: int) -> None:
        ec2, elasticache = atoll.client("ec2"), atoll.client("elasticache")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        number = 0
        while not stop.is_set() and number < 12:
            number += 1
            with contextlib.suppress(BotoCoreError, ClientError):
                if worker:
                    name = f"c{worker}-{number}"
                    elasticache.create_cache_cluster(
                        CacheClusterId=name, Engine="memcached", NumCacheNodes=1, CacheNodeType="cache.t3.micro"
                    )
                    made.add(name)
                else:
                    told = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
                    made.add(told["Instances"][0]["InstanceId"])

    workers = [threading.Thread(target=create, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    until(lambda: len(made) >= 4, 20, "the burst")
    atoll.kill()
    stop.set()
    for worker in workers:
        worker.join()

    atoll.up()

    stage = Stage.__new__(Stage)
    stage.atoll = atoll
    stage.settled(40)
    status = atoll.status()
    found = {c["name"] for c in status["caches"]} | {i["id"] for i in status["instances"]}
    assert made <= found, "every call that was answered has its resource"
    pids = stage.pids()
    assert len(pids) == len(set(pids.values())), "each has a process of its own"
    assert engines(atoll) == sum(len(c["nodes"]) for c in status["caches"]), "and no process is left over"


def engines(atoll: Atoll) -> int:
    """Count the engines that the keeper runs."""
    keeper = atoll.status()["keeper"]
    space, count = pid_space_of_children(keeper), 0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{entry}/ns/pid") == space and os.readlink(f"/proc/{entry}/exe").endswith(
                ("memcached", "valkey-server", "redis-check-rdb", "redis-server")
            ):
                count += 1
    return count


def pid_space_of_children(keeper: int) -> str:
    return os.readlink(f"/proc/{keeper}/ns/pid")
