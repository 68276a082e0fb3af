"""The first commands of a connection, read for its logins: AUTH, and HELLO with AUTH.  RESP arrays only.

And what an engine says of its connections, read for those that have lasted too long.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

WORDS_MAX = 32  # of one command that may be a login
COMMANDS_MAX = 16


class Login(NamedTuple):
    """A name and what is given as its password."""

    user: str
    password: str


def logins(sent: bytes) -> Iterator[Login]:
    """Yield the logins among whole commands at the beginning of what a client has sent."""
    at = 0
    for _ in range(COMMANDS_MAX):
        found = _command(sent, at)
        if found is None:
            return
        words, at = found
        name = words[0].lower()
        if name == "auth" and len(words) == 3:
            yield Login(words[1], words[2])
        elif name == "auth" and len(words) == 2:
            yield Login("default", words[1])
        elif name == "hello":
            for n, word in enumerate(words[:-2]):
                if word.lower() == "auth":
                    yield Login(words[n + 1], words[n + 2])
                    break


def outdated(client_list: str, users: Collection[str], seconds: float) -> list[str]:
    """Return the ids of connections of some users that are older than so many seconds; reads CLIENT LIST."""
    found = []
    for line in client_list.splitlines():
        said = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if said.get("user") in users and int(said.get("age", "0")) >= seconds:
            found.append(said["id"])
    return found


def _command(sent: bytes, at: int) -> tuple[list[str], int] | None:
    """Return a command's words and where the next one begins; None: it is not whole, or no array."""
    count = _number(sent, at, b"*")
    if count is None or not 0 < count[0] <= WORDS_MAX:
        return None
    words, at = [], count[1]
    for _ in range(count[0]):
        length = _number(sent, at, b"$")
        if length is None or length[0] < 0:
            return None
        begin, end = length[1], length[1] + length[0]
        if sent[end : end + 2] != b"\r\n":
            return None
        words.append(sent[begin:end].decode(errors="replace"))
        at = end + 2
    return words, at


def _number(sent: bytes, at: int, kind: bytes) -> tuple[int, int] | None:
    end = sent.find(b"\r\n", at, at + 16)
    text = sent[at + 1 : end]
    if end < 0 or sent[at : at + 1] != kind or not text.isdigit():
        return None
    return int(text), end + 2
