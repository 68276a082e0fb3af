"""The long simulation, for some minutes; for hours by hand: `python -m tests.simulation.longrun`."""

import logging
import os

import pytest

from atoll.store.sqlite import Store, StoreError
from tests.kernel.conftest import why_not_root
from tests.simulation.longrun import real
from tests.simulation.longrun.blows import Blows
from tests.simulation.longrun.paper import Story
from tests.simulation.planted import search
from tests.simulation.test_machines import start_beside_others

SEEDS, STEPS = 3, 100
BUG_SEEDS = 20
REAL_SEED, REAL_STEPS, REAL_SECONDS = 11, 30, 75.0


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_is_asked_and_whatever_fails_everything_holds(seed, tmp_path):
    found = Story(seed, tmp_path, STEPS).play()

    assert not found.wrongs, "\n".join([
        *found.last, *found.wrongs[:5],
        f"again: python -m tests.simulation.longrun --level paper --seed {seed} --steps {STEPS} --once",
    ])  # fmt: skip
    assert found.lives > 2
    assert found.calls - found.refused > STEPS / 4
    assert found.probes > 100


@pytest.mark.kernel
@pytest.mark.engines
@pytest.mark.timeout(600)
def test_in_the_kernel_everything_holds_too():
    if reason := why_not_root() or (os.geteuid() and "NO KERNEL TESTS AS ROOT: this is an ordinary user"):
        pytest.skip(reason)
    found = real.play(REAL_SEED, REAL_STEPS, seconds=REAL_SECONDS, calls=0.6)

    assert not found.wrongs, "\n".join([
        *found.last, *found.wrongs[:5],
        f"again: python -m tests.simulation.longrun --level real --seed {REAL_SEED} --steps {REAL_STEPS} --once",
    ])  # fmt: skip
    assert sum(found.blows.values()) >= 3  # 12 in a minute, where nobody else works
    assert found.probes >= 3 * real.PROBES


def test_each_blow_is_in_the_table_of_the_page():
    page = (real.ROOT / "docs" / "reliability.md").read_text()
    blows = [blow.__name__.replace("_", " ") for blow in Blows.all(Blows.__new__(Blows))]

    assert [blow for blow in blows if f"| {blow} |" not in page] == []


def forget_a_change(world, plan=None):
    """Take some revisions for those before them."""
    return plan if plan is not None and world.revision % 5 == 0 else compile(world, plan)


def believe_the_disk(store, tx, what, *, real=Store._persist):
    """Take a change for written when the disk has refused it."""
    try:
        real(store, tx, what)
    except StoreError:
        return


@pytest.mark.parametrize(
    ("place", "name", "mistake", "telling"),
    [
        ("atoll.control.machines", "decide", start_beside_others, 11),
        ("atoll.control.wires", "compile", forget_a_change, 0),
        ("atoll.store.sqlite.Store", "_persist", believe_the_disk, 0),
    ],
)
def test_a_planted_mistake_is_found(place, name, mistake, telling, monkeypatch, tmp_path):
    monkeypatch.setattr(f"{place}.{name}", mistake)

    def notices(seed):
        (tmp_path / str(seed)).mkdir()
        return Story(seed, tmp_path / str(seed), 100).play().wrongs

    search(notices, BUG_SEEDS, telling)
