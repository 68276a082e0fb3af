"""What a daemon has of the kernel, and what its processes weigh."""

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


def children(pid):
    """Return the pids below a process, however deep."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents.setdefault((entry / "stat").read_text().rpartition(")")[2].split()[1], []).append(entry.name)
        except OSError:
            continue
    found, todo = [], [str(pid)]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return [int(pid) for pid in found]


def resident_mb(pid):
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / (1 << 20)
    except (OSError, IndexError):
        return 0.0


def holdings(status, groups):
    """Return everything that there is: processes, namespaces, links, mounts, control groups, tables of nftables."""
    keeper = status["keeper"]
    found = Counter()
    for pid in children(keeper):
        try:
            found[f"process {Path(f'/proc/{pid}/comm').read_text().strip()}"] += 1
        except OSError:
            continue
    names = os.listdir(f"/proc/{keeper}/root{status['namespaces']}")
    found.update(f"namespace {name}" for name in names)
    lines = Path(f"/proc/{keeper}/net/dev").read_text().splitlines()[2:]
    found.update(f"link {line.partition(':')[0].strip()}" for line in lines)
    mounts = [line.split()[4] for line in Path(f"/proc/{keeper}/mountinfo").read_text().splitlines()]
    found.update(f"mount {mount}" for mount in mounts)
    found.update(f"group {path}" for path in groups_below(set(groups)))
    if nft := shutil.which("nft"):
        said = subprocess.run(["nsenter", f"--net=/proc/{keeper}/ns/net", nft, "list", "tables"],
            capture_output=True, text=True, check=False).stdout  # fmt: skip
        found.update(f"nft {line}" for line in said.splitlines())
    return found


def groups_below(names, top="/sys/fs/cgroup"):
    """Yield the control groups below those of these names, which go with the daemon themselves (`running` looks).

    Not by glob: it fails when a group goes while it looks.
    """
    for path, below, _ in os.walk(top):
        if not names.isdisjoint(path.split("/")):
            yield from (f"{path}/{name}" for name in below)


def slope(samples):
    """Return by how much a series (seconds, MB) grows in a minute: least squares, over its last two thirds."""
    kept = samples[len(samples) // 3 :]
    if len(kept) < 3:
        return 0.0
    mean_x, mean_y = (sum(column) / len(kept) for column in zip(*kept, strict=True))
    over = sum((x - mean_x) ** 2 for x, _ in kept)
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in kept) / over if over else 0.0
