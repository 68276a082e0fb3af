"""Run the clients of a drill in an instance's network."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from atoll.cli.drill_link import HOW_MANY
from atoll.cli.failure import Failure

LOOK_SECONDS = 0.01
# -I and -S: neither the environment nor site-packages decide what the program imports.
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from atoll.cli.{} import main; main(*sys.argv[2:])"


def command(instance: str, program: str, *words: str) -> list[str]:
    """Return what runs a module of ours, `drill_writer` or `drill_cluster_writer`, in an instance's network."""
    root = str(Path(__file__).parents[2])
    run = [sys.executable, "-m", "atoll.cli", "run", "--in", instance, "--"]
    return [*run, sys.executable, "-I", "-S", "-c", _PROGRAM.format(program), root, *words]


class Clients:
    """Clients that write."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        """Speak with them."""
        self._stdin, self._stdout = stdin, stdout

    def go_on(self, seconds: float) -> bool:
        """Wait until one of them has written once more; tells whether that was within so many seconds."""
        until, before = time.time() + seconds, self._ask(HOW_MANY)
        while self._ask(HOW_MANY) == before:
            if time.time() > until:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def end(self) -> dict[str, Any]:
        """Have them end, and return what they wrote down.  Raises Failure."""
        said: dict[str, Any] = self._ask("")
        return said

    def _ask(self, line: str) -> Any:
        self._stdin.write(f"{line}\n")
        self._stdin.flush()
        if not (answer := self._stdout.readline()):
            raise Failure("the clients ended without a word", "run the drill again")
        return json.loads(answer)


@contextmanager
def writing(instance: str, program: str, *words: str, tls: bool, library: str | None = None) -> Iterator[Clients]:
    """Have clients write in an instance's network, from the first acknowledgement on.  Raises Failure.

    `library`: by the client of redis-py ("redis") or valkey-py ("valkey"), as this installation has it.
    """
    environment = os.environ | ({"DRILL_TLS": "yes"} if tls else {})
    if library:
        environment["DRILL_LIBRARY"] = _place_of(library)
    asked, pipe = command(instance, program, *words), subprocess.PIPE
    with subprocess.Popen(asked, stdin=pipe, stdout=pipe, text=True, env=environment) as writer:
        assert writer.stdin
        assert writer.stdout
        try:
            if (first := writer.stdout.readline().strip()) != "ready":
                raise Failure(f"the clients in {instance} could not write: {first}", "`atoll status` shows what runs")
            yield Clients(writer.stdin, writer.stdout)
        finally:
            writer.kill()


def _place_of(library: str) -> str:
    found = importlib.util.find_spec(library)
    if found is None or not found.submodule_search_locations:
        step = f"{sys.executable} -m pip install {library}"
        raise Failure(f"this installation has no Python package {library}", step)
    return found.submodule_search_locations[0]
