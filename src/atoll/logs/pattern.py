"""Filter patterns of CloudWatch Logs: words that must be there, may be there (`?word`), or must not (`-word`).

Patterns of JSON (`{ $.x = 1 }`) and of columns (`[ip, user]`) and regular expressions are refused by name.
"""

import re
from collections.abc import Callable

from atoll.logs.errors import UNSUPPORTED

_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a message matches a pattern; the empty one matches everything."""
    stripped = pattern.strip()
    if stripped[:1] in ("{", "[", "%"):
        raise UNSUPPORTED(what=f"A filterPattern that begins with {stripped[0]}")
    terms = {"": [], "?": [], "-": []}  # type: dict[str, list[str]]
    for sign, quoted, word in _TERM.findall(stripped):
        terms[sign].append(re.sub(r"\\(.)", r"\1", quoted) or word)
    needed, some, none = terms[""], terms["?"], terms["-"]
    if needed:
        some = []  # AWS's words: optional terms mean nothing beside needed ones

    def matches(message: str) -> bool:
        return (
            all(term in message for term in needed)
            and (not some or any(term in message for term in some))
            and not any(term in message for term in none)
        )

    return matches
