"""The table of growth is printed: two small worlds on paper.  Never how fast."""

import json
import subprocess
import sys

from bench.scale.calls import ROWS
from bench.scale.growth import Grown, linear, table

from tests.tidy.tree import ROOT


def _run(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench.scale", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)


def test_every_row_has_a_figure_for_each_size():
    done = _run("--quick", "--json")

    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert {row.name for row in ROWS} < {row["name"] for row in found["paper"]}
    assert all(row["figures"].keys() == {"2", "10"} for row in found["paper"])
    assert all(figure > 0 for row in found["paper"] for figure in row["figures"].values()), found
    assert set(found["memory"]) == {"SecurityGroup", "Interface", "Instance", "Volume", "CacheCluster"}


def test_one_size_tells_no_growth():
    done = _run("--sizes", "10")

    assert done.returncode == 2
    assert "growth takes two sizes" in done.stderr


def test_what_grows_with_the_world_is_listed_with_its_constant():
    flat = Grown(name="by id", unit="ms", figures={10: 1.0, 100: 1.0, 1_000: 1.1})
    full = Grown(name="all", unit="ms", figures={10: 0.1, 100: 1.0, 1_000: 10.0}, answers_all=True)
    steep = Grown(name="pairs", unit="ms", figures={10: 0.01, 100: 1.0, 1_000: 100.0})

    assert [row.verdict for row in (flat, full, steep)] == ["flat", "linear, as its answer", "**more than linear**"]
    assert linear([flat, full, steep]).splitlines() == [
        "- pairs: 110 µs for each",
        "- all: 10 µs for each, which its answer tells",
    ]
    assert "| by id | ms | 1 | 1 | 1.1 | 0.04 |  | flat |" in table([flat, full, steep], "of each")
