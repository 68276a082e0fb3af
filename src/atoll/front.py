"""Fronts: what answers at VPC endpoints, over TLS at 443 and without at 80.

At the interfaces of an interface endpoint it is Atoll's own API: the endpoint's service in its region, and nothing
else, never the private API.  Behind a gateway endpoint it is the store of objects.
"""

import asyncio
import re
import socket
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

from atoll.aws import serialize
from atoll.aws.answer import Backend, answer
from atoll.aws.errors import Err
from atoll.aws.http import Answer, Request, Stream
from atoll.aws.models import BY_SIGNING_NAME
from atoll.guest.objects import SLOW_DOWN, Objects, refusal
from atoll.host.authority import Authority
from atoll.model.endpoint import VpcEndpoint
from atoll.model.endpoint_lookup import own_services
from atoll.server import Answering, Server

TLS_PORT = 443
CONNECTIONS_OF_ONE_MAX = 100  # of one guest, at each port of each endpoint: it leaves some to the rest
WAITING_MAX = 64  # requests to the store of objects at one endpoint, which are answered one after another
GLOBAL_STORE = "s3.amazonaws.com"  # the name of S3 in us-east-1 that older clients use
WRONG_SCOPE = Err(
    "SignatureDoesNotMatch", "Credential should be scoped to the service '{service}' in the region '{region}'.", 403
)
# What stands before the region is short, as of a real credential: without an end, each of many would be looked for to
# the end of what was sent.
_SCOPE = re.compile(r"Credential=[^,&]{0,256}/([a-z0-9-]{1,64})/([a-z0-9-]{1,64})/aws4_request")


class Front:
    """An endpoint's server, on the sockets that it is given."""

    def __init__(
        self,
        answering: Answering,
        names: list[str],
        authority: Authority,
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare to have requests answered, under these names; nothing listens yet.  At the end call `ended`."""
        self._answering, self._names, self._authority, self._ended = answering, names, authority, ended
        self._servers: list[Server] = []

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Serve on sockets that listen.  Raises HostError."""
        ports = [sock.getsockname()[1] for sock in sockets]
        tls = None
        if TLS_PORT in ports:  # not on the loop: somebody may be making the authority
            tls = await asyncio.to_thread(self._authority.server, self._names)
        for sock, port in zip(sockets, ports, strict=True):
            sock.setblocking(False)
            context = tls if port == TLS_PORT else None
            server = Server(self._answering, sock, context, of_one_max=CONNECTIONS_OF_ONE_MAX)
            self._servers.append(server)
            await server.start()

    def close(self) -> None:
        """Close the sockets and the connections."""
        for server in self._servers:
            server.abort()
        self._ended()


def front_of(endpoint: VpcEndpoint, backend: Backend, authority: Authority, objects: Path) -> Front:
    """Return what answers at an endpoint; `objects` is where the store of objects keeps them."""
    own = own_services(endpoint.region)[endpoint.service_name]
    if not endpoint.serves_objects:
        return Front(_Api(endpoint, backend).answer, [own.private_name, f"*.{endpoint.dns_suffix}"], authority)
    names = [own.private_name, GLOBAL_STORE]
    store = _Store(Objects(objects, names))
    return Front(store.answer, [*names, *(f"*.{name}" for name in names)], authority, store.close)


class _Store:
    """The store of objects: one request after another, in a thread of its own, for which nobody else waits."""

    def __init__(self, objects: Objects) -> None:
        self._objects, self._waiting = objects, 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="objects")

    async def answer(self, request: Request) -> Answer | Stream:
        if self._waiting >= WAITING_MAX:
            return refusal(SLOW_DOWN())
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._objects.answer, request)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Answer nobody any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class _Api:
    """One service of Atoll's own, in one region."""

    def __init__(self, endpoint: VpcEndpoint, backend: Backend) -> None:
        self._service, self._region = endpoint.service_name.rpartition(".")[2], endpoint.region
        self._backend = backend

    async def answer(self, request: Request) -> Answer:
        found = _SCOPE.search(request.headers.get("authorization", "")) or _SCOPE.search(unquote(request.query))
        if found and found.groups() == (self._region, self._service):
            return await answer(request, self._backend)
        error = WRONG_SCOPE(service=self._service, region=self._region)
        text = serialize.serialize_error(BY_SIGNING_NAME[self._service], error, str(uuid.uuid4()))
        return Answer(error.status, {"Content-Type": "text/xml;charset=UTF-8"}, text.encode())
