"""What engines write down themselves: the slow log, and their own log's newest lines."""

from collections.abc import Sequence
from pathlib import Path

from atoll.cache.logs import SlowCommand
from atoll.host.engine.resp import Connection, EngineError

LOG, EARLIER = "log", "log.before"  # of the process that runs, and of the one before it
ENTRIES_MAX = 10_000  # of a slow log; its default length is 128
ENTRY_FIELDS = 6


async def slow_log(engine: Connection, socket: str, after: tuple[str, int] | None) -> tuple[str, list[SlowCommand]]:
    """Return the name of the engine's run, and its slow commands after that id of that run, the oldest first.

    Those of our own, through `socket`, are left out.  Raises OSError, EngineError, ValueError.
    """
    said = str(await engine.ask("INFO", "server"))
    run = next((line[7:].strip() for line in said.splitlines() if line.startswith("run_id:")), "")
    last = after[1] if after and after[0] == run else -1
    newest = _entries(await engine.ask("SLOWLOG", "GET", "1"))
    if not newest or newest[0].id <= last:
        return run, []
    count = min(newest[0].id - last, ENTRIES_MAX)
    found = _entries(await engine.ask("SLOWLOG", "GET", str(count + 1)))
    return run, [entry for entry in reversed(found) if entry.id > last and socket not in entry.client]


def engine_log(directory: Path) -> str:
    """Return the newest of what an engine has said, and the process before it; empty: nothing."""
    said = []
    for name in (EARLIER, LOG):
        try:
            said.append((directory / name).read_bytes())
        except OSError:
            continue
    return b"".join(said).decode(errors="replace")


def _entries(reply: object) -> Sequence[SlowCommand]:
    if not isinstance(reply, list):
        raise EngineError(f"not an answer to SLOWLOG: {reply!r}")
    found = []
    for entry in reply:
        if not isinstance(entry, list) or len(entry) < ENTRY_FIELDS:
            raise EngineError(f"not an entry of SLOWLOG: {entry!r}")
        id, at, microseconds, words, client, name = entry[:ENTRY_FIELDS]
        found.append(SlowCommand(id, at, microseconds, tuple(map(str, words)), str(client), str(name)))
    return found
