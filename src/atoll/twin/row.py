"""Values of a recording, each with its place: whatever is wrong with one is said with the file and where in it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from atoll.model.ip import Net

SHOWN_CHARS = 80
_ID = re.compile(r"[0-9a-f]{8}(?:[0-9a-f]{9})?")


class BadRecording(ValueError):
    """The files are not what AWS describes, or do not fit each other; the message says where."""


@dataclass(frozen=True, slots=True)
class Row:
    """A structure of an output, and where it was found: its values have the types of AWS's model."""

    place: str  # "describe-vpcs.json: Vpcs[2]"
    values: Mapping[str, Any]

    def wrong(self, member: str, why: str) -> BadRecording:
        """Return the error that says what is wrong with a member."""
        return BadRecording(f"{self.at(member)}: {why}")

    def at(self, member: str) -> str:
        """Return the place of a member."""
        return inside(self.place, member)

    def has(self, member: str) -> bool:
        """Tell whether a member is there, and not empty."""
        return self.values.get(member) not in (None, "", [])

    def text(self, member: str, default: str | None = None) -> str:
        """Return a text.  Raises BadRecording if it is not there and there is no default."""
        value = self.values.get(member)
        if value in (None, ""):
            if default is None:
                raise self.wrong(member, "is missing")
            return default
        return str(value)

    def maybe(self, member: str) -> str | None:
        """Return a text, or None."""
        return self.text(member, "") or None

    def number(self, member: str, default: int) -> int:
        """Return a number."""
        value = self.values.get(member)
        return default if value is None else int(value)

    def flag(self, member: str, *, default: bool = False) -> bool:
        """Return a truth."""
        value = self.values.get(member)
        return default if value is None else bool(value)

    def row(self, member: str) -> "Row":
        """Return a structure inside this one; an empty one if it is not there."""
        return Row(self.at(member), self.values.get(member) or {})

    def rows(self, member: str) -> Iterator["Row"]:
        """Yield the structures of a list."""
        for n, value in enumerate(self.values.get(member) or ()):
            yield Row(f"{self.at(member)}[{n}]", value)

    def texts(self, member: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(self.values.get(member) or ())

    def id(self, member: str, prefix: str) -> str:
        """Return an id, such as `vpc-` and 8 or 17 hexadecimal digits.  Raises BadRecording."""
        return self.checked_id(member, self.text(member), prefix)

    def maybe_id(self, member: str, prefix: str) -> str | None:
        """Return an id, or None."""
        return self.id(member, prefix) if self.has(member) else None

    def checked_id(self, member: str, text: str, prefix: str) -> str:
        """Return a text that must be an id.  Raises BadRecording."""
        if not (text.startswith(f"{prefix}-") and _ID.fullmatch(text[len(prefix) + 1 :])):
            raise self.wrong(member, f"{shown(text)} is no id of the form {prefix}-0123456789abcdef0")
        return text

    def ip4(self, member: str) -> IPv4Address:
        """Return an address.  Raises BadRecording."""
        return self.checked_ip4(member, self.text(member))

    def maybe_ip4(self, member: str) -> IPv4Address | None:
        """Return an address, or None."""
        return self.ip4(member) if self.has(member) else None

    def checked_ip4(self, member: str, text: str) -> IPv4Address:
        """Return a text that must be an address.  Raises BadRecording."""
        try:
            return IPv4Address(text)
        except ValueError:
            raise self.wrong(member, f"{shown(text)} is no IPv4 address") from None

    def ip6(self, member: str) -> IPv6Address:
        """Return an address.  Raises BadRecording."""
        try:
            found = ip_address(self.text(member))
        except ValueError:
            raise self.wrong(member, f"{shown(self.text(member))} is no address") from None
        if not isinstance(found, IPv6Address):
            raise self.wrong(member, f"{found} is no IPv6 address")
        return found

    def net(self, member: str) -> Net:
        """Return a range of either version.  Raises BadRecording."""
        try:
            return ip_network(self.text(member))
        except ValueError as error:
            raise self.wrong(member, f"{shown(self.text(member))} is no range of addresses ({error})") from None

    def net4(self, member: str) -> IPv4Network:
        """Return a range.  Raises BadRecording."""
        found = self.net(member)
        if not isinstance(found, IPv4Network):
            raise self.wrong(member, f"{found} is no IPv4 range")
        return found

    def net6(self, member: str) -> IPv6Network:
        """Return a range.  Raises BadRecording."""
        found = self.net(member)
        if not isinstance(found, IPv6Network):
            raise self.wrong(member, f"{found} is no IPv6 range")
        return found

    def time(self, member: str, default: datetime) -> datetime:
        """Return a time, aware; the default if it is not there.  Raises BadRecording."""
        value = self.values.get(member)
        if value in (None, ""):
            return default
        try:
            if isinstance(value, int | float):
                return datetime.fromtimestamp(value, UTC)
            found = datetime.fromisoformat(str(value))
        except (ValueError, OverflowError, OSError):
            raise self.wrong(member, f"{shown(str(value))} is no time") from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def tags(self, member: str = "Tags") -> dict[str, str]:
        """Return tags."""
        return {tag.text("Key"): tag.text("Value", "") for tag in self.rows(member)}


def inside(place: str, member: str) -> str:
    """Return the place of a member of what is at a place: `describe-vpcs.json: ` alone is a file."""
    return f"{place}{'' if place.endswith(' ') else '.'}{member}"


def shown(text: str) -> str:
    """Return a text from outside, short and without what a terminal obeys."""
    return repr(text[:SHOWN_CHARS] + ("..." if len(text) > SHOWN_CHARS else ""))
