"""The documentation site builds without a warning: links and anchors lead somewhere, pages are in the menu."""

import json
import subprocess
import sys

import pytest

from tests.tidy.tree import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "properdocs", "build", "--strict", "--site-dir", str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def test_every_page_is_built(site):
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}

    assert pages <= {page.stem for page in site.glob("*.html")}


def test_all_three_languages_are_found_by_search(site):
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    said = " ".join(entry["title"] for entry in index["docs"])

    assert "Getting started" in said
    assert "시작하기" in said
    assert "快速入门" in said


def test_what_is_outside_of_the_site_is_named_and_not_linked(site):
    page = (site / "nat-ha.html").read_text(encoding="utf-8")

    assert "<code>examples/nat_ha.py</code>" in page
    assert "../examples" not in page
