"""Chromium, a daemon on paper, and somebody in each language: `person`; `real` has a daemon that runs things."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.seat import Seat, seat
from tests.daemon.atoll import Atoll, running

CHECKOUT = Path(__file__).parents[2]
INSTALL_SECONDS = 300


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window; for one file: while it runs, no test can have a loop of its own."""
    if not shutil.which("chromium") or axe_file() is None:
        done = subprocess.run([CHECKOUT / "bin" / "browser"], capture_output=True, text=True, timeout=INSTALL_SECONDS)
        if not shutil.which("chromium"):
            pytest.skip(f"NO BROWSER TEST: bin/browser cannot install Chromium: {done.stderr.strip()[-300:]}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


def axe_file() -> Path | None:
    """Return axe-core, if bin/browser could have it."""
    return next(iter((CHECKOUT / ".venv" / "browser").glob("axe-*.min.js")), None)


@pytest.fixture(scope="module")
def axe(browser: Browser) -> Path:  # noqa: ARG001  # which has installed it
    """Return axe-core, or skip."""
    if (found := axe_file()) is None:
        pytest.skip("NO TEST OF ACCESSIBILITY: bin/browser needs npm to fetch axe-core")
    return found


@pytest.fixture(scope="module")
def atoll() -> Iterator[Atoll]:
    """A daemon that runs nothing."""
    with running("paper") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def real() -> Iterator[Atoll]:
    """A daemon of this user's mode."""
    with running() as daemon:
        yield daemon


@pytest.fixture
def sit(browser: Browser) -> Iterator[Callable[..., Seat]]:
    """Return a function that seats somebody: `sit(atoll, "ko", color_scheme="dark")`."""
    taken: list[Seat] = []

    def sit(atoll: Atoll, language: str = "en", **looks: Any) -> Seat:
        taken.append(seat(browser, atoll, language, axe_file(), **looks))
        return taken[-1]

    yield sit
    for one in taken:
        one.page.context.close()


@pytest.fixture(params=["en", "ko", "zh"])
def person(request: pytest.FixtureRequest, sit: Callable[..., Seat], atoll: Atoll) -> Seat:
    """Somebody in each language, at a console where nothing runs, with an empty World."""
    atoll.reset()
    return sit(atoll, request.param)
