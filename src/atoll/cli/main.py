"""The command `atoll`: what each subcommand takes.  What it does is in the module of its name.

Those modules are imported when their command runs, so that `atoll --help` answers at once.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from atoll.cli.chaos_commands import chaos
from atoll.cli.classic_commands import classic
from atoll.cli.contents import Contents, say_version
from atoll.cli.drill_commands import drill
from atoll.cli.entry_commands import register as register_entries
from atoll.cli.failure import exit_code
from atoll.cli.keys_commands import keys
from atoll.cli.learn_commands import learn
from atoll.cli.quota_commands import quotas
from atoll.cli.recipe_commands import register as register_recipes
from atoll.cli.snapshot_commands import add_to as add_snapshot
from atoll.cli.twin_commands import register as register_twin

CONTEXT = {"help_option_names": ["-h", "--help"]}
# After the place, everything belongs to the command: `atoll exec i-1 ls -l` needs no `--`.
TAKES_COMMAND = {"allow_interspersed_args": False}

app = typer.Typer(
    cls=Contents,
    no_args_is_help=True,
    add_completion=False,  # `atoll completion` knows the names of what there is, and is faster
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
    help="Amazon ElastiCache and the Amazon VPC around it, on this machine: real caches, real packets, the real API.",
)
app.add_typer(chaos, name="chaos")
app.add_typer(drill, name="drill")
app.add_typer(classic, name="classic")
app.add_typer(learn, name="learn")
register_recipes(app)
register_entries(app)
register_twin(app)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
State = Annotated[Path | None, typer.Option("--state", metavar="DIR", help="Where to keep the state [ATOLL_STATE].")]
User = Annotated[str, typer.Option("--user", "-u", help="The user to be.")]


@app.callback()
def options(
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Where Atoll listens [ATOLL_ENDPOINT; else as its state says].")
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take what holds for every command."""
    if endpoint:
        os.environ["ATOLL_ENDPOINT"] = endpoint


@app.command()
def up(
    detach: Annotated[bool, typer.Option("-d", "--detach", help="Run in the background, with a log file.")] = False,
    port: Annotated[int, typer.Option(help="The port of the API; 0: any free one.")] = 4566,
    bind: Annotated[
        str, typer.Option(help="The address of the API; others than loopback need --keys required.")
    ] = "127.0.0.1",
    state: State = None,
    host: Annotated[
        str, typer.Option("--mode", "--host", help="auto, root, rootless, flat (no namespaces), paper (nothing runs)")
    ] = "auto",
    keys: Annotated[
        str, typer.Option(help="local: any key may call; required: only keys that Atoll issued.")
    ] = "local",
    metrics_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=1.0, help="The time between samples of metrics.")
    ] = 60.0,
    engine_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where other cache engines are [ATOLL_ENGINES].")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Scripts to run: boot.d, start.d, ready.d, shutdown.d [/etc/atoll/init]."),
    ] = None,
    leash: Annotated[
        bool, typer.Option("--leash", help="End when standard input does, and leave nothing, not even the state.")
    ] = False,
) -> None:
    """Start Atoll; it prints `Ready.` and where it listens."""
    from atoll.cli import up as life

    life.up_as_asked(
        detach=detach,
        port=port,
        bind=bind,
        state=state,
        host=host,
        keys=keys,
        metrics_seconds=metrics_seconds,
        engine_dir=engine_dir,
        leash=leash,
        init=init,
    )


@app.command()
def down(
    purge: Annotated[bool, typer.Option(help="End every instance and node, and remove the state.")] = False,
    state: State = None,
) -> None:
    """Stop Atoll; instances and nodes go on running unless --purge."""
    from atoll.cli import up as life

    named = os.environ.get("ATOLL_STATE")
    life.down(purge=purge, meant=state or (Path(named) if named else None))


@app.command()
def console(
    opens: Annotated[bool, typer.Option("--open", help="Open it in the browser too.")] = False,
) -> None:
    """Print a link into the web console, good once."""
    from atoll.cli.console import console

    console(opens=opens)


@app.command()
def status(
    json: Json = False,
    drops: Annotated[
        bool, typer.Option("--drops", help="Show what the network refused, how often, and because of which rule.")
    ] = False,
) -> None:
    """Show what there is and whether it is well."""
    from atoll.cli import status

    (status.drops if drops else status.status)(as_json=json)


