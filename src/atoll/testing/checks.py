"""Whether one place reaches another: by AWS's rules, and by a packet."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, TypeAlias

from atoll.cli.failure import Failure
from atoll.cli.launch import Broker
from atoll.cli.why import ask
from atoll.testing.account import Account
from atoll.testing.cache import Cache
from atoll.testing.daemon import AtollError
from atoll.testing.instance import Instance, place_of

Place: TypeAlias = Instance | Cache | str  # a text: an id, a name, an address, as `atoll why` takes them

CONNECT_SECONDS = 5.0  # for what must arrive; on this machine it takes a fraction of a millisecond
SILENCE_SECONDS = 0.3  # without an answer: a packet that nobody dropped has been answered long since
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))


@dataclass(frozen=True)
class Outcome:
    """What `atoll why` says."""

    reachable: bool
    lines: tuple[str, ...]  # as a person reads them
    blockers: tuple[dict[str, Any], ...]  # each with `code`, `layer`, `at`, `because` and `mend`

    def __str__(self) -> str:
        """Return the lines."""
        return "\n".join(self.lines)

    def names(self, resource: str) -> bool:
        """Tell whether a resource (its id) is in the way."""
        return any(resource in (b["at"], *b["because"].replace(",", " ").split()) for b in self.blockers)


def look(world: Account, source: Place, target: Place, port: int | None, protocol: str) -> Outcome:
    """Ask.  Raises AtollError if a place does not exist, or a port is missing."""
    question: dict[str, Any] = {
        "from": _named(source), "to": _named(target) if port is None else f"{_named(target)}:{port}",
        "protocol": protocol, **world.whose,
    }  # fmt: skip
    if isinstance(target, Cache):
        found = target.describe()
        question |= {"tls": bool(found.get("TransitEncryptionEnabled")), "auth": target.auth is not None}
    try:
        said = ask(question, at=world.endpoint)
    except Failure as failure:
        raise AtollError(failure.told()) from None
    return Outcome(said["reachable"], tuple(said["lines"]), tuple(said["blockers"]))


def check_reachable(world: Account, source: Place, target: Place, port: int | None, protocol: str) -> None:
    """Raise AssertionError unless a place reaches another."""
    __tracebackhide__ = True
    outcome = look(world, source, target, port, protocol)
    if not outcome.reachable:
        raise AssertionError(f"{_named(source)} does not reach {_named(target)}:\n{outcome}")
    if world.is_real and protocol == "tcp" and (because := _knock(world, source, target, port, CONNECT_SECONDS)):
        raise AssertionError(
            f"the rules let {_named(source)} reach {_named(target)}, but a connection did not come about: {because}\n"
            f"{outcome}"
        )


def check_blocked(
    world: Account, source: Place, target: Place, port: int | None, protocol: str, by: str | None
) -> None:
    """Raise AssertionError if a place reaches another, or if `by` is not in the way."""
    __tracebackhide__ = True
    outcome = look(world, source, target, port, protocol)
    if outcome.reachable:
        raise AssertionError(f"{_named(source)} reaches {_named(target)}, which was to be blocked:\n{outcome}")
    if by is not None and not outcome.names(by):
        raise AssertionError(f"{by} does not keep {_named(source)} from {_named(target)}; this does:\n{outcome}")
    if world.is_real and protocol == "tcp" and _knock(world, source, target, port, SILENCE_SECONDS) is None:
        raise AssertionError(
            f"the rules keep {_named(source)} from {_named(target)}, but a connection came about:\n{outcome}"
        )


def _named(place: Place) -> str:
    if isinstance(place, Instance):
        return place.id
    return place.name if isinstance(place, Cache) else place


def _knock(world: Account, source: Place, target: Place, port: int | None, seconds: float) -> str | None:
    """Connect from a place to another; returns why that failed, None if it did not."""
    with _sockets(world, source) as broker:
        try:
            host, number = _end(target, port)
            found = broker.ask("getaddrinfo", host, number, 0, int(socket.SOCK_STREAM), 0, 0)[0]
            family, kind, proto, _, address = found[0]
            descriptor = broker.ask("socket", family, kind, proto)[1]
            with socket.socket(family, kind, proto, fileno=descriptor) as sock:
                sock.settimeout(seconds)
                sock.connect(tuple(address))
        except TimeoutError:
            return f"no answer within {seconds:g} s"
        except OSError as error:
            return f"{errno.errorcode.get(error.errno or 0, type(error).__name__)}: {error}"
    return None


def _end(target: Place, port: int | None) -> tuple[str, int]:
    if isinstance(target, Cache):
        return target.host, port or target.port
    if isinstance(target, Instance):
        host: str = target.address
    else:
        host, _, said = target.rpartition(":") if port is None else (target, "", "")
        port = int(said) if port is None else port
    assert port is not None, "without a port, `why` has refused the question"
    return host, port


@contextmanager
def _sockets(world: Account, source: Place) -> Iterator[Broker]:
    """Yield what makes sockets at a place."""
    if isinstance(source, Instance):
        yield source.sockets()
        return
    name = _named(source)
    broker = Broker(_outside(world, name) if _is_public(name) else place_of(world, name))
    try:
        yield broker
    finally:
        broker.close()


def _outside(world: Account, address: str) -> dict[str, Any]:
    found: dict[str, Any] = world.daemon.post("/_atoll/outside", {"address": address})
    return found


def _is_public(name: str) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return not any(address in block for block in _PRIVATE if block.version == address.version)
