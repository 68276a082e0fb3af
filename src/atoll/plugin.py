"""The pytest plugin: fixtures of worlds.  See docs/testing.md.

It imports nothing of Atoll until a fixture is asked for: a suite that has no use for it does not pay for it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from atoll.testing import Cache, Instance, Vpc, World

MODES = ("real", "paper")
ENGINES = ("valkey", "redis", "memcached")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options: in pytest.ini, and on the command line."""
    group = parser.getgroup("atoll")
    group.addoption("--atoll-mode", choices=MODES, help="atoll: real engines and packets, or paper (nothing runs)")
    parser.addini("atoll_mode", "atoll: real (engines and packets), or paper (nothing runs)", default="real")
    parser.addini("atoll_state", "atoll: a directory for the state while tests run", default="")
    parser.addini("atoll_region", "atoll: the AWS region of worlds", default="us-east-1")
    parser.addini(
        "atoll_inside", "atoll: valkey, redis or memcached: every test runs in a VPC, beside such a cache", default=""
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and check what was asked for."""
    config.addinivalue_line("markers", "atoll_mode(mode): the world of this test is real, or paper")
    config.addinivalue_line(
        "markers",
        "atoll_inside(engine, **options): the test runs in an instance's network, beside a cache; False: not",
    )
    if (mode := config.getini("atoll_mode")) not in MODES:
        raise pytest.UsageError(f"atoll_mode is {mode!r}: give one of {', '.join(MODES)}")
    if (engine := config.getini("atoll_inside")) and engine not in ENGINES:
        raise pytest.UsageError(f"atoll_inside is {engine!r}: give one of {', '.join(ENGINES)}")


def pytest_unconfigure() -> None:
    """End the daemon of this process, if there is one."""
    import sys

    if running := sys.modules.get("atoll.testing.daemon"):
        running.stop_all()


@pytest.fixture
def atoll(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator["World"]:
    """A fresh world of this test's own; the variables of AWS tools lead to it."""
    from atoll.testing.daemon import shared
    from atoll.testing.world import World

    state = request.config.getini("atoll_state")
    made = World(
        shared(_mode(request), Path(request.config.rootpath, state) if state else None),
        request.config.getini("atoll_region"),
    )
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def vpc(atoll: "World") -> "Vpc":
    """The world's VPC: a public and a private subnet.  For other options: `atoll.new_vpc(...)`."""
    return atoll.vpc


class Caches:
    """Makes caches; and is pytest's own `cache` for whoever wants that one."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        """Ask for a world only when a cache is made."""
        self._request = request

    def __call__(self, engine: str = "valkey", **options: Any) -> "Cache":
        """Make a cache: see `World.cache`."""
        world: World = self._request.getfixturevalue("atoll")
        return world.cache(engine, **options)

    def __getattr__(self, name: str) -> Any:
        """Return what pytest's own `cache` has: get, set, mkdir."""
        return getattr(self._request.config.cache, name)


@pytest.fixture
def cache(request: pytest.FixtureRequest) -> Caches:
    """Make caches: cache(engine="valkey", shards=1, replicas=0, name=None, **parameters of AWS)."""
    return Caches(request)


@pytest.fixture
def instance(atoll: "World") -> Any:
    """Launch instances: instance(name=None, public=False, groups=None, **parameters of RunInstances)."""
    return atoll.instance


@pytest.fixture(autouse=True)
def _atoll_inside(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test that is marked in an instance's network, with a cache that CACHE_URL names."""
    asked = _inside(request)
    if asked is None:
        yield
        return
    engine, options = asked
    world: World = request.getfixturevalue("atoll")
    made = world.cache(engine, **options)
    app: Instance = world.instance()
    host, port = made.endpoint
    names = {"CACHE_HOST": host, "CACHE_PORT": str(port), "CACHE_URL": made.url}
    if engine != "memcached":
        names["REDIS_URL"] = made.url
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        with app.inside():
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _inside(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]] | None:
    """Return the engine and options of the cache that a test is to run beside; None: it runs where it always does."""
    marker = request.node.get_closest_marker("atoll_inside")
    if marker is None:
        engine = request.config.getini("atoll_inside")
        return (engine, {}) if engine else None
    engine = marker.args[0] if marker.args else marker.kwargs.get("engine", "valkey")
    if engine is False:
        return None
    if engine not in ENGINES:
        raise pytest.UsageError(f"atoll_inside({engine!r}): give one of {', '.join(ENGINES)}, or False")
    return engine, {name: value for name, value in marker.kwargs.items() if name != "engine"}


def _mode(request: pytest.FixtureRequest) -> Any:
    marker = request.node.get_closest_marker("atoll_mode")
    mode = marker.args[0] if marker and marker.args else request.config.getoption("--atoll-mode")
    mode = mode or request.config.getini("atoll_mode")
    if mode not in MODES:
        raise pytest.UsageError(f"atoll_mode({mode!r}): give one of {', '.join(MODES)}")
    return mode
