"""The lessons, taken as they are written: every step's reason before, every wrong way, and the right one."""

import pytest

from atoll.learn.catalogue import LESSONS
from tests.daemon.atoll import Atoll
from tests.learn.pupil import Pupil

TAUGHT = [lesson for lesson in LESSONS.values() if not lesson.is_lab]


@pytest.mark.parametrize("lesson", TAUGHT, ids=lambda lesson: lesson.name)
def test_the_commands_of_a_step_do_it(atoll: Atoll, lesson):
    pupil = Pupil(atoll, lesson)
    pupil.act("open")
    for step in lesson.steps:
        pupil.until_reason(step, step.before)
        for wrong in step.wrong:
            pupil.type(wrong.commands)
            pupil.until_reason(step, wrong.code)
            pupil.type(wrong.undo)
        pupil.type(step.commands)
        pupil.until_reason(step, "")
    assert pupil.check()["now"] is None
    pupil.act("close")


WAYS = [
    pytest.param(lesson, number, way, id=f"{lesson.name}-{lesson.steps[number].id}-{way}")
    for lesson in TAUGHT
    for number, step in enumerate(lesson.steps)
    for way, _ in enumerate(step.others)
]


@pytest.mark.parametrize(("lesson", "number", "way"), WAYS)
def test_another_right_way_does_it_too(atoll: Atoll, lesson, number, way):
    pupil = Pupil(atoll, lesson)
    pupil.act("reset")
    for step in lesson.steps[:number]:
        pupil.type(step.commands)
        pupil.until_reason(step, "")
    pupil.type(lesson.steps[number].others[way])
    pupil.until_reason(lesson.steps[number], "")
    pupil.act("close")
