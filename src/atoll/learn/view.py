"""What a judge sees: the lesson's World, what the tracer says, and what real packets did.

A judge asks for what it needs and raises `Not` with the first thing that is missing.  What it wants sent it asks for
by a probe; who runs the judge sends it and asks the judge again (`judge.judged` decides, `admin` acts).  On paper
nothing is sent, and the tracer's word stands.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from atoll.cache.endpoint import address_of
from atoll.learn import names
from atoll.learn.probe import Mirror, Probe, Tcp
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.group import SecurityGroup
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from atoll.model.ip import Ip
from atoll.model.lookup import primary_interface, public_ip_of
from atoll.model.subnet import Subnet
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.flow import At, Trace, Verdict
from atoll.network.trace import trace

PING, PONG = "PING\r\n", "+PONG"
VERSION, ANSWER = "version\r\n", "VERSION"  # the same in Memcached's protocol
CLIENT, STRANGER = "198.51.100.27", "198.51.100.28"  # the page's trusted client, and somebody else


class Not(Exception):
    """The step is not done.  `code` names a sentence of the texts, `facts` fill it in."""

    def __init__(self, code: str, **facts: object) -> None:
        """Keep the code and the facts."""
        super().__init__(code)
        self.code = code
        self.facts = {name.rstrip("_"): str(fact) for name, fact in facts.items()}


class Wanted(Exception):
    """A probe must be sent before the judge can say more."""

    def __init__(self, probe: Probe) -> None:
        """Keep the probe."""
        super().__init__(str(probe))
        self.probe = probe


class View:
    """A lesson's world, at one moment."""

    def __init__(self, world: World, answers: Mapping[Probe, str], *, real: bool) -> None:
        """See `world`, which is seen by the lesson's account; `answers` is what probes came back with."""
        self.world, self._answers, self.is_real = world, answers, real

    # What there is

    def vpc(self, name: str) -> Vpc:
        """Return a VPC by its name.  Raises Not."""
        found = next(names.tagged(self.world, Vpc, name), None)
        if not isinstance(found, Vpc):
            raise Not("no-vpc", name=name)
        return found

    def subnet(self, name: str) -> Subnet:
        """Return a subnet by its name.  Raises Not."""
        found = next(names.tagged(self.world, Subnet, name), None)
        if not isinstance(found, Subnet):
            raise Not("no-subnet", name=name)
        return found

    def group(self, name: str) -> SecurityGroup:
        """Return a security group by its name.  Raises Not."""
        found = names.group(self.world, name)
        if found is None:
            raise Not("no-group", name=name)
        return found

    def instance(self, name: str) -> Instance:
        """Return a running instance by its name.  Raises Not."""
        found = names.instance(self.world, name)
        if found is None:
            raise Not("no-instance", name=name)
        if found.state != "running":
            raise Not("not-running", name=name, state=found.state)
        return found

    def interface(self, name: str) -> Interface:
        """Return the primary interface of an instance, by the instance's name.  Raises Not."""
        found = primary_interface(self.world, self.instance(name).id)
        assert found, "an instance that runs has an interface"
        return found

    def cluster(self, name: str) -> CacheCluster:
        """Return a cache cluster that is available.  Raises Not."""
        found = names.cache(self.world, name)
        if found is None:
            raise Not("no-cache", name=name)
        if found.status != "available":
            raise Not("not-available", name=name, status=found.status)
        return found

    def replication(self, name: str) -> ReplicationGroup:
        """Return a replication group that is available.  Raises Not."""
        found = names.replication(self.world, name)
        if found is None:
            raise Not("no-replication-group", name=name)
        if found.status != "available":
            raise Not("not-available", name=name, status=found.status)
        return found

    def node(self, name: str, node: int = 0) -> Ip:
        """Return the address of a node of a cluster; of a replication group, its primary's.  Raises Not."""
        group = names.replication(self.world, name)
        cluster = self.world[CacheCluster, group.node_groups[0].primary_id] if group else self.cluster(name)
        return address_of(self.world, cluster.nodes[node])

    def groups_of(self, cluster: CacheCluster) -> list[SecurityGroup]:
        """Return the security groups that a cluster's first node carries."""
        interface = self.world[Interface, cluster.nodes[0].interface_id]
        return [self.world[SecurityGroup, id] for id in interface.group_ids]

    def public(self, name: str) -> Ip:
        """Return the public address of an instance.  Raises Not."""
        found = public_ip_of(self.world, self.interface(name))
        if found is None:
            raise Not("no-elastic-ip", name=name)
        return found

    # What the network does

    def trace(self, sender: str, address: Ip | str, port: int) -> Trace:
        """Ask the tracer of a TCP flow; `sender` is an instance's name or an internet client's address."""
        return trace(self.world, self.at(sender), ip_address(str(address)), "tcp", port, thorough=True)

    def at(self, sender: str) -> At:
        """Return the end that a name or an internet address means.  Raises Not."""
        try:
            return ip_address(sender)
        except ValueError:
            return self.interface(sender).id

    def must_reach(self, sender: str, address: Ip | str, port: int, *, name: str = "") -> None:
        """Ask the tracer only; what a machine that forwards does is not its business.  Raises Not."""
        found = self.trace(sender, address, port)
        if found.verdict is not Verdict.DELIVERED:
            because = found.refusals[0].because if found.refusals else found.verdict.value
            raise Not("blocked", from_=sender, to=name or address, port=port, because=because)

    def must_answer(
        self, sender: str, address: Ip | str, port: int, say: str = "", expect: str = "", *, tls: bool = False,
        name: str = "", code: str = "silent",
    ) -> str:  # fmt: skip
        """Have the tracer and a real packet say that a sender is answered; returns what was said.  Raises Not."""
        self.must_reach(sender, address, port, name=name)
        probe = Tcp(str(self.at(sender)), str(address), port, say, expect, tls)
        said = self.ask(probe)
        if said is not None and not (said.startswith("connected") and expect in said):
            raise Not(code, from_=sender, to=name or address, port=port, said=said[:120].strip())
        return (said or "").removeprefix("connected").strip()

    def must_not_reach(self, sender: str, address: Ip | str, port: int, *, code: str = "open-to") -> str:
        """Have the tracer and a real packet say that a sender is kept out; returns why.  Raises Not."""
        found = self.trace(sender, address, port)
        said = self.ask(Tcp(str(self.at(sender)), str(address), port, is_wanted=False))
        if found.verdict is Verdict.DELIVERED or (said or "").startswith("connected"):
            raise Not(code, from_=sender, to=address, port=port)
        return found.refusals[0].because if found.refusals else found.verdict.value

    def mirror(self, senders: Iterable[str], server: str, port: int, source_port: int) -> list[str]:
        """Return what a server on the internet saw of each sender; nothing on paper."""
        ends = tuple(str(self.at(sender)) for sender in senders)
        said = self.ask(Mirror(ends, server, port, source_port))
        return said.splitlines() if said else []

    def ask(self, probe: Probe) -> str | None:
        """Return what a probe came back with; `None`: nothing is sent on paper.  Raises Wanted."""
        if not self.is_real:
            return None
        if probe not in self._answers:
            raise Wanted(probe)
        return self._answers[probe]
