"""The commands under `atoll drill`: what each takes.  What they do is in `drill.py`, imported when one runs."""

from typing import Annotated, Any

import typer

drill = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Rehearse what must work when something fails, with clients that write meanwhile.",
)

Clients = Annotated[int, typer.Option(min=1, max=64, help="How many write at once.")]
Source = Annotated[
    str | None, typer.Option("--from", metavar="INSTANCE", help="Where they run [one that may talk to the cache].")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@drill.callback()
def main() -> None:
    """Rehearse what must work when something fails, with clients that write meanwhile."""


@drill.command()
def failover(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="A replication group.")],
    fault: Annotated[str, typer.Option(help="kill, hang, partition or planned; with --rounds also all.")] = "kill",
    clients: Clients = 2,
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="How long they write after the fault.")] = 3.0,
    wait: Annotated[int, typer.Option(min=0, max=5, help="Replicas that must have a write: WAIT.")] = 0,
    rounds: Annotated[int, typer.Option(min=1, max=10_000, help="How often; more than once prints sums.")] = 1,
    library: Annotated[str | None, typer.Option(help="Write by redis-py (redis) or valkey-py (valkey).")] = None,
    source: Source = None,
    json: Json = False,
) -> None:
    """Lose a group's primary, and say how long nobody could write and what is gone of what was acknowledged."""
    from atoll.cli import drill, drill_rounds

    how: dict[str, Any] = {"clients": clients, "wait": wait, "source": source, "library": library, "as_json": json}
    if rounds > 1:
        faults = drill_rounds.FAULTS if fault == "all" else (fault,)
        raise typer.Exit(drill_rounds.rounds(group, count=rounds, faults=faults, **how))
    raise typer.Exit(drill.failover(group, fault=fault, seconds=seconds, **how))


@drill.command()
def reshard(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="A replication group in cluster mode.")],
    shards: Annotated[int, typer.Option(min=1, max=90, help="How many shards it is to have; the last ones go.")],
    clients: Clients = 2,
    source: Source = None,
    json: Json = False,
) -> None:
    """Change a group's shards, and say what clients saw that write meanwhile, and what is gone of it."""
    from atoll.cli.drill_reshard import reshard

    raise typer.Exit(reshard(group, shards=shards, clients=clients, source=source, as_json=json))
