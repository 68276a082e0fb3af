"""The session in the README runs as it is printed; `...` there stands for anything."""

import re

import pytest

from tests.cli import sessions
from tests.cli.daemon import free_port
from tests.tidy.tree import ROOT

pytestmark = [pytest.mark.timeout(300), pytest.mark.kernel, pytest.mark.engines, pytest.mark.scenario]


def test_the_session_runs_as_printed(tmp_path):
    block = re.search(r"A session, as it runs.*?\n```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    session, port = sessions.parse(block[1]), free_port()
    env = sessions.environment(tmp_path / "state", port)

    try:
        done = sessions.run(session, env, port=port, cwd=tmp_path)
    finally:  # it ends with the session, unless the session failed
        sessions.purge(env, port)

    if "does not let Atoll build networks" in done.stdout:
        pytest.skip(f"NO KERNEL FOR THE README: {done.stdout}")
    sessions.check(session, done.stdout)
