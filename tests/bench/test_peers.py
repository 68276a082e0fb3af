"""The comparison with peers runs: here against Atoll alone, on paper.  Never how fast, and nothing from PyPI."""

import json
import subprocess
import sys

from bench.peers.table import Row, better, judged, markdown, misses

from tests.tidy.tree import ROOT


def _run(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench.peers", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


def test_every_row_is_measured_on_atoll():
    done = _run("--quick", "--json", "--peers", "none", "--hosts", "paper")

    assert done.returncode == 0, done.stderr[-3000:]
    rows = {row["row"]: row["figures"]["Atoll"] for row in json.loads(done.stdout)["rows"]}
    assert {"exec to first EC2 answer", "memory then", "CreateCacheCluster", "RunInstances, 1"} <= set(rows)
    assert len(rows) == 52
    assert rows.pop("CreateCacheCluster to first PONG") == "not on the paper host: nothing runs there"
    assert all(isinstance(figure, float) and figure >= 0 for figure in rows.values()), rows


def test_an_unknown_peer_is_refused():
    done = _run("--peers", "moon")

    assert done.returncode == 2
    assert "no such part, peer or host: moon" in done.stderr


def test_a_ratio_is_the_median_of_the_rounds_own():
    assert better(Row("read", "ms"), [1.0, 10.0, 2.0], [2.0, 20.0, 2.0]) == 2.0
    assert better(Row("read", "/s"), [100.0, 300.0], [50.0, 100.0]) == 2.5
    assert better(Row("read", "ms"), [1.0, 1.0, 1.0], [3.0]) == 3.0, "who stopped after a round has one"


def test_an_answer_that_tells_of_other_things_is_no_figure():
    cells = judged(
        {"Atoll": [1.0], "moto": [0.1], "ministack": [2.0]}, {"Atoll": 1_002, "moto": 1, "ministack": 1_002}
    )

    assert cells == {"Atoll": [1.0], "moto": "void: 1 results, and 1,002 of Atoll", "ministack": [2.0]}
    assert judged({"Atoll": "-", "moto": [0.1]}, {"moto": 1}) == {"Atoll": "-", "moto": [0.1]}


TABLE = {
    Row("start", "s", most=0.25): {"Atoll": [0.3], "ministack": [0.6], "moto": "not installed: no|network"},
    Row("read", "/s", times_min=2.0): {"Atoll": [1_500.0], "ministack": [1_000.0], "moto": [2_000.0]},
    Row("one", "ms", times_min=2.0): {"Atoll": [1.0], "ministack": [2.0], "moto": [1.5]},
    Row("pong", "ms"): {"Atoll": "nothing runs", "ministack": "never", "moto": "never"},
}


def test_what_is_behind_or_short_of_an_aim_is_said():
    assert misses(TABLE) == [
        "start [s]: 0.3, where 0.25 is the aim",
        "read [/s]: 1.50 times ministack, where 2 is the aim",
        "read [/s]: 0.75 times moto, where 1 is the aim",
    ]


def test_the_table_has_a_ratio_in_each_cell_that_has_a_figure():
    assert markdown(TABLE).splitlines()[:6] == [
        "| | | Atoll | ministack | moto |",
        "|---|---|---:|---:|---:|",
        "| start | s | 0.3 | 0.6 (2.00) | not installed: no/network |",
        "| read | /s | 1,500 | 1,000 (1.50) | 2,000 (0.75) |",
        "| one | ms | 1 | 2 (2.00) | 1.5 (1.50) |",
        "| pong | ms | nothing runs | never | never |",
    ]
