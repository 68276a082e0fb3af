"""`atoll console`: a link into the web console, good once."""

import webbrowser

from atoll.cli import show
from atoll.cli.owner import owner
from atoll.console.access import TICKET_SECONDS


def console(*, opens: bool) -> None:
    """Print a link into the console of the Atoll that runs; with `opens`, open it in the user's browser too."""
    url = owner().link()
    show.line(url)
    if opens and not webbrowser.open(url):
        show.line(f"No browser was found. The link is good once, for {TICKET_SECONDS // 60} minutes.")
