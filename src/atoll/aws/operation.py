"""Declare an AWS operation: a function whose keyword parameters are the parameters it supports.

    @operation("ec2", "CreateSubnet")
    def create_subnet(tx: Tx, *, vpc_id: str, cidr_block: str | None = None) -> Shape: ...

The first parameter says what the operation may do: a `Tx` writes, a `World` only reads, and a `Moment` is a World
to read and the time.  The other parameters are named as boto3 and the CLI name them in snake case
(`botocore.xform_name` of the member), and each takes the parsed value of its shape.  A parameter without a default
is required.  A parameter that is not in the signature is refused by name, never ignored.
`tests/aws/test_operations.py` holds every signature to botocore's model; the check is not made at import, because
loading the EC2 model costs a tenth of a second.

An EC2 operation names neither `dry_run` nor `client_token`: `answer.py` does both, for every operation alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from atoll.model.world import Tx, World

Shape = dict[str, Any]  # a structure of the AWS model: member name -> value
F = TypeVar("F", bound=Callable[..., Any])


class Moment(NamedTuple):
    """A World, and what time it is: for what reads, and asks how long ago something was."""

    world: World
    now: datetime  # aware, UTC, whole milliseconds


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that Atoll supports."""

    service: str  # botocore's name: "ec2", "elasticache", "elbv2", "sts", "service-quotas", "cloudwatch"
    name: str
    run: Callable[..., Shape | None]
    writes: bool
    timed: bool  # it reads, and what it tells depends on the time
    parameters: frozenset[str]  # in snake case
    required: frozenset[str]
    network: bool  # its effect must be in the kernel when the call returns
    pure: bool  # its answer follows from the World, its parameters and its caller alone: it may be kept (`kept.py`)


OPERATIONS: dict[tuple[str, str], Operation] = {}
LOADERS: dict[str, Callable[[], None]] = {}  # service -> what declares its operations, until somebody asks for one


def find(service: str, name: str) -> Operation | None:
    """Return an operation, or None if Atoll does not support it.

    The first question for a service loads it, unless its verb is there already: a start waits for no other's verbs.
    """
    if (service, name) not in OPERATIONS and (load := LOADERS.pop(service, None)):
        load()
    return OPERATIONS.get((service, name))


def operation(service: str, name: str, *, network: bool = False, pure: bool = False) -> Callable[[F], F]:
    """Register the decorated function as an operation.

    `network=True`: the answer waits, for a bounded time, until the kernel obeys the change (decision 9 of the
    design).  `pure=True`: it reads a World and nothing else, neither the clock nor a file.
    """

    def declare(fn: F) -> F:
        code, defaults = fn.__code__, fn.__kwdefaults__ or {}  # `inspect` says the same; 0.1 ms later, each time
        target, *parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        first = fn.__annotations__[target]
        if first not in (Tx, World, Moment):
            raise TypeError(f"{name}: the first parameter must be a Tx, a World or a Moment, not {first}")
        if code.co_argcount != 1:
            raise TypeError(f"{name}: every parameter but the first is named")
        if pure and first is not World:
            raise TypeError(f"{name}: what writes or asks for the time is not pure")
        if (service, name) in OPERATIONS:
            raise TypeError(f"{service}:{name} is declared twice")
        OPERATIONS[service, name] = Operation(
            service=service,
            name=name,
            run=fn,
            writes=first is Tx,
            timed=first is Moment,
            parameters=frozenset(parameters),
            required=frozenset(p for p in parameters if p not in defaults),
            network=network,
            pure=pure,
        )
        return fn

    return declare
