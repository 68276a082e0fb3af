"""CIDR blocks and addresses, as callers write them."""

import functools
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from atoll.ec2.errors import BAD_ADDRESS, BAD_ADDRESS6, BAD_CIDR

_CIDR = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}/[0-9]{1,2}")
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


def read_cidr(text: str) -> IPv4Network | None:
    """Return an IPv4 block with its host bits cleared, as AWS does; `None` if the text is none."""
    if not _CIDR.fullmatch(text):
        return None  # also what only Python would take: no length, a netmask for it
    try:
        return _network(text)
    except ValueError:
        return None


@functools.lru_cache(maxsize=1024)  # callers name the same ones again and again, and to read one takes 4 us
def _network(text: str) -> IPv4Network:
    return IPv4Network(text, strict=False)


def parse_cidr(text: str, name: str = "cidrBlock") -> IPv4Network:
    """Return an IPv4 block with its host bits cleared; raises BAD_CIDR, which names the parameter."""
    cidr = read_cidr(text)
    if cidr is None:
        raise BAD_CIDR(value=text, name=name)
    return cidr


def parse_address(text: str, name: str) -> IPv4Address:
    """Return an IPv4 address; raises BAD_ADDRESS, which names the parameter."""
    if _ADDRESS.fullmatch(text):
        try:
            return IPv4Address(text)
        except ValueError:
            pass
    raise BAD_ADDRESS(value=text, name=name)


def read_cidr6(text: str) -> IPv6Network | None:
    """Return an IPv6 block with its host bits cleared; `None` if the text is none."""
    if "/" not in text or "%" in text:
        return None
    try:
        return IPv6Network(text, strict=False)
    except ValueError:
        return None


def parse_cidr6(text: str, name: str) -> IPv6Network:
    """Return an IPv6 block with its host bits cleared; raises BAD_CIDR, which names the parameter."""
    cidr = read_cidr6(text)
    if cidr is None:
        raise BAD_CIDR(value=text, name=name)
    return cidr


def parse_address6(text: str, name: str) -> IPv6Address:
    """Return an IPv6 address; raises BAD_ADDRESS6, which names the parameter."""
    if "%" not in text:
        try:
            return IPv6Address(text)
        except ValueError:
            pass
    raise BAD_ADDRESS6(value=text, name=name)
