"""A client that writes in a node's own network, whatever the node is cut off from, and notes when it was accepted."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import itertools, socket, sys, time

for key in itertools.cycle(sys.argv[2:]):
    try:
        with socket.create_connection((sys.argv[1], 6379), 0.5) as link:
            while True:
                begun = time.time()
                link.sendall(f"SET {key} local\\r\\n".encode())
                if link.recv(200) != b"+OK\\r\\n":
                    break
                print(begun, time.time(), flush=True)
                time.sleep(0.002)
    except OSError:
        pass
    time.sleep(0.005)
"""


class LocalWriter:
    """Writes to one node, until it is stopped: of several keys one whose slot the node has."""

    def __init__(self, pid: int, address: str, keys: list[str], place: Path):
        self._place = place
        command = ["nsenter", "-t", str(pid), "-n", sys.executable, "-c", PROGRAM, address, *keys]
        with place.open("w") as file:
            self._process = subprocess.Popen(command, stdout=file)

    def accepted(self) -> list[tuple[float, float]]:
        """Return when each write was begun, and acknowledged."""
        lines = [line.split() for line in self._place.read_text().splitlines()]
        return [(float(line[0]), float(line[1])) for line in lines if len(line) == 2]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
