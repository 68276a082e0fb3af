"""Names of resources of Terraform."""

import re

NAME_CHARS_MAX = 64


def identifier(text: str) -> str:
    """Return a name for a resource of Terraform, made of a name that people gave."""
    found = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")[:NAME_CHARS_MAX] or "this"
    return found if found[0].isalpha() or found[0] == "_" else f"_{found}"
