"""Stores of older versions: what to do to the file before its rows are read.

`VERSION` is the file format, in SQLite's `user_version`.  Each step lifts a file from its key to the next number, in
the transaction that opens the store, so that a crash in the middle leaves the old file.
"""

import json
import sqlite3
from collections.abc import Callable

VERSION = 3

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


def upgrade(db: sqlite3.Connection) -> None:
    """Create the tables, or lift an older file to this version's format.  Raises TooNew."""
    (version,) = db.execute("pragma user_version").fetchone()
    if version > VERSION:
        raise TooNew(f"the store has format {version}; this Atoll reads up to {VERSION}: install a newer Atoll")
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


STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _shards, 2: _modes}
