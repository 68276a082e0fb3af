"""`atoll import`: what it takes."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add it to the command line."""
    app.command(name="import")(bring)


def bring(
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="What `aws ... describe-*` wrote: a file for each command.")
    ] = None,
    commands: Annotated[
        bool, typer.Option("--commands", help="Print the script of AWS CLI commands that fills DIR.")
    ] = False,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="Import into this account instead of the recorded one.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="End and forget what the account has in the region here.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the files, and report.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Rebuild the network of a real account from what the AWS CLI describes of it."""
    from atoll.cli import twin
    from atoll.cli.failure import Failure

    if commands:
        twin.commands()
        return
    if directory is None:
        raise Failure(
            "there is no directory to import", "name one: atoll import DIR; --commands says how to fill it", 2
        )
    twin.bring(twin.Asked(directory=directory, account=account, may_replace=replace, is_trial=dry_run, as_json=json))
