"""Sockets in the networks of instances, held by a process of the host: a socket stays where it was made."""

import contextlib
import os
import socket

from atoll.host.linux.syscalls import CLONE_NEWNET, setns


@contextlib.contextmanager
def network_of(pid):
    """Make sockets in the network of a process; this thread only."""
    own, other = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        setns(other, CLONE_NEWNET)
        yield
    finally:
        setns(own, CLONE_NEWNET)
        os.close(own)
        os.close(other)


def connects(pid, address, port, seconds):
    """Tell whether a TCP connection from there is made."""
    with network_of(pid):
        made = socket.socket()
    with made:
        made.settimeout(seconds)
        try:
            made.connect((address, port))
        except OSError:
            return False
        return True
