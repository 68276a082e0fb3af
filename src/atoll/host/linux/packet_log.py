"""Notices from the kernel that a packet met a rule with `log group N`: that it came, and nothing of it."""

import contextlib
import os
import socket
import struct

from atoll.host.contract import HostError
from atoll.host.linux.attributes import attribute, network_number
from atoll.host.linux.namespaces import Namespaces

_NETFILTER = 12
_LOG_CONFIG = 4 << 8 | 1  # NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG
_REQUEST, _ACK, _ERROR = 1, 4, 2
_COMMAND, _MODE, _THRESHOLD = 1, 2, 5  # NFULA_CFG_*
_BIND, _COPY_NONE = 1, 0
_HEADER = struct.Struct("IHHII")
_RECEIVE_BYTES = 1 << 16
_NOTICES_MAX = 256  # taken in one go; those that did not fit are known all the same


def open_log(namespaces: Namespaces, namespace: str, group: int) -> socket.socket:
    """Return a socket that becomes readable when a packet meets such a rule in a namespace.  Raises HostError."""
    sock = namespaces.socket(namespace, socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
    try:
        sock.bind((0, 0))
        mode = attribute(_MODE, struct.pack(">IBx", 0, _COPY_NONE))
        for attributes in (attribute(_COMMAND, bytes([_BIND])), mode + network_number(_THRESHOLD, 1)):
            body = struct.pack(">BBH", socket.AF_UNSPEC, 0, group) + attributes
            sock.send(_HEADER.pack(_HEADER.size + len(body), _LOG_CONFIG, _REQUEST | _ACK, 1, 0) + body)
            _check(sock.recv(_RECEIVE_BYTES))
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise HostError(str(error), f"listen to the packets of {namespace}") from error
    return sock


def drain(sock: socket.socket) -> None:
    """Take the notices that have come."""
    with contextlib.suppress(OSError):  # no more; or there were too many to be kept
        for _ in range(_NOTICES_MAX):
            sock.recv(_RECEIVE_BYTES)


def _check(answer: bytes) -> None:
    kind = struct.unpack_from("H", answer, 4)[0]
    (error,) = struct.unpack_from("i", answer, _HEADER.size)
    if kind == _ERROR and error:
        raise OSError(-error, os.strerror(-error))
