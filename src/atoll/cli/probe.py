"""Look inside a machine's network, and print what is there as JSON.  It reads, and asks one engine one question.

`cli/look.py` runs it as a program of its own, in the machine's network namespace: it imports nothing of ours.  All
programs that it calls are this machine's, never the instance's own.
"""

import contextlib
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

COMMAND_SECONDS = 2.0
ENGINE_SECONDS = 1.0
TEXT_BYTES_MAX = 64 << 10  # of one firewall; more says so, and is not judged
FILE_BYTES_MAX = 64 << 10
LISTEN, UNCONNECTED = "0A", "07"  # of /proc/net/tcp and udp
COMMANDS = {
    "iptables": (("iptables-nft-save", "-c"), ("iptables-legacy-save", "-c")),
    "ip6tables": (("ip6tables-nft-save", "-c"), ("ip6tables-legacy-save", "-c")),
    "nft": (("nft", "-j", "list", "ruleset"),),
    "nft_text": (("nft", "-a", "list", "ruleset"),),
}


def main(asked: dict[str, object]) -> dict[str, object]:
    """Look, and return what was seen."""
    unseen: list[str] = []
    found: dict[str, object] = {"listeners": list(listeners()), "unseen": unseen}
    for name, path in (("ip_forward", "ipv4/ip_forward"), ("ipv6_forward", "ipv6/conf/all/forwarding")):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/sys/net/{path}") as file:
            found[name] = file.read().strip()
    for name, commands in COMMANDS.items():
        found[name] = "".join(said(command, unseen) for command in commands)
    if asked.get("pid"):
        found["resolvers"] = resolvers(int(str(asked["pid"])))
    engine = asked.get("engine")
    if isinstance(engine, dict):
        found["engine"] = ask(str(engine["address"]), int(engine["port"]), memcached=bool(engine["memcached"]))
    return found


def said(command: tuple[str, ...], unseen: list[str]) -> str:
    """Return what a command of this machine prints; notes in `unseen` why it does not."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=COMMAND_SECONDS, env={"PATH": path, "LC_ALL": "C"}, check=False
        )
    except FileNotFoundError:
        return ""  # then nobody here makes such rules either
    except subprocess.TimeoutExpired:
        unseen.append(f"{command[0]} took longer than {COMMAND_SECONDS:.0f} s")
        return ""
    if done.returncode != 0:
        unseen.append(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()[:200]}")
        return ""
    if len(done.stdout) > TEXT_BYTES_MAX:
        unseen.append(f"its firewall is larger than {TEXT_BYTES_MAX >> 10} KiB, and was not read")
        return ""
    return done.stdout.decode(errors="replace")


def listeners() -> "Iterator[tuple[str, str, int]]":
    """Yield (protocol, address, port) of every socket that waits."""
    for kind in ("tcp", "udp"):
        for version in ("", "6"):
            try:
                with open(f"/proc/self/net/{kind}{version}") as file:
                    lines = file.read().splitlines()[1:]
            except FileNotFoundError:
                continue
            for line in lines:
                _, local, _, state, *_ = line.split()
                if state == (LISTEN if kind == "tcp" else UNCONNECTED):
                    address, _, port = local.partition(":")
                    yield kind, decoded(address), int(port, 16)


def decoded(text: str) -> str:
    """Return an address as /proc/net spells it, words in this machine's order."""
    words = [struct.pack("=I", int(text[i : i + 8], 16)) for i in range(0, len(text), 8)]
    raw = b"".join(words)
    return str(IPv4Address(raw) if len(raw) == 4 else IPv6Address(raw))


def resolvers(pid: int) -> "list[str] | None":
    """Return the name servers of an instance; its files may be anything, so no link is followed and nothing waits."""
    try:
        root = os.open(f"/proc/{pid}/root/etc", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fd = os.open("resolv.conf", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=root)
        finally:
            os.close(root)
        with open(fd, "rb") as file:
            text = file.read(FILE_BYTES_MAX).decode(errors="replace")
    except OSError:
        return None
    words = (line.split() for line in text.splitlines())
    return [w[1] for w in words if len(w) > 1 and w[0] == "nameserver"]


def ask(address: str, port: int, *, memcached: bool) -> "str | None":
    """Ask an engine a harmless question, in plain text; "tls" if it speaks that, `None` if nobody listens."""
    question = b"version\r\n" if memcached else b"PING\r\n"
    try:
        with socket.create_connection((address, port), ENGINE_SECONDS) as talk:
            talk.settimeout(ENGINE_SECONDS)
            try:
                talk.sendall(question)
                answer = talk.recv(512)
            except OSError:
                answer = b""
    except OSError:
        return None
    if answer and answer[:1] != b"\x15":  # 0x15: an alert of TLS
        return answer.decode(errors="replace").strip()
    return "tls" if speaks_tls(address, port) else ""


def speaks_tls(address: str, port: int) -> bool:
    """Tell whether TLS is spoken there; whose certificate it is does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address, port), ENGINE_SECONDS) as talk,
            context.wrap_socket(talk) as secured,
        ):
            return secured.version() is not None
    except OSError as error:  # also SSLError
        return isinstance(error, ssl.SSLError) and "CERTIFICATE_REQUIRED" in str(error)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
