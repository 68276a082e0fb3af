"""The reception: it answers first, while the rest of the daemon comes up behind it.

What is told of a VPC and its rules is told as soon as the store has been read.  Everything else waits
until the daemon is whole, which is a tenth of a second later: writes, what a loop or the host may see otherwise, the
private API, the console.  So nothing is ever done or said that the whole daemon would not do or say.
"""

import asyncio
import socket
from typing import Protocol

from atoll.aws.http import Answer, Request, Stream
from atoll.cloudwatch import samples
from atoll.cloudwatch.samples import Samples
from atoll.ec2 import console
from atoll.gate import Backend, Gate
from atoll.host.authority import Authority
from atoll.offer import offer_services
from atoll.options import Options
from atoll.secure import server_of
from atoll.server import Server
from atoll.store.sqlite import Store


class House(Protocol):
    """What is behind the reception: the daemon, whole."""

    async def in_force(self) -> bool:
        """Wait until the kernel obeys everything that is committed now."""

    def printed(self, instance_id: str) -> bytes:
        """Return the newest output of an instance's console."""

    async def private(self, request: Request) -> Answer:
        """Answer a request of the private API."""

    async def console(self, request: Request) -> Answer | Stream:
        """Answer a request of the console."""


class Reception:
    """The server of the API, from before there is a daemon until after it has ended."""

    def __init__(self, options: Options, store: Store) -> None:
        """Prepare; nothing is accepted yet."""
        offer_services()
        self._options, self._whole = options, asyncio.Event()
        self._house: House  # as soon as it is whole
        self._server: Server | None = None
        # Lent to verbs in the context in which connections are accepted, which no later one can change.
        self.samples = Samples()
        samples.read_from(self.samples)
        console.read_with(lambda instance_id: self._house.printed(instance_id))
        self.authority = Authority(options.state_dir)
        self.backend = Backend(store, self._in_force, strict=options.keys == "required", whole=self._whole)
        self._gate = Gate(self.backend, self._private, self._console, bind=options.bind)

    async def open(self, sock: socket.socket) -> None:
        """Accept connections, unless it does already.  Raises HostError."""
        if self._server is None:
            self._server = server_of(self._options, self._gate.answer, sock, self.authority)
            await self._server.start()

    def show_in(self, house: House) -> None:
        """Have everything answered from now on."""
        self._house = house
        self._whole.set()

    async def close(self) -> None:
        """Accept no more, and let those finish that are being answered."""
        assert self._server, "it was opened"
        await self._server.stop()

    async def _in_force(self) -> bool:
        await self._whole.wait()
        return await self._house.in_force()

    async def _private(self, request: Request) -> Answer:
        await self._whole.wait()
        return await self._house.private(request)

    async def _console(self, request: Request) -> Answer | Stream:
        await self._whole.wait()
        return await self._house.console(request)
