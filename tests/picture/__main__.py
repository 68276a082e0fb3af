"""Draw the picture of docs/map.md: `python -m tests.picture`; a test tells when that is due."""

from tests.picture.shop import PICTURE, picture

PICTURE.write_text(picture(), encoding="utf-8")
