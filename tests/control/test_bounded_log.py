"""The log of a daemon in the background: it begins anew when it is full, and no line is lost."""

import errno
import io
import logging
import subprocess
import sys

from atoll.cli.up import _said
from atoll.control.bounded_log import BoundedLog

PROGRAM = """
import logging, sys
from pathlib import Path
from atoll.control import bounded_log
bounded_log.BYTES_MAX = 1000
logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[bounded_log.BoundedLog(Path(sys.argv[1]))])
for n in range(30):
    logging.info("event %03d %s", n, "x" * 40)
print("said by print", flush=True)
"""


def run(log, out, program=PROGRAM):
    """Have thirty lines of 51 bytes logged, with standard output and error in `out`."""
    with out.open("ab") as file:
        subprocess.run([sys.executable, "-c", program, str(log)], stdout=file, stderr=file, check=True)


def test_a_full_log_is_moved_aside_and_what_is_said_later_is_in_a_new_one(tmp_path):
    log = tmp_path / "atoll.log"

    run(log, log)

    before, now = (tmp_path / "atoll.log.1").read_text().splitlines(), log.read_text().splitlines()
    assert [line[:9] for line in before + now[:-1]] == [f"event {n:03d}" for n in range(30)]
    assert len(before) == 20
    assert now[-1] == "said by print"


def test_what_is_not_the_daemons_own_log_is_left_alone(tmp_path):
    log, other = tmp_path / "atoll.log", tmp_path / "mine.txt"
    log.write_text("x" * 2000)

    run(log, other)

    assert len(other.read_text().splitlines()) == 31
    assert sorted(path.name for path in tmp_path.iterdir()) == ["atoll.log", "mine.txt"]


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path, monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr(sys, "stderr", Full())
    log = BoundedLog(tmp_path / "gone.log")

    log.handle(logging.makeLogRecord({"msg": "nobody reads this"}))


WITHOUT_DESCRIPTORS = """
import logging, os, resource, sys
from pathlib import Path
from atoll.control import bounded_log
bounded_log.BYTES_MAX = 1000
logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[bounded_log.BoundedLog(Path(sys.argv[1]))])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
for n in range(30):
    logging.info("event %03d %s", n, "x" * 40)
assert os.path.exists(sys.argv[1]) and not os.path.exists(sys.argv[1] + ".1")
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
for n in range(30, 35):
    logging.info("event %03d %s", n, "x" * 40)
"""


def test_a_log_that_cannot_begin_anew_goes_on_and_begins_anew_when_it_can(tmp_path):
    log = tmp_path / "atoll.log"

    run(log, log, WITHOUT_DESCRIPTORS)

    before, now = (tmp_path / "atoll.log.1").read_text().splitlines(), log.read_text().splitlines()
    assert [line[:9] for line in before + now] == [f"event {n:03d}" for n in range(35)]
    assert len(before) == 31
    assert sorted(path.name for path in tmp_path.iterdir()) == ["atoll.log", "atoll.log.1"]


def test_the_last_words_of_a_daemon_are_found_in_a_log_that_began_anew_meanwhile(tmp_path):
    log = tmp_path / "atoll.log"
    log.write_text("of another day\n")
    begun = log.stat()

    with log.open("a") as file:
        file.write("first\n")
    assert _said(log, begun) == "first\n"
    log.rename(tmp_path / "atoll.log.1")
    log.write_text("last\n")

    assert _said(log, begun) == "first\nlast\n"
