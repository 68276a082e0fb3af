"""The files of log groups: what is older than its group keeps goes, and nothing else."""

import asyncio
import os
import time
from datetime import UTC, datetime

import pytest

from atoll.control import log_delivery
from atoll.control.log_delivery import DAY_SECONDS, LogDeliveries
from atoll.logs import shelf
from atoll.model.log_delivery import LogGroup
from tests.api.paper import ACCOUNT, REGION, Paper


@pytest.fixture
def paper():
    return Paper()


@pytest.fixture
def deliveries(paper, tmp_path):
    made = LogDeliveries(paper.store, dict, None, tmp_path)
    yield made
    shelf.read_with(shelf._Nothing())


def written(deliveries, group, name, days):
    """Write an event that came so many days ago."""
    path = deliveries.files.group(ACCOUNT, REGION, group) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("said\n")
    at = time.time() - days * DAY_SECONDS
    os.utime(path, (at, at))
    return path


def test_files_of_which_everything_is_too_old_are_removed(deliveries, paper, monkeypatch):
    made = {
        "/kept/week": [("new.log", 6.9), ("old.log", 7.1), ("full.log.1", 8), ("full.log", 1)],
        "/kept/ever": [("old.log", 4000)],
    }
    files = {
        (group, name): written(deliveries, group, name, days) for group, them in made.items() for name, days in them
    }
    for group, days in (("/kept/week", 7), ("/kept/ever", None), ("/never/written", 1)):
        paper.write(lambda tx, g=group, d=days: tx.put(
            LogGroup(id=f"{ACCOUNT}/{REGION}/{g}", account=ACCOUNT, region=REGION, name=g,
                     created=datetime.now(UTC), retention_days=d)))  # fmt: skip

    asyncio.run(deliveries.look())

    assert {key for key, path in files.items() if not path.exists()} == {
        ("/kept/week", "old.log"),
        ("/kept/week", "full.log.1"),
    }

    late = written(deliveries, "/kept/week", "late.log", 8)
    asyncio.run(deliveries.look())
    assert late.exists(), "it is looked for now and then"
    monkeypatch.setattr(log_delivery.time, "time", lambda now=time.time(): now + log_delivery.EXPIRE_SECONDS + 1)
    asyncio.run(deliveries.look())
    assert not late.exists()
