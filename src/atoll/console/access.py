"""Who may use the console, and make access keys: whoever may read the key in the state directory.

`atoll console` makes a ticket from the key, good once and for a few minutes; the browser pays with it for a cookie.
`atoll keys` signs what it asks for.  Nothing here is kept but the tickets that were used: all else is signed with the
key, so that a session outlives the daemon.  Other users of the machine, who may call the API, cannot read the key, so
they get no shell.  One of them may listen where no daemon does, and be shown a ticket or a proof: each is for one
daemon, at one port, and no good at another or at the next.
"""

import errno
import hmac
import json
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

KEY_FILE = "console.key"
KEY_BYTES = 32
TICKET_SECONDS = 300
SESSION_SECONDS = 7 * 24 * 3600
USED_MAX = 10_000  # tickets that are remembered until they would have expired
CHALLENGE = secrets.token_hex(16)  # of this process, if it is a daemon: nobody can have a ticket for it from before


@dataclass(frozen=True, slots=True)
class Listener:
    """A daemon that listens at a port: for whom something is signed."""

    port: int
    challenge: str = CHALLENGE

    def __str__(self) -> str:
        """Return what is signed of it."""
        return f"{self.port} {self.challenge}"


def key_of(state_dir: Path) -> bytes:
    """Return the key of our own installation; makes it if there is none.  Raises OSError."""
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


def read_key(state_dir: Path) -> bytes:
    """Return the key in a directory that anybody may have named: nothing there is made, mended or waited for.

    Raises OSError.
    """
    found = os.open(state_dir / KEY_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(found, "rb") as file:
        key = file.read(KEY_BYTES + 1) or b""
    if len(key) != KEY_BYTES:
        raise OSError(errno.EINVAL, "it is no key")
    return key


def ticket(key: bytes, listener: Listener) -> str:
    """Return what is good for one session of one daemon, if it is used soon."""
    return _signed(key, f"ticket {listener}", TICKET_SECONDS)


def link(url: str, key: bytes, challenge: str = CHALLENGE) -> str:
    """Return a link into the console of the daemon at a URL that is good once."""
    return f"{url}/console/enter?ticket={ticket(key, Listener(urlsplit(url).port or 0, challenge))}"


def proof(key: bytes, listener: Listener, words: Sequence[str]) -> str:
    """Return what shows a daemon, for five minutes, that who says these words may read the key."""
    return _signed(key, _command(listener, words), TICKET_SECONDS)


def is_proof(key: bytes, listener: Listener, words: Sequence[str], said: str) -> bool:
    """Tell whether somebody who may read the key has just said these words to this daemon."""
    return _is_good(key, _command(listener, words), said)


class Door:
    """Lets in who has a ticket, and knows them again."""

    def __init__(self, key: bytes, listener: Listener) -> None:
        """Take the installation's key, and where its daemon listens."""
        self._key, self._what = key, f"ticket {listener}"
        self._used: dict[str, int] = {}

    def enter(self, ticket: str) -> str | None:
        """Return a session for a ticket that is good and was not used; else `None`."""
        now = int(time.time())
        self._used = {used: end for used, end in self._used.items() if end > now}
        if not _is_good(self._key, self._what, ticket) or ticket in self._used or len(self._used) >= USED_MAX:
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
        return _is_same(self.form_token(session), token)


def _command(listener: Listener, words: Sequence[str]) -> str:
    return f"command {listener} {sha256(json.dumps(words).encode()).hexdigest()}"


def _signed(key: bytes, what: str, seconds: int) -> str:
    said = f"{int(time.time()) + seconds}.{secrets.token_hex(16)}"
    return f"{said}.{_mac(key, what, said)}"


def _is_good(key: bytes, what: str, text: str) -> bool:
    said, _, mac = text.rpartition(".")
    end = said.partition(".")[0]
    if not text.isascii() or not _is_same(_mac(key, what, said), mac):
        return False
    return int(end) > time.time()  # we wrote it: it is a number


def _is_same(mac: str, said: str) -> bool:
    return said.isascii() and hmac.compare_digest(mac, said)  # half a surrogate pair has no bytes to compare


def _mac(key: bytes, what: str, said: str) -> str:
    return hmac.new(key, f"{what}:{said}".encode(), "sha256").hexdigest()
