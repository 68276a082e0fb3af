"""The ground to measure on: a daemon of our own, a client that costs little, and networks to run commands in."""

import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

T = TypeVar("T")

WAIT_SECONDS = 30.0
REST_SECONDS = 0.2  # a large world has its rounds, too, which are none of the call's
SERVICES = {"ec2": "2016-11-15", "elasticache": "2015-02-02", "elasticloadbalancing": "2015-12-01"}


class Api:
    """A keep-alive connection to Atoll; signs with a made-up key, which local mode takes."""

    def __init__(self, port: int, key: str = "bench") -> None:
        self.port, self.key = port, key
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)

    def call(self, service: str, action: str, **parameters: object) -> ET.Element:
        """Call an operation; list members are spelt by the caller: `**{"SubnetIds.member.1": id}`."""
        return self.read(self.text(service, action, **parameters))

    def text(self, service: str, action: str, **parameters: object) -> str:
        """Call an operation, and return its answer unread."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        body = urlencode({"Action": action, "Version": SERVICES[service], **parameters})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "X-Amz-Date": stamp,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={self.key}/{stamp[:8]}/us-east-1/{service}/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=0",
        }
        self._connection.request("POST", "/", body, headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise RuntimeError(f"{action}: {text}")
        return text

    def read(self, text: str) -> ET.Element:
        """Return an answer as a tree whose names have no namespace."""
        return ET.fromstring(re.sub(r' xmlns="[^"]+"', "", text, count=1))

    def ec2(self, action: str, **parameters: object) -> ET.Element:
        return self.call("ec2", action, **parameters)

    def cache(self, action: str, **parameters: object) -> ET.Element:
        return self.call("elasticache", action, **parameters)

    def elbv2(self, action: str, **parameters: object) -> ET.Element:
        return self.call("elasticloadbalancing", action, **parameters)

    def private(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        self._connection.close()  # a measurement may have taken longer than idle connections live
        self._connection.request(method, path, None if body is None else json.dumps(body))
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{path}: {answer.decode()}")
        return json.loads(answer) if answer else None


@dataclass(frozen=True)
class Room:
    """A network that commands can run in: a path of its namespace, and its address there."""

    namespace: str
    address: str

    def command(self, *command: str) -> list[str]:
        return ["nsenter", f"--net={self.namespace}", *command]

    def run(self, *command: str, text: str | None = None) -> str:
        done = subprocess.run(self.command(*command), input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def start(self, *command: str, **options: Any) -> "subprocess.Popen[str]":
        return subprocess.Popen(self.command(*command), text=True, **options)


class Atoll:
    """One installation in a directory of its own."""

    def __init__(self, *options: str) -> None:
        self.state = Path(tempfile.mkdtemp(prefix="ab-", dir="/tmp"))
        self._options = options
        self._daemon: subprocess.Popen[str] | None = None
        self.up()

    def up(self) -> None:
        """Start the daemon, or start it again."""
        log = (self.state / "daemon.log").open("a")
        command = [sys.executable, "-m", "atoll.cli", "up", "--port", "0", "--state", str(self.state), *self._options]
        self._daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._daemon.stdout, "it is piped"
        said = self._daemon.stdout.readline()
        ready = re.search(r":(\d+) ", said)
        if ready is None:
            raise RuntimeError(f"Atoll did not start: {(self.state / 'daemon.log').read_text()[-2000:]}")
        self.port = int(ready[1])
        self.api = Api(self.port)

    @property
    def pid(self) -> int:
        assert self._daemon, "it was started"
        return self._daemon.pid

    def down(self, *, purge: bool) -> None:
        """End the daemon; with `purge`, all that it made."""
        assert self._daemon, "it was started"
        if self._daemon.poll() is None:
            self.api.private("POST", "/_atoll/stop", {"purge": purge})
        self._daemon.wait(WAIT_SECONDS)
        if purge:
            shutil.rmtree(self.state, ignore_errors=True)

    def room(self, place: str) -> Room:
        """Return the network of an instance, a node, an interface or an address of a VPC."""
        return _room(self.api.private("GET", f"/_atoll/machines/{quote(place, safe='')}?region=us-east-1"))

    def outside(self, address: str) -> Room:
        """Return the network of an internet client."""
        return _room(self.api.private("POST", "/_atoll/outside", {"address": address}))

    def engine(self, name: str) -> str:
        """Return the program that Atoll runs for an engine."""
        notes = json.loads((self.state / "engines.json").read_text())
        for path, note in notes.items():
            if note["engine"] and note["engine"]["name"] == name:
                return str(path)
        raise RuntimeError(f"no {name} on this machine")


def _room(found: dict[str, Any]) -> Room:
    namespace = f"/proc/{found['keeper']}/root{found['namespaces']}/{found['namespace']}"
    until(lambda: os.path.exists(namespace))  # not every call waits for the network
    return Room(namespace, found["address"])


@contextlib.contextmanager
def running(*options: str) -> Iterator[Atoll]:
    """Run an Atoll of our own, with further options of `atoll up`, and remove all of it afterwards."""
    atoll = Atoll(*options)
    try:
        yield atoll
    finally:
        atoll.down(purge=True)


def one(tree: ET.Element, tag: str) -> str:
    """Return the text of the first element of this name."""
    found = next(tree.iter(tag)).text
    assert found, f"{tag} has a text"
    return found


def until(true: Callable[[], Any], every_seconds: float = 0.001, wait_seconds: float = WAIT_SECONDS) -> Any:
    """Wait until something is true, for a bounded time, and return it."""
    end = time.monotonic() + wait_seconds
    while not (found := true()):
        if time.monotonic() > end:
            raise RuntimeError(f"it did not come within {wait_seconds:.0f} s")
        time.sleep(every_seconds)
    return found


def end(processes: Sequence["subprocess.Popen[str]"]) -> None:
    """End processes that we started, and wait for them."""
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()


def resident_mb(pid: int) -> float:
    """Return a process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found, "every process has some"
    return int(found[1]) / 1024


def spent(pid: int, act: Callable[[], T]) -> tuple[T, float]:
    """Do something, and return what it returns and the milliseconds of CPU that a process spent on it.

    Also on what it set off: until all threads of the process rest, for a short time at most.
    """
    before = cpu_seconds(pid)
    result, end = act(), time.monotonic() + REST_SECONDS
    while not _rests(pid) and time.monotonic() < end:
        time.sleep(0.001)
    return result, (cpu_seconds(pid) - before) * 1e3


def _rests(pid: int) -> bool:
    tasks = [Path(f"/proc/{pid}/task/{t}/stat").read_text() for t in os.listdir(f"/proc/{pid}/task")]
    return not any(task.rpartition(")")[2].split()[0] in "RD" for task in tasks)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process to the nanosecond; the softirq work of its packets is in it."""
    tasks = os.listdir(f"/proc/{pid}/task")
    return sum(int(Path(f"/proc/{pid}/task/{t}/schedstat").read_text().split()[0]) for t in tasks) / 1e9
