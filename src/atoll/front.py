"""Fronts: Atoll's own API at the interfaces of VPC endpoints, over TLS at 443 and without at 80.

An endpoint answers for its service in its region, and for nothing else: never for the private API.
"""

import re
import socket
import uuid
from urllib.parse import unquote

from atoll.aws import serialize
from atoll.aws.answer import Backend, answer
from atoll.aws.errors import Err
from atoll.aws.http import Answer, Request
from atoll.aws.models import BY_SIGNING_NAME
from atoll.host.authority import Authority
from atoll.model.endpoint import VpcEndpoint
from atoll.model.endpoint_lookup import own_services
from atoll.server import Server

TLS_PORT = 443
WRONG_SCOPE = Err(
    "SignatureDoesNotMatch", "Credential should be scoped to the service '{service}' in the region '{region}'.", 403
)
_SCOPE = re.compile(r"Credential=[^,&]*/([a-z0-9-]{1,64})/([a-z0-9-]{1,64})/aws4_request")


class Front:
    """An endpoint's server, on the sockets that it is given."""

    def __init__(self, endpoint: VpcEndpoint, backend: Backend, authority: Authority) -> None:
        """Prepare; nothing listens yet."""
        self._endpoint, self._backend, self._authority = endpoint, backend, authority
        self._service = endpoint.service_name.rpartition(".")[2]
        self._servers: list[Server] = []

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Serve on sockets that listen.  Raises HostError."""
        own = own_services(self._endpoint.region)[self._endpoint.service_name]
        names = [own.private_name, f"*.{self._endpoint.dns_suffix}"]
        for sock in sockets:
            sock.setblocking(False)
            context = self._authority.server(names) if sock.getsockname()[1] == TLS_PORT else None
            server = Server(self._answer, sock, context)
            self._servers.append(server)
            await server.start()

    def close(self) -> None:
        """Close the sockets and the connections."""
        for server in self._servers:
            server.abort()

    async def _answer(self, request: Request) -> Answer:
        found = _SCOPE.search(request.headers.get("authorization", "")) or _SCOPE.search(unquote(request.query))
        if found and found.groups() == (self._endpoint.region, self._service):
            return await answer(request, self._backend)
        request_id = str(uuid.uuid4())
        error = WRONG_SCOPE(service=self._service, region=self._endpoint.region)
        text = serialize.serialize_error(BY_SIGNING_NAME[self._service], error, request_id)
        return Answer(error.status, {"Content-Type": "text/xml;charset=UTF-8"}, text.encode())
