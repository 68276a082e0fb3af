"""Something to lose: an instance and caches in the default VPC of a real daemon, and a shell that outlives it."""

import os
import select
import subprocess
import sys
import time
from typing import Any

from tests.daemon.atoll import Atoll, until

NODE = {"CacheNodeType": "cache.t3.micro"}


class Stage:
    """One instance, two Memcached nodes, a Valkey primary with a replica, and a cache that nobody may reach."""

    def __init__(self, atoll: Atoll):
        self.atoll = atoll
        self.ec2, self.elasticache = atoll.client("ec2"), atoll.client("elasticache")
        self.instance = self.run()
        shut = self.ec2.create_security_group(GroupName="shut", Description="nobody")["GroupId"]
        self.cluster("mem", "memcached", 2)
        self.cluster("shut", "memcached", 1, SecurityGroupIds=[shut])
        self.elasticache.create_replication_group(
            ReplicationGroupId="val",
            ReplicationGroupDescription="two",
            Engine="valkey",
            NumCacheClusters=2,
            **NODE,
        )
        self.settled()

    def run(self, **options: Any) -> str:
        """Run an instance, and wait until it has booted."""
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        made = self.ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, **options
        )["Instances"][0]  # fmt: skip
        instance: str = made["InstanceId"]
        self.state(instance, "running")
        until(lambda: "atoll: up" in self.console(instance), what="the boot")
        return instance

    def cluster(self, name: str, engine: str, nodes: int, **options: Any) -> None:
        self.elasticache.create_cache_cluster(
            CacheClusterId=name, Engine=engine, NumCacheNodes=nodes, **NODE, **options
        )

    def settled(self, seconds: float = 20.0) -> None:
        """Wait until every cache and every instance is well."""
        until(self._is_settled, seconds, f"a settled state ({[self.atoll.log]})")

    def _is_settled(self) -> bool:
        status = self.atoll.status()
        nodes = [node for cache in status["caches"] for node in cache["nodes"]]
        instances = [i["state"] for i in status["instances"] if i["state"] != "terminated"]
        return all(
            [
                *(cache["status"] == "available" for cache in status["caches"]),
                *(node["status"] == "available" and not node["host_error"] for node in nodes),
                *(state in ("running", "stopped") for state in instances),
                not status["loop"]["failures"],
                status["loop"]["revision"] == status["revision"],
            ]
        )

    def state(self, instance: str, wanted: str, seconds: float = 20.0) -> dict[str, Any]:
        """Wait until an instance is in a state, and return its description."""

        def found() -> dict[str, Any] | None:
            told = self.describe(instance)
            return told if told["State"]["Name"] == wanted else None

        description: dict[str, Any] = until(found, seconds, f"{instance} {wanted}")
        return description

    def describe(self, instance: str) -> dict[str, Any]:
        told = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return dict(told)

    def console(self, instance: str) -> str:
        return str(self.ec2.get_console_output(InstanceId=instance).get("Output", ""))

    def node(self, cache: str, number: str = "0001") -> tuple[str, int]:
        """Return the address and port of a cache's node."""
        found = next(c for c in self.atoll.status()["caches"] if c["name"] == cache)
        node = next(n for n in found["nodes"] if n["id"] == number)
        return node["address"], int(node["endpoint"].rpartition(":")[2])

    def events(self, cache: str) -> list[str]:
        told = self.elasticache.describe_events(SourceIdentifier=cache, SourceType="cache-cluster")
        return [event["Message"] for event in told["Events"]]

    def pids(self) -> dict[str, int]:
        """Return the pids of every instance and every node."""
        status = self.atoll.status()
        places = {i["id"]: i["id"] for i in status["instances"] if i["state"] == "running"}
        places |= {f"{c['name']}:{n['id']}": n["address"] for c in status["caches"] for n in c["nodes"]}
        found = {name: self.pid(place) for name, place in places.items()}
        return {name: pid for name, pid in found.items() if pid}

    def pid(self, place: str) -> int | None:
        """Return the pid behind a place; None while it is being started."""
        try:
            pid: int | None = self.atoll.machine(place)["pid"]
        except AssertionError:
            return None
        return pid

    def shell(self, instance: str | None = None) -> "Shell":
        return Shell(self.atoll, instance or self.instance)


class Shell:
    """A bash inside an instance that goes on without the daemon; use it as a context."""

    def __init__(self, atoll: Atoll, instance: str):
        self._process = atoll.start_process(
            [sys.executable, "-m", "atoll.cli", "exec", instance, "bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )

    def __enter__(self) -> "Shell":
        assert self.run("echo here") == "here"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, script: str, seconds: float = 10.0) -> str:
        """Run a script and return what it says."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{{ {script}\n}} 2>&1; echo; echo __DONE__\n".encode())
        said, end, readable = b"", time.monotonic() + seconds, select.poll()
        readable.register(self._process.stdout, select.POLLIN)
        while b"__DONE__" not in said:
            left = end - time.monotonic()
            assert left > 0, f"no end of {script!r}: {said!r}"
            if readable.poll(left * 1e3):
                part = os.read(self._process.stdout.fileno(), 65536)
                assert part, f"the shell has ended: {said!r}"
                said += part
        return said.decode(errors="replace").partition("__DONE__")[0].strip()

    def reaches(self, address: str, port: int) -> bool:
        """Tell whether a TCP connection is made."""
        return "yes" in self.run(f"timeout 1 bash -c 'exec 9<>/dev/tcp/{address}/{port}' && echo yes")

    def connect(self, address: str, port: int) -> None:
        """Open the connection that `say` uses."""
        self.run(f"exec 8<>/dev/tcp/{address}/{port}")

    def say(self, line: str) -> str:
        """Send a line over the open connection; returns the first line of the answer."""
        return self.run(f"printf '%s\\r\\n' '{line}' >&8; IFS= read -r -t 5 answer <&8; echo \"$answer\"").strip()
