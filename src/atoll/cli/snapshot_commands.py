"""`atoll snapshot`: what each of its subcommands takes; `atoll backup` and `atoll restore` are the same."""

from pathlib import Path
from typing import Annotated

import typer

snapshot = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keep the whole world in one file, with all data, or bring it back.",
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file.")]
NoData = Annotated[bool, typer.Option("--no-data", help="Only resources: no data of caches, no disks.")]
Replace = Annotated[bool, typer.Option("--replace", help="End and forget what is here, if there is anything.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@snapshot.command(name="save")
def save(file: File, no_data: NoData = False, json: Json = False) -> None:
    """Save the world: every resource, the data of caches, the disks of instances."""
    from atoll.cli import snapshot

    snapshot.save(file, whole=not no_data, as_json=json)


@snapshot.command(name="load")
def load(file: File, replace: Replace = False, json: Json = False) -> None:
    """Load a world that was saved, in place of the one that is here."""
    from atoll.cli import snapshot

    snapshot.load(file, replace=replace, as_json=json)


def add_to(app: typer.Typer) -> None:
    """Add the group, and the names under which backups are looked for."""
    app.add_typer(snapshot, name="snapshot")
    app.command(name="backup", help="The same as `atoll snapshot save`.")(save)
    app.command(name="restore", help="The same as `atoll snapshot load`.")(load)
