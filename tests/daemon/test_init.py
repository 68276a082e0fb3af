"""The user's scripts at the stages of the daemon's life."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from atoll.host import hook_program
from tests.daemon.atoll import Atoll, running, until


@pytest.fixture
def paper():
    with running("paper", started=False) as daemon:
        yield daemon


def write(atoll: Atoll, **scripts: str) -> Path:
    """Write scripts: `ready_1_sh="exit 3"` is ready.d/1.sh."""
    directory = atoll.place / "init"
    for name, text in scripts.items():
        stage, number, suffix = name.split("_")
        (directory / f"{stage}.d").mkdir(parents=True, exist_ok=True)
        (directory / f"{stage}.d" / f"{number}.{suffix}").write_text(text)
    return directory


def test_stages_come_in_order_with_the_environment_of_aws_tools(paper):
    notes = paper.place / "notes"
    directory = write(
        paper,
        boot_1_sh=f"echo boot >> {notes}; ! curl -sf -m 1 $ATOLL_ENDPOINT/_atoll/health",
        start_1_py=f"import os; open({str(notes)!r}, 'a').write('py ' + os.environ['AWS_ACCESS_KEY_ID'] + '\\n')",
        start_2_sh=f"curl -sf $AWS_ENDPOINT_URL/_atoll/health > /dev/null && echo start >> {notes}",
        ready_1_sh=f"echo ready >> {notes}",
        shutdown_1_sh=f"curl -sf $ATOLL_ENDPOINT/_atoll/health > /dev/null && echo shutdown >> {notes}",
    )

    paper.up("--init", str(directory))
    until(lambda: paper.get("/_atoll/init/ready")["completed"], what="the last stage of a start")
    report = paper.get("/_localstack/init")
    paper.stop()

    assert notes.read_text().split("\n") == ["boot", "py test", "start", "ready", "shutdown", ""]
    assert report["completed"] == {"BOOT": True, "START": True, "READY": True, "SHUTDOWN": False}
    names = [(script["stage"], script["name"], script["state"]) for script in report["scripts"]]
    assert names == [
        ("BOOT", "1.sh", "SUCCESSFUL"), ("START", "1.py", "SUCCESSFUL"), ("START", "2.sh", "SUCCESSFUL"),
        ("READY", "1.sh", "SUCCESSFUL"),
    ]  # fmt: skip


def test_a_failing_script_is_named_and_the_next_one_runs(paper):
    directory = write(paper, ready_1_sh="echo what it said; exit 3", ready_2_txt="no script", ready_3_sh="true")

    paper.up("--init", str(directory))
    until(lambda: paper.get("/_atoll/init")["completed"]["READY"], what="the stage's end")

    scripts = {it["name"]: (it["state"], it.get("because")) for it in paper.get("/_atoll/init")["scripts"]}
    assert scripts == {
        "1.sh": ("ERROR", "it ended with status 3"),
        "2.txt": ("SKIPPED", "it is neither executable nor named .sh or .py"),
        "3.sh": ("SUCCESSFUL", None),
    }
    assert "ready.d/1.sh: error, because it ended with status 3" in paper.cli("status")
    assert "what it said" in paper.said()


def test_a_script_that_does_not_end_holds_up_neither_the_stop_nor_the_next_stage(paper):
    directory = write(
        paper, ready_1_sh="exec sleep 1000", ready_2_sh="true", shutdown_1_sh=f"echo > {paper.place}/shut"
    )
    paper.up("--init", str(directory))
    running_one = {"stage": "READY", "name": "1.sh", "state": "RUNNING"}
    until(lambda: running_one in paper.get("/_atoll/init")["scripts"], what="the script")

    begun = time.monotonic()
    paper.stop()

    assert time.monotonic() - begun < 15, "it waited for the script"
    assert (paper.place / "shut").exists()
    assert "came before its own" in paper.said()


def test_a_script_that_takes_too_long_is_ended(tmp_path):
    (tmp_path / "boot.d").mkdir()
    (tmp_path / "boot.d" / "1.sh").write_text("sleep 1000")

    done = subprocess.run(
        [sys.executable, "-I", "-S", hook_program.__file__, str(tmp_path), "0.2"],
        input=b"boot\n", capture_output=True, timeout=30, check=True,
    )  # fmt: skip

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told[1]["state"] == "ERROR"
    assert told[1]["because"] in ("it took longer than 0.2 s, and was ended", hook_program.INTERRUPTED)


def test_scripts_end_with_a_daemon_that_is_killed(paper):
    directory = write(paper, ready_1_sh=f"exec sleep 1000 > {paper.place}/mark")
    paper.up("--init", str(directory))
    until((paper.place / "mark").exists, what="the script")

    paper.kill()

    until(lambda: not paper.leftovers() or all("sleep" not in it for it in paper.leftovers()), 10, "the script's end")


def test_a_directory_that_is_not_there_is_refused_at_once(paper):
    said = paper.up("--init", "/nowhere", expect=False)

    assert "/nowhere is not a directory" in said
