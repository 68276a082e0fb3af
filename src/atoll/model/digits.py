"""Numbers that a caller writes as text."""

DIGITS_MAX = 19  # of a number of 63 bits; Python reads none of more than 4,300, and takes long for fewer


def is_number(text: str, most: int) -> bool:
    """Tell whether a text is a number from 0 to `most`, in ASCII digits: `int` takes others, `isdigit` even `²`."""
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX and int(text) <= most
