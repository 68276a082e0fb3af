"""What the tracer says, in the language of who reads it: a phrase book, since the tracer speaks English only.

The tracer's sentences go to the CLI, to JSON and to logs, where programs read them: there they stay English.  A page
looks each up here.  One that the book does not know is shown as it is; a test keeps the book complete.
"""

import functools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

LANGUAGES = ("ko", "zh")  # the columns of the book
HOLE = re.compile(r"\{([a-z0-9]+)\}")
PATTERNS = {"what": r"\S+(?: \S+){0,2}", "packet": ".+", "text": ".+", "list": ".+", "phrase": ".+", "groups": ".+"}
WORD = r"\S+?"  # any other hole
NESTED = ("phrase", "groups")  # holes that hold phrases


@functools.cache
def phrase(language: str, said: str) -> str:
    """Return a sentence in a language; itself if it is English that is read, or the book does not have it."""
    if language not in LANGUAGES:
        return said
    for pattern, translations in _book():
        if found := pattern.fullmatch(said):
            return _filled(translations[language], language, found.groupdict())
    return said


def _filled(text: str, language: str, values: Mapping[str, str]) -> str:
    nested = {name: phrase(language, values[name]) for name in NESTED if name in values}
    return HOLE.sub(lambda hole: nested.get(hole[1]) or values[hole[1]], text)


def sentences() -> Mapping[str, Mapping[str, str]]:
    """Return the book: English -> language -> text."""
    sections = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text(encoding="utf-8"))
    rows = ((english, texts) for section in sections.values() for english, texts in section.items())
    return {english: dict(zip(LANGUAGES, texts, strict=True)) for english, texts in rows}


@functools.cache
def _book() -> list[tuple[re.Pattern[str], Mapping[str, str]]]:
    """Return the book ready for use: what says more comes first, so that "{id} is {state}" is tried late."""
    rows = sorted(sentences().items(), key=lambda row: -len(HOLE.sub("", row[0])))
    return [(_pattern(english), texts) for english, texts in rows]


def _pattern(english: str) -> re.Pattern[str]:
    parts = HOLE.split(english)  # text, name, text, name, ... text
    holes = [f"(?P<{name}>{PATTERNS.get(name, WORD)})" for name in parts[1::2]]
    texts = [re.escape(text) for text in parts[::2]]
    return re.compile("".join(a + b for a, b in zip(texts, [*holes, ""], strict=True)))
