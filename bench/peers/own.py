"""Atoll, as the other servers are: started, measured, stopped."""

import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from bench.ground import Api, Atoll, end, resident_mb, until
from bench.peers.client import Boto
from bench.peers.servers import NODE, STOP_SECONDS_MAX, Absent, Unmet, processor_seconds, state_of, unused_name
from bench.peers.wire import drive, signed
from bench.probe import Probe
from bench.vpc import allow, build, group, instance


class Own:
    """Atoll: on the paper host, where nothing runs, or with real nodes and packets."""

    def __init__(self, host: str, state: Path) -> None:
        self._atoll = _Leashed(host, state)
        self._host = host
        self._probe: Probe | None = None
        self._group = ""
        self.port = self._atoll.port
        drive(self.port, signed(self.port, "ec2", "DescribeVpcs"), connections=1, calls_max=1, seconds_max=1)

    def memory_mb(self) -> float:
        """Return the memory of the daemon and of its keeper; engines are not of the control plane."""
        daemon = resident_mb(self._atoll.pid)  # first: to ask for the keeper loads the private API, which is 4 MB
        return daemon + sum(resident_mb(pid) for pid in self._processes() if pid != self._atoll.pid)

    def cpu_seconds(self) -> float:
        return sum(processor_seconds(pid) for pid in self._processes())

    def pong_seconds(self, boto: Boto) -> float:
        """Measure from an instance in another subnet, through groups, network ACLs and route tables."""
        if self._host == "paper":
            raise Unmet("not on the paper host: nothing runs there")
        api = Api(self.port)
        probe = self._probe or self._furnish(api)
        name = unused_name()
        begun = time.monotonic()
        boto.elasticache.create_cache_cluster(
            CacheClusterId=name, CacheSubnetGroupName="pong", SecurityGroupIds=[self._group], **NODE
        )
        mine = {"Filter.1.Name": "group-id", "Filter.1.Value.1": self._group}
        found = until(lambda: api.ec2("DescribeNetworkInterfaces", **mine).findtext(".//privateIpAddress"))
        probe.ask(found, 6379, "redis")
        seconds = probe.answered() - begun
        until(lambda: state_of(boto, name)["CacheClusterStatus"] == "available")
        boto.elasticache.delete_cache_cluster(CacheClusterId=name)
        until(lambda: api.ec2("DescribeNetworkInterfaces", **mine).find(".//privateIpAddress") is None)
        return seconds

    def stop(self) -> None:
        """End Atoll and all that it made; one that has ended already is no trouble."""
        if self._probe:
            end([self._probe.process])
        self._atoll.down(purge=True)

    def _processes(self) -> list[int]:
        keeper = Api(self.port).private("GET", "/_atoll/status").get("keeper")
        return [self._atoll.pid, *([keeper] if keeper else [])]

    def _furnish(self, api: Api) -> Probe:
        vpc = build(api)
        self._group = group(api, vpc, "cache")
        allow(api, self._group, "10.0.0.0/24")
        named = {"CacheSubnetGroupName": "pong", "CacheSubnetGroupDescription": "pong"}
        api.cache("CreateCacheSubnetGroup", **named, **{"SubnetIds.member.1": vpc.private})
        room = self._atoll.room(instance(api, vpc.public, group(api, vpc, "client")))
        self._probe = Probe.start(room)
        return self._probe


class _Leashed(Atoll):
    """An installation that ends with this program, however this one ends."""

    def __init__(self, host: str, state: Path) -> None:
        self._engines = state / "engines.json"  # what engines told of themselves: as a second start has it
        super().__init__("--host", host)

    def up(self) -> None:
        if self._engines.exists():
            shutil.copy(self._engines, self.state)
        log = self.state.with_suffix(".log")
        command = [sys.executable, "-m", "atoll.cli", "up", "--port", "0", "--state", str(self.state), *self._options]
        with log.open("w") as errors:
            self._daemon = subprocess.Popen(
                [*command, "--leash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                start_new_session=True,
            )  # fmt: skip
        assert self._daemon.stdout, "it is piped"
        ready = re.search(r":(\d+) ", self._daemon.stdout.readline())
        said = log.read_text()[-300:].strip()
        log.unlink()
        if ready is None:
            self.down(purge=True)
            raise Absent(f"not started: {said}")
        self.port = int(ready[1])
        self.api = Api(self.port)

    def down(self, *, purge: bool) -> None:
        assert self._daemon, "it was started"
        assert self._daemon.stdin, "it is held"
        with suppress(OSError):
            shutil.copy(self.state / "engines.json", self._engines)
        self._daemon.stdin.close()
        try:
            self._daemon.wait(STOP_SECONDS_MAX * 2)
        except subprocess.TimeoutExpired:
            self._daemon.kill()  # its keeper is on the same leash
            self._daemon.wait()
        if purge:
            shutil.rmtree(self.state, ignore_errors=True)
