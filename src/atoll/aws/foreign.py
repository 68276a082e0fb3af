"""Say no to the services of AWS that Atoll does not serve, so that each one's SDK understands it.

Always with status 400: an SDK repeats a request that gets a 5xx for minutes.
"""

import json

from atoll.aws import cbor
from atoll.aws.http import Answer, Request
from atoll.aws.models import SIGNING_NAMES
from atoll.aws.serialize import PROLOGUE, escape

SERVED = ", ".join(SIGNING_NAMES.values())


class Foreign(Exception):
    """The request is for a service that Atoll does not serve."""

    def __init__(self, service: str) -> None:
        """Keep the signing name of the service."""
        super().__init__(service)
        self.service = service


def refuse(request: Request, service: str, request_id: str) -> Answer:
    """Answer a request for a service that Atoll does not serve, in the form of its protocol."""
    message = f"Atoll serves {SERVED}; it does not serve {service}."
    headers, content_type = request.headers, request.headers.get("content-type", "")
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        body = cbor.dumps({"__type": "UnknownOperationException", "message": message})
        return _answer(request_id, "application/cbor", body, {"smithy-protocol": "rpc-v2-cbor"})
    if "x-amz-target" in headers or "json" in content_type:
        body = json.dumps({"__type": "UnknownOperationException", "message": message}).encode()
        kind = content_type.split(";")[0] or "application/x-amz-json-1.1"
        return _answer(request_id, kind, body, {"x-amzn-ErrorType": "UnknownOperationException"})
    if "x-www-form-urlencoded" in content_type or "Action=" in request.query:
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>{escape(message)}</Message>"
            f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        ).encode()
        return _answer(request_id, "text/xml;charset=UTF-8", body, {})
    # S3 and the other services of the rest-xml protocol; those of rest-json read the header.
    body = (
        f"{PROLOGUE}<Error><Code>NotImplemented</Code><Message>{escape(message)}</Message>"
        f"<RequestId>{request_id}</RequestId></Error>"
    ).encode()
    return _answer(request_id, "application/xml", body, {"x-amzn-ErrorType": "UnknownOperationException"})


def _answer(request_id: str, kind: str, body: bytes, headers: dict[str, str]) -> Answer:
    return Answer(400, {"Content-Type": kind, "x-amzn-RequestId": request_id, **headers}, body)
