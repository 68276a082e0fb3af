"""The console's texts: a file per language, a section per area, `{name}` where a value goes."""

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup, escape

from atoll.console.texts.phrases import phrase

LANGUAGES = ("en", "ko", "zh")
NAMES = {"en": "English", "ko": "한국어", "zh": "中文"}
TAGS = {"en": "en", "ko": "ko", "zh": "zh-Hans"}  # as HTML names them


@functools.cache
def texts(language: str) -> Mapping[str, str]:
    """Return the texts of a language: "section.name" -> text."""
    found = tomllib.loads((Path(__file__).parent / f"{language}.toml").read_text(encoding="utf-8"))
    return {f"{section}.{name}": text for section, named in found.items() for name, text in named.items()}


class Speaker:
    """Says things in a language."""

    def __init__(self, language: str) -> None:
        """Take one of LANGUAGES."""
        self.language, self._texts = language, texts(language)

    def __call__(self, name: str, /, **values: object) -> Markup:
        """Return a text with values in it; what is not markup already is escaped.  Raises KeyError."""
        return Markup(escape(self._texts[name])).format(**values)

    def phrase(self, said: str) -> str:
        """Return a sentence of the tracer's in this language, if the phrase book has it."""
        return phrase(self.language, said)

    def has(self, name: str) -> bool:
        """Tell whether there is such a text."""
        return name in self._texts

    def word(self, section: str, word: str) -> str:
        """Return AWS's word in this language if we have it, such as a status; else the word itself."""
        return self._texts.get(f"{section}.{word.replace('-', '_')}", word)


def preferred(accepted: str) -> str:
    """Return the language of ours that an Accept-Language header likes best."""
    liked = []
    for number, part in enumerate(accepted.split(",")[:20]):
        tag, _, quality = part.strip().partition(";q=")
        try:
            liked.append((-float(quality or 1), number, tag[:2].lower()))
        except ValueError:
            continue
    return next((tag for _, _, tag in sorted(liked) if tag in LANGUAGES), LANGUAGES[0])
