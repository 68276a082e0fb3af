"""The documentation site's hook: what links lead to outside of docs/ is named, not linked: the site does not hold it."""

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)\s]+)\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return a page's text for the site."""
    if page.file.src_uri.startswith("decisions/"):  # `../` is docs/ itself there
        return markdown
    return OUTSIDE.sub(r"\1 (`\2`)", markdown)
