"""The commands that write worlds down, `export`, and make them from what is written, `apply`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(export)
    app.command()(apply)


def export(
    style: Annotated[str, typer.Option("--format", metavar="FORMAT", help="terraform or cli.")] = "terraform",
    account: Annotated[str | None, typer.Option(metavar="ID", help="Whose; 12 digits.")] = None,
    region: Annotated[str | None, typer.Option(help="Where [AWS_REGION].")] = None,
    directory: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write main.tf or make.sh there.")
    ] = None,
    imports: Annotated[
        bool, typer.Option("--import", help="With import blocks: Terraform takes over what is there.")
    ] = False,
) -> None:
    """Write all that an account has in a region as Terraform, or as a script of AWS CLI commands."""
    from atoll.cli.export import export

    export(style, account=account, region=region, directory=directory, imports=imports)


def apply(
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="A YAML file; -: standard input.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what the file made once and names no more.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show each call as an AWS CLI command.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of such files.")] = False,
) -> None:
    """Make the world what a file says: VPCs, groups, instances, caches; nothing when it is that already."""
    from atoll.cli import apply as applying
    from atoll.cli.failure import Failure

    if schema:
        applying.schema()
        return
    if file is None:
        raise Failure("there is no file to apply", "name one: atoll apply FILE.yaml", 2)
    asked = applying.Asked(file=file, dry_run=dry_run, prunes=prune, as_json=json, verbose=verbose, yes=yes)
    raise typer.Exit(applying.apply(asked))