@app.command()
def env(shell: Annotated[str, typer.Option(help="sh, bash, zsh or fish.")] = "sh") -> None:
    """Print the variables for AWS tools: eval "$(atoll env)"."""
    from atoll.cli.environment import exports, wants_keys

    print(exports(shell))
    if wants_keys():
        print('Only keys that were made here may call: eval "$(atoll keys create)"', file=sys.stderr)


@app.command()
def doctor(json: Json = False) -> None:
    """Say what this machine lacks, and how to mend it."""
    from atoll.cli.doctor import doctor

    raise typer.Exit(doctor(as_json=json))


@app.command(name="exec", context_settings=TAKES_COMMAND)
def execute(
    instance: Annotated[str, typer.Argument(help="An instance: id, name or address.")],
    command: Annotated[list[str] | None, typer.Argument(help="What to run; without it, a shell.")] = None,
    user: User = "root",
) -> None:
    """Run a command inside an instance."""
    from atoll.cli import machines

    words = command or []
    machines.execute(instance, words[1:] if words[:1] == ["--"] else words, user)


@app.command()
def ssh(
    instance: Annotated[str, typer.Argument(help="An instance: id, name or address.")],
    command: Annotated[list[str] | None, typer.Argument(help="What to run there; without it, a shell.")] = None,
    key: Annotated[str | None, typer.Option("-i", "--key", help="The private key.")] = None,
    source: Annotated[
        str, typer.Option("--as", metavar="ADDRESS", help="The internet client to be.")
    ] = "198.51.100.27",
    user: Annotated[
        str | None, typer.Option("--user", "-u", help="The user to be; else the image's: ec2-user, or ubuntu.")
    ] = None,
) -> None:
    """Log in to an instance from the internet, or, if it has no public address, from its own network."""
    from atoll.cli import machines

    machines.ssh(instance, key=key, source=source, user=user, command=command or [])


@app.command(context_settings=TAKES_COMMAND)
def run(
    command: Annotated[list[str], typer.Argument(help="What to run.")],
    inside: Annotated[
        str | None, typer.Option("--in", metavar="INSTANCE", help="In this instance's network.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--as", metavar="ADDRESS", help="As this internet client; `outside`: the usual one.")
    ] = None,
) -> None:
    """Run a command of this machine, with your files, in another network."""
    from atoll.cli import machines

    machines.run(command, inside=inside, source=source)


@app.command()
def trace(
    source: Annotated[str, typer.Argument(metavar="FROM", help="An instance, a node or an address.")],
    target: Annotated[str, typer.Argument(metavar="TO:PORT", help="The same, and a port.")],
    protocol: Annotated[str, typer.Option(help="tcp, udp or icmp.")] = "tcp",
    json: Json = False,
) -> None:
    """Say what each layer of the network does with a packet, and which rule decides."""
    from atoll.cli.trace import trace

    raise typer.Exit(trace(source, target, protocol, as_json=json))


@app.command()
def why(
    source: Annotated[str, typer.Argument(metavar="FROM", help="An instance, a node or an address.")],
    target: Annotated[str, typer.Argument(metavar="TO[:PORT]", help="The same, or a DNS name; a cache has a port.")],
    protocol: Annotated[str, typer.Option(help="tcp, udp or icmp.")] = "tcp",
    tls: Annotated[bool, typer.Option("--tls", help="The client speaks TLS.")] = False,
    auth: Annotated[bool, typer.Option("--auth", help="The client has a password.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Run what mends it, and ask again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Run it without asking.")] = False,
    json: Json = False,
) -> None:
    """Say everything that keeps FROM from reaching TO: AWS's rules, names, the machines' own, and what mends it."""
    from atoll.cli.why import why

    question = {"from": source, "to": target, "protocol": protocol, "tls": tls, "auth": auth}
    raise typer.Exit(why(question, as_json=json, apply=apply, yes=yes))


