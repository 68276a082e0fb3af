"""Become a drill's client in a machine's network, for the daemon: it stands in the keeper's namespaces already.

Its words are PLACE PROGRAM and those of the program; PLACE is the JSON of `/_atoll/machines`.  Python's own library
is all that it needs.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from atoll.cli.enter import in_network, place_of

_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from atoll.cli.{} import main; main(*sys.argv[2:])"


def main(place: str, program: str, *words: str) -> None:
    """Enter the network and run `drill_writer` there."""
    there = place_of(json.loads(place))
    if os.stat(f"/proc/{there.keeper}/ns/user").st_ino == os.stat("/proc/self/ns/user").st_ino:
        there = replace(there, rootless=False)  # nobody enters the user namespace that he is in
    root = str(Path(__file__).parents[2])
    in_network(there)([sys.executable, "-I", "-S", "-c", _PROGRAM.format(program), root, *words])
