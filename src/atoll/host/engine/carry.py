"""A node's data, left in a file for the process that takes its place.

The engine writes the file (BGSAVE) into its own directory, and reads it when it starts.  Writes are held back
meanwhile, and refused once the file is there: what was acknowledged is in it, whatever becomes of the daemon.

A copy takes no writes anyway, and is told nothing: if the daemon dies before its end, it goes on, and a refusal that
nobody takes back would still be there when it is made a primary.
"""

import asyncio
from collections.abc import Mapping

from atoll.cache.config import NO_WRITES
from atoll.host.engine.resp import Connection, EngineError

FILE = "dump.rdb"  # the engines' own name for it
HOLD_MILLISECONDS = 5_000
SAVE_SECONDS_MAX = 3_600.0
_POLL_SECONDS = (0.002, 0.2)


async def save(engine: Connection, *, is_copy: bool) -> None:
    """Have an engine take no more writes, and write its data.  Raises EngineError, TimeoutError."""
    if not is_copy:
        await _hold(engine)
    await engine.ask("BGSAVE")
    pause, loop = _POLL_SECONDS[0], asyncio.get_running_loop()
    held = loop.time()
    async with asyncio.timeout(SAVE_SECONDS_MAX):
        while (said := await _persistence(engine)).get("rdb_bgsave_in_progress") != "0":
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _POLL_SECONDS[1])
            if loop.time() - held > HOLD_MILLISECONDS / 2000 and not is_copy:
                await _hold(engine)
                held = loop.time()
    if said.get("rdb_last_bgsave_status") != "ok":
        raise EngineError("the data could not be written: the disk may be full")
    if is_copy:
        return
    await _hold(engine)  # who was held goes on being held
    for name, value in NO_WRITES:
        await engine.ask("CONFIG", "SET", name, value)


async def resume(engine: Connection, settings: Mapping[str, str]) -> None:
    """Have an engine take writes again, as if nothing had been, with settings of its own."""
    for name, _ in NO_WRITES:
        await engine.ask("CONFIG", "SET", name, settings[name])
    await engine.ask("CLIENT", "UNPAUSE")


async def _hold(engine: Connection) -> None:
    await engine.ask("CLIENT", "PAUSE", str(HOLD_MILLISECONDS), "WRITE")


async def _persistence(engine: Connection) -> dict[str, str]:
    said = await engine.ask("INFO", "persistence")
    return dict(line.split(":", 1) for line in str(said).splitlines() if ":" in line)
