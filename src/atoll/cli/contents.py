"""The order in which `atoll --help` lists the commands: by what people want, the first steps first."""

from typing import Any  # for click, which typer brings in itself or takes from outside, by its version

import typer
from typer.core import TyperGroup

SECTIONS = (
    ("Begin", ("up", "down", "status", "console", "env", "doctor", "wait", "reset", "version")),
    ("Get in", ("exec", "ssh", "run", "port-forward", "profile", "keys", "ca", "completion")),
    ("Ask", ("why", "trace", "reach", "map", "activity", "capture", "usage", "flow-logs")),
    ("Learn and rehearse", ("learn", "demo", "drill", "chaos")),
    ("Worlds", ("apply", "export", "import", "snapshot", "backup", "restore", "quota", "classic")),
)


class Contents(TyperGroup):
    """The commands, in sections."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, in the order of SECTIONS."""
        order = [name for _, names in SECTIONS for name in names]
        return sorted(super().list_commands(ctx), key=order.index)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the list of commands."""
        longest = max(len(name) for _, names in SECTIONS for name in names)
        for title, names in SECTIONS:
            commands = [(name, self.commands[name]) for name in names]
            room = formatter.width - longest - 6  # the margin, and the gap between the columns
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(longest), command.get_short_help_str(room)) for name, command in commands]
                )


def say_version(asked: bool) -> None:
    """Print the version, and end, if that was asked for."""
    if asked:
        from importlib.metadata import version

        print(f"atoll {version('atoll')}")
        raise typer.Exit
