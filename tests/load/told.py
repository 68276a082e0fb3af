"""What a daemon told of engines, and all that is to be known of one that hung up.

Nobody harms an engine of a load: none may end, and no failover may find anything to do.
"""

import json

from atoll.host.engine.engine_logs import engine_log
from atoll.host.engine.talker import short

HARMS = ("failover", "lone node given up", "process ended", "start failed")
LINES_MAX = 12  # of the daemon's log about an engine, and of the engine's own
OWN = "000000000000/us-east-1"  # whose engines these are


def harms(said):
    """Return each harm that a log tells of, without its time."""
    whole = said[: said.rfind("\n") + 1]  # the last line may still be being written
    return [brief for line in whole.splitlines() if (brief := _brief(line))]


def _brief(line):
    _, _, rest = line.partition(" info ")
    event, brace, fields = rest.partition(" {")
    if event not in HARMS:
        return ""
    told = json.loads(brace.strip() + fields)
    about = (str(told[name]) for name in ("act", "id", "node", "machine", "status") if name in told)
    return f"{event} {' '.join(about)}: {told.get('because') or told.get('last_words', '')}"


def about(atoll, address):
    """Return what is known of the engine at an address: its process, and lines in the daemon's log and its own."""
    try:
        machine = atoll.machine(address)
    except AssertionError as error:  # there is none any more
        return [str(error)]
    name = machine["id"].partition(":")[0]
    node = next((n for c in atoll.status()["caches"] for n in c["nodes"] if n["address"] == address), "gone")
    group = name.rpartition("-")[0]  # of a failover, which speaks of it and its shard
    daemon = [line for line in atoll.said().splitlines() if f'"{group}' in line or f"/{group}" in line]
    engine = engine_log(atoll.run_dir / "nodes" / short(f"{OWN}/{machine['id']}")).splitlines()
    return [
        f"{machine['id']} runs as process {machine.get('pid')}: {node}",
        *(f"the daemon: {line}" for line in daemon[-LINES_MAX:]),
        *(f"the engine: {line}" for line in engine[-LINES_MAX:]),
    ]
