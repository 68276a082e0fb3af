"""What lessons say, in each language: one TOML file for each lesson and language, and one for the judges' reasons.

texts/ko/first-cache.toml       title, about, [steps.ID] title, text, hints
texts/ko/words.toml             reason -> sentence, with {facts}
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "ko", "zh")
HERE = Path(__file__).with_name("texts")
FILES_MAX = 100  # that are kept: every lesson in every language is some 70


@dataclass(frozen=True, slots=True)
class StepText:
    """What a step says."""

    title: str
    text: str
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """What a lesson says."""

    title: str
    about: str
    steps: Mapping[str, StepText]


def language_of(wanted: str, *, default: str = "en") -> str:
    """Return the language that is meant by `ko`, `ko_KR.UTF-8`, `zh-CN` and the like; else the default."""
    short = wanted.replace("-", "_").partition("_")[0].partition(".")[0].lower()
    return short if short in LANGUAGES else default


@lru_cache(maxsize=FILES_MAX)
def text(lesson: str, language: str) -> Text:
    """Return what a lesson says in a language."""
    read = _read(language, lesson)
    steps = {
        id: StepText(step["title"], _flowing(step["text"]), tuple(map(_flowing, step["hints"])))
        for id, step in read["steps"].items()
    }
    return Text(read["title"], _flowing(read["about"]), steps)


def _flowing(said: str) -> str:
    """Return a text without the line breaks of its file; an empty line begins a paragraph."""
    return "\n\n".join(" ".join(part.split("\n")) for part in said.strip().split("\n\n"))


def interface(language: str) -> Mapping[str, str]:
    """Return the words around a lesson, on the terminal."""
    found: Mapping[str, str] = _read(language, "interface")
    return found


def words(language: str, code: str, facts: Mapping[str, str]) -> str:
    """Return a sentence with its facts."""
    said = _words(language)[code]
    for name, fact in facts.items():
        said = said.replace(f"{{{name}}}", fact)  # not `format`: a fact may hold braces
    return said


@lru_cache(maxsize=len(LANGUAGES))
def _words(language: str) -> Mapping[str, str]:
    found: Mapping[str, str] = _read(language, "words")
    return found


def _read(language: str, name: str) -> dict[str, Any]:
    with (HERE / language / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)
