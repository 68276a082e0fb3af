"""The short way to `atoll up` means what the long way means, and takes only what is plain."""

import inspect
from pathlib import Path

import pytest

from atoll.cli import main, quick
from atoll.cli.up import Start


def test_what_the_daemon_in_the_background_is_given_is_plain():
    start = Start(state=Path("/tmp/x"), port=0, bind="::1", host="paper", keys="required")

    options = quick.read(["up", *start.arguments()])

    assert options == {
        "state": start.state, "port": 0, "bind": "::1", "host": "paper", "keys": "required", "metrics_seconds": 60.0,
        "engine_dir": None, "init": None, "leash": False,
    }  # fmt: skip


def test_the_options_and_their_defaults_are_those_of_the_command():
    declared = {name: it.default for name, it in inspect.signature(main.up).parameters.items() if name != "detach"}

    assert quick.read(["up"]) == declared


@pytest.mark.parametrize(
    "words",
    [
        "",
        "down",
        "up -d",
        "up --help",
        "up --port",
        "up --port=1",
        "up --port four",
        "up --port -1",
        "up extra",
        "up --metrics-seconds 0.5",
        "up --metrics-seconds nan",
        "up --purge yes",
        "--endpoint http://127.0.0.1:1 up",
    ],
)
def test_anything_else_is_left_to_the_whole_command_line(words):
    assert quick.read(words.split()) is None
