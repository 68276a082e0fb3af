"""Documents say what is: links lead somewhere, code is the product's own, the coverage page is fresh."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT, files, name

# Paths of machines we work on, and hosts of package registries: neither belongs into the tree.  In pieces, so that
# this file does not contain them.
FOREIGN = [
    "/wor" + "k/", "/far" + "m/", "/root/." + "pyenv",
    "pypi." + "org", "pythonhosted." + "org", "deb.debian." + "org", "archive.ubuntu." + "com",
    "registry.npmjs." + "org", "crates." + "io", "proxy.golang." + "org",
]  # fmt: skip
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FROM_SOURCE = re.compile(r"<!-- from (\S+) -->\n```\w*\n(.*?)```", re.DOTALL)
DOCUMENTS = files(".md")
LINE_MAX = 118  # docs/decisions/0002-line-length.md
COMMANDS_OWN = ("docs/benchmarks.md", "docs/coverage.md")  # written by a command as a whole, and shown as it is


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def anchors(document: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_no_file_names_a_machine_of_ours_or_a_registry():
    found = [f"{name(path)}: {text}" for path in files() for text in FOREIGN if text in text_of(path)]
    assert not found


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document):
    dead = []
    for link in LINK.findall(text_of(document)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        path = (document.parent / target) if target else document
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            dead.append(link)
    assert not dead


def prose(document: Path) -> list[str]:
    """The lines that a person writes and breaks: no tables, no code, nothing that a command put between its marks."""
    found, in_code, is_a_command_s = [], False, False
    for line in text_of(document).splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            in_code = not in_code
        elif line.startswith("<!--"):
            is_a_command_s = not is_a_command_s and ("python -m" in line or "--write-docs" in line)
        elif not (in_code or is_a_command_s or line.startswith(("|", "    "))):
            found.append(line)
    return found


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if name(d) not in COMMANDS_OWN], ids=name)
def test_prose_fits_the_screen(document):
    assert [line for line in prose(document) if len(line) > LINE_MAX] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_code_in_documents_is_the_code(document):
    """A block marked `<!-- from FILE -->` stands in FILE; a line `...` in it stands for lines left out."""
    for source, block in FROM_SOURCE.findall(text_of(document)):
        code = [line.strip() for line in (ROOT / source).read_text(encoding="utf-8").splitlines()]
        pieces = re.split(r"^\s*\.\.\.\s*$", block, flags=re.MULTILINE)
        for piece in pieces:
            lines = [line.strip() for line in piece.strip("\n").splitlines()]
            stands = any(code[i : i + len(lines)] == lines for i in range(len(code) - len(lines) + 1))
            assert stands, f"{source} does not contain:\n{piece}"


def test_every_command_of_the_command_line_is_documented():
    told = subprocess.run([sys.executable, "-m", "atoll.cli", "--help"], capture_output=True, text=True, check=True)
    commands = re.findall(r"^  ([a-z-]+) {2,}", told.stdout.partition("Begin:")[2], re.MULTILINE)
    headings = re.findall(r"^## `atoll ([a-z-]+)", text_of(ROOT / "docs/cli.md"), re.MULTILINE)
    assert sorted(headings) == sorted(commands)


def test_the_coverage_page_is_fresh():
    checked = subprocess.run([sys.executable, str(ROOT / "docs/coverage.py"), "--check"], check=False)
    assert checked.returncode == 0, "run: make docs"
