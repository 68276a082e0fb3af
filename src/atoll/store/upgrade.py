"""Stores of older versions: what to do to the file before its rows are read.

`VERSION` is the file format, in SQLite's `user_version`.  Each step lifts a file from its key to the next number, in
the transaction that opens the store, so that a crash in the middle leaves the old file.
"""

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable

VERSION = 4

SCHEMA = """
create table resource(
  kind text not null, id text not null, revision integer not null, body text not null,
  primary key (kind, id)) strict;
create table journal(
  revision integer not null, at text not null, who text not null, what text not null,
  kind text not null, id text not null, body text) strict;
create index journal_revision on journal(revision);
"""


class TooNew(Exception):
    """The file was written by a newer Atoll than this one."""


class Damaged(ValueError):
    """The file is not what was written to it; the message says what is not."""


def check_sum(kind: str, id: str, revision: int, body: str) -> int:
    """Return the sum that a row of `resource` has: what SQLite itself has not, and 1 us."""
    return zlib.crc32("\0".join((kind, id, str(revision), body)).encode())


def check(db: sqlite3.Connection) -> None:
    """Read, and change nothing: is this a store, of a format that we know, and whole?  Raises TooNew, Damaged."""
    (version,) = db.execute("pragma user_version").fetchone()
    if version > VERSION:
        raise TooNew(
            f"the store has format {version}; this Atoll reads up to {VERSION}: install a newer Atoll, such as wrote "
            "it, or choose another directory with --state DIR; nothing was changed"
        )
    tables = {name for (name,) in db.execute("select name from sqlite_master where type = 'table'")}
    if not version or not {"resource", "journal"} <= tables:
        raise Damaged("it is a database, but no store")
    found = [told for (told,) in db.execute("pragma integrity_check(resource)")]
    if found != ["ok"]:
        raise Damaged(f"it is damaged ({'; '.join(found[:3])[:300]})")


def upgrade(db: sqlite3.Connection) -> None:
    """Create the tables, or lift an older file to this version's format."""
    (version,) = db.execute("pragma user_version").fetchone()
    if version == VERSION:
        return
    db.execute("begin immediate")
    try:
        if version == 0:
            for statement in filter(str.strip, SCHEMA.split(";")):
                db.execute(statement)
        for step in range(max(version, 1), VERSION):
            STEPS[step](db)
        db.execute(f"pragma user_version = {VERSION}")
        db.execute("commit")
    except BaseException:
        if db.in_transaction:  # else SQLite has rolled back already: a full disk
            db.execute("rollback")
        raise


def _shards(db: sqlite3.Connection) -> None:
    """Format 2: a replication group has shards, which name the members and the primary."""
    rows = db.execute("select id, body from resource where kind = 'ReplicationGroup'").fetchall()
    for id, text in rows:
        body = json.loads(text)
        shard = {"id": "0001", "member_ids": body.pop("member_ids"), "primary_id": body.pop("primary_id")}
        body["node_groups"] = [shard]
        db.execute("update resource set body = ? where kind = 'ReplicationGroup' and id = ?", (json.dumps(body), id))


def _modes(db: sqlite3.Connection) -> None:
    """Format 3: a change says whether the engine is to run in cluster mode; before, that never changed."""
    rows = db.execute("select id, body from resource where kind = 'CacheCluster'").fetchall()
    for id, text in rows:
        body = json.loads(text)
        for name in ("change", "former"):
            if change := body.get(name):
                change["sharded"] = body.get("sharded", False)
        db.execute("update resource set body = ? where kind = 'CacheCluster' and id = ?", (json.dumps(body), id))


def _sums(db: sqlite3.Connection) -> None:
    """Format 4: each row has a sum, so that damage is seen before it is taken for the truth."""
    db.execute("alter table resource add column sum integer not null default 0")
    rows = db.execute("select kind, id, revision, body from resource").fetchall()
    db.executemany("update resource set sum = ? where kind = ? and id = ?", [(check_sum(*r), *r[:2]) for r in rows])


STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _shards, 2: _modes, 3: _sums}


def lifted(version: int, rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Return resources (kind, id, body) that a store of an older version would hold, as (kind, body) of this one.

    Raises what damaged rows raise: ValueError, TypeError, KeyError, AttributeError, sqlite3.Error.
    """
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for statement in filter(str.strip, SCHEMA.split(";")):
            db.execute(statement)
        db.executemany("insert into resource values (?, ?, 0, ?)", rows)
        db.execute(f"pragma user_version = {version}")
        upgrade(db)
        return db.execute("select kind, body from resource order by rowid").fetchall()
    finally:
        db.close()
