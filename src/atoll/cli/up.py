"""`atoll up`, `atoll down` and `atoll wait`: the life of the daemon."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from atoll.cli import private, show, whereabouts
from atoll.cli.failure import NOT_RUNNING, Failure
from atoll.cli.purge import purge as purge_installation
from atoll.console.access import key_of, link

HostChoice = Literal["auto", "root", "rootless", "flat", "paper"]
KeysChoice = Literal["local", "required"]
HOSTS, KEYS = get_args(HostChoice), get_args(KeysChoice)
START_SECONDS_MAX = 30.0  # adopting a thousand machines; an empty world takes a quarter of a second
NOTE_SECONDS = 2.0  # for the daemon's note of where it listens; then it is asked, for a full disk has no room for one
STOP_SECONDS_MAX = 150.0  # with --purge every instance and node ends first, then the keeper (host/linux/client.py)
LOOK_EVERY_SECONDS = 0.02
EVERYWHERE = ("0.0.0.0", "::")
LOG_LINES_SHOWN = 12
INIT_DIR = Path("/etc/atoll/init")
METRICS_SECONDS = 60.0  # between samples, as CloudWatch has them of ElastiCache


@dataclass(frozen=True, kw_only=True)
class Start:
    """How to start the daemon."""

    state: Path
    port: int
    bind: str
    host: HostChoice
    keys: KeysChoice
    metrics_seconds: float = METRICS_SECONDS
    leash: bool = False
    init: Path | None = None

    def arguments(self) -> list[str]:
        """Return the same as arguments of `atoll up`."""
        given = ["--port", str(self.port), "--bind", self.bind, "--state", str(self.state), "--host", self.host]
        given += ["--init", str(self.init)] if self.init else []
        return [*given, "--keys", self.keys, "--metrics-seconds", str(self.metrics_seconds)]


def up_as_asked(
    *,
    detach: bool,
    port: int,
    bind: str,
    state: Path | None,
    host: str,
    keys: str,
    metrics_seconds: float = METRICS_SECONDS,
    engine_dir: Path | None = None,
    leash: bool = False,
    init: Path | None = None,
) -> None:
    """Check what was asked for, and start."""
    _look_for_engines(engine_dir)
    if host not in HOSTS:
        raise Failure(f"{host!r} is not a host", "use --mode with one of: " + ", ".join(HOSTS), 2)
    if keys not in KEYS:
        raise Failure(f"{keys!r} is not a way to treat keys", "use --keys with one of: " + ", ".join(KEYS), 2)
    if leash and detach:
        raise Failure("--leash is held by whoever starts Atoll in the foreground", "leave out -d, or --leash", 2)
    start = Start(
        state=(state or whereabouts.default_state()).absolute(),
        port=port,
        bind=bind,
        host=cast(HostChoice, host),
        keys=cast(KeysChoice, keys),
        metrics_seconds=metrics_seconds,
        leash=leash,
        init=_init_of(init, leash=leash),
    )
    if detach:
        up_detached(start)
    else:
        up(start)


def up(start: Start) -> None:
    """Run the daemon in the foreground until it is told to stop."""
    from atoll.options import CannotStart, Lost, Options
    from atoll.start import run

    options = Options(
        state_dir=start.state,
        port=start.port,
        bind=start.bind,
        host=start.host,
        keys=start.keys,
        metrics_seconds=start.metrics_seconds,
        leash=start.leash,
        init_dir=start.init,
    )
    try:
        run(options, lambda url, mode, because: _ready(start, url, mode, because))
    except Lost as lost:
        whereabouts.forget(start.state)
        if start.leash:
            return
        raise Failure(str(lost), "start it again with `atoll up`") from None
    except CannotStart as refusal:
        from atoll.cli.doctor import no_kernel
        from atoll.host.contract import HostError

        if isinstance(refusal.__cause__, HostError):
            raise no_kernel(str(refusal.__cause__)) from None
        raise Failure(str(refusal), "`atoll status` shows what runs, `atoll doctor` what is in the way") from None
    else:
        whereabouts.forget(start.state)
    finally:
        if start.leash and _is_state(start.state):
            purge_installation(start.state)


def up_detached(start: Start) -> None:
    """Start the daemon in the background, with its log in the state directory; returns when it serves."""
    if (there := whereabouts.noted(start.state)) and private.is_running(there):
        show.line(f"Atoll already runs at {there}.")
        return
    _refuse_a_busy_port(start)
    _make(start.state)
    log = start.state / "atoll.log"
    command = [sys.executable, "-m", "atoll.cli", "up", *start.arguments()]
    with log.open("ab") as out:
        begun = os.fstat(out.fileno())
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", start_new_session=True
        )
    with show.progress("Starting Atoll"):
        url = _wait_for_start(daemon, start, log, begun)
    show.line(f"Ready. {url} (process {daemon.pid}, log {log})")
    if url != private.endpoint() and start.state != whereabouts.default_state().absolute():
        show.line(f"Commands find it by: export ATOLL_ENDPOINT={url}")


def _refuse_a_busy_port(start: Start) -> None:
    """Refuse a port at which another state's Atoll answers.  Raises Failure."""
    url = _answers(start)
    if url is None:
        return
    theirs = private.get("/_atoll/status", at=url, **private.whose())["state_dir"]
    raise Failure(
        f"another Atoll serves {url}, with its state in {theirs}", "stop that one, or choose a --port of your own"
    )


