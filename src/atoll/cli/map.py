"""`atoll map`: the picture of a VPC."""

import json
import sys
from pathlib import Path

from atoll.cli import private, show
from atoll.cli.failure import Failure


def draw(vpc: str | None, *, output: Path | None, live: bool, as_json: bool) -> None:
    """Write the map of a VPC to a file or to standard output.  Raises Failure."""
    asked = private.whose() | {"format": "json" if as_json else "svg"} | ({"vpc": vpc} if vpc else {})
    asked |= {"live": "1"} if live else {}
    if output is None and not as_json and sys.stdout.isatty():
        raise Failure("a picture is no text for a terminal", "atoll map > vpc.svg, or --output FILE, or --json", 2)
    found = private.raw("/_atoll/map", **asked)
    if as_json:
        found = (json.dumps(json.loads(found), indent=2, ensure_ascii=False) + "\n").encode()
    if output is None:
        sys.stdout.buffer.write(found)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(found)
    except OSError as error:
        raise Failure(f"{output} cannot be written: {error.strerror}", "give another file with --output") from None
    show.line(f"Wrote {output}.")
