"""Descriptor numbers below 1024, kept for a library that waits with select().

libnftables does: a socket of it with a higher number aborts the process ("bit out of range 0 - FD_SETSIZE").  A
daemon with hundreds of nodes has thousands of descriptors, and the kernel gives out the lowest free number.  So
numbers are reserved while they are still low, and one is free only while the library opens its socket, which then
gets it: it is the lowest.  Another thread may be quicker, or make a lower one free: then the library is told to try
again, and what was lost is reserved again when it is free.
"""

import os
import socket
import threading
from collections.abc import Callable

from atoll.host.errors import HostError

SELECT_MAX = 1024  # FD_SETSIZE of glibc
ATTEMPTS = 256  # each is lost to another thread only by an accident of microseconds
RESERVED = 256  # more than there are contexts at a time (fabric_space.Spaces.OPEN_MAX, and one in each thread)
_NETFILTER = 12  # NETLINK_NETFILTER
_reserved: list[int] = []
_lock = threading.Lock()


def open_low(open_socket: Callable[[], int], close: Callable[[int], None]) -> int:
    """Return what `open_socket` opened with a low number; `close` ends one that got another number.

    Raises HostError if there is no low number any more.
    """
    with _lock:
        for _ in range(ATTEMPTS):
            if (number := _lowest()) is None:
                break
            os.close(number)
            opened = open_socket()
            if _is_the_librarys(number):
                return opened
            close(opened)
    raise HostError("every descriptor below 1024 is in use", step="open a socket of libnftables")


def close_low(close: Callable[[], None]) -> None:
    """Close such a socket, and reserve its number again."""
    with _lock:
        close()
        reserve()


def _lowest() -> int | None:
    """Return the lowest number that is free or reserved, held by us; None if none is below the bound."""
    reserve()
    number = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    if number < SELECT_MAX:
        return number
    os.close(number)
    return _reserved.pop() if _reserved else None


def reserve() -> None:
    """Reserve what is free of the low numbers.  Called first before a daemon opens many descriptors."""
    while len(_reserved) < RESERVED:
        number = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        if number >= SELECT_MAX:
            os.close(number)
            return
        _reserved.append(number)


def _is_the_librarys(number: int) -> bool:
    """Tell whether a descriptor is a socket as libnftables opens it: of netfilter and, as no other, not blocking."""
    try:
        found = socket.socket(fileno=number)
    except OSError:  # no socket, or closed
        return False
    try:
        return found.family == socket.AF_NETLINK and found.proto == _NETFILTER and not os.get_blocking(number)
    except OSError:
        return False
    finally:
        found.detach()
