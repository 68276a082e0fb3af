"""A user's access string: read, checked, and written as AWS shows it.

    parse("~app:* +get").text       # "off ~app:* -@all +get"

It follows the engine's grammar for access rules, without what AWS keeps for itself: passwords, `reset`, and commands
that no client may give.  Source: ElastiCache User Guide, "Role-Based Access Control", "Specifying permissions using
an access string"; valkey.io/topics/acl.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from atoll.cache.commands import CATEGORIES, SINCE
from atoll.cache.restricted import is_restricted

_TOKEN = re.compile(r"\([^()]*\)|[^\s()]+|[()]")
_KEYS = re.compile(r"(~|%(R|W|RW|WR)~)\S+", re.I)
_CHANNELS = re.compile(r"&\S+")
_COMMAND = re.compile(r"([+-])(@?)([a-z0-9_-]+)(?:\|(\S+))?", re.I)
_PASSWORDS = re.compile(r"[><#!].*|nopass|resetpass|reset", re.I)


class BadAccessString(ValueError):
    """It is not an access string that a user may have; the message says why."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What may be done: rules of the engine, in its order of writing."""

    keys: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()  # empty: as the parameter acl-pubsub-default says
    commands: tuple[str, ...] = ("-@all",)

    @property
    def text(self) -> str:
        """The rules as one string."""
        return " ".join((*self.keys, *self.channels, *self.commands))


@dataclass(frozen=True, slots=True)
class AccessString:
    """An access string that was understood."""

    is_on: bool
    root: Permissions
    selectors: tuple[Permissions, ...] = ()

    @property
    def text(self) -> str:
        """The string as AWS shows it."""
        selectors = (f"({selector.text})" for selector in self.selectors)
        return " ".join(("on" if self.is_on else "off", self.root.text, *selectors))

    @property
    def needs_version_7(self) -> bool:
        """Tell whether an engine before version 7 would not understand it."""
        everywhere = (self.root, *self.selectors)
        return bool(self.selectors) or any(key.startswith("%") for one in everywhere for key in one.keys)


def parse(text: str) -> AccessString:
    """Read an access string.  Raises BadAccessString."""
    is_on, rules, selectors = False, [], []
    for token in _TOKEN.findall(text):
        word = token.lower()
        if word in ("on", "off"):
            is_on = word == "on"
        elif _PASSWORDS.fullmatch(token):
            raise BadAccessString(f"{_short(token)} is not allowed in an access string: passwords are parameters")
        elif token in "()":
            raise BadAccessString("a parenthesis without its other half")
        elif token.startswith("("):
            selectors.append(_permissions(iter(token[1:-1].split())))
        else:
            rules.append(token)
    return AccessString(is_on, _permissions(iter(rules)), tuple(selectors))


def _permissions(tokens: Iterator[str]) -> Permissions:
    keys: list[str] = []
    channels: list[str] = []
    commands: list[str] = ["-@all"]
    for token in tokens:
        word = token.lower()
        if word in ("allkeys", "~*"):
            keys = ["~*"]
        elif word == "resetkeys":
            keys = []
        elif _KEYS.fullmatch(token):
            if "~*" in keys:
                raise BadAccessString(f"{token} after ~* has no effect")
            keys.append(_upper_flags(token))
        elif word in ("allchannels", "&*"):
            channels = ["&*"]
        elif word == "resetchannels":
            channels = ["resetchannels"]
        elif _CHANNELS.fullmatch(token):
            if "&*" in channels:
                raise BadAccessString(f"{token} after &* has no effect")
            channels = [*(channels or ["resetchannels"]), token]
        elif word in ("allcommands", "+@all"):
            commands = ["+@all"]
        elif word in ("nocommands", "-@all"):
            commands = ["-@all"]
        else:
            commands.append(_command(token))
    return Permissions(tuple(keys), tuple(channels), tuple(commands))


def _command(token: str) -> str:
    """Return a rule about a command or a category, in lower case."""
    match = _COMMAND.fullmatch(token)
    if match is None:
        raise BadAccessString(f"syntax error at {_short(token)}")
    sign, at, name, argument = match.groups()
    name = name.lower()
    if at:
        if argument or name not in CATEGORIES:
            raise BadAccessString(f"there is no category {_short(token[1:])}")
        return f"{sign}@{name}"
    full = f"{name}|{argument.lower()}" if argument else name
    if name not in SINCE:
        raise BadAccessString(f"there is no command {name}")
    if is_restricted(name) or is_restricted(full):
        raise BadAccessString(f"the command {full.replace('|', ' ')} is restricted")
    if argument and full not in SINCE:
        if sign == "-" or any(known.startswith(f"{name}|") for known in SINCE):
            raise BadAccessString(f"there is no command {full.replace('|', ' ')}")
        full = f"{name}|{argument}"  # the command with this first argument only, such as `select|0`
    return f"{sign}{full}"


def _upper_flags(token: str) -> str:
    flags, tilde, pattern = token.partition("~")
    return f"{flags.upper()}{tilde}{pattern}"


def _short(token: str) -> str:
    """Return the beginning of what may be long, or secret."""
    return f"{token[:1]}..." if token[:1] in "><#!" else token[:40]
