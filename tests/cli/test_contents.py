"""What `atoll --help` lists, and in which order."""

import subprocess
import sys

from typer.main import get_command

from atoll.cli.contents import SECTIONS
from atoll.cli.main import app


def atoll(*words):
    return subprocess.run(
        [sys.executable, "-m", "atoll.cli", *words], capture_output=True, text=True, check=True
    ).stdout


def test_every_command_is_in_one_section():
    listed = [name for _, names in SECTIONS for name in names]

    assert sorted(listed) == sorted(get_command(app).commands)


def test_the_help_begins_with_the_first_steps_and_says_what_each_command_does():
    said = atoll("--help")

    places = [said.index(f"\n{title}:\n  {names[0]} ") for title, names in SECTIONS]
    assert places == sorted(places)
    assert "  up            Start Atoll; it prints `Ready.` and where it listens.\n  down " in said


def test_the_version_is_said_as_an_option_too():
    assert atoll("--version") == atoll("version")
    assert atoll("--version").startswith("atoll ")
