"""The store keeps the current World, and writes every change to SQLite before anyone sees it.

One writer: `write` runs a synchronous function in a transaction.  With WAL and synchronous=normal a commit survives
a crash of this process, not of the power.  If SQLite refuses (a full disk), the World stays as it was.
"""

import secrets
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from atoll.model.resource import Resource
from atoll.model.world import Caller, Tx, World
from atoll.store.codec import decode, encode, for_journal
from atoll.store.upgrade import upgrade

T = TypeVar("T")

JOURNAL_ROWS_MAX = 100_000  # the oldest are forgotten: about 60 MB at most
_TRIM_EVERY = 1_000  # revisions


class StoreError(Exception):
    """The disk refused, or the file is not a store: nothing changed."""


def utc_now() -> datetime:
    """Return the time as AWS gives it: UTC, whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def random_hex(digits: int) -> str:
    """Return random hexadecimal digits."""
    return secrets.token_hex((digits + 1) // 2)[:digits]


class Store:
    """The World, and its file."""

    def __init__(
        self,
        path: Path | str,
        kinds: Iterable[type[Resource]],
        *,
        clock: Callable[[], datetime] = utc_now,
        new_hex: Callable[[int], str] = random_hex,
    ) -> None:
        """Open (or make) the file and read the World.  Raises StoreError, upgrade.TooNew."""
        self._kinds = {k.__name__: k for k in kinds}
        self._clock, self._new_hex = clock, new_hex
        self._watchers: list[Callable[[World], None]] = []
        self.noted: Callable[[str], None] = lambda _: None  # told what each commit was, in the task that made it
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=normal")
            upgrade(self._db)
            self.world = self._load()
        except (sqlite3.Error, ValueError, TypeError, KeyError) as error:  # no database; or a row that is not ours
            raise StoreError(f"cannot open the store {path}: {type(error).__name__}: {error}") from error

    def write(self, fn: Callable[[Tx], T], *, caller: Caller | None = None, what: str = "") -> T:
        """Run `fn` in a transaction.  If it raises, nothing happened.  If it returns, the change is committed.

        `what` goes into the journal: the operation's name, or what the control loop saw.  Raises StoreError.
        """
        tx = self.transaction(caller)
        result = fn(tx)
        if tx.changes:
            self._persist(tx, what)
            self.world = tx.world.seen_by(None)
            self.noted(what)
            for watch in tuple(self._watchers):
                watch(self.world)
        return result

    def transaction(self, caller: Caller | None) -> Tx:
        """Return a transaction that nobody will commit: for DryRun."""
        return Tx(self.world, caller=caller, now=self._clock(), new_hex=self._new_hex)

    def watch(self, fn: Callable[[World], None]) -> Callable[[], None]:
        """Call `fn` with the new World after each commit, until what is returned is called."""
        self._watchers.append(fn)
        return lambda: self._watchers.remove(fn)

    def clear(self, what: Callable[[World], Iterable[Resource]] = iter) -> None:
        """Forget every resource, or only `what` is chosen of them, in one commit; the journal stays."""

        def forget(tx: Tx) -> None:
            for resource in what(tx.world):
                tx.delete(resource)

        self.write(forget, what="reset")

    def history(self, limit: int = 100) -> list[dict[str, object]]:
        """Return the newest changes, newest first: revision, at, who, what, kind, id."""
        rows = self._db.execute(
            "select revision, at, who, what, kind, id, body is null from journal order by rowid desc limit ?",
            (limit,),
        )
        names = ("revision", "at", "who", "what", "kind", "id", "deleted")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def close(self) -> None:
        """Write the WAL back and let go of the file."""
        self._db.close()

    def _persist(self, tx: Tx, what: str) -> None:
        revision, at = tx.world.revision, tx.now.isoformat()
        who = tx.caller.arn if tx.caller else "atoll"
        try:
            self._db.execute("begin immediate")
            for (kind, id), resource in tx.changes.items():
                body = None if resource is None else encode(resource)
                if body is None:
                    self._db.execute("delete from resource where kind=? and id=?", (kind.__name__, id))
                else:  # not "insert or replace": a resource keeps its place, oldest first
                    self._db.execute(
                        "insert into resource values (?,?,?,?) on conflict do update"
                        " set revision=excluded.revision, body=excluded.body",
                        (kind.__name__, id, revision, body),
                    )
                told = None if resource is None or body is None else for_journal(resource, body)
                row = (revision, at, who, what, kind.__name__, id, told)
                self._db.execute("insert into journal values (?,?,?,?,?,?,?)", row)
            if revision % _TRIM_EVERY == 0:
                newest = "(select max(rowid) from journal)"
                self._db.execute(f"delete from journal where rowid <= {newest} - ?", (JOURNAL_ROWS_MAX,))
            self._db.execute("commit")
        except BaseException as error:
            if self._db.in_transaction:  # else SQLite has rolled back already: a full disk
                self._db.execute("rollback")
            if isinstance(error, sqlite3.Error):
                raise StoreError(f"cannot write the store: {error}") from error
            raise

    def _load(self) -> World:
        tables: dict[type[Resource], dict[str, Resource]] = {}
        for kind, id, body in self._db.execute("select kind, id, body from resource order by rowid"):
            type_ = self._kinds[kind]
            tables.setdefault(type_, {})[id] = decode(type_, body)
        (revision,) = self._db.execute("select coalesce(max(revision), 0) from journal").fetchone()
        return World(tables, revision)
