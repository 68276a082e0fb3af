"""`atoll learn` as a person uses it: list, open, check, hint, solve, reset, close; progress; a world of its own."""

import json
import subprocess
import sys

import pytest

from atoll.learn.catalogue import LESSONS
from tests.daemon.atoll import Atoll, running
from tests.learn.pupil import Pupil


def learn(atoll: Atoll, *words: str, ok: bool = True) -> str:
    return atoll.cli("learn", *words, ok=ok, timeout=200)


def started(atoll: Atoll, *words: str, **where: int) -> "subprocess.Popen[bytes]":
    return atoll.start_process([sys.executable, "-m", "atoll.cli", "learn", *words], **where)


def code_of(atoll: Atoll, *words: str) -> int:
    return started(atoll, *words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait(60)


@pytest.mark.timeout(300)  # a dozen processes, each with an interpreter of its own
def test_a_lab_is_taken_from_the_list_to_the_end(atoll: Atoll):
    assert "lab-group" in learn(atoll)
    said = learn(atoll, "lab-group")
    assert 'eval "$(atoll learn env lab-group)"' in said
    assert "→ 1. Let the application in, and nobody else" in said
    assert code_of(atoll, "check") == 1
    assert "1. Ask: `atoll why app sessions`." in learn(atoll, "hint")

    solved = learn(atoll, "solve")
    assert "$ aws ec2 authorize-security-group-ingress --group-id sg-" in solved
    assert "Everything is done." in solved
    assert "✓  lab-group" in learn(atoll)
    learn(atoll, "close")
    assert "is not open" in learn(atoll, "check", "lab-group", ok=False)


def test_progress_survives_a_restart(atoll: Atoll):
    pupil = Pupil(atoll, LESSONS["metadata"])
    pupil.act("open")
    pupil.type(pupil.lesson.steps[0].commands[:1])
    assert [one["step"] for one in pupil.check()["passed"]] == ["version-1"]
    pupil.act("hint")

    atoll.kill()
    atoll.up()
    found = pupil.act("show")
    assert [step["state"] for step in found["steps"]] == ["done", "now", "later"]
    assert len(found["steps"][1]["hints"]) == 1
    assert pupil.act("open")["now"] == "version-2", "it is not built again"
    pupil.act("close")


def test_a_lesson_disturbs_nobody(atoll: Atoll):
    mine = atoll.client("ec2")
    mine.create_vpc(CidrBlock="10.0.0.0/16")
    before = mine.describe_vpcs()["Vpcs"], mine.describe_addresses()["Addresses"]
    other = Pupil(atoll, LESSONS["lab-group"])
    other.act("open")
    theirs = atoll.client("ec2", account=other.lesson.account).describe_instances()["Reservations"]

    pupil = Pupil(atoll, LESSONS["metadata"])
    for what in ("open", "reset", "close"):
        pupil.act(what)

    assert (mine.describe_vpcs()["Vpcs"], mine.describe_addresses()["Addresses"]) == before
    assert atoll.client("ec2", account=other.lesson.account).describe_instances()["Reservations"] == theirs
    other.act("close")


def test_watching_tells_each_step_that_becomes_done(atoll: Atoll):
    pupil = Pupil(atoll, LESSONS["lab-group"])
    pupil.act("open")
    watching = started(atoll, "check", "lab-group", "--watch", "--json", stdout=subprocess.PIPE)
    assert watching.stdout
    assert json.loads(watching.stdout.readline())["now"] == "mend"

    pupil.type(pupil.lesson.steps[0].commands)

    assert json.loads(watching.stdout.readline())["now"] is None
    assert watching.wait(60) == 0
    pupil.act("close")


@pytest.mark.parametrize(("words", "said"), [
    (("nonsense",), "there is no lesson 'nonsense'"),
    (("check",), "no lesson is open"),
    (("metadata", "--lang", "tlh"), "there are no texts in 'tlh'"),
    (("env", "metadata", "--shell", "tcsh"), "'tcsh' is not a shell"),
], ids=["no lesson", "none is open", "no language", "no shell"])  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_the_next_step(atoll: Atoll, words, said):
    told = learn(atoll, *words, ok=False)

    assert said in told
    assert "next:" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("variables", "title"), [
    ({"LANG": "ko_KR.UTF-8"}, "인스턴스에서 캐시에 연결하기"),
    ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "从实例连接缓存"),
    ({"LANG": "C.UTF-8"}, "Reach a cache from an instance"),
], ids=["ko", "zh", "en"])  # fmt: skip
def test_the_terminal_says_the_language(atoll: Atoll, variables, title):
    before = dict(atoll.environment)
    atoll.environment |= variables
    try:
        assert title in learn(atoll)
    finally:
        atoll.environment.clear()
        atoll.environment.update(before)


def test_variables_lead_into_the_world(atoll: Atoll):
    told = learn(atoll, "env", "metadata")

    assert f"AWS_ACCESS_KEY_ID={LESSONS['metadata'].account}" in told
    assert f"ATOLL_ENDPOINT={atoll.url}" in told


def test_on_paper_what_only_packets_prove_is_not_passed():
    with running("paper") as paper:
        pupil = Pupil(paper, LESSONS["lab-forward"])
        pupil.act("open")
        assert pupil.reason(pupil.lesson.steps[0]) == "needs-real"

        pupil = Pupil(paper, LESSONS["lab-route"])
        pupil.act("open")
        pupil.type(pupil.lesson.steps[0].commands)
        pupil.until_reason(pupil.lesson.steps[0], "")


def test_with_keys_required_lessons_say_why_they_cannot_be_taken():
    with running("paper", keys="required") as strict:
        told = learn(strict, "metadata", ok=False)

    assert "Atoll takes only keys that it issued" in told
    assert "without --keys required" in told
