"""A store that was damaged is refused and left as it is: nobody begins with a part of a world, or with none."""

import random
import shutil
import sqlite3

import pytest

from atoll.model.kinds import KINDS
from atoll.store.sqlite import Store, StoreError
from tests.daemon.atoll import running
from tests.store.record import RECORDED, restore

NEXT = "load a backup: atoll restore FILE"
NEWEST = max(RECORDED.glob("*.sql.gz"), key=lambda f: int(f.name.split("-format-")[1].split(".")[0]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store of this version, closed, and what is in it."""
    path = tmp_path_factory.mktemp("whole") / "atoll.db"
    restore(NEWEST, path)
    store = Store(path, KINDS)
    before = list(store.world)
    store.close()
    return path, before


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copy(whole[0], tmp_path / "atoll.db")


def refused(path):
    """Open what cannot be opened; returns why, and checks that nothing was done to it."""
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(StoreError) as why:
        Store(path, KINDS)
    assert (path.read_bytes() if path.exists() else None) == before
    return str(why.value)


def change(path, statement, *values):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(statement, values)
    db.close()


def test_an_empty_file_is_not_taken_for_a_new_store(copy):
    copy.write_bytes(b"")
    assert "it is empty" in (said := refused(copy))
    assert NEXT in said


def test_a_log_without_its_store_is_not_taken_for_a_new_store(copy):
    copy.with_name("atoll.db-wal").write_bytes(b"what was committed last")
    copy.unlink()
    assert "it is gone, and atoll.db-wal is still there" in (said := refused(copy))
    assert NEXT in said
    assert copy.with_name("atoll.db-wal").read_bytes() == b"what was committed last"


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.02], ids=lambda k: f"{k:.0%} of it")
def test_a_file_that_ends_early_is_refused(copy, whole, kept):
    text = whole[0].read_bytes()
    copy.write_bytes(text[: int(len(text) * kept)])
    assert "it is damaged" in (said := refused(copy))
    assert NEXT in said


@pytest.mark.parametrize(
    ("statement", "because"),
    [
        ("update resource set body = replace(body, '10.0.0.0', '10.8.0.0') where kind = 'Vpc'", "Vpc vpc-"),
        ("update resource set body = '{' where kind = 'Subnet'", "Subnet subnet-"),
        (
            "update resource set id = 'vpc-1' where rowid = (select max(rowid) from resource where kind = 'Vpc')",
            "Vpc",
        ),
        ("update resource set kind = 'Nothing' where kind = 'KeyPair'", "Nothing"),
        ("drop table resource", "it is a database, but no store"),
        ("drop table journal", "it is a database, but no store"),
        ("pragma user_version = 0", "it is a database, but no store"),
    ],
)
def test_what_was_not_written_by_us_is_named(copy, statement, because):
    change(copy, statement)
    assert because in (said := refused(copy))
    assert NEXT in said


def test_whatever_bytes_are_lost_it_is_refused_or_whole(whole, copy):
    """A run of bytes becomes something else, anywhere: the world is all that it was, or nobody gets it."""
    change(copy, "delete from journal where rowid < (select max(rowid) from journal)")  # most of the file
    change(copy, "vacuum")
    text, rng, found = copy.read_bytes(), random.Random(6), 0
    for _ in range(80):
        at, size = rng.randrange(len(text)), rng.choice((1, 8, 512, 4096))
        damage = rng.choice((bytes(size), rng.randbytes(size)))
        copy.write_bytes(text[:at] + damage[: len(text) - at] + text[at + size :])
        for left in ("atoll.db-wal", "atoll.db-shm"):
            copy.with_name(left).unlink(missing_ok=True)
        try:
            store = Store(copy, KINDS)
        except StoreError:
            found += 1
            continue
        world = list(store.world)
        store.close()
        assert world == whole[1], f"{size} bytes at {at}"
    assert found > 40


def test_a_start_on_a_damaged_store_says_what_to_do(whole):
    with running("paper", started=False) as atoll:
        atoll.state.mkdir(mode=0o700)
        text = whole[0].read_bytes()
        (atoll.state / "atoll.db").write_bytes(text[: len(text) // 2])
        said = atoll.up(expect=False)
        assert "it is damaged" in said
        assert "atoll restore FILE" in " ".join(said.split())
        assert "Traceback" not in said
        assert (atoll.state / "atoll.db").read_bytes() == text[: len(text) // 2]
