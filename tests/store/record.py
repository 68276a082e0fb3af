"""`python -m tests.store.record`: keep a store as this version writes it, for every later version to open.

Run it once for each release, and commit the file.  The world is `everything`'s; ids and the clock are counted, so two
recordings of one version differ in the client tokens of boto3 only.  To record an older version, have it found first:

    PYTHONPATH=/path/to/it/src python -m tests.store.record
"""

import argparse
import gzip
import sqlite3
from pathlib import Path

import atoll
from atoll.store.upgrade import VERSION
from tests.api.paper import Paper
from tests.store import everything

RECORDED = Path(__file__).parent / "recorded"


def dump(db: sqlite3.Connection) -> str:
    """Return a store as SQL, with its format, which SQLite's own dump leaves out."""
    (version,) = db.execute("pragma user_version").fetchone()
    return "\n".join([*db.iterdump(), f"PRAGMA user_version = {version};", ""])


def restore(recorded: Path, path: Path) -> None:
    """Make a store of a recording."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.executescript(gzip.decompress(recorded.read_bytes()).decode())
        db.execute("pragma journal_mode=wal")
    finally:
        db.close()


def record(target: Path) -> dict[str, str]:
    """Write the recording; returns what this version could not make: step -> why."""
    paper = Paper()
    cannot = everything.make(paper)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(gzip.compress(dump(paper.store._db).encode(), 9, mtime=0))
    return cannot


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    name = f"atoll-{atoll.__version__}-format-{VERSION}.sql.gz"
    parser.add_argument("--to", type=Path, default=RECORDED / name, help="the file to write (default: %(default)s)")
    target = parser.parse_args().to
    for step, why in record(target).items():
        print(f"not in it: {step}: {why}")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
