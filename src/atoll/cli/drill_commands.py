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
Library = Annotated[str | None, typer.Option(help="Write by redis-py (redis) or valkey-py (valkey).")]
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
    library: Library = None,
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
def change(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="A replication group.")],
    node_type: Annotated[str | None, typer.Option(help="Another CacheNodeType.")] = None,
    engine: Annotated[str | None, typer.Option(help="valkey, for a group of Redis OSS.")] = None,
    engine_version: Annotated[str | None, typer.Option(help="A newer version.")] = None,
    parameter_group: Annotated[str | None, typer.Option(help="Of the other family or mode, where needed.")] = None,
    cluster_mode: Annotated[str | None, typer.Option(help="compatible, enabled or disabled.")] = None,
    clients: Clients = 2,
    library: Library = None,
    source: Source = None,
    json: Json = False,
) -> None:
    """Change node type, version, engine or cluster mode, and say what clients saw that write meanwhile."""
    from atoll.cli.drill_change import change

    asked = {
        "cache_node_type": node_type,
        "engine": engine,
        "engine_version": engine_version,
        "cache_parameter_group_name": parameter_group,
        "cluster_mode": cluster_mode,
    }
    wish = {name: value for name, value in asked.items() if value}
    code = change(group, wish=wish, clients=clients, source=source, library=library, as_json=json)
    raise typer.Exit(code)


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
