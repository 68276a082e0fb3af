"""Sessions in documents: what is typed after `$ `, and what is printed then; `...` there stands for anything.

In docs/ a block is a session if a comment before it says in which mode it runs, in a world of its own:

    <!-- session paper -->      a daemon runs already; so with `flat`
    <!-- session whole -->      it starts and ends a daemon itself, as this user can
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

MARKED = re.compile(r"<!-- session (\w+) -->\n```console\n(.*?)```", re.DOTALL)
SECONDS_MAX = 200  # the AWS CLI takes seconds for each call on a busy machine
Session = list[tuple[str, str]]


def parse(block: str) -> Session:
    """Return the commands of a block and what each prints."""
    parts = re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


def marked(page: Path) -> list[tuple[str, Session]]:
    """Return the modes and sessions of a page."""
    return [(mode, parse(block)) for mode, block in MARKED.findall(page.read_text(encoding="utf-8"))]


def environment(state: Path, port: int) -> dict[str, str]:
    """Return what a user has, before he has set anything of AWS's."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ATOLL_"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return clean | {"ATOLL_STATE": str(state), "PATH": path, "ATOLL_ENDPOINT": f"http://127.0.0.1:{port}"}


def run(session: Session, env: Mapping[str, str], *, port: int, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a session in one shell; a daemon that it starts listens on `port`."""
    script = []
    for number, (command, _) in enumerate(session):
        started = f"atoll up -d --port {port}; export ATOLL_ENDPOINT=http://127.0.0.1:{port}"
        script.append(f"echo '== {number}'; {command.replace('atoll up -d', started)}")
    return subprocess.run(
        ["bash", "-c", "exec 2>&1\n" + "\n".join(script)],
        capture_output=True, text=True, env=dict(env), cwd=cwd, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip


def check(session: Session, said: str) -> None:
    """Hold what was said to what is printed."""
    answers = re.split(r"^== \d+\n", said, flags=re.MULTILINE)[1:]
    assert len(answers) == len(session), said
    for (command, printed), answer in zip(session, answers, strict=True):
        assert re.search(pattern(printed), answer, re.DOTALL), (
            f"$ {command}\nprinted:\n{printed}\nanswered:\n{answer}"
        )


def pattern(printed: str) -> str:
    """Return what an answer must hold, blanks and ports aside."""
    pieces = (r"\s+".join(map(re.escape, piece.split())) for piece in printed.strip().split("..."))
    return r".*".join(pieces).replace("4566", r"\d+")


def purge(env: Mapping[str, str], port: int) -> None:
    """End a daemon that a session has left, because it failed."""
    command = [sys.executable, "-m", "atoll.cli", "--endpoint", f"http://127.0.0.1:{port}", "down", "--purge"]
    subprocess.run(command, capture_output=True, env=dict(env), timeout=60, check=False)
