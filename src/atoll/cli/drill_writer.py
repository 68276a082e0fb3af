"""The client of a drill: a program of its own, which runs inside the VPC and knows nothing of Atoll.

Its words are ENDPOINT PORT CLIENTS WAIT RUN: `drill_clients.py` runs it.  It goes on until a line comes on standard
input.

Each client writes numbered records through the endpoint's name, one after the other, as fast as they are
acknowledged, and asks for the name again after each error.  A node in cluster mode that says where a slot is (MOVED)
is believed, until there is an error: then any other node of the name is asked.  WAIT n: a record counts as
acknowledged when n replicas have it, too.  At the end it reads every acknowledged record back, removes it, and prints
what happened as JSON.
"""

import json
import random
import socket
import threading
import time
from functools import partial

from atoll.cli.drill_link import FINAL_SECONDS, KEPT_SECONDS, LIBRARY, LibraryLink, Link, Refused, play

TIMEOUT_SECONDS = 0.5  # of a client that waits for an answer: the least that people configure
AGAIN_SECONDS = 0.005
NAME_SECONDS = 0.01  # between two looks at the name
BATCH = 500
REDIRECTIONS_MAX = 16  # in a row that a client of a cluster bears


class Drill:
    """What all clients write down."""

    def __init__(self, endpoint: str, port: int, wait: int, run: str) -> None:
        """Prepare."""
        self._endpoint, self._port, self._wait, self._run = endpoint, port, wait, run
        self.acks: list[tuple[float, int, int]] = []  # when, client, record
        self.errors: list[tuple[float, int, str]] = []
        self.names: list[tuple[float, str]] = []
        self._stop = threading.Event()
        self._moved, self._failed = "", ""  # where the slot is, and who did not answer last

    def connect(self) -> Link | LibraryLink:
        """Connect to whom the cluster has named, or to one of those who have the name."""
        if not self._moved:
            found = self._addresses()
            self._failed = address = random.choice([a for a in found if a != self._failed] or found)
        else:
            self._failed = address = self._moved
        name = address if address == self._moved else self._endpoint
        return (LibraryLink if LIBRARY else Link)(address, self._port, name, TIMEOUT_SECONDS)

    def follow(self, error: Exception) -> None:
        """Learn from an error where to connect next."""
        words = str(error).split()
        self._moved = words[2].rpartition(":")[0] if words[:1] == ["MOVED"] and len(words) == 3 else ""

    def _addresses(self) -> list[str]:
        """Ask for the name, as a client does that keeps no answers."""
        found = socket.getaddrinfo(self._endpoint, self._port, socket.AF_INET, socket.SOCK_STREAM)
        return [str(one[4][0]) for one in found]

    def key(self, client: int, record: int) -> str:
        """Return the name of a record."""
        return f"drill:{self._run}:{client}:{record}"

    def write(self, client: int) -> None:
        """Write until told to stop."""
        record, redirections = 0, 0
        link: Link | LibraryLink | None = None
        while not self._stop.is_set():
            record += 1
            try:
                link = link or self.connect()
                link.ask("SET", self.key(client, record), record, "EX", KEPT_SECONDS)
                if self._wait and int(str(link.ask("WAIT", self._wait, 200))) < self._wait:
                    raise Refused("WAIT: too few replicas")
                self.acks.append((time.time(), client, record))
                redirections = 0
            except (OSError, Refused) as error:
                is_moved = str(error).startswith("MOVED")  # which is no error to a client of a cluster
                redirections = redirections + 1 if is_moved else 0
                if not is_moved or redirections > REDIRECTIONS_MAX:
                    self.errors.append((time.time(), client, f"{type(error).__name__}: {error}"[:80]))
                if not str(error).startswith("WAIT"):
                    self.follow(error)
                if link and not str(error).startswith("WAIT"):
                    link.close()
                    link = None
                time.sleep(0 if is_moved else AGAIN_SECONDS)

    def watch(self) -> None:
        """Note whenever the name leads elsewhere."""
        while not self._stop.is_set():
            try:
                found = self._addresses()
                address = found[0] if len(found) == 1 else ""  # of a cluster: all its nodes, whoever leads
            except OSError:
                address = ""
            if not self.names or self.names[-1][1] != address:
                self.names.append((time.time(), address))
            time.sleep(NAME_SECONDS)

    def stop(self) -> None:
        """Have everybody stop."""
        self._stop.set()

    def lost(self) -> list[str]:
        """Read back what was acknowledged; returns what is gone."""
        keys, gone = [self.key(client, record) for _, client, record in self.acks], []
        until, at = time.time() + FINAL_SECONDS, 0
        while at < len(keys):
            try:
                link = self.connect()
                while at < len(keys):
                    part = keys[at : at + BATCH]
                    found = link.ask("MGET", *part)
                    assert isinstance(found, list), "MGET returns a list"
                    gone += [key for key, value in zip(part, found, strict=True) if value is None]
                    link.ask("UNLINK", *part)
                    at += BATCH
                link.close()
            except (OSError, Refused) as error:
                self.follow(error)
                if time.time() > until:
                    raise
                time.sleep(0.05)
        return gone


def main(endpoint: str, port: str, clients: str, wait: str, run: str) -> None:
    """Run the drill's clients."""
    drill = Drill(endpoint, int(port), int(wait), run)
    bodies = [partial(drill.write, n) for n in range(int(clients))]
    play([*bodies, drill.watch], drill.acks, drill.errors, drill.stop)
    said = {"acks": sorted(drill.acks), "errors": sorted(drill.errors), "names": drill.names, "lost": drill.lost()}
    print(json.dumps(said), flush=True)
