"""What was seen inside a machine: values that somebody who may look brings, and that everything else only reads.

Who looks is `cli/look.py`, in the machine's own network; nothing here knows how.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any

from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.network.flow import Packet, protocol_name
from atoll.network.inside import iptables, nftables
from atoll.network.inside.firewall import Firewall, Look, translated

NIC, LOOPBACK = "eth0", "lo"  # by its first link leaves all that a machine does not send from another one's address
OPEN = Firewall()


def link(interface: Interface) -> str:
    """Return what an interface is called inside its machine."""
    return f"eth{interface.attachment.device_index}" if interface.instance_id and interface.attachment else NIC


@dataclass(frozen=True, slots=True)
class Listener:
    """Who waits for packets."""

    protocol: str
    address: Ip
    port: int

    def hears(self, packet: Packet) -> bool:
        """Tell whether a packet is for this one.  An IPv6 socket on :: hears IPv4, too."""
        if (self.protocol, self.port) != (protocol_name(packet.protocol), packet.port):
            return False
        if isinstance(self.address, IPv6Address):
            return self.address.is_unspecified or packet.destination in (self.address, self.address.ipv4_mapped)
        return packet.destination == self.address or (self.address.is_unspecified and packet.version == 4)

    def __str__(self) -> str:
        """Write it as people do."""
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Inside:
    """One machine, as it was when somebody looked."""

    forwards: bool
    forwards_ipv6: bool = False
    listeners: tuple[Listener, ...] = ()
    firewall: Firewall = OPEN
    resolvers: tuple[str, ...] | None = None  # of its /etc/resolv.conf; `None`: nobody could read it
    engine: str | None = None  # what an engine said when it was asked: see `cli/probe.py`; `None`: nobody asked
    unseen: tuple[str, ...] = ()  # what could not be looked at, and why

    def sends_on(self, packet: Packet) -> bool:
        """Tell whether the machine forwards packets of this version of IP."""
        return self.forwards if packet.version == 4 else self.forwards_ipv6

    def forwarded(self, packet: Packet, own: Ip, by: str = NIC) -> Packet:
        """Return a packet of a new flow, which came by a link, as its machine sends it on: by its first link."""
        arrived = self.redirected(packet, own, by)
        found = self.firewall.translation("postrouting", Look(arrived, by, NIC))
        return translated(arrived, found[0], own=own) if found else arrived

    def redirected(self, packet: Packet, own: Ip, by: str = NIC) -> Packet:
        """Return a packet of a new flow with the destination that the machine gives it before it looks at routes."""
        found = self.firewall.translation("prerouting", Look(packet, by))
        return translated(packet, found[0], own=own) if found else packet

    def listening(self, packet: Packet) -> tuple[Listener, ...]:
        """Return who waits on a packet's port, at whatever address."""
        kind = protocol_name(packet.protocol)
        return tuple(one for one in self.listeners if (one.protocol, one.port) == (kind, packet.port))


def read(found: Mapping[str, Any]) -> Inside:
    """Read what `cli/probe.py` prints.  Raises ValueError, KeyError, TypeError when it is something else."""
    if not isinstance(found, Mapping):
        raise TypeError("it is not an object")
    saved = _plain(found.get("iptables"))
    firewall = iptables.read(saved)
    firewall = Firewall((*firewall.chains, *iptables.read(_plain(found.get("ip6tables")), "ip6").chains))
    tables = tuple({chain.table for chain in firewall.chains})
    ruleset = json.loads(_plain(found.get("nft")) or "{}")
    more = nftables.read(ruleset, _plain(found.get("nft_text")), but=tables)
    resolvers: Sequence[str] | None = found.get("resolvers")
    return Inside(
        forwards=str(found["ip_forward"]).strip() == "1",
        forwards_ipv6=str(found.get("ipv6_forward")).strip() == "1",
        listeners=tuple(Listener(str(p), ip_address(a), int(n)) for p, a, n in found.get("listeners", ())),
        firewall=Firewall((*firewall.chains, *more.chains)),
        resolvers=None if resolvers is None else tuple(map(_plain, resolvers)),
        engine=None if found.get("engine") is None else _plain(found["engine"]),
        unseen=tuple(map(_plain, found.get("unseen", ()))),
    )


def _plain(text: object) -> str:
    """Return a text without what a terminal would obey: whoever rules the machine may have written it."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in str(text or ""))
