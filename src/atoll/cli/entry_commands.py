"""The commands that lead into a world from this machine: `port-forward`, `profile`."""

from typing import Annotated

import typer

profile = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command(name="port-forward")(port_forward)
    app.command()(completion)
    app.add_typer(profile, name="profile", help="A profile `atoll` for AWS tools, in ~/.aws.")


def port_forward(
    targets: Annotated[list[str], typer.Argument(metavar="[PORT:]TARGET[:PORT]...", help="A cache, a host, a name.")],
    source: Annotated[
        str | None, typer.Option("--from", metavar="PLACE", help="An instance, a subnet or an internet client.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Lead ports of this machine to places as an instance sees them, until Ctrl-C."""
    from atoll.cli.forward import port_forward

    raise typer.Exit(port_forward(targets, source=source, as_json=json))


def completion(shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print a script that completes commands, options and the names of what there is."""
    from atoll.cli.completion_scripts import script

    print(script(shell), end="")


@profile.command()
def install() -> None:
    """Write the profile: `aws --profile atoll ...`, `AWS_PROFILE=atoll terraform apply`."""
    from atoll.cli.profile import install

    install()


@profile.command()
def remove() -> None:
    """Take the profile out again, and leave everything else as it is."""
    from atoll.cli.profile import remove

    remove()
