"""The commands under `atoll classic`: what each takes.  What they do is in `classic.py`, imported when one runs."""

from typing import Annotated

import typer

classic = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="EC2-Classic, as accounts had it before VPCs: for this account (AWS_ACCESS_KEY_ID) in this region.",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@classic.command()
def enable(json: Json = False) -> None:
    """Give the account EC2-Classic, in the place of its default VPC."""
    from atoll.cli.classic import change

    change(enabled=True, as_json=json)


@classic.command()
def disable(json: Json = False) -> None:
    """Take EC2-Classic away again; nothing may be in it."""
    from atoll.cli.classic import change

    change(enabled=False, as_json=json)


@classic.command()
def show(json: Json = False) -> None:
    """Tell whether the account has EC2-Classic."""
    from atoll.cli.classic import show_mode

    show_mode(as_json=json)
