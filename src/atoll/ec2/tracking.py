"""ConnectionTrackingSpecification: how long an interface's groups remember a flow in which nothing passes."""

from dataclasses import replace

from atoll.aws.operation import Shape
from atoll.ec2.errors import BAD_VALUE
from atoll.model.interface import AWS_TIMEOUTS, Timeouts

# Member, field, and the bounds in seconds.  Source: EC2 API Reference, ConnectionTrackingSpecificationRequest.
BOUNDS = (
    ("TcpEstablishedTimeout", "tcp_established", 60, 432_000),
    ("UdpStreamTimeout", "udp_stream", 60, 180),
    ("UdpTimeout", "udp", 30, 60),
)


def timeouts_of(given: Shape | None, old: Timeouts = AWS_TIMEOUTS) -> Timeouts:
    """Return the timeouts that a request asks for; those that it does not name stay.  Raises BAD_VALUE."""
    found = old
    for member, field, low, high in BOUNDS:
        seconds = (given or {}).get(member)
        if seconds is None:
            continue
        if not low <= seconds <= high:
            why = f"It must be from {low} to {high} seconds."
            raise BAD_VALUE(value=seconds, name=f"ConnectionTrackingSpecification.{member}", why=why)
        found = replace(found, **{field: seconds})
    return found


def render_timeouts(it: Timeouts) -> Shape | None:
    """Return a ConnectionTrackingConfiguration; `None` when everything is AWS's default."""
    shape = {member: seconds for member, field, _, _ in BOUNDS if (seconds := getattr(it, field)) is not None}
    return shape or None
