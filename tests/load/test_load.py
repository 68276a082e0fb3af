"""The load of `python -m tests.load`, small and short: that it finds nothing, and that it would find something."""

import socket

import pytest

from tests.daemon.atoll import running
from tests.load import docs, kernel
from tests.load.__main__ import Found, run
from tests.load.traffic import Flow


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
