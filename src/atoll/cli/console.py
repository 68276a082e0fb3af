"""`atoll console`: a link into the web console, good once."""

import webbrowser
from pathlib import Path

from atoll.cli import private, show
from atoll.cli.failure import Failure
from atoll.console.access import TICKET_SECONDS, link


def console(*, opens: bool) -> None:
    """Print a link into the console of the Atoll that runs; with `opens`, open it in the user's browser too."""
    private_state = private.get("/_atoll/status", **private.whose())["state_dir"]
    try:
        url = link(private.endpoint(), Path(private_state).absolute())
    except OSError as error:
        raise Failure(
            f"the console's key in {private_state} cannot be read: {error.strerror}",
            "run the command as the user who started Atoll (with sudo, if that was root)",
        ) from None
    show.line(url)
    if opens and not webbrowser.open(url):
        show.line(f"No browser was found. The link is good once, for {TICKET_SECONDS // 60} minutes.")
