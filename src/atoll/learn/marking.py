"""What marks code in a lesson's text: backticks."""

from collections.abc import Iterator


def marked(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of a text, and whether each is code."""
    for number, piece in enumerate(text.split("`")):
        if piece:
            yield piece, bool(number % 2)
