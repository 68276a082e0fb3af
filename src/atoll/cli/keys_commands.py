"""`atoll keys`: what each of its subcommands takes."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
keys = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


@keys.command(name="list")
def list_keys(json: Json = False) -> None:
    """Show the access keys of all accounts, without their secrets."""
    from atoll.cli.keys import list_keys

    list_keys(as_json=json)


@keys.command()
def create(
    account: Annotated[str | None, typer.Option(help="Whose, by its 12 digits [else the environment's].")] = None,
    user: Annotated[str, typer.Option(help="The user's name, which the account's answers show [else root].")] = "",
    shell: Annotated[str, typer.Option(help="sh, bash, zsh or fish.")] = "sh",
    json: Json = False,
) -> None:
    """Make a key and print it, once, as the variables for AWS tools: eval "$(atoll keys create)"."""
    from atoll.cli.keys import create

    create(account, user, shell, as_json=json)


@keys.command()
def delete(key: Annotated[str, typer.Argument(help="A key, by its id: AKIA...")]) -> None:
    """Delete a key: the next call with it is refused."""
    from atoll.cli.keys import delete

    delete(key)
