"""Who may use the console: whoever may read the key in the state directory.

`atoll console` makes a ticket from the key, good once and for a few minutes; the browser pays with it for a cookie.
Nothing here is kept but the tickets that were used: all else is signed with the key, so that a session outlives the
daemon.  Other users of the machine, who may call the API, cannot read the key, and so get no shell.
"""

import hmac
import os
import secrets
import time
from pathlib import Path

KEY_FILE = "console.key"
KEY_BYTES = 32
TICKET_SECONDS = 300
SESSION_SECONDS = 7 * 24 * 3600
USED_MAX = 10_000  # tickets that are remembered until they would have expired


def key_of(state_dir: Path) -> bytes:
    """Return the key of an installation; makes it if there is none.  Raises OSError."""
    path = state_dir / KEY_FILE
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) == KEY_BYTES:
            return key
        path.unlink()  # a full disk, once: nobody can have a ticket from it
        return key_of(state_dir)
    with open(made, "wb") as file:
        key = secrets.token_bytes(KEY_BYTES)
        file.write(key)
    return key


def ticket(key: bytes) -> str:
    """Return what is good for one session, if it is used soon."""
    return _signed(key, "ticket", TICKET_SECONDS)


def link(url: str, state_dir: Path) -> str:
    """Return a link into the console that is good once.  Raises OSError."""
    return f"{url}/console/enter?ticket={ticket(key_of(state_dir))}"


def proof(state_dir: Path) -> str:
    """Return what shows the daemon, for five minutes, that a command may read the key.  Raises OSError."""
    return _signed(key_of(state_dir), "command", TICKET_SECONDS)


def is_proof(state_dir: Path, said: str) -> bool:
    """Tell whether somebody who may read the key has just said this.  Raises OSError."""
    return _is_good(key_of(state_dir), "command", said)


class Door:
    """Lets in who has a ticket, and knows them again."""

    def __init__(self, key: bytes) -> None:
        """Take the installation's key."""
        self._key = key
        self._used: dict[str, int] = {}

    def enter(self, ticket: str) -> str | None:
        """Return a session for a ticket that is good and was not used; else `None`."""
        now = int(time.time())
        self._used = {used: end for used, end in self._used.items() if end > now}
        if not _is_good(self._key, "ticket", ticket) or ticket in self._used or len(self._used) >= USED_MAX:
            return None
        self._used[ticket] = int(ticket.partition(".")[0])
        return _signed(self._key, "session", SESSION_SECONDS)

    def knows(self, session: str) -> bool:
        """Tell whether a session is one of ours and still lasts."""
        return _is_good(self._key, "session", session)

    def form_token(self, session: str) -> str:
        """Return what every form of a session carries: another site cannot read it."""
        return _mac(self._key, "form", session)

    def is_form_token(self, session: str, token: str) -> bool:
        """Tell whether a form is of this session."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode())


def _signed(key: bytes, what: str, seconds: int) -> str:
    said = f"{int(time.time()) + seconds}.{secrets.token_hex(16)}"
    return f"{said}.{_mac(key, what, said)}"


def _is_good(key: bytes, what: str, text: str) -> bool:
    said, _, mac = text.rpartition(".")
    end = said.partition(".")[0]
    if not hmac.compare_digest(_mac(key, what, said).encode(), mac.encode()):
        return False
    return int(end) > time.time()  # we wrote it: it is a number


def _mac(key: bytes, what: str, said: str) -> str:
    return hmac.new(key, f"{what}:{said}".encode(), "sha256").hexdigest()
