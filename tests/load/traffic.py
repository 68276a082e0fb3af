"""`python -m tests.load.traffic SECONDS < FLOWS`: full-speed traffic from instances to caches, every answer checked.

FLOWS is JSON: [pid of an instance, address, port, "valkey" or "memcached"].  One process holds a connection in each
instance's network and keeps a batch of writes and reads under way on each.  Prints JSON: answers, errors, whose.
"""

import json
import os
import selectors
import socket
import sys
import time
from datetime import UTC, datetime

from tests.load.inside import network_of

BATCH, KEYS, VALUE = 32, 100, b"v" * 100  # the data of a connection are bounded: 10 kB
CONNECT_SECONDS, SILENCE_SECONDS = 20.0, 30.0  # of a machine whose neighbours are busy too
LINE_MAX = 80  # of what was not to be heard: enough to tell what it is
ERRORS_MAX, ADDRESSES_MAX = 20, 5  # that are told in full
NICE = 5  # whoever else works on this machine goes first


class Flow:
    """One connection: what it sends again and again, and what it must hear."""

    def __init__(self, number, pid, address, port, engine):
        self.address, self.answers, self.heard, self.since = address, 0, b"", time.monotonic()
        keys = [f"{number}:{key}".encode() for key in range(KEYS)]
        words = _valkey if engine == "valkey" else _memcached
        self.question, self.answer = (b"".join(part) for part in zip(*(words(k) for k in keys[:BATCH]), strict=True))
        with network_of(pid):
            self.socket = socket.socket()
        self.socket.settimeout(CONNECT_SECONDS)
        self.socket.connect((address, port))
        self.socket.sendall(self.question)
        self.socket.setblocking(False)

    def read(self):
        """Read what has come, and ask again when all has.  Raises OSError, ValueError."""
        text = self.socket.recv(65536)
        if not text:
            raise ValueError("it hung up")
        self.heard += text
        if not self.answer.startswith(self.heard):
            raise ValueError(f"it said {self._odd_line()!r}")
        if len(self.heard) == len(self.answer):
            self.answers, self.heard, self.since = self.answers + 2 * BATCH, b"", time.monotonic()
            self.socket.sendall(self.question)

    def _odd_line(self):
        """Return the first line that is not what was to be heard."""
        at = next(
            (n for n, (a, b) in enumerate(zip(self.heard, self.answer, strict=False)) if a != b), len(self.answer)
        )
        begin = self.heard.rfind(b"\r\n", 0, at) + 2 if b"\r\n" in self.heard[:at] else 0
        return self.heard[begin:].partition(b"\r\n")[0][:LINE_MAX].decode("ascii", "replace")


def _valkey(key):
    ask = b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n"
    return ask % (len(key), key, len(VALUE), VALUE, len(key), key), b"+OK\r\n$%d\r\n%s\r\n" % (len(VALUE), VALUE)


def _memcached(key):
    ask = b"set %s 0 0 %d\r\n%s\r\nget %s\r\n" % (key, len(VALUE), VALUE, key)
    return ask, b"STORED\r\nVALUE %s 0 %d\r\n%s\r\nEND\r\n" % (key, len(VALUE), VALUE)


def run(flows, seconds):
    """Run until the time is up; returns how many answers came, and what was wrong: (address, why)."""
    selector, errors, until = selectors.DefaultSelector(), [], time.monotonic() + seconds
    answers = 0
    for number, where in enumerate(flows):
        if time.monotonic() > until:
            errors += [(where[1], "there was no time to connect") for where in flows[number:]]
            break
        try:
            flow = Flow(number, *where)
            selector.register(flow.socket, selectors.EVENT_READ, flow)
        except OSError as error:
            errors.append((where[1], f"no connection from process {where[0]}: {error}"))
    while time.monotonic() < until and selector.get_map():
        for key, _ in selector.select(1.0):
            try:
                key.data.read()
            except (OSError, ValueError) as error:
                errors.append((key.data.address, f"{error}, at {_clock()}"))
                answers += key.data.answers
                selector.unregister(key.fileobj)
        for key in list(selector.get_map().values()):
            if time.monotonic() - key.data.since > SILENCE_SECONDS:
                errors.append((key.data.address, f"silent for {SILENCE_SECONDS:.0f} s, at {_clock()}"))
                answers += key.data.answers
                selector.unregister(key.fileobj)
    return answers + sum(key.data.answers for key in selector.get_map().values()), errors


def _clock():
    return f"{datetime.now(UTC):%H:%M:%S}"  # as the daemon's log has it


def main():
    os.nice(NICE)
    answers, errors = run(json.load(sys.stdin), float(sys.argv[1]))
    told = [f"{address}: {why}" for address, why in errors[:ERRORS_MAX]]
    addresses = list(dict.fromkeys(address for address, _ in errors))[:ADDRESSES_MAX]
    print(json.dumps({"answers": answers, "errors": len(errors), "told": told, "addresses": addresses}))


if __name__ == "__main__":
    main()
