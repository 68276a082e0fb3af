"""A path as Docker builds it, in networks of our own: two containers on a bridge, conntrack and iptables between.

The bridge hands its frames to iptables (br_netfilter) where the kernel has that; else they only cross the bridge, and
the row says so.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.ground import Room, end, until

CLIENT, SERVER, HOST = "10.9.0.10", "10.9.0.20", "10.9.0.1"
_BRIDGED = "net.bridge.bridge-nf-call-iptables"


@dataclass(frozen=True)
class DockerLike:
    """Both ends, and what was built."""

    name: str
    client: Room
    server: Room


@contextlib.contextmanager
def docker_like(rules: int) -> Iterator[DockerLike]:
    """Build it with so many rules in FORWARD, behind the usual shortcut for established connections."""
    processes = [subprocess.Popen(["unshare", "--net", "sleep", "3600"], text=True) for _ in range(3)]
    try:
        own = Path("/proc/self/ns/net").readlink()
        for process in processes:
            until(lambda p=process: Path(f"/proc/{p.pid}/ns/net").readlink() != own)
        host, client, server = (
            Room(f"/proc/{p.pid}/ns/net", a) for p, a in zip(processes, (HOST, CLIENT, SERVER), strict=True)
        )
        host.run("ip", "link", "add", "br0", "type", "bridge")
        host.run("ip", "link", "set", "br0", "up")
        for end_, process, port in ((client, processes[1], "p1"), (server, processes[2], "p2")):
            _connect(host, end_, process.pid, port)
        bridged = Path("/proc/sys/net/bridge").exists()
        if bridged:
            host.run("sysctl", "-qw", f"{_BRIDGED}=1")
        host.run("iptables-restore", text=_table(rules))
        name = f"Docker-like path, {rules} rules" + ("" if bridged else ", no br_netfilter")
        yield DockerLike(name, client, server)
    finally:
        end(processes)


def _connect(host: Room, room: Room, pid: int, port: str) -> None:
    host.run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    host.run("ip", "link", "set", port, "master", "br0", "up")
    room.run("ip", "address", "add", f"{room.address}/24", "dev", "eth0")
    room.run("ip", "link", "set", "eth0", "up")


def _table(rules: int) -> str:
    others = [f"-A FORWARD -s 172.16.{i}.0/24 -p tcp --dport 6379 -j ACCEPT" for i in range(rules - 1)]
    lines = ["*filter", ":FORWARD DROP [0:0]", "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"]
    return "\n".join([*lines, *others, f"-A FORWARD -s {CLIENT}/32 -j ACCEPT", "COMMIT", ""])