def _answers(start: Start) -> str | None:
    """Return the URL at which some Atoll answers on the port that was chosen: it needs no note, on a full disk."""
    url = f"http://{'127.0.0.1' if start.bind in EVERYWHERE else start.bind}:{start.port}"
    return url if start.port and private.is_running(url) else None


def down(*, purge: bool, meant: Path | None) -> None:
    """End the daemon; instances and nodes go on running.  With `purge`, end them too and forget everything.

    `meant`: its state, if it was named; another state's daemon is left alone then.
    """
    state = meant or whereabouts.default_state()
    at, pid = private.endpoint(), whereabouts.holder(state)
    names_state = meant and not os.environ.get("ATOLL_ENDPOINT")
    if meant and names_state:
        at = whereabouts.noted(meant) or at
    if (names_state and not pid) or not private.is_running(at):  # another state's may answer at the usual place
        if pid:
            raise _unheard(state, pid, at)
        if not purge:
            raise Failure(f"Atoll is not running at {at}", "nothing is left to do", NOT_RUNNING)
        if not _is_state(state):
            show.line(f"Nothing to remove: there is no state in {state}.")
            return
        with show.progress("Ending everything"):
            purge_installation(state)
        show.line(f"Nothing is left: no process, no namespace, no state in {state}.")
        return
    seen = private.get("/_atoll/status", at=at, **private.whose())
    if meant and meant.resolve() != Path(seen["state_dir"]).resolve():
        raise Failure(
            f"the Atoll at {at} keeps its state in {seen['state_dir']}, not in {meant}",
            "name the one that is meant, with --endpoint or ATOLL_ENDPOINT",
        )
    kept = Path(seen["state_dir"]).resolve()
    is_ours = kept == state.resolve() or whereabouts.is_kept(kept)
    if purge and _is_state(kept) and not is_ours:  # whoever listens there would choose what we delete
        raise Failure(
            f"{kept}, of which {at} says that it is its state, is not that of a daemon of yours",
            "run the command as the user who started Atoll, or name the state that is meant, with --state",
        )
    with show.progress("Ending everything" if purge else "Stopping Atoll"):
        private.post("/_atoll/stop", {"purge": purge}, at=at)
        _wait_for_end(seen["pid"])
        if purge and is_ours and _is_state(kept):
            there = [Path(seen["namespaces"]).parent] if seen.get("namespaces") else []
            purge_installation(kept, there)  # with what a daemon has left that could not end all, or died meanwhile
    if not purge:
        show.line("Stopped. Instances and nodes go on running; `atoll up` takes them over again.")
        return
    show.line(f"Stopped. Nothing is left: no process, no namespace, no state in {kept}.")


def _unheard(state: Path, pid: int, at: str) -> Failure:
    """Return what to say of a daemon that keeps a state and does not answer where it was asked."""
    there = whereabouts.noted(state)
    if there and there != at and private.is_running(there):
        return Failure(f"the Atoll that keeps {state} listens at {there}, not at {at}", f"ask it: --endpoint {there}")
    return Failure(
        f"Atoll keeps {state} (process {pid}), and does not answer at {at}",
        f"wait, look at {state}/atoll.log, or end it: kill {pid}; instances and nodes go on running",
    )


