"""The session in the README runs as it is printed; `...` there stands for anything."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.daemon import free_port
from tests.tidy.tree import ROOT

pytestmark = [pytest.mark.kernel, pytest.mark.engines, pytest.mark.scenario]


def session() -> list[tuple[str, str]]:
    """Return the commands of the README's session and what each prints."""
    block = re.search(r"A session, as it runs.*?\n```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    parts = re.split(r"^\$ ", block[1].replace("\\\n", " "), flags=re.MULTILINE)[1:]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


def pattern(printed: str) -> str:
    return r".*".join(map(re.escape, printed.strip().split("..."))).replace(r"4566", r"\d+")


def test_the_session_runs_as_printed(tmp_path):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ATOLL_"))}
    env = clean | {
        "ATOLL_STATE": str(tmp_path / "state"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    port = free_port()
    script, expected = [], []
    for number, (command, printed) in enumerate(session()):
        command = command.replace(
            "atoll up -d", f"atoll up -d --port {port}; export ATOLL_ENDPOINT=http://127.0.0.1:{port}"
        )
        script.append(f"echo '== {number}'; {command}")
        expected.append(printed)

    try:
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)], capture_output=True, text=True, env=env, timeout=100, check=False
        )
    finally:  # it ends with the session, unless the session failed
        purge = [sys.executable, "-m", "atoll.cli", "--endpoint", f"http://127.0.0.1:{port}", "down", "--purge"]
        subprocess.run(purge, capture_output=True, env=env, timeout=60, check=False)

    if "does not let Atoll build networks" in done.stderr:
        pytest.skip(f"NO KERNEL FOR THE README: {done.stderr}")
    answers = re.split(r"^== \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    assert len(answers) == len(expected)
    for printed, answer in zip(expected, answers, strict=True):
        assert re.search(pattern(printed), answer, re.DOTALL), (
            f"printed:\n{printed}\nanswered:\n{answer}\n{done.stderr}"
        )
