"""The labs: broken when they are opened; a wrong repair is refused by its reason, and each right one is accepted."""

import pytest

from atoll.learn.catalogue import LESSONS
from tests.daemon.atoll import Atoll
from tests.learn.pupil import Pupil

LABS = [lesson for lesson in LESSONS.values() if lesson.is_lab]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_wrong_repairs_are_refused_and_the_right_one_accepted(atoll: Atoll, lab):
    pupil = Pupil(atoll, lab)
    (step,) = lab.steps
    pupil.act("open")
    pupil.until_reason(step, step.before)
    for wrong in step.wrong:
        pupil.type(wrong.commands)
        pupil.until_reason(step, wrong.code)
        pupil.type(wrong.undo)
    pupil.type(step.commands)
    pupil.until_reason(step, "")
    pupil.act("close")


WAYS = [
    pytest.param(lab, way, id=f"{lab.name}-{number}")
    for lab in LABS
    for number, way in enumerate(lab.steps[0].others)
]


@pytest.mark.parametrize(("lab", "way"), WAYS)
def test_another_right_repair_is_accepted_too(atoll: Atoll, lab, way):
    pupil = Pupil(atoll, lab)
    pupil.act("reset")
    pupil.type(way)
    pupil.until_reason(lab.steps[0], "")
    pupil.act("close")


def test_nearly_every_lab_has_several_right_repairs():
    only_one = [lab.name for lab in LABS if not lab.steps[0].others]

    assert len(LABS) == 10
    assert only_one == ["lab-tls"], "a transition has one mode that is made for it"


def test_a_lab_does_not_tell_its_repair(atoll: Atoll):
    pupil = Pupil(atoll, LESSONS["lab-route"])

    assert pupil.act("open")["steps"][0]["commands"] == []

    pupil.act("close")