def wait(seconds: float) -> None:
    """Wait until the daemon answers."""
    deadline = time.monotonic() + seconds
    while not private.is_running():
        if time.monotonic() > deadline:
            raise Failure(
                f"Atoll did not answer at {private.endpoint()} within {seconds:g} s", "start it with `atoll up`", 2
            )
        time.sleep(LOOK_EVERY_SECONDS)
    show.line("Ready.")


def _ready(start: Start, url: str, mode: str, because: str) -> None:
    served = url
    print(f"Ready. {url} (mode {mode}, state in {start.state})", flush=True)
    if url.startswith("https:"):
        print(f"Others trust {start.state}/authority/ca.pem: as AWS_CA_BUNDLE, or curl --cacert", flush=True)
        url = f"http://127.0.0.1:{url.rpartition(':')[2]}" if start.bind in EVERYWHERE else ""
    if start.keys == "required":
        print('Keys: eval "$(atoll keys create --account 111122223333 --user ci)"', flush=True)
    if not url:
        print("The console and all commands of atoll need loopback: --bind 0.0.0.0 serves that, too", flush=True)
    else:
        with contextlib.suppress(OSError):  # a full disk: `atoll console` will say it
            print(f"Console: {link(url, key_of(start.state))} (good once; another: atoll console)", flush=True)
    if because:
        print(because, flush=True)
    whereabouts.note(start.state, url or served)


def _look_for_engines(directory: Path | None) -> None:
    """Have the daemon look for engines in a directory too; None: as the environment says.  Raises Failure."""
    if directory is None:
        return
    if not directory.is_dir():
        raise Failure(f"{directory} is not a directory", "name one with a valkey-server or redis-server in it", 2)
    os.environ["ATOLL_ENGINES"] = str(directory.absolute())


def _init_of(directory: Path | None, *, leash: bool) -> Path | None:
    """Return the directory of scripts: the one named, else the machine's, but not for a program's own daemon."""
    if directory is None:
        return INIT_DIR if INIT_DIR.is_dir() and not leash else None
    if not directory.is_dir():
        raise Failure(f"{directory} is not a directory", "name one with boot.d, start.d or ready.d in it", 2)
    return directory.absolute()


def _make(state: Path) -> None:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"the state directory {state} cannot be made: {error.strerror}", "choose one with --state"
        ) from None


def _wait_for_start(daemon: "subprocess.Popen[bytes]", start: Start, log: Path, begun: os.stat_result) -> str:
    """Return where it serves; `begun`: its log, before it said anything.  Raises Failure."""
    now = time.monotonic()
    note_until, deadline = now + NOTE_SECONDS, now + START_SECONDS_MAX
    while not (url := whereabouts.noted(start.state)):
        if time.monotonic() > note_until and (url := _answers(start)):
            return url
        if daemon.poll() is not None:
            lines = _said(log, begun).splitlines()[-LOG_LINES_SHOWN:]
            print(show.plain("\n".join(lines)), file=sys.stderr)
            raise Failure(
                "Atoll did not start; its last words are above", f"the whole log is {log}", daemon.returncode
            )
        if time.monotonic() > deadline:
            os.killpg(daemon.pid, signal.SIGTERM)
            raise Failure(f"Atoll did not answer within {START_SECONDS_MAX:g} s", f"its log is {log}")
        time.sleep(LOOK_EVERY_SECONDS)
    return url


def _said(log: Path, begun: os.stat_result) -> str:
    """Return what was said since the log was so; the file may have been moved aside, as a full one is."""
    files = [log] if os.path.samestat(log.stat(), begun) else [Path(f"{log}.1"), log]
    said = [file.read_bytes()[begun.st_size if os.path.samestat(file.stat(), begun) else 0 :] for file in files]
    return b"".join(said).decode(errors="replace")


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while os.path.exists(f"/proc/{pid}") and not _is_zombie(pid):
        if time.monotonic() > deadline:
            raise Failure(f"process {pid} did not end within {STOP_SECONDS_MAX:g} s", "look at its log, or kill it")
        time.sleep(LOOK_EVERY_SECONDS)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return True


def _is_state(directory: Path) -> bool:
    """Tell whether a directory is one of Atoll's: nothing else is ever deleted."""
    return (directory / "atoll.db").exists()
