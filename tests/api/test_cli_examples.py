"""Every example of the AWS CLI's help for what Atoll supports: done, or refused in AWS's words, and never a fault."""

import re
from pathlib import Path

import pytest

from tests.api import cli_examples
from tests.api.paper import Paper

COVERAGE = (Path(__file__).parents[2] / "docs" / "coverage.md").read_text()
REFUSED = re.compile(r"\((\w[\w.]*)\) when calling the (\w+) operation.*?: (.*)", re.DOTALL)
UNSUPPORTED = re.compile(r"Atoll does not support the parameter (\w+) of (\w+)")
PAGES = [
    pytest.param(service, name, lines, id=f"{service} {name}")
    for service in ("ec2", "elasticache")
    for name, lines in cli_examples.examples(service).items()
]
DONE_MIN = 200  # of some 340; the others ask for what is not there, or are not written for a shell


@pytest.fixture(scope="module")
def done() -> list[str]:
    """Return the examples that succeeded, filled by the tests of this module."""
    return []


@pytest.fixture(scope="module")
def furnished() -> tuple[Paper, dict[str, str]]:
    paper = Paper()
    return paper, cli_examples.furnish(paper)


@pytest.fixture(scope="module")
def shared(furnished: tuple[Paper, dict[str, str]]) -> cli_examples.Cli:
    return cli_examples.Cli(furnished[0])


@pytest.mark.parametrize(("service", "name", "lines"), PAGES)
def test_an_example_of_the_help_is_done_or_refused(
    service, name, lines, furnished, shared, done, monkeypatch, tmp_path  # noqa: ARG001 - the name is the test's
):
    for key, value in cli_examples.SETTINGS.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)  # where its file://s are not
    paper, ids = furnished
    world = paper.store.world
    for line in lines:
        try:
            words = cli_examples.adapted(line, ids)
        except ValueError:
            continue  # no shell would read it
        paper.backend.calls.clear()
        code, said = shared.run(words)
        paper.store.world = world  # the next example begins where this one did
        assert not [call for call in paper.backend.calls if call.status >= 500], f"{line}: {said}"
        if code == 0:
            done.append(line)
        elif refusal := REFUSED.search(said):
            assert refusal[1] not in ("InvalidAction", "InternalError", "InternalFailure"), f"{line}: {said}"
            if unsupported := UNSUPPORTED.search(refusal[3]):
                (row,) = re.findall(rf"^\| `?{unsupported[2]}`? \|.*$", section(service), re.MULTILINE)
                assert unsupported[1] in row.split("|")[3], f"{line}: the coverage page does not say so"
        else:
            assert not paper.backend.calls, f"{line}: the CLI could not read the answer: {said[-500:]}"


def section(service: str) -> str:
    """Return a service's part of the coverage page."""
    return COVERAGE.split(f"\n## {service}\n")[1].split("\n## ")[0]


def test_most_examples_are_done(done):
    if not done:
        pytest.skip("no example was run")
    assert len(done) >= DONE_MIN, f"{len(done)} of {sum(len(page.values[2]) for page in PAGES)}"
