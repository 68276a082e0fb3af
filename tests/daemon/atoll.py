"""A real daemon for tests: a process of its own, on a free port, with a state directory of its own.

    def test_it(atoll):                                   # function-scoped fixture: a fresh daemon, purged afterwards
        ec2 = atoll.client("ec2")
        atoll.cli("exec", instance_id, "true")
        atoll.kill(); atoll.up()                          # kill -9 of the daemon, and adoption

    @pytest.fixture(scope="module")                       # one daemon for many tests: `atoll.reset()` between them
    def shared():
        with running() as atoll:
            yield atoll

`running(mode)` starts it as "root", "rootless" (as root: as uid 65534, which owns its directory), "flat" or "paper";
without a mode, as whatever this user can.  It skips the test, and says why, where that mode is not possible.  At its
end it purges, and then asserts that nothing of the daemon is left: process, namespace, mount, cgroup, directory
(`leftovers`).  Nothing here knows the daemon's insides but where it keeps things: `run_dir`, `state`.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

NOBODY = 65534
START_SECONDS = 30.0
END_SECONDS = 60.0
READY = re.compile(r"^Ready\. (https?://\S+:(\d+)) \(mode (\w+)", re.M)


def own_mode() -> str:
    """Return the mode of this user: tests/kernel does the rest in both, bin/test runs everything as both."""
    return "root" if os.geteuid() == 0 else "rootless"


def until(true: Callable[[], Any], seconds: float = 10.0, what: str = "it") -> Any:
    """Wait until something is true and return it; fail if it does not become so."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.01)
    return found


