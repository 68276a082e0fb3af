"""Flows: a packet, where it starts and ends, what may become of it, and the steps of its way.  Words only: no rules.

These are the words that both descriptions of the network share: `trace` (AWS's documents) and the compiled plan.

Where AWS's documents leave room, both descriptions read them so:

- *A machine that forwards* (source/destination check off) sends the packet on unchanged, by its own subnet's table.
  What its own iptables would do is its guest's business; `Trace.assumed` names it.  Only for the NAT images, which
  boot with a masquerade, the tracer assumes that (`layers.guest`); a plan knows nothing of images.
- *A group as the source of a rule* matches when the interface that owns the source address sent the packet itself;
  *as the destination*, when the next interface on the way is the one that owns the destination address.  So neither
  matches across a middlebox (VPC User Guide, "Security group rules", on middleboxes).  Members are interfaces of the
  same VPC: a reference to a group of another VPC matches nothing, unless the two are peered in one region.  Then it
  matches the private addresses of its members, whichever machine of the peer's sends for them.
- *Inside a subnet* (also from a machine that forwards into its own subnet, and towards a route's interface in the
  sender's subnet) no ACL is asked.  A destination in the sender's subnet is never looked up in the route table.
- *The VPC's own services* (`169.254.169.254`, `.253`, `.123`, the resolver at the primary range + 2, each subnet's
  router at + 1) are reached from every interface, past every group, ACL and route; only the source check comes first.
- *A machine's own address*: what an interface sends to one of its own private addresses never leaves the machine.
- *Nobody behind an interface* (attached to nothing, or to an instance that is `stopped` or `terminated`): it sends
  nothing, what reaches it is lost, and a route to it is a blackhole.  A machine that boots or shuts down uses its
  network.
- *The internet gateway* wants a public address for the source, whichever interface of the VPC owns it, and refuses
  private sources and destinations (RFC 1918, RFC 6598).  The public address of an interface is only in force while
  its VPC has a gateway.  Between two public addresses traffic turns round outside the gateway (AWS's analyzer stops
  there; packets do not).
- *A gateway's route table* leads what comes from the internet to a middlebox only if that has a public address of its
  own; else the packet is lost.
- *A NAT gateway* translates TCP, UDP and ICMP that comes from its VPC's ranges, keeps the source port if it can
  (`NAT_PORTS`), refuses what is for itself and no answer, and is nobody's next hop but a route's.
- *A load balancer* gives a flow one of its targets and its own address as the source; which one of several is not
  said.  What comes to a node and to none of its listeners, or answers nothing, is refused.  *An endpoint* leads TCP
  and UDP to the balancer's node in its own zone, whatever the ranges of the two VPCs; nothing comes back that was not
  asked for.
- *A new flow's reply* passes a group where the request passed it in the other direction: because the flow is tracked,
  or because an untracked flow has by definition a rule for every reply.  The difference shows only when rules change
  later.
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from ipaddress import IPv6Address
from typing import TypeAlias

from atoll.model.ip import Ip

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
ALL = -1
PROTOCOLS = {"icmp": ICMP, "tcp": TCP, "udp": UDP, "icmpv6": ICMPV6, "all": ALL}
NAMES = {number: name for name, number in PROTOCOLS.items()}

# The ports that a NAT gateway gives to flows: 55,000 for each destination, of the 1024-65535 that AWS names.
NAT_PORTS = range(1024, 1024 + 55_000)

# ICMP requests that are answered, by protocol: type -> type of the answer (RFC 792, RFC 4443).
ICMP_ANSWERS = {ICMP: {8: 0, 13: 14}, ICMPV6: {128: 129}}
ECHOES = {ICMP: 8, ICMPV6: 128}

NOWHERE = IPv6Address("::")  # the source of who has no address

At: TypeAlias = str | Ip
"""An end of a flow: an interface's id, or an address outside.  As a receiver also a VPC's id: its own services."""


def protocol_number(protocol: int | str) -> int:
    """Return the IANA number of a protocol as EC2 writes it: "tcp", "6", "-1", 6.  Raises ValueError."""
    if isinstance(protocol, int):
        return protocol
    return PROTOCOLS[protocol.lower()] if protocol.lower() in PROTOCOLS else int(protocol)


def protocol_name(number: int) -> str:
    """Return a protocol as EC2 writes it: "tcp", or the number in digits."""
    return NAMES.get(number, str(number))


def bracketed(address: Ip) -> str:
    """Return an address as it stands before a port."""
    return str(address) if address.version == 4 else f"[{address}]"


@dataclass(frozen=True, slots=True)
class Packet:
    """The head of a packet: all that a filter may look at.

    For ICMP `source_port` is the type and `port` the code; for protocols without ports both are 0.
    """

    source: Ip
    destination: Ip
    protocol: int
    source_port: int = 0
    port: int = 0

    def but(
        self,
        *,
        source: Ip | None = None,
        destination: Ip | None = None,
        source_port: int | None = None,
        port: int | None = None,
    ) -> "Packet":
        """Return the packet with an address, or a port, translated."""
        return replace(
            self,
            source=source or self.source,
            destination=destination or self.destination,
            source_port=self.source_port if source_port is None else source_port,
            port=self.port if port is None else port,
        )

    @property
    def is_icmp(self) -> bool:
        """Tell whether it is a message of ICMP, of either version."""
        return self.protocol in (ICMP, ICMPV6)

    @property
    def version(self) -> int:
        """The version of IP: 4 or 6."""
        return self.destination.version

    def reply(self) -> "Packet | None":
        """Return the packet that answers this one; `None` for ICMP messages that nobody answers."""
        if not self.is_icmp:
            return Packet(self.destination, self.source, self.protocol, self.port, self.source_port)
        answer = ICMP_ANSWERS[self.protocol].get(self.source_port)
        return None if answer is None else Packet(self.destination, self.source, self.protocol, answer, 0)

    def __str__(self) -> str:
        """Write the packet as people do: `tcp 10.0.0.10:40000 -> 10.0.1.20:6379`."""
        if self.protocol in (TCP, UDP):
            ends = f"{bracketed(self.source)}:{self.source_port} -> {bracketed(self.destination)}:{self.port}"
        else:
            ends = f"{self.source} -> {self.destination}"
        kind = f" type {self.source_port}" if self.is_icmp else ""
        return f"{protocol_name(self.protocol)}{kind} {ends}"


class Verdict(Enum):
    """What became of a flow.  Closed: there is no other fate.

    | verdict     | the packet ...                                                                           |
    |-------------|------------------------------------------------------------------------------------------|
    | `DELIVERED` | arrived, and the answer (if its protocol has one) came back                              |
    | `DENIED`    | met a network ACL that denies it, or an interface none of whose groups allow it          |
    | `SPOOFED`   | was sent from, or came to, an interface that is neither its source nor its destination,  |
    |             | and that checks                                                                          |
    | `NO_ROUTE`  | matches no route of its subnet's table                                                   |
    | `BLACKHOLE` | matches a route whose target is gone, detached or stopped                                |
    | `REFUSED`   | was refused by a gateway: no public address, or a private one where none may be; or by   |
    |             | a peering: an address of neither VPC                                                     |
    | `NOBODY`    | has a destination that nobody has                                                        |
    | `DOWN`      | started from, or came to, an interface behind which nothing runs                         |
    | `CUT`       | met a link that somebody cut on purpose: `atoll chaos`                                   |
    | `LOOP`      | went round, or was routed back to the interface that sent it                             |
    | `NO_ANSWER` | arrived, but its answer did not come back; the last step of `Trace.back` says why        |
    """

    DELIVERED = "delivered"
    DENIED = "denied"
    SPOOFED = "spoofed"
    NO_ROUTE = "no-route"
    BLACKHOLE = "blackhole"
    REFUSED = "refused"
    NOBODY = "nobody"
    DOWN = "down"
    CUT = "cut"
    LOOP = "loop"
    NO_ANSWER = "no-answer"


class Code(StrEnum):
    """Reachability Analyzer's explanation codes, word for word, as far as we say them, and one of our own.

    Source: docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html.
    """

    ENI_SG_RULES_MISMATCH = "ENI_SG_RULES_MISMATCH"
    SG_HAS_NO_RULES = "SG_HAS_NO_RULES"
    SUBNET_ACL_RESTRICTION = "SUBNET_ACL_RESTRICTION"
    ENI_SOURCE_DEST_CHECK_RESTRICTION = "ENI_SOURCE_DEST_CHECK_RESTRICTION"
    NO_ROUTE_TO_DESTINATION = "NO_ROUTE_TO_DESTINATION"
    BAD_STATE_ROUTE = "BAD_STATE_ROUTE"
    BAD_STATE = "BAD_STATE"
    BAD_STATE_ATTACHMENT = "BAD_STATE_ATTACHMENT"
    IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS = "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"
    IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS = "IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS"
    IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS = "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS"
    IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS = "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS"
    NGW_REQUIRES_SOURCE_IN_VPC = "NGW_REQUIRES_SOURCE_IN_VPC"
    PCX_REQUIRES_ADDRESS_IN_VPC_CIDR = "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR"
    ELB_NOT_CROSSZONE = "ELB_NOT_CROSSZONE"
    ELBV2_LISTENERS_MISMATCH = "ELBV2_LISTENERS_MISMATCH"
    ELBV2_LISTENER_HAS_NO_TG = "ELBV2_LISTENER_HAS_NO_TG"
    VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION = "VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION"
    VPCE_GATEWAY_PROTOCOL_RESTRICTION = "VPCE_GATEWAY_PROTOCOL_RESTRICTION"
    NO_POSSIBLE_DESTINATION = "NO_POSSIBLE_DESTINATION"
    ATOLL_FAULT = "ATOLL_FAULT"  # somebody broke it on purpose: AWS has no word for that


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that looked at a packet, and what it said."""

    layer: str  # the name of a layer of `trace.LAYERS`
    at: str  # the id of the resource that decided: eni-, acl-, rtb-, igw-, i-, vpc-, fault-; or an address
    allowed: bool
    because: str  # the rule or fact that decided: "sgr-0a in sg-app", "rule 100 of acl-1"
    packet: Packet  # as this layer saw it, before any translation here
    code: Code | None = None  # set when `allowed` is false
    rule: str | None = None  # that decided: the id of a group's rule, the number of an ACL's, where a route leads to


@dataclass(frozen=True, slots=True)
class Trace:
    """An answer: the fate of a flow, and every step of its way there and back."""

    sender: At
    packet: Packet  # as it was sent
    verdict: Verdict
    steps: tuple[Step, ...]  # of the request
    back: tuple[Step, ...] = ()  # of the answer
    receiver: At | None = None  # where the request arrived; `None`: it did not
    received: Packet | None = None  # the request as the receiver saw it
    came_to: At | None = None  # where the request came to, if what refuses it on its way is left aside
    came_as: Packet | None = None  # and how it looked there
    assumed: tuple[str, ...] = ()  # interfaces of machines that were assumed to forward: see `layers.guest`

    @property
    def arrived(self) -> bool:
        """Tell whether the request reached somebody, whatever became of the answer."""
        return self.receiver is not None

    @property
    def refusals(self) -> tuple[Step, ...]:
        """The steps that said no, in the order of the packet's way: the request's, else the answer's."""
        return tuple(s for s in (*self.steps, *self.back) if not s.allowed)
