"""The store keeps the current World, and writes every change to SQLite before anyone sees it.

One writer: `write` runs a synchronous function in a transaction.  With WAL and synchronous=normal a commit survives
a crash of this process, not of the power.  If SQLite refuses (a full disk), the World stays as it was.

A file that was damaged is never read as far as it goes, and never replaced by a new one: its pages and the sum of
each row are checked before anything is believed (about 3 us a resource).
"""

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from atoll.model.resource import Resource
from atoll.model.world import Caller, Kind, Tx, World
from atoll.store.codec import decode, encode, for_journal
from atoll.store.upgrade import Damaged, check, check_sum, upgrade

T = TypeVar("T")
Row = tuple[object, ...]

JOURNAL_ROWS_MAX = 100_000  # the oldest are forgotten: about 60 MB at most
_TRIM_EVERY = 1_000  # revisions
_DELETE = "delete from resource where kind=? and id=?"
_PUT = (  # not "insert or replace": a resource keeps its place, oldest first
    "insert into resource(kind, id, revision, body, sum) values (?,?,?,?,?) on conflict do update"
    " set revision=excluded.revision, body=excluded.body, sum=excluded.sum"
)
_NOTE = "insert into journal values (?,?,?,?,?,?,?)"
MEND = (
    "nothing was changed; next: put back a copy of it, or move it (with its -wal and -shm) out of the way, start, "
    "and load a backup: atoll restore FILE"
)


class StoreError(Exception):
    """The disk refused, or the file is not a store: nothing changed."""


