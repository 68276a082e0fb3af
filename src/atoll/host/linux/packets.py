"""Packets with descriptors on a unix SOCK_SEQPACKET socket.  Both ends of the keeper's protocol use it."""

import array
import os
import socket
from collections.abc import Sequence

PACKET_BYTES_MAX = 200_000  # the kernel's default socket buffer is 212,992
_DESCRIPTORS_MAX = 8  # in one packet; those that are too many are closed by the kernel
_DESCRIPTOR_BYTES = array.array("i").itemsize


def send(sock: socket.socket, packet: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send a packet, and copies of descriptors beside it."""
    beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    sock.sendmsg([packet], beside)


def receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    """Receive a packet (empty: the other end has gone) and its descriptors, which no child inherits.

    Not `socket.recv_fds`, because that ignores its flags (Python 3.11), so that every child would inherit them.
    """
    space = socket.CMSG_SPACE(_DESCRIPTORS_MAX * _DESCRIPTOR_BYTES)
    packet, beside, _, _ = sock.recvmsg(PACKET_BYTES_MAX, space, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, payload in beside:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(payload[: len(payload) - len(payload) % _DESCRIPTOR_BYTES])
    return packet, list(descriptors)


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors."""
    for fd in descriptors:
        os.close(fd)
