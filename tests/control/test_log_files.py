"""The files of log groups: what is older than its group keeps goes, and nothing else."""

import asyncio
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from atoll.control import log_delivery, log_files
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


def test_what_cannot_be_removed_keeps_nothing_else_from_going(deliveries):
    old = written(deliveries, "flows", "old.log", 8)
    strange = old.with_name("a-directory")
    strange.mkdir()
    os.utime(strange, (0, 0))

    deliveries.files.expire(ACCOUNT, REGION, "flows", time.time())

    assert not old.exists()
    assert strange.exists()


def test_what_is_removed_while_it_is_listed_is_not_told_of(deliveries):
    path = written(deliveries, "flows", "here.log", 0)
    path.with_name("gone.log").symlink_to("nothing")  # listed, and not there any more
    path.parent.with_name("gone").symlink_to("nothing")

    assert [stream.name for stream in deliveries.files.streams(ACCOUNT, REGION, "flows")] == ["here"]
    assert list(deliveries.files.groups(ACCOUNT, REGION)) == ["flows"]


def test_an_event_that_comes_while_its_stream_expires_is_kept(deliveries, monkeypatch):
    path = written(deliveries, "flows", "old.log", 8)
    writer = threading.Thread(target=log_files.append, args=(path, ["new"]))
    unlink = Path.unlink

    def unlink_late(removed):
        writer.start()
        writer.join(0.2)  # it may come between the look and the removal, if nothing keeps it from that
        unlink(removed)

    monkeypatch.setattr(Path, "unlink", unlink_late)
    deliveries.files.expire(ACCOUNT, REGION, "flows", time.time() - 7 * DAY_SECONDS)
    writer.join()

    assert path.read_text() == "new\n"
