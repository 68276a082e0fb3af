"""Hold the plan to the tracer: ask both about the same packets.

Four things are no disagreement:

- an instance that is `pending` may already send and receive in the kernel, because its machine is booting; the tracer
  calls it down.  The comparison makes it running;
- a stopped machine sends nothing: there is nobody whose packets the kernel could refuse;
- the tracer names the interface that receives, the kernel the machine: its first interface, where all are inside;
- a machine that forwards both question and answer of a flow between two public addresses of its VPC: the tracer
  recognises the answer by the machine, the kernel (and AWS) by its addresses, and those are others, because the
  gateway translated both in between.
"""

from collections.abc import Iterable, Iterator

from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import companions
from atoll.model.world import World
from atoll.network.decide import Decision, Kernel
from atoll.network.flow import NOWHERE, At, Packet, Trace, Verdict
from atoll.network.plan import Plan, compile
from tests.network.worlds import Probe


def booted(world: World) -> World:
    """Return the world with every pending instance running."""
    pending = [i for i in world.all(Instance) if i.state == "pending"]
    return world.after({(Instance, i.id): i.but(state="running") for i in pending}) if pending else world


def packet_of(world: World, probe: Probe) -> Packet:
    """Return the packet that a probe sends."""
    own: Ip = NOWHERE
    if not isinstance(probe.sender, str):
        own = probe.sender
    elif probe.destination.version == 4:
        own = world[Interface, probe.sender].address
    elif (first := world[Interface, probe.sender].ipv6_address) is not None:
        own = first
    source = probe.options.get("source", own)
    return Packet(source, probe.destination, probe.protocol, probe.options["source_port"], probe.port)


def comparable(trace: Trace) -> bool:
    """Tell whether kernel and tracer mean the same by this probe."""
    if trace.verdict is Verdict.DOWN and not trace.steps[0].allowed:  # the sender itself
        return False
    turned = trace.received and (
        trace.received.source != trace.packet.source and trace.received.destination != trace.packet.destination
    )
    return not (turned and trace.assumed)


def machine(world: World, at: At | None) -> At | None:
    """Return the first interface of the machine that an interface belongs to; anybody else as he is."""
    found = world.get(Interface, at) if isinstance(at, str) else None
    return companions(world, found)[0].id if found else at


def same(world: World, trace: Trace, decision: Decision) -> bool:
    """Tell whether both say: this receiver, this packet, this answer."""
    if (machine(world, trace.receiver), trace.verdict is Verdict.DELIVERED) != (decision.receiver, decision.answered):
        return False
    return not trace.arrived or trace.received == decision.received


def disagreements(world: World, probes: Iterable[Probe], plan: Plan | None = None) -> Iterator[str]:
    """Yield each probe about which they do not agree, with both opinions."""
    world = booted(world)
    kernel = Kernel((plan or compile(world)).facts())
    for probe in probes:
        trace = probe.ask(world)
        if not comparable(trace):
            continue
        kernel.flows.clear()
        decision = kernel.ask(probe.sender, packet_of(world, probe))
        if not same(world, trace, decision):
            steps = "\n".join(f"    {s.layer} {s.at} {s.allowed} {s.because}" for s in (*trace.steps, *trace.back))
            yield f"{probe}\n  plan: {decision}\n  trace: {trace.verdict} at {trace.receiver}\n{steps}"
