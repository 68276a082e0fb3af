"""The sessions in the pages of docs/ run as they are printed, each in a world of its own."""

import pytest

from atoll.cli.flat import libproxychains
from tests.cli import sessions
from tests.cli.daemon import free_port
from tests.daemon.atoll import running
from tests.tidy.tree import ROOT

pytestmark = pytest.mark.timeout(300)  # the AWS CLI is slow on a busy machine
PAGES = {
    page.stem: sessions.marked(page)
    for page in sorted((ROOT / "docs").glob("*.md"))
    if sessions.MARKED.search(page.read_text(encoding="utf-8"))
}
TRANSLATED = ("start.ko", "start.zh")
WITHIN = [
    pytest.param(mode, session, id=f"{name}-{number}", marks=[pytest.mark.engines] if mode == "flat" else [])
    for name, found in PAGES.items()
    for number, (mode, session) in enumerate(found)
    if mode != "whole"
]


@pytest.fixture(scope="module")
def daemons():
    """Start a daemon of each mode that is asked for, once, and empty it for each session."""
    with running("paper") as paper, running("flat") as flat:
        yield {"paper": paper, "flat": flat}


@pytest.mark.parametrize(("mode", "session"), WITHIN)
def test_a_session_runs_as_printed(daemons, mode, session, tmp_path):
    if any("atoll run" in command for command, _ in session) and mode == "flat" and libproxychains() is None:
        pytest.skip("libproxychains is not installed: bin/setup")
    atoll = daemons[mode]
    atoll.reset()
    env = sessions.environment(atoll.state, atoll.port) | {
        "AWS_ENDPOINT_URL": atoll.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
    }

    done = sessions.run(session, env, port=atoll.port, cwd=tmp_path)

    sessions.check(session, done.stdout)


@pytest.mark.kernel
@pytest.mark.engines
def test_the_first_five_minutes_run_as_printed(tmp_path):
    ((_, session),) = PAGES["index"]
    port = free_port()
    env = sessions.environment(tmp_path / "state", port)
    try:
        done = sessions.run(session, env, port=port, cwd=tmp_path)
    finally:
        sessions.purge(env, port)

    sessions.check(session, done.stdout)


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_translation_types_and_prints_the_same(name):
    assert PAGES[name] == PAGES["index"]


def test_ten_pages_and_more_have_sessions():
    assert len(PAGES) >= 10
