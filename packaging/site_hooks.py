"""The documentation site's hooks.

A page that the menu does not name is put under "More", so that none is lost.  What links lead to outside of docs/ is
named, not linked: the site does not hold it.
"""

import re
from pathlib import Path
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)\s]+)\)")
MORE = "More"


def on_config(config: Any) -> Any:
    """Complete the menu."""
    named = set(_pages(config.nav))
    more = sorted(page.name for page in Path(config.docs_dir).glob("*.md") if page.name not in named)
    if more:
        config.nav.append({MORE: more})
    return config


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return a page's text for the site."""
    if page.file.src_uri.startswith("decisions/"):  # `../` is docs/ itself there
        return markdown
    return OUTSIDE.sub(r"\1 (`\2`)", markdown)


def _pages(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    items = nav.values() if isinstance(nav, dict) else nav
    return [page for item in items for page in _pages(item)]
