"""Console output: the one answer that the World does not hold.

What an instance prints is the host's to know, and verbs do no I/O.  So the daemon lends this operation a reader:

    console.read_with(host.console)

The reader belongs to the context that sets it, and to tasks made there, so that two daemons in one process do not
read each other's machines; without one (a test of the verbs alone) every console is empty.
"""

import base64
from collections.abc import Callable
from contextvars import ContextVar

from atoll.aws.operation import Shape, operation
from atoll.ec2.kinds import find
from atoll.model.instance import Instance
from atoll.model.world import World

Reader = Callable[[str], bytes]  # instance id -> the newest output; must answer at once

OUTPUT_BYTES_MAX = 64 << 10  # EC2 User Guide, "Instance console output": the most recent 64 KB


def _no_output(instance_id: str) -> bytes:
    del instance_id
    return b""


_reader: ContextVar[Reader] = ContextVar("console reader", default=_no_output)


def read_with(reader: Reader) -> None:
    """Answer GetConsoleOutput with what `reader` returns, in this context and in those copied from it."""
    _reader.set(reader)


@operation("ec2", "GetConsoleOutput")
def get_console_output(world: World, *, instance_id: str, latest: bool = False) -> Shape:
    """Return the newest output of an instance's console; it is always the latest."""
    del latest
    instance = find(world, Instance, instance_id)
    output = _reader.get()(instance.id)[-OUTPUT_BYTES_MAX:] if instance.ended_at is None else b""
    return {
        "InstanceId": instance.id,
        "Timestamp": instance.ended_at or instance.stopped_at or instance.launched,
        "Output": base64.b64encode(output).decode(),
    }
