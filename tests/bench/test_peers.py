"""The comparison with peers runs: here against Atoll alone, on paper.  Never how fast, and nothing from PyPI."""

import json
import subprocess
import sys

from tests.tidy.tree import ROOT


def _run(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench.peers", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


def test_every_row_is_measured_on_atoll():
    done = _run("--quick", "--json", "--peers", "none", "--hosts", "paper")

    assert done.returncode == 0, done.stderr[-3000:]
    rows = {row["row"]: row["figures"]["Atoll"] for row in json.loads(done.stdout)["rows"]}
    assert {"exec to first answer", "memory then", "CreateCacheCluster", "RunInstances, 1"} <= set(rows)
    assert len(rows) == 35
    assert all(isinstance(figure, float) and figure > 0 for figure in rows.values()), rows


def test_an_unknown_peer_is_refused():
    done = _run("--peers", "moon")

    assert done.returncode == 2
    assert "no such part, peer or host: moon" in done.stderr
