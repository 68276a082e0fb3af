"""The texts: every lesson in every language, with the same steps, hints, code and placeholders; no word missing."""

import re
import tomllib
from pathlib import Path

import pytest

from atoll.learn import names, texts
from atoll.learn.catalogue import ALL, LESSONS
from atoll.learn.texts import HERE, LANGUAGES
from atoll.model.world import Caller, World

OTHERS = [language for language in LANGUAGES if language != "en"]
CODE = re.compile(r"`[^`]+`")
FACT = re.compile(r"\{[a-z]+\}")
CODES = re.compile(r'(?:Not\(|code=|before=|Wrong\(\s*)"([a-z0-9-]+)"')
SOURCES = Path(names.__file__).parent
CJK = {"ko": re.compile(r"[가-힣]"), "zh": re.compile(r"[一-鿿]")}


def read(language: str, name: str) -> dict:
    return tomllib.loads((HERE / language / f"{name}.toml").read_text(encoding="utf-8"))


def marks(said: str) -> set[str]:
    """Return what must be the same in every language: code and placeholders."""
    return {*CODE.findall(said), *names.placeholders(said)}


@pytest.mark.parametrize("lesson", ALL, ids=lambda lesson: lesson.name)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_has_its_text_and_hints(lesson, language):
    said = texts.text(lesson.name, language)

    assert list(said.steps) == [step.id for step in lesson.steps]
    assert all(step.title and step.text and step.hints for step in said.steps.values())
    assert len(said.steps["mend"].hints) >= 2 if lesson.is_lab else True


@pytest.mark.parametrize("lesson", ALL, ids=lambda lesson: lesson.name)
@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_same_commands_and_placeholders(lesson, language):
    english, other = texts.text(lesson.name, "en"), texts.text(lesson.name, language)

    assert marks(other.about) == marks(english.about)
    for id, step in english.steps.items():
        same = other.steps[id]
        assert marks(same.title + same.text) == marks(step.title + step.text), id
        assert [marks(hint) for hint in same.hints] == [marks(hint) for hint in step.hints], id
        assert CJK[language].search(same.title), "it is a translation"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_judge_has_a_sentence(language):
    said = read(language, "words")
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py"))
    needed = set(CODES.findall(source)) | {"done"}

    assert needed <= said.keys(), needed - said.keys()
    assert said.keys() <= needed, f"nobody says {said.keys() - needed}"


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", ["words", "interface"])
def test_words_have_the_same_facts(language, name):
    english, other = read("en", name), read(language, name)

    assert other.keys() == english.keys()
    for code, sentence in english.items():
        assert sorted(FACT.findall(other[code])) == sorted(FACT.findall(sentence)), code


def test_there_are_no_texts_of_lessons_that_are_none():
    for language in LANGUAGES:
        files = {path.stem for path in (HERE / language).glob("*.toml")}
        assert files == {*LESSONS, "words", "interface"}


def test_every_placeholder_is_of_a_kind_that_there_is():
    world = World().seen_by(Caller(account="710000000001", region="us-east-1", arn=""))
    for lesson in ALL:
        said = texts.text(lesson.name, "en")
        steps = [part for step in said.steps.values() for part in (step.title, step.text, *step.hints)]
        commands = [command for step in lesson.steps for way in (step.commands, *step.others) for command in way]
        wrong = [c for step in lesson.steps for one in step.wrong for c in (*one.commands, *one.undo)]
        for text in (said.about, *steps, *commands, *wrong):
            filled = re.sub(r"\{Key=Name,Value=[\w-]+\}|\{GroupId=\w+\}", "", names.fill(world, text))
            assert "{" not in filled, text


def test_languages_are_meant_in_many_ways():
    meant = {"ko_KR.UTF-8": "ko", "zh-CN": "zh", "zh_TW.Big5": "zh", "en": "en", "C.UTF-8": "en", "de": "en"}

    assert {said: texts.language_of(said) for said in meant} == meant


def test_a_fact_with_braces_and_markup_is_only_text():
    said = texts.words("en", "no-group", {"name": "{name} <b>"})

    assert said == "There is no security group with the name {name} <b>."
