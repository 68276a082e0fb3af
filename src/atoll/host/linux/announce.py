"""Announces the membership of clusters with the kernel's help: rules in each Memcached node's namespace.

What the rules do says `discovery_rules.py`; the items in the engines are `engine/announcing.py`'s.
"""

import asyncio
import socket
from collections.abc import Callable

from atoll.cache.node import NodePlan
from atoll.host.contract import HostError
from atoll.host.engine.announcing import Announcing, Line
from atoll.host.linux import packet_log
from atoll.host.linux.discovery_rules import FLUSH_LOG, rules
from atoll.host.linux.namespaces import Namespaces
from atoll.host.linux.nft import Nft


class Announcer(Announcing):
    """Puts the rules in place when it first talks to a node, and hears of flushes."""

    def __init__(self, namespaces: Namespaces, open_socket: Callable[[str], socket.socket]) -> None:
        """Use `open_socket(interface id)` for TCP sockets."""
        super().__init__(open_socket)
        self._namespaces = namespaces

    async def opened(self, line: Line) -> None:
        """Put the rules in place, and listen for flushes."""
        line.refused, line.flushes = await asyncio.to_thread(self._put_rules, line.node)
        if line.flushes:
            asyncio.get_running_loop().add_reader(line.flushes, self._told, line)

    def closed(self, line: Line) -> None:
        """Listen no more."""
        if line.flushes:
            asyncio.get_running_loop().remove_reader(line.flushes)
            line.flushes.close()

    def _put_rules(self, node: NodePlan) -> tuple[str | None, socket.socket | None]:
        """Return why the kernel does not take the rules, and what tells of flushes, if it can."""
        with self._namespaces.opened(node.interface_id) as namespace, Nft(namespace) as nft:
            try:
                log = packet_log.open_log(self._namespaces, node.interface_id, FLUSH_LOG)
                try:
                    nft.run(rules(node.port))
                except HostError:
                    log.close()
                    raise
                return None, log
            except HostError:  # it cannot log: a flush is seen at the next look
                try:
                    nft.run(rules(node.port, log=False))
                except HostError as error:
                    return str(error), None
                return None, None

    def _told(self, line: Line) -> None:
        assert line.flushes, "it is what was readable"
        packet_log.drain(line.flushes)
        self.flushed(line.node.process)
