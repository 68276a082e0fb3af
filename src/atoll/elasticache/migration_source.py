"""The source of an online migration, as a request names it."""

import re
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address

from atoll.aws.dialect import clip
from atoll.aws.errors import Err
from atoll.aws.operation import Shape
from atoll.model.names import private_dns

ONE_ENDPOINT = Err("InvalidParameterValue", "CustomerNodeEndpointList must have exactly one endpoint, and has {got}.")
BAD_PORT = Err("InvalidParameterValue", "Invalid value {got} for the port of an endpoint. Must be from 1 to 65535.")
NO_ADDRESS = Err(
    "InvalidParameterValue",
    "Atoll does not support the endpoint address {got}: it has to be an IPv4 address, or the private DNS name of an "
    "instance in this region.",
)
_PRIVATE = re.compile(r"ip-(\d+)-(\d+)-(\d+)-(\d+)\.\S+")


def source_of(endpoints: Sequence[Shape], region: str) -> tuple[IPv4Address, int]:
    """Return the address and port of a CustomerNodeEndpointList.  Raises what is wrong with it."""
    if len(endpoints) != 1:
        raise ONE_ENDPOINT(got=len(endpoints))
    port = endpoints[0].get("Port")
    if port is None or not 1 <= port <= 65535:
        raise BAD_PORT(got=port)
    return _address(endpoints[0].get("Address", ""), region), port


def _address(text: str, region: str) -> IPv4Address:
    """Return the address of an endpoint.  An instance's private name says its own."""
    try:
        if named := _PRIVATE.fullmatch(text.lower().removesuffix(".")):
            address = IPv4Address(".".join(named.groups()))
            if private_dns(address, region) == text.lower().removesuffix("."):
                return address
        return IPv4Address(text.strip())
    except AddressValueError:
        raise NO_ADDRESS(got=clip(text)) from None
