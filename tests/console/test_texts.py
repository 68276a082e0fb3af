"""The texts of the console: complete in each language, and all of what people read."""

import re
import string

import pytest

from atoll.console.texts import LANGUAGES, Speaker, preferred, texts
from tests.tidy.tree import ROOT, name

TEMPLATES = sorted((ROOT / "src/atoll/console/templates").rglob("*.html"))
PAGES = sorted((ROOT / "src/atoll/console").rglob("*.py"))
SPOKEN = re.compile(r"""\bt(?:\.html)?\(\s*["']([a-z_]+\.[a-z0-9_]*[a-z0-9])["']""")
NAMED = re.compile(r'"((?:common|vpc|ec2|cache|map|why|chaos|activity|health|learn)\.[a-z0-9_]*[a-z0-9])"')
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
MARKUP = re.compile(r"<!doctype html>|</?[a-z][^<>]*>", re.DOTALL | re.IGNORECASE)
READ = re.compile(r"""\b(?:aria-label|title|placeholder|alt)\s*=\s*["'][^"'{]*[A-Za-z]{2}""")
SCRIPT = re.compile("[A-Za-z\u3131-\uffff]{2,}")


def fields(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_language_has_every_text_with_the_same_values(language):
    english, other = texts("en"), texts(language)

    assert sorted(english.keys() - other.keys()) == [], "these are missing"
    assert sorted(other.keys() - english.keys()) == [], "these are of no use"
    assert [key for key in english if fields(english[key]) != fields(other[key])] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_markup(language):
    assert [key for key, text in texts(language).items() if not text.strip() or re.search(r"</?[a-z]", text)] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=name)
def test_a_template_has_no_text_of_its_own(template):
    html = template.read_text(encoding="utf-8")
    assert not READ.search(JINJA.sub("{}", html))
    assert SCRIPT.findall(MARKUP.sub(" ", JINJA.sub("", html)).replace("atoll console", "")) == []


def test_every_text_that_is_asked_for_exists():
    asked = {key for path in TEMPLATES for key in SPOKEN.findall(path.read_text(encoding="utf-8"))}
    asked |= {key for path in PAGES for key in NAMED.findall(path.read_text(encoding="utf-8"))}
    assert sorted(asked - texts("en").keys()) == []


def test_a_value_is_never_markup():
    assert Speaker("en")("common.sure_delete", id="<b>") == "Delete &lt;b&gt;? This cannot be undone."


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("ko-KR,ko;q=0.9", "ko"), ("fr,zh;q=0.5,en;q=0.4", "zh"), ("de", "en"), ("x;q=y,ko", "ko")],
)
def test_a_browser_says_what_its_person_reads(accepted, language):
    assert preferred(accepted) == language