class Atoll:
    """One installation: its directory, and its daemon when it runs."""

    def __init__(self, mode: str, *, keys: str = "local", bind: str = "127.0.0.1", state: Path | None = None):
        self.mode, self.keys, self.bind = mode, keys, bind
        self.uid = NOBODY if mode == "rootless" and os.geteuid() == 0 else None
        self.place = Path(tempfile.mkdtemp(prefix="atd-", dir="/tmp"))  # short: paths of sockets are
        self.state = state or self.place / "state"
        self.log = self.place / "daemon.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.place / "home"),
            "XDG_RUNTIME_DIR": str(self.place / "runtime"),
            "ATOLL_STATE": str(self.state),
            "ATOLL_ENDPOINT": "http://127.0.0.1:9",  # nobody; never the default, where another Atoll may be
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name in ("home", "runtime"):
            (self.place / name).mkdir(mode=0o700)
        if self.uid is not None:
            for path in (self.place, self.place / "home", self.place / "runtime"):
                os.chown(path, self.uid, self.uid)
        self.port = 0
        self.daemon: subprocess.Popen[bytes] | None = None
        self._holders: dict[tuple[str, str], set[str]] = {}  # processes that were seen in namespaces of ours

    # Life

    def up(self, *more: str, expect: bool = True) -> str:
        """Start the daemon, on the same port as before; returns what it said when it was ready, or (`expect` False)
        when it ended."""
        command = [
            *(sys.executable, "-m", "atoll.cli", "up", "--host", self.mode, "--keys", self.keys),
            *("--bind", self.bind, "--state", str(self.state), "--port", str(self.port), *more),
        ]
        with self.log.open("ab") as log:
            begun = log.tell()
            self.daemon = self.start_process(command, stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while True:
            ended, said = self.daemon.poll() is not None, self.said(begun)
            if ended and not expect:
                return said
            assert not ended, f"the daemon ended with {self.daemon.returncode}:\n{said}"
            if match := READY.search(said):
                assert expect, "the daemon started, and should not have"
                self.port = int(match[2])
                self.environment["ATOLL_ENDPOINT"] = self.environment["AWS_ENDPOINT_URL"] = self.url
                self._note_namespaces()
                return said
            assert time.monotonic() < end, f"the daemon was not ready within {START_SECONDS} s:\n{said}"
            time.sleep(0.005)

    def kill(self) -> None:
        """Kill the daemon, as a crash would."""
        assert self.daemon, "it was started"
        self._note_namespaces()
        self.daemon.kill()
        self.daemon.wait(END_SECONDS)

    def stop(self) -> int:
        """Tell the daemon to end; instances and nodes go on.  Returns its exit status."""
        assert self.daemon, "it was started"
        self._note_namespaces()
        self.daemon.terminate()
        return self.daemon.wait(END_SECONDS)

    def reset(self) -> float:
        """Remove every resource; returns how many seconds it took."""
        begun = time.perf_counter()
        self.post("/_atoll/reset")
        return time.perf_counter() - begun

    def purge(self) -> None:
        """End everything, whatever state it is in, by `atoll down --purge`."""
        self._note_namespaces()
        if self.daemon and self.daemon.poll() is None and not self._answers():
            self.daemon.kill()
            self.daemon.wait(END_SECONDS)
        if self.state.exists():
            self.cli("down", "--purge", "--state", str(self.state), timeout=END_SECONDS)
        if self.daemon:
            self.daemon.wait(END_SECONDS)

    def purge_running(self) -> None:
        """Purge, and do not mind a state directory that cannot be deleted: it is a mount."""
        self.cli("down", "--purge", ok=False)
        assert self.daemon
        self.daemon.wait(END_SECONDS)

    def _answers(self) -> bool:
        try:
            return bool(self.get("/_atoll/health"))
        except OSError:
            return False

    # Talking to it

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def run_dir(self) -> Path:
        """Where sockets, namespaces and nodes are."""
        return Path(self.status()["namespaces"]).parent

    def client(self, service: str, *, account: str = "test", secret: str = "test", region: str = "us-east-1") -> Any:
        """Return a boto3 client that does not repeat failed calls."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 0}, read_timeout=30, tcp_keepalive=False),
        )

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._call("POST", path, body or {})

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/_atoll/status")
        return found

    def machine(self, place: str) -> dict[str, Any]:
        """Return where a machine lives: its pid, its namespace."""
        found: dict[str, Any] = self.get(f"/_atoll/machines/{place}")
        return found

    def cli(self, *arguments: str, timeout: float = 60.0, ok: bool = True, input: str | None = None) -> str:
        """Run an `atoll` command as the daemon's user; returns all that it said, and fails if it failed."""
        process = self.start_process(
            [sys.executable, "-m", "atoll.cli", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            out, _ = process.communicate(None if input is None else input.encode(), timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(f"atoll {' '.join(arguments)} took more than {timeout} s") from None
        said = out.decode(errors="replace")
        assert not ok or process.returncode == 0, f"atoll {' '.join(arguments)} -> {process.returncode}:\n{said}"
        return said

    def inside(self, instance: str, script: str, *, timeout: float = 30.0, ok: bool = True) -> str:
        """Run a shell script as root inside an instance."""
        return self.cli("exec", instance, "sh", "-c", script, timeout=timeout, ok=ok)

    def client_at(self, address: str, *command: str, timeout: float = 30.0, ok: bool = True) -> str:
        """Run a command of this machine as an internet client."""
        return self.cli("run", "--as", address, *command, timeout=timeout, ok=ok)

    def start_process(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a process as the daemon's user."""
        if self.uid is not None:
            command = as_ordinary_user(command, self.place / "home", self.environment)
        return subprocess.Popen(command, env=self.environment, cwd="/", start_new_session=True, **options)

    def said(self, begun: int = 0) -> str:
        """Return the daemon's log."""
        return self.log.read_bytes()[begun:].decode(errors="replace")

    def _call(self, method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode()
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return json.loads(answer) if answer else None

    # What is left

    def leftovers(self) -> list[str]:
        """Return all of this installation that is still there: processes, namespaces, mounts, groups, files."""
        found = [f"process {pid}: {why}" for pid, why in self._processes()]
        found += [
            f"mount {line}" for line in Path("/proc/self/mountinfo").read_text().splitlines() if self._is_ours(line)
        ]
        found += [f"cgroup {group}" for group in self.cgroups()]
        found += [str(path) for path in (self.state, *self._run_dirs()) if path.exists()]
        return found

    def cgroups(self) -> list[Path]:
        """Return the directories of this installation's control groups, in every hierarchy."""
        if self.mode != "root":
            return []
        ours = {self._group(path) for path in self._run_dirs()}
        # Not glob: it fails when another installation's group goes while it looks.
        return [Path(top) / name for top, names, _ in os.walk("/sys/fs/cgroup") for name in names if name in ours]

    def _processes(self) -> Iterator[tuple[int, str]]:
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                if self._is_ours((entry / "cmdline").read_bytes().decode(errors="replace")):
                    yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    continue
                if held := namespaces_of(entry) & self._holders.get(born(entry), set()):
                    yield int(entry.name), f"holds {held}"

    def _is_ours(self, text: str) -> bool:
        return str(self.place) in text or any(str(path) in text for path in self._run_dirs())

    def _note_namespaces(self) -> None:
        """Remember the keeper's namespaces and all that it holds, so that they can be missed afterwards."""
        if self.mode in ("flat", "paper") or not (self.daemon and self.daemon.poll() is None):
            return
        with contextlib.suppress(OSError, AssertionError):
            status = self.status()
            keeper, alive = status["keeper"], set[str]()
            for kind in ("net", "mnt", "pid", "user"):
                own, host = (os.readlink(f"/proc/{pid}/ns/{kind}") for pid in (keeper, "self"))
                if own != host:
                    alive.add(own)
            held = Path(f"/proc/{keeper}/root{status['namespaces']}").iterdir()
            alive |= {f"net:[{path.stat().st_ino}]" for path in held}
            # Numbers of namespaces are used again, by whoever comes next: remember who holds those that live now.
            for entry in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    if entry.name != str(os.getpid()) and (ours := namespaces_of(entry) & alive):
                        self._holders.setdefault(born(entry), set()).update(ours)

    def _run_dirs(self) -> list[Path]:
        from atoll.host.linux.machine import run_dir

        if self.mode == "rootless" or os.geteuid() != 0:
            return list((self.place / "runtime").glob("atoll-*"))
        return [run_dir(self.state)]

    @staticmethod
    def _group(run_dir: Path) -> str:
        return "atoll-" + hashlib.sha256(str(run_dir).encode()).hexdigest()[:12]

    def close(self) -> list[str]:
        """Purge, look for what is left, remove the rest; returns what was left."""
        try:
            return self._close()
        finally:
            shutil.rmtree(self.place, ignore_errors=True)

    def _close(self) -> list[str]:
        said = ""
        try:
            self.purge()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            said = f"purge: {error}"
        left = self.leftovers()
        with contextlib.suppress(AssertionError):
            until(lambda: not self.leftovers(), 15)  # the kernel frees namespaces a moment later
            left = []
        for pid, _ in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return [*([said] if said else []), *left]


def namespaces_of(process: Path) -> set[str]:
    return {os.readlink(process / "ns" / kind) for kind in ("net", "mnt", "pid", "user")}


def born(process: Path) -> tuple[str, str]:
    """Return what no other process has: a pid and the time of its start."""
    return process.name, (process / "stat").read_text().rpartition(")")[2].split()[19]


def why_not(mode: str) -> str:
    """Return why a mode is impossible here; empty if it is possible."""
    from tests.kernel.conftest import why_not as why_no_kernel

    if mode in ("flat", "paper"):
        return ""
    if reason := why_no_kernel(mode):
        return reason
    return ""


def as_ordinary_user(command: list[str], home: Path, environment: Mapping[str, str]) -> list[str]:
    """Return what runs a command as uid 65534, which may be unable to read this checkout otherwise.

    The command replaces what starts it, so its pid is that of the process.
    """
    helper = str(Path(__file__).parents[2] / ".ci" / "as-ordinary-user")
    variables = [f"{name}={value}" for name, value in environment.items() if name != "PATH"]
    outer = ["env", f"AS_USER={NOBODY}", "unshare", "--mount", "--propagation", "private", helper, str(home), "--"]
    return [*outer, "env", *variables, *command]


@contextlib.contextmanager
def running(mode: str | None = None, *, started: bool = True, **options: Any) -> Iterator[Atoll]:
    """Start a daemon, and clean up afterwards; fails if something of it is left."""
    mode = mode or own_mode()
    if reason := why_not(mode):
        pytest.skip(reason)
    atoll = Atoll(mode, **options)
    try:
        if started:
            atoll.up()
        yield atoll
    except BaseException:
        print(f"--- the daemon's log:\n{atoll.said() if atoll.log.exists() else ''}")
        atoll.close()
        raise
    left = atoll.close()
    assert not left, f"something of the daemon is left: {left}"
