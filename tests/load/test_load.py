"""The load of `python -m tests.load`, small and short: that it finds nothing, and that it would find something."""

import os
import shutil
import signal
import socket

import pytest

from tests.daemon.atoll import running, until
from tests.load import __main__ as load
from tests.load import docs, kernel, told
from tests.load.__main__ import Found, run
from tests.load.traffic import Flow

LOG = """\
2026-11-28T06:54:36.900+00:00 info not measured {"node": "0/us-east-1/mem-3:0002", "because": "TimeoutError: "}
2026-11-28T06:54:36.934+00:00 info failover {"act": "fence", "group": "pair-2-2", "id": "pair-2-2-002", \
"because": "it has not answered for 10.7 s"}
2026-11-28T06:54:37.568+00:00 info process ended {"machine": "0/us-east-1/pair-2-2-002:0001#1", "status": -9, \
"last_words": "Finished with success"}
"""


@pytest.mark.kernel
@pytest.mark.engines
@pytest.mark.timeout(600)
def test_a_small_load_has_no_error_and_leaves_nothing():
    found = Found(nodes=12, instances=4, clients=6, minutes=0.1)
    with running("root") as atoll:
        run(atoll, found, seed=1)
    assert found.wrong == []
    assert found.calls > 0
    assert found.answers > 0
    assert found.pairs > 0
    assert "| Wrong | nothing |" in docs.text(found)


@pytest.mark.kernel
@pytest.mark.engines
def test_a_run_whose_daemon_dies_ends_by_itself_and_says_so(monkeypatch):
    begin, found = load.start, Found(nodes=2, instances=2, clients=2, minutes=0.05)

    def start(atoll, *about):
        processes = begin(atoll, *about)
        atoll.kill()
        return processes

    monkeypatch.setattr(load, "start", start)
    with running("root") as atoll:
        run(atoll, found, seed=1)
    assert any(wrong.startswith("ended early: ") for wrong in found.wrong)
    assert any(wrong.startswith("not deleted: ") for wrong in found.wrong)


@pytest.mark.kernel
@pytest.mark.engines
def test_all_is_told_of_an_engine_that_ended():
    with running("root") as atoll:
        cache = atoll.client("elasticache")
        cache.create_cache_cluster(CacheClusterId="one", Engine="redis", CacheNodeType="cache.t3.micro",
            NumCacheNodes=1)  # fmt: skip
        node = until(lambda: available(atoll), 60.0, "a cache")
        begun, first = len(atoll.said()), atoll.machine(node["address"])["pid"]

        os.kill(first, signal.SIGKILL)
        until(lambda: atoll.machine(node["address"]).get("pid") not in (None, first), 60.0, "another process")

        said = told.about(atoll, node["address"])
        harms = told.harms(atoll.said()[begun:])
        assert [harm.partition(":")[0] for harm in harms] == ["process ended 000000000000/us-east-1/one"]
        assert said[0].startswith(f"one:0001 runs as process {atoll.machine(node['address'])['pid']}")
        assert any(line.startswith("the daemon: ") and "process ended" in line for line in said)
        assert any(line.startswith("the engine: ") for line in said)
        cache.delete_cache_cluster(CacheClusterId="one")
        until(lambda: not atoll.status()["caches"], 60.0, "the end of the cache")
        assert f"no interface has the private address {node['address']}" in told.about(atoll, node["address"])[0]


def available(atoll):
    return next((n for c in atoll.status()["caches"] for n in c["nodes"] if n["status"] == "available"), None)


def test_every_harm_to_an_engine_is_found_in_the_log():
    assert told.harms(LOG) == [
        "failover fence pair-2-2-002: it has not answered for 10.7 s",
        "process ended 0/us-east-1/pair-2-2-002:0001#1 -9: Finished with success",
    ]


def test_control_groups_are_found_while_others_go(tmp_path):
    for path in ("ours/a", "ours/b/c", "other/d"):
        (tmp_path / path).mkdir(parents=True)
    looked = kernel.groups_below({"ours"}, str(tmp_path))

    first = next(looked)
    shutil.rmtree(tmp_path / "ours" / "b")

    assert {first, *looked} == {f"{tmp_path}/ours/a", f"{tmp_path}/ours/b"}, "what was there when it looked"


def test_growth_is_seen_and_a_start_is_none():
    flat = [(float(t), 100.0) for t in range(60)]
    warm = [(float(t), min(100.0, 50.0 + 5 * t)) for t in range(60)]
    leak = [(float(t), 100.0 + t) for t in range(60)]

    assert kernel.slope(flat) == pytest.approx(0)
    assert kernel.slope(warm) == pytest.approx(0)
    assert kernel.slope(leak) == pytest.approx(60)


def test_the_figures_replace_those_of_the_last_run(tmp_path, monkeypatch):
    page = tmp_path / "reliability.md"
    page.write_text(f"before\n{docs.BEGIN}\nold\n{docs.END}\nafter\n")
    monkeypatch.setattr(docs, "PAGE", page)

    docs.write(Found(nodes=1, instances=2, clients=3, minutes=4))

    text = page.read_text()
    assert text.startswith(f"before\n{docs.BEGIN}\n2")
    assert text.endswith(f"{docs.END}\nafter\n")
    assert "3 clients of the API and 2 connections" in text
    assert "old" not in text


def test_what_was_wrong_is_told_in_few_words():
    found = Found(nodes=1, instances=2, clients=3, minutes=4)
    found.wrong = ["10.0.0.26:6379: it said '-READONLY'"] * 3
    found.wrong += ["a | b\r\n" + "x" * 500, *map(str, range(20))]

    row = docs.text(found).splitlines()[-1]

    assert row.startswith("| Wrong | 3 times: 10.0.0.26:6379: it said '-READONLY'; a / b  xxx")
    assert row.endswith("; and 14 more |")
    assert len(row) < 700
    assert row.count("|") == 3


def test_the_line_that_was_not_to_be_heard_is_told():
    near, far = socket.socketpair()
    with near, far:
        flow = Flow.__new__(Flow)
        flow.socket, flow.heard, flow.answers = near, b"", 0
        flow.question, flow.answer = b"ask", b"+OK\r\n$3\r\nabc\r\n" * 3
        far.sendall(b"+OK\r\n$3\r\nabc\r\n-READONLY You can't write against a read only replica.\r\n$-1\r\n")

        with pytest.raises(ValueError, match=r'it said "-READONLY You can.t write against'):
            flow.read()
