"""The clients of a resharding drill: a program of its own, which runs inside the VPC and knows nothing of Atoll.

Its words are ENDPOINT PORT CLIENTS RUN: `drill_clients.py` runs it.  It goes on until a line comes on standard
input.

Each is a small cluster client: it asks for the slots, follows MOVED and ASK, and asks again when a connection breaks.
What its caller would not see (a redirection, a second try) is no error.  Each writes numbered records as fast as they
are acknowledged; at the end every acknowledged record is read back, and what happened is printed as JSON.
"""

import binascii
import json
import socket
import threading
import time
from functools import partial

from atoll.cli.drill_link import KEPT_SECONDS, Link, Refused, play

SLOTS = 16384
TIMEOUT_SECONDS = 1.0
TRIES = 16  # redirections and broken connections that a client bears for one command
AGAIN_SECONDS = 0.005


class Cluster:
    """A cluster client, for one thread."""

    def __init__(self, endpoint: str, port: int) -> None:
        """Prepare."""
        self._endpoint, self._port = endpoint, port
        self._owners: dict[int, tuple[str, int]] = {}
        self._links: dict[tuple[str, int], Link] = {}

    def ask(self, key: str, *words: object) -> "str | int | list[object] | None":
        """Give a command about a key to whoever has it."""
        slot, at, asking = binascii.crc_hqx(key.encode(), 0) % SLOTS, None, False
        for left in range(TRIES, 0, -1):
            try:
                if slot not in self._owners:
                    self._learn()
                at = at or self._owners[slot]
                link = self._links.get(at) or self._links.setdefault(at, Link(*at, at[0], TIMEOUT_SECONDS))
                if asking:
                    link.ask("ASKING")
                return link.ask(*words)
            except Refused as error:
                word, *rest = str(error).split()
                if word not in ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN") or left == 1:
                    raise
                asking, at = word == "ASK", None
                if word in ("MOVED", "ASK"):
                    address, _, port = rest[1].rpartition(":")
                    at = address, int(port)
                if word == "MOVED" and at:
                    self._owners[slot] = at
            except (OSError, KeyError):
                if at in self._links:
                    self._links.pop(at).close()
                self._owners, asking, at = {}, False, None
                if left == 1:
                    raise
                time.sleep(AGAIN_SECONDS)
        raise AssertionError("the last try raises")

    def _learn(self) -> None:
        """Ask the configuration endpoint who has which slots."""
        found = socket.getaddrinfo(self._endpoint, self._port, socket.AF_INET, socket.SOCK_STREAM)
        for *_, place in found:
            try:
                link = Link(str(place[0]), self._port, self._endpoint, TIMEOUT_SECONDS)
                said = link.ask("CLUSTER", "SLOTS")
                link.close()
            except (OSError, Refused):
                continue
            for first, last, owner, *_ in said:  # type: ignore[union-attr, misc]
                for slot in range(first, last + 1):
                    self._owners[slot] = owner[0], owner[1]
            return
        raise ConnectionError("nobody tells who has which slots")


class Drill:
    """What all clients write down."""

    def __init__(self, endpoint: str, port: int, run: str) -> None:
        """Prepare."""
        self._endpoint, self._port, self._run = endpoint, port, run
        self.acks: list[tuple[float, float, int, int]] = []  # when, how long it took, client, record
        self.errors: list[tuple[float, str]] = []
        self.stopped = threading.Event()

    def write(self, client: int) -> None:
        """Write until told to stop."""
        cluster, record = Cluster(self._endpoint, self._port), 0
        while not self.stopped.is_set():
            record += 1
            key, begun = f"drill:{self._run}:{client}:{record}", time.time()
            try:
                cluster.ask(key, "SET", key, record, "EX", KEPT_SECONDS)
                now = time.time()
                self.acks.append((now, now - begun, client, record))
            except (OSError, Refused, KeyError) as error:
                self.errors.append((time.time(), f"{type(error).__name__}: {error}"[:80]))
                time.sleep(AGAIN_SECONDS)

    def lost(self) -> list[str]:
        """Read back what was acknowledged; returns what is gone."""
        cluster = Cluster(self._endpoint, self._port)
        keys = [(f"drill:{self._run}:{client}:{record}", record) for _, _, client, record in self.acks]
        return [key for key, record in keys if cluster.ask(key, "GET", key) != str(record)]


def main(endpoint: str, port: str, clients: str, run: str) -> None:
    """Run the drill's clients."""
    drill = Drill(endpoint, int(port), run)
    play([partial(drill.write, n) for n in range(int(clients))], drill.acks, drill.errors, drill.stopped.set)
    acks = [(when, took) for when, took, _, _ in sorted(drill.acks)]
    print(json.dumps({"acks": acks, "errors": sorted(drill.errors), "lost": drill.lost()}), flush=True)
