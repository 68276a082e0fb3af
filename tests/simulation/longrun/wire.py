"""Calls as botocore writes them, answered in this process, and read as botocore reads them."""

import contextlib
from typing import Any

import botocore.session
from botocore import parsers, serialize
from botocore.awsrequest import create_request_object, prepare_request_dict

from atoll.aws.answer import answer
from atoll.offer import SERVICES, load
from tests.api.paper import as_received
from tests.simulation.longrun.people import Ask


class Wire:
    """The service models, read once."""

    def __init__(self) -> None:
        session = botocore.session.get_session()
        for service in SERVICES:
            with contextlib.suppress(ValueError):  # declared already
                load(service)
        self._models = {name: session.get_service_model(name) for name in ("ec2", "elasticache", "elbv2")}
        self._writers = {n: serialize.create_serializer(m.protocol) for n, m in self._models.items()}
        self._readers = {n: parsers.create_parser(m.protocol) for n, m in self._models.items()}

    async def call(self, backend: Any, ask: Ask) -> tuple[int, dict[str, Any]]:
        """Return the status and what was said."""
        model = self._models[ask.service]
        shape = model.operation_model(ask.operation)
        written = self._writers[ask.service].serialize_to_request(ask.parameters, shape)
        prepare_request_dict(written, "http://127.0.0.1:4566")
        request = create_request_object(written)
        scope = f"{ask.caller.account}/20261120/{ask.caller.region}/{model.signing_name}/aws4_request"
        signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
        request.headers["Authorization"] = signed
        request.headers["X-Amz-Date"] = "20261120T120000Z"
        out = await answer(as_received(request.prepare()), backend)
        told = {"status_code": out.status, "headers": dict(out.headers), "body": out.body}
        return out.status, self._readers[ask.service].parse(told, shape.output_shape)
