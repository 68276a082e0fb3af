"""One daemon for all scenario tests; each module begins with an empty one and builds its world once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.atoll import Atoll, running
from tests.scenario.page import Page, build
from tests.scenario.shop import Shop
from tests.scenario.shop import build as build_shop
from tests.scenario.stage import Stage

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and item.path.name != "test_rows.py":
            item.add_marker(pytest.mark.scenario)


@pytest.fixture(scope="session")
def scenario_daemon() -> Iterator[Atoll]:
    with running() as atoll:
        yield atoll


@pytest.fixture(scope="module")
def stage(scenario_daemon: Atoll) -> Stage:
    """Return an empty Atoll."""
    daemon = scenario_daemon.daemon
    assert daemon is not None
    assert daemon.poll() is None, f"the daemon ended with {daemon.returncode}: {scenario_daemon.said()[-4000:]}"
    scenario_daemon.reset()
    return Stage(scenario_daemon)


@pytest.fixture(scope="module")
def memcached_page(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Return the documented world with three Memcached nodes, its procedure followed to the end."""
    return build(stage, "memcached", tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def valkey_page(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Return the documented world with a Valkey primary and two replicas, its procedure followed to the end."""
    return build(stage, "valkey", tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def shop(stage: Stage) -> Shop:
    """Return a VPC with an instance and caches of each engine."""
    return build_shop(stage)
