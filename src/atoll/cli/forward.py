"""`atoll port-forward`: a port of this machine that leads to a place as an instance sees it.

The listening sockets are made here; then a child with them enters the instance's network (`forward_relay.py`),
resolves with its VPC's resolver and connects from there, so that groups, ACLs and routes decide as for the instance
itself.  What it cannot reach is explained here, where the daemon is.
"""

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from atoll.cli import enter, show
from atoll.cli.failure import Failure
from atoll.cli.forward_target import Target, choose, find

WRONG = 2
LOOPBACK = "127.0.0.1"
END_SECONDS = 3.0  # for a relay to end when it is told to
TELL_SECONDS = 5.0  # between two explanations of one target


@dataclass(frozen=True, kw_only=True)
class Forward:
    """One port of this machine, and where it leads."""

    listening: socket.socket
    port: int  # of this machine
    target: Target


def port_forward(wanted: Sequence[str], *, source: str | None, as_json: bool) -> int:
    """Forward until Ctrl-C; returns the exit code."""
    if not wanted:
        raise Failure("there is nothing to forward to", "atoll port-forward sessions, or 6380:10.0.1.4:6379", WRONG)
    targets = [find(text) for text in wanted]
    place = choose(source, targets)
    _check(place, targets)
    sockets = [_listen(target) for target in targets]
    forwards = [
        Forward(listening=one, port=one.getsockname()[1], target=target)
        for one, target in zip(sockets, targets, strict=True)
    ]
    reading, writing = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()
    relay = os.fork()
    if relay == 0:
        _become_relay(place, forwards, writing)
    os.close(writing)
    for forward in forwards:
        forward.listening.close()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(number, signal.default_int_handler)
    try:
        _attend(place, forwards, reading, as_json=as_json)
    except KeyboardInterrupt:
        return 0  # that is how it ends
    finally:
        _end(relay)


def _listen(target: Target) -> socket.socket:
    """Listen on the port that was asked for, else on the target's own, else on any."""
    for port in (target.local,) if target.local is not None else (target.port, 0):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((LOOPBACK, port))
            listening.listen(128)
            return listening
        except OSError as error:
            listening.close()
            why = error.strerror or str(error)
    raise Failure(f"port {target.local} of this machine cannot be had: {why}", "name another: PORT:TARGET")


def _check(place: enter.Place, targets: Sequence[Target]) -> None:
    """Refuse at once what the network would refuse, and say why."""
    for target in targets:
        lines = _why(place, target)
        if lines:
            raise Failure("\n".join([f"{target.name} cannot be reached from {place.id}", *lines]),
                f"atoll why {place.id} {target.probe}:{target.port} --apply")  # fmt: skip


def _why(place: enter.Place, target: Target) -> list[str]:
    """Return what is in the way of a connection, as `atoll why` says it; nothing if nothing is."""
    question = {"from": place.id, "to": f"{target.probe}:{target.port}", "protocol": "tcp", "tls": target.tls,
        "auth": False}  # fmt: skip
    from atoll.cli.why import ask

    try:
        found = ask(question)
    except Failure as failure:
        return [failure.message]
    if found["reachable"]:
        return []
    return [f"  {line}" for line in found["lines"]]


def _become_relay(place: enter.Place, forwards: Sequence[Forward], writing: int) -> None:
    """Become the relay, with the sockets; never returns."""
    try:
        os.setsid()  # Ctrl-C is the parent's to obey
        words = []
        for forward in forwards:
            os.set_inheritable(forward.listening.fileno(), True)
            words.append(f"{forward.listening.fileno()}:{forward.target.host}:{forward.target.port}")
        os.set_inheritable(writing, True)
        enter.in_network(place)([sys.executable, "-m", "atoll.cli.forward_relay", str(writing), *words])
    except Failure as failure:
        failure.show()
    finally:
        os._exit(1)


def _attend(place: enter.Place, forwards: Sequence[Forward], reading: int, *, as_json: bool) -> NoReturn:
    """Say where the ports are, and explain what cannot be reached, until the relay ends."""
    told: dict[int, float] = {}
    with os.fdopen(reading, "rb", buffering=0) as news:
        rest = b""
        while True:
            select.select([news], [], [])
            part = news.read(65536)
            if not part:
                raise Failure("the relay has ended", f"does {place.id} still run? `atoll status`")
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                happened = json.loads(line)
                if happened["what"] == "ready":
                    _say(place, forwards, as_json=as_json)
                elif time.monotonic() - told.get(happened["number"], 0.0) > TELL_SECONDS:
                    told[happened["number"]] = time.monotonic()
                    _explain(place, forwards[happened["number"]], happened["error"], as_json=as_json)


def _say(place: enter.Place, forwards: Sequence[Forward], *, as_json: bool) -> None:
    if as_json:
        rows = [{"listen": f"{LOOPBACK}:{f.port}", "port": f.port, "target": f"{f.target.host}:{f.target.port}",
            "name": f.target.name, "tls": f.target.tls, "from": place.id} for f in forwards]  # fmt: skip
        print(json.dumps({"forwards": rows}), flush=True)
        return
    for forward in forwards:
        target = forward.target
        show.line(f"{LOOPBACK}:{forward.port} leads to {target.name} ({target.host}:{target.port}), from {place.id}")
        for hint in target.hints(forward.port):
            show.line(f"  {hint}")
    show.line("Ctrl-C ends it.")
    sys.stdout.flush()


def _explain(place: enter.Place, forward: Forward, error: str, *, as_json: bool) -> None:
    lines = _why(place, forward.target)
    if as_json:
        told = {"failed": forward.port, "error": error, "why": [line.strip() for line in lines]}
        print(json.dumps(told), flush=True)
    else:
        print(show.plain("\n".join([f"{forward.target.name}: {error}", *lines])), file=sys.stderr, flush=True)


def _end(relay: int) -> None:
    """End the relay, and wait for it."""
    end = time.monotonic() + END_SECONDS
    os.kill(relay, signal.SIGTERM)
    while time.monotonic() < end:
        if os.waitpid(relay, os.WNOHANG)[0]:
            return
        time.sleep(0.01)
    os.kill(relay, signal.SIGKILL)
    os.waitpid(relay, 0)
