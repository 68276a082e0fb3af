"""Who runs a command may read the state directory: this is shown to the daemon that listens now, and to it alone.

Whoever listens where we ask may be another user, who names any directory.  So nothing is made in it, and what is
signed is good at one port, for the daemon that named its challenge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from atoll.cli import private, whereabouts
from atoll.cli.failure import Failure
from atoll.console.access import Listener, link, proof, read_key


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may read the key of the daemon that listens `at` a URL."""

    at: str
    key: bytes
    listener: Listener

    def link(self) -> str:
        """Return a link into its console that is good once."""
        return link(self.at, self.key, self.listener.challenge)

    def proof(self, words: Sequence[str]) -> str:
        """Return what shows it who says these words."""
        return proof(self.key, self.listener, words)


def owner() -> Owner:
    """Ask the daemon who it is, and read its key.  Raises Failure."""
    told = private.get("/_atoll/owner")
    state, challenge = Path(str(told["state_dir"])), str(told["challenge"])
    try:
        key, noted = read_key(state), whereabouts.noted(state) or ""
    except (OSError, ValueError) as error:
        raise Failure(
            f"the key of the installation in {state} cannot be read: {getattr(error, 'strerror', error)}",
            "run the command as the user who started Atoll (with sudo, if that was root)",
        ) from None
    # What the state says is surer than an environment's `localhost`, which is two addresses.
    at = noted if urlsplit(noted).hostname in private.LOOPBACK else private.endpoint()
    return Owner(at, key, Listener(urlsplit(at).port or 0, challenge))
