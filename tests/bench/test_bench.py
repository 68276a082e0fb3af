"""The benchmark runs: every row is there, and nothing is left.  Never how fast: that is for `make bench`."""

import json
import os
import subprocess
import sys

import pytest

from tests.tidy.tree import ROOT

MINUTES_MAX = 9  # beside other work; alone it takes a fifth of that
WHEN_ASKED = "resharding,paths,discovery,tls,serving,nat"  # two minutes of two processors
ROWS = {  # by the parts that are measured together, and the sections that these print
    "start,create,rules,growth,reach,snapshots,worlds,console,failover,packets": {
        "start": 6, "create": 5, "rule change": 6, "growth": 8, "reachability": 4, "failover": 2, "snapshots": 2,
        "worlds for tests": 3, "a world in a file": 2, "packets": 5,
    },
    WHEN_ASKED: {"resharding": 2, "CPU a request": 5, "NAT instance": 2},
}  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.kernel
@pytest.mark.engines
@pytest.mark.skipif(os.geteuid() != 0, reason="the benchmark builds networks as root")
@pytest.mark.parametrize("parts", ROWS, ids=["short", "long"])
def test_the_quick_benchmark_prints_every_row(parts):
    if parts == WHEN_ASKED and not os.environ.get("ATOLL_TEST_ALL"):
        pytest.skip("NOT TESTED: takes minutes; ATOLL_TEST_ALL=1 has it run")
    command = [sys.executable, "-m", "bench", "--quick", "--json", "--only", parts]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MINUTES_MAX * 60, check=False)

    assert done.returncode == 0, done.stderr[-3000:]
    rows = json.loads(done.stdout)["rows"]
    expected = ROWS[parts]
    assert {section: sum(row["section"] == section for row in rows) for section in expected} == expected
    assert all(row["value"] > 0 and row["ratio"] > 0 and row["baseline"] for row in rows)


def test_an_unknown_part_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "moon"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "no such part: moon" in done.stderr