def utc_now() -> datetime:
    """Return the time as AWS gives it: UTC, whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Dice:
    """Random digits, asked of the system in blocks.

    Each question lets another thread have the interpreter, and then waits until that gives it back.
    """

    def __init__(self, block_digits: int = 4096) -> None:
        """Have none yet."""
        self._block_digits = block_digits
        self._digits, self._at = "", 0
        self._lock = threading.Lock()  # or two threads might get the same ones
        os.register_at_fork(after_in_child=self.forget)  # or two processes might

    def forget(self) -> None:
        """Throw away what was asked for and not used yet."""
        self._digits, self._at, self._lock = "", 0, threading.Lock()

    def hex(self, digits: int) -> str:
        """Return random hexadecimal digits."""
        with self._lock:
            if self._at + digits > len(self._digits):
                self._digits, self._at = secrets.token_hex(max(self._block_digits, digits) // 2 + 1), 0
            found = self._digits[self._at : self._at + digits]
            self._at += digits
        return found


random_hex = Dice().hex


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
        """Open (or make) the file and read the World.  Raises StoreError, upgrade.TooNew: then nothing changed."""
        self._kinds = {k.__name__: k for k in kinds}
        self._clock, self._new_hex = clock, new_hex
        self._watchers: list[tuple[Callable[[World], None], Callable[[Collection[Kind]], bool] | None]] = []
        self.noted: Callable[[str], None] = lambda _: None  # told what each commit was, in the task that made it
        try:
            if path != ":memory:":
                _make(Path(path))
                with suppress(PermissionError):  # another user's, who lends it to us
                    Path(path).chmod(0o600)  # SQLite gives its other files the same mode
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self.world = self._open()
            except BaseException:
                self._db.close()
                raise
        except Damaged as error:
            raise StoreError(f"cannot open the store {path}: {error}; {MEND}") from error
        except (sqlite3.OperationalError, OSError) as error:  # the disk is full, or not ours to write
            raise StoreError(f"cannot open the store {path}: {error}; nothing was changed") from error
        except (sqlite3.Error, ValueError, TypeError, KeyError, AttributeError) as error:  # a row that is not ours
            because = f"it is damaged ({type(error).__name__}: {error})"
            raise StoreError(f"cannot open the store {path}: {because}; {MEND}") from error

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
            changed = {kind for kind, _ in tx.changes}
            for watch, concerns in tuple(self._watchers):
                if concerns is None or concerns(changed):
                    watch(self.world)
        return result

    def transaction(self, caller: Caller | None) -> Tx:
        """Return a transaction that nobody will commit: for DryRun."""
        return Tx(self.world, caller=caller, now=self._clock(), new_hex=self._new_hex)

    def watch(
        self, fn: Callable[[World], None], concerns: Callable[[Collection[Kind]], bool] | None = None
    ) -> Callable[[], None]:
        """Call `fn` with the new World after each commit, until what is returned is called.

        `concerns` tells whether a change of these kinds does; None: each does.
        """
        watcher = fn, concerns
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def clear(self, what: Callable[[World], Iterable[Resource]] = iter) -> None:
        """Forget every resource, or only `what` is chosen of them, in one commit; the journal stays."""

        def forget(tx: Tx) -> None:
            for resource in what(tx.world):
                tx.delete(resource)

        self.write(forget, what="reset")

    def history(self, limit: int = 100) -> list[dict[str, object]]:
        """Return the newest changes, newest first: revision, at, who, what, kind, id.

        Raises StoreError if the disk does not give them.
        """
        names = ("revision", "at", "who", "what", "kind", "id", "deleted")
        try:
            rows = self._db.execute(
                "select revision, at, who, what, kind, id, body is null from journal order by rowid desc limit ?",
                (limit,),
            )
            return [dict(zip(names, row, strict=True)) for row in rows]
        except sqlite3.Error as error:
            raise StoreError(f"cannot read the store: {error}") from error

    def close(self) -> None:
        """Write the WAL back and let go of the file."""
        self._db.close()

    def _persist(self, tx: Tx, what: str) -> None:
        revision, at = tx.world.revision, tx.now.isoformat()
        who = tx.caller.arn if tx.caller else "atoll"
        gone, put, entries = list[Row](), list[Row](), list[Row]()
        try:
            for (kind, id), resource in tx.changes.items():
                told = None
                if resource is None:
                    gone.append((kind.__name__, id))
                else:
                    row = (kind.__name__, id, revision, body := encode(resource))
                    put.append((*row, check_sum(*row)))
                    told = for_journal(resource, body)
                entries.append((revision, at, who, what, kind.__name__, id, told))
            self._db.execute("begin immediate")
            for statement, rows in ((_DELETE, gone), (_PUT, put), (_NOTE, entries)):
                if rows:
                    self._db.executemany(statement, rows)
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

    def _open(self) -> World:
        """Check the pages before anything is written, so that nobody makes worse what somebody may mend."""
        if self._db.execute("pragma database_list").fetchone()[2]:  # else it is in memory, and new
            check(self._db)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        upgrade(self._db)
        return self._load()

    def _load(self) -> World:
        tables: dict[type[Resource], dict[str, Resource]] = {}
        newest = 0
        for kind, id, revision, body, sum_ in self._db.execute(
            "select kind, id, revision, body, sum from resource order by rowid"
        ):
            if check_sum(kind, id, revision, body) != sum_:
                raise Damaged(f"it is damaged ({kind} {id} is not what was written)")
            if kind not in self._kinds:
                raise Damaged(f"it has a {kind}, which this Atoll does not know")
            resource = decode(self._kinds[kind], body)
            tables.setdefault(self._kinds[kind], {})[id] = resource
            newest = max(newest, revision)
        (revision,) = self._db.execute("select coalesce(max(revision), 0) from journal").fetchone()
        return World(tables, max(revision, newest))


def _make(path: Path) -> None:
    """Make a new store, whole, where there is no file: one that is there and empty had been something.

    Raises Damaged, OSError, sqlite3.Error.
    """
    if path.exists():
        if path.stat().st_size == 0:
            raise Damaged("it is empty")
        return
    if (left := path.with_name(f"{path.name}-wal")).exists() and left.stat().st_size:
        raise Damaged(f"it is gone, and {left.name} is still there")
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    db = sqlite3.connect(new, isolation_level=None)
    try:
        db.execute("pragma synchronous=off")  # there is nothing yet to lose
        upgrade(db)
    finally:
        db.close()
    with new.open("rb") as file:
        os.fsync(file.fileno())  # or a power cut may leave a name without what it names
    new.replace(path)
