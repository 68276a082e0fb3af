"""The long simulation, for a minute; for hours by hand: `python -m tests.simulation.longrun`."""

import logging

import pytest

from atoll.store.sqlite import Store, StoreError
from tests.simulation.longrun.paper import Story
from tests.simulation.test_machines import start_beside_others

SEEDS, STEPS = 3, 100


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
    ("place", "name", "mistake"),
    [
        ("atoll.control.machines", "decide", start_beside_others),
        ("atoll.control.wires", "compile", forget_a_change),
        ("atoll.store.sqlite.Store", "_persist", believe_the_disk),
    ],
)
def test_a_planted_mistake_is_found(place, name, mistake, monkeypatch, tmp_path):
    monkeypatch.setattr(f"{place}.{name}", mistake)
    for seed in range(4):
        (tmp_path / str(seed)).mkdir()
        if Story(seed, tmp_path / str(seed), 100).play().wrongs:
            return
    pytest.fail("nobody noticed it")
