"""The commands under `atoll chaos`: what each takes.  What they do is in `chaos.py`, imported when one runs."""

from typing import Annotated

import typer

chaos = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Break hosts, racks, zones and links on purpose, and mend them again.",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Seconds = Annotated[float | None, typer.Option("--for", metavar="SECONDS", help="Revert it after so many seconds.")]


@chaos.command(name="kill-host")
def kill_host(
    target: Annotated[str, typer.Argument(metavar="HOST", help="A host, or a machine that stands there.")],
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """End what stands on a host, as when its power fails; it boots again when this is reverted."""
    from atoll.cli.chaos import begin

    begin("kill-host", target, seconds, as_json=json)


@chaos.command(name="kill-rack")
def kill_rack(
    target: Annotated[str, typer.Argument(metavar="RACK", help="A rack, or a machine that stands in it.")],
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """End what stands in a rack."""
    from atoll.cli.chaos import begin

    begin("kill-rack", target, seconds, as_json=json)


@chaos.command(name="kill-zone")
def kill_zone(
    target: Annotated[str, typer.Argument(metavar="ZONE", help="A zone, such as us-east-1a.")],
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """End what stands in a zone, of all accounts."""
    from atoll.cli.chaos import begin

    begin("kill-zone", target, seconds, as_json=json)


@chaos.command(name="partition-zone")
def partition_zone(
    target: Annotated[str, typer.Argument(metavar="ZONE", help="A zone, such as us-east-1a.")],
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """Drop every packet between a zone and other zones; everything runs on."""
    from atoll.cli.chaos import begin

    begin("partition-zone", target, seconds, as_json=json)


@chaos.command(name="partition-instance")
def partition_instance(
    target: Annotated[str, typer.Argument(metavar="INSTANCE", help="An instance: id, name or address.")],
    seconds: Seconds = None,
    json: Json = False,
) -> None:
    """Drop every packet from and to an instance; it runs on."""
    from atoll.cli.chaos import begin

    begin("partition-instance", target, seconds, as_json=json)


@chaos.command(name="list")
def list_faults(json: Json = False) -> None:
    """Show what is broken, until when, and what it hits."""
    from atoll.cli.chaos import listed

    listed(as_json=json)


@chaos.command()
def revert(
    fault: Annotated[str | None, typer.Argument(metavar="FAULT", help="Its id: `atoll chaos list`.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Revert all of them.")] = False,
    json: Json = False,
) -> None:
    """Mend what was broken: what ran there boots again."""
    from atoll.cli.chaos import revert

    revert(fault, every=every, as_json=json)