@app.command(name="map")
def draw_map(
    vpc: Annotated[str | None, typer.Argument(metavar="[VPC]", help="A VPC: id or name [the only one].")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it there.")] = None,
    live: Annotated[bool, typer.Option("--live", help="With what passes now, and what was refused.")] = False,
    json: Json = False,
) -> None:
    """Draw the map of a VPC: `atoll map > vpc.svg`."""
    from atoll.cli.map import draw

    draw(vpc, output=output, live=live, as_json=json)


@app.command()
def activity(
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    writes: Annotated[bool, typer.Option("--writes", help="Only calls that change something.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only calls that were refused.")] = False,
    json: Json = False,
) -> None:
    """Show the newest calls of the API: who, when, what with which parameters, and what came of it."""
    from atoll.cli.activity import activity

    activity(follow=follow, writes=writes, failed=failed, as_json=json)


@app.command()
def capture(
    place: Annotated[str, typer.Argument(help="An instance, a cache node or an interface: id, name or address.")],
    write: Annotated[
        str | None, typer.Option("-w", "--write", metavar="FILE", help="Write a pcap file; -: to standard output.")
    ] = None,
    filter: Annotated[
        str | None, typer.Option("-f", "--filter", metavar="FILTER", help="As tcpdump takes it: 'tcp port 6379'.")
    ] = None,
    count: Annotated[int | None, typer.Option("-c", "--count", min=1, help="End after so many packets.")] = None,
) -> None:
    """Capture what passes an interface, until Ctrl-C."""
    from atoll.cli.capture import capture

    raise typer.Exit(capture(place, to=write, filter=filter, count=count))


@app.command()
def ca() -> None:
    """Print the certificate that vouches for caches with TLS and for HTTPS endpoints."""
    from atoll.cli.ca import authority

    typer.echo(authority(), nl=False)


@app.command()
def usage(json: Json = False) -> None:
    """Show how much network NAT gateways, instances and caches have used."""
    from atoll.cli.usage import usage

    usage(as_json=json)


@app.command(name="flow-logs")
def flow_logs(
    log: Annotated[
        str | None, typer.Argument(metavar="[LOG]", help="A flow log, or the VPC, subnet or interface that has it.")
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    flush: Annotated[bool, typer.Option("--flush", help="End the windows now, not when they are over.")] = False,
    json: Json = False,
) -> None:
    """Print the records of flow logs."""
    from atoll.cli.flow_logs import flow_logs

    flow_logs(log, follow=follow, flush=flush, as_json=json)


@app.command()
def reach(
    matrix: Annotated[bool, typer.Option("--matrix", help="Print who can reach what (the default).")] = False,
    vpc: Annotated[str | None, typer.Option(help="Only this VPC, by id or name.")] = None,
    port: Annotated[
        list[int] | None, typer.Option(metavar="N", min=1, max=65535, help="Only this port; may be repeated.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the world in a file, to compare later.")
    ] = None,
    diff: Annotated[
        tuple[str, str] | None, typer.Option(metavar="BEFORE AFTER", help="Compare: `live`, or a saved file.")
    ] = None,
    commands: Annotated[
        list[str] | None, typer.Option("--with", metavar="COMMAND", help="Compare with the world after this command.")
    ] = None,
    style: Annotated[str, typer.Option("--format", help="table, json, markdown or sarif.")] = "table",
    json: Json = False,
) -> None:
    """Say who can reach what, and what a change opens or closes: exit code 1 if a path has opened."""
    from atoll.cli.failure import Failure
    from atoll.cli.reach import Asked, reach

    if matrix and (diff or commands or save):
        raise Failure("--matrix prints; --diff, --with and --save do something else", "give one of them", 2)
    asked = Asked(
        vpc=vpc, ports=port or (), style="json" if json else style, save=save, sides=diff, commands=commands or ()
    )
    raise typer.Exit(reach(asked))


@app.command()
def wait(seconds: Annotated[float, typer.Option(help="Give up after so many seconds.")] = 30.0) -> None:
    """Wait until Atoll answers."""
    from atoll.cli import up as life

    life.wait(seconds)


@app.command()
def reset() -> None:
    """Remove every resource of every account; Atoll goes on running."""
    from atoll.cli import private, show

    with show.progress("Removing everything"):
        private.post("/_atoll/reset")
    show.line("Empty.")


@app.command()
def demo(
    engine: Annotated[
        list[str] | None, typer.Option(help="memcached, valkey or redis; may be repeated [memcached and valkey].")
    ] = None,
    keep: Annotated[bool, typer.Option(help="Leave the world standing, and say how to use it.")] = False,
    here: Annotated[bool, typer.Option(help="Use the Atoll that runs already; it must be empty.")] = False,
    json: Json = False,
) -> None:
    """Play the documented scenario "Accessing your ElastiCache cluster" for real, and check every claim."""
    from atoll.cli.demo.play import play

    raise typer.Exit(play(tuple(engine or ("memcached", "valkey")), keep=keep, here=here, as_json=json))


@app.command()
def version() -> None:
    """Print the version."""
    say_version(True)


app.add_typer(keys, name="keys", help="Access keys, for callers that must have one: atoll up --keys required.")
app.add_typer(quotas, name="quota", help="Show or set how much an account may have in a region.")
add_snapshot(app)


def main() -> int:
    """Run the command line."""
    return exit_code(app)
