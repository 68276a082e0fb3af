"""A socket that connects as the relay does: the daemon's own, for the checks of load balancers."""

import errno
import os
import socket
from ipaddress import ip_address
from typing import Any

from atoll.host.flat.judge import Judge
from atoll.host.flat.relay import Locate


class Dialed(socket.socket):
    """A TCP socket of an interface."""

    def __init__(self, interface_id: str, judge: Judge, locate: Locate) -> None:
        """Ask `judge` whether a connection arrives, and `locate` where that is."""
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self._interface_id, self._judge, self._locate = interface_id, judge, locate

    def connect(self, address: Any) -> None:
        """Connect to an address of the VPC.  Raises TimeoutError: it would be dropped; ConnectionRefusedError."""
        host, port = address
        flow, _ = self._judge.ask(self._interface_id, ip_address(host), port)
        if flow is None:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        self._judge.end(flow, is_last=False)
        target = self._locate(flow)
        if target is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        super().connect((str(target[0].address), target[0].port))
