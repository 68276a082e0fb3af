"""`atoll quota`: what each of its subcommands takes."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
quotas = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


@quotas.command(name="list")
def list_quotas(json: Json = False) -> None:
    """Show the quotas, with AWS's first values."""
    from atoll.cli.quota import list_quotas

    list_quotas(as_json=json)


@quotas.command(name="set")
def set_quota(
    code: Annotated[str, typer.Argument(help="A quota, by AWS's code; or all of them: all.")],
    value: Annotated[str, typer.Argument(help="A number; aws: AWS's first value; default: what Atoll starts with.")],
) -> None:
    """Set a quota; the next call obeys it."""
    from atoll.cli.quota import set_quota

    set_quota(code, value)
