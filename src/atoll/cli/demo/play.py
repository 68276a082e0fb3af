"""Play the scenario from the first call to the last check, on a daemon of its own unless told otherwise."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from atoll.cli import private, show
from atoll.cli.demo import authorize, forward, nat, world
from atoll.cli.demo.facts import CLIENT, ELASTIC_IP, ENGINES, Engine
from atoll.cli.demo.stage import Stage
from atoll.cli.doctor import missing_from_kernel, no_kernel
from atoll.cli.failure import REFUSED, Failure
from atoll.cli.purge import remove

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 30.0
LOOK_EVERY_SECONDS = 0.02


def play(names: Sequence[str], *, keep: bool, here: bool, as_json: bool) -> int:
    """Play it for each engine in turn; returns 0 if every check passed."""
    unknown = [name for name in names if name not in ENGINES]
    if unknown:
        raise Failure(f"{unknown[0]!r} is not an engine", "use --engine with one of: " + ", ".join(ENGINES), 2)
    engines = [ENGINES[name] for name in names]
    began = time.monotonic()
    with _running_daemon(keep=keep) if here else _own_daemon(keep=keep) as directory:
        stage = Stage(quiet=as_json)
        for engine in engines:
            _play(stage, engine, directory, leave=keep and engine is engines[-1])
        seconds = time.monotonic() - began
        _report(stage, seconds, as_json=as_json)
        if keep and not as_json:
            _say_how_to_use(engines[-1], directory)
    return 0 if stage.checks and all(check.passed for check in stage.checks) else REFUSED


def _play(stage: Stage, engine: Engine, directory: Path, *, leave: bool) -> None:
    scene = world.build(stage, directory)
    authorize.create(stage, scene, engine)
    authorize.authorize(stage, scene, engine)
    instance = nat.create(stage, scene, engine)
    nat.verify(stage, scene, engine)
    forward.forward(stage, scene, engine, instance)
    forward.connect(stage, scene, engine, instance)
    forward.save(stage, engine, instance)
    if not leave:
        stage.chapter(f"Taking the {engine.title} world away again")
        stage.clean_up()


@contextmanager
def _running_daemon(*, keep: bool) -> Iterator[Path]:
    """Use the daemon at the endpoint; gives a directory for the key.  Raises Failure if it runs nothing."""
    _must_be_real(private.get("/_atoll/health")["mode"])
    directory = Path(tempfile.mkdtemp(prefix="atoll-demo-"))
    try:
        yield directory
    except (BotoCoreError, ClientError) as error:
        raise Failure(
            f"the demo stopped: {error}", "`atoll status` shows what it left; `atoll reset` removes it"
        ) from None
    finally:
        if not keep:
            shutil.rmtree(directory)


@contextmanager
def _own_daemon(*, keep: bool) -> Iterator[Path]:
    """Start a daemon on a free port with a state directory of its own; end and remove both, unless asked to keep.

    Gives the state directory.
    """
    state = Path(tempfile.mkdtemp(prefix="atoll-demo-"))
    port = _free_port()
    os.environ["ATOLL_ENDPOINT"] = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "atoll.cli", "up", "--port", str(port), "--state", str(state)]
    log = state / "atoll.log"
    with log.open("wb") as out:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        with show.progress("Starting Atoll"):
            _wait_for(daemon, log)
        yield state
    except (BotoCoreError, ClientError) as error:
        said = log.read_text(errors="replace")
        _end(daemon, state)
        raise Failure(
            f"the demo stopped: {error}; the daemon said:\n{said}", "`atoll doctor` says what is missing"
        ) from None
    except BaseException:
        _end(daemon, state)
        raise
    if not keep:
        _end(daemon, state)


def _wait_for(daemon: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not private.is_running():
        if daemon.poll() is not None:
            said = log.read_text(errors="replace").strip()
            raise Failure(f"Atoll did not start:\n{said}", "`atoll doctor` says what is missing", daemon.returncode)
        if time.monotonic() > deadline:
            raise Failure(f"Atoll did not answer within {START_SECONDS_MAX:g} s", f"its log is {log}")
        time.sleep(LOOK_EVERY_SECONDS)
    _must_be_real(private.get("/_atoll/health")["mode"])


def _must_be_real(mode: str) -> None:
    if mode not in ("flat", "paper"):
        return
    refusal = f"the demo sends real packets, and there are none on the {mode} host"
    if missing_from_kernel():
        raise no_kernel(refusal)
    raise Failure(refusal, "this machine can do better: `atoll up` without --mode", REFUSED)


def _end(daemon: "subprocess.Popen[bytes]", state: Path) -> None:
    if daemon.poll() is None:
        private.post("/_atoll/stop", {"purge": True})
        try:
            daemon.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            raise Failure("Atoll did not end", f"its log is {state}/atoll.log") from None
    remove(state)


def _report(stage: Stage, seconds: float, *, as_json: bool) -> None:
    passed = sum(check.passed for check in stage.checks)
    if as_json:
        checks = [asdict(check) for check in stage.checks]
        show.as_json(
            {"passed": passed, "failed": len(checks) - passed, "seconds": round(seconds, 1), "checks": checks}
        )
        return
    show.line()
    rows = [("✓" if c.passed else "✗", c.rows, c.claim, c.proof) for c in stage.checks]
    show.table("What was checked", ("", "row", "claim", "proof"), rows, wrap=True)
    show.line()
    style = "bold green" if passed == len(rows) else "bold red"
    show.line(f"{passed} of {len(rows)} checks passed in {seconds:.0f} s.", style)


def _say_how_to_use(engine: Engine, directory: Path) -> None:
    port = engine.forwarded[0]
    show.line()
    show.line("The world is left standing. To use it:")
    show.line(f'  export ATOLL_ENDPOINT={private.endpoint()}; eval "$(atoll env)"')
    show.line("  atoll status")
    show.line("  atoll exec nat -- iptables -t nat -S")
    show.line(f"  atoll ssh nat -i {directory / world.KEY_FILE}")
    show.line(f"  atoll run --as {CLIENT} -- telnet {ELASTIC_IP} {port}")
    show.line(f"  atoll trace {CLIENT} {ELASTIC_IP}:{port}")
    show.line("  atoll down --purge        # ends it and leaves nothing behind")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
