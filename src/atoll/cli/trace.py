"""`atoll trace FROM TO:PORT`: what each layer of the network says to a packet, and which rule said it."""

from typing import Any

from atoll.cli import private, show
from atoll.cli.failure import REFUSED, Failure

PROTOCOLS = ("tcp", "udp", "icmp")


def trace(source: str, target: str, protocol: str, *, as_json: bool) -> int:
    """Print the trace; returns 0 if the packet and its answer are delivered, else 1."""
    to, port = split_target(target, protocol)
    question = {"from": source, "to": to, "port": port, "protocol": protocol} | private.whose()
    answer: dict[str, Any] = private.post("/_atoll/trace", question)
    if as_json:
        show.as_json(answer)
    else:
        for line in answer["lines"]:
            show.line(line)
    return 0 if answer["delivered"] else REFUSED


def split_target(target: str, protocol: str) -> tuple[str, int]:
    """Split `TO:PORT`; ICMP has no port.  Raises Failure."""
    if protocol not in PROTOCOLS:
        raise Failure(f"{protocol!r} is not a protocol of this network", "use one of: " + ", ".join(PROTOCOLS), 2)
    if protocol == "icmp":
        return target, 0
    to, colon, port = target.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536 or not to:
        raise Failure(f"{target!r} does not say where to go", "give a place and a port, such as sessions-001:6379", 2)
    return to, int(port)
