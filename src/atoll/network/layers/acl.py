"""Network ACLs: numbered rules at a subnet's edge; the first that matches decides.  Stateless.

Two layers, `outward` and `inward`.
"""

from atoll.model.acl import NetworkAcl
from atoll.model.ip import Ip
from atoll.model.subnet import Subnet
from atoll.network.flow import Code, Verdict
from atoll.network.layers.groups import fits, what
from atoll.network.layers.hop import Finding, Hop, refuse


def outward(hop: Hop) -> Finding | None:
    """Ask the ACL of the sender's subnet, if the packet leaves it."""
    if hop.sender is None or hop.subnet is None or hop.stays_in_subnet:
        return None
    return _ask(hop, hop.subnet, hop.packet.destination, egress=True)


def inward(hop: Hop) -> Finding | None:
    """Ask the ACL of the subnet that the packet comes into."""
    if hop.target is None or hop.stays_in_subnet:
        return None
    return _ask(hop, hop.world[Subnet, hop.target.subnet_id], hop.packet.source, egress=False)


def _ask(hop: Hop, subnet: Subnet, peer: Ip, *, egress: bool) -> Finding:
    acl = hop.world[NetworkAcl, subnet.acl_id]
    entries = [
        e
        for e in acl.entries
        if e.egress is egress and peer in e.cidr and fits(e.protocol, e.from_port, e.to_port, hop.packet)
    ]
    first = min(entries, key=lambda e: e.number, default=None)
    if first is not None and first.allow:
        return Finding(acl.id, f"rule {first.number} of {acl.id}", rule=str(first.number))
    number = str(first.number) if first else None
    way = f"{'outbound' if egress else 'inbound'} rule {number or '*'}"
    because = f"{way} of {acl.id} denies {what(hop.packet)} {'to' if egress else 'from'} {peer}"
    return refuse(Verdict.DENIED, Code.SUBNET_ACL_RESTRICTION, acl.id, because, rule=number)
