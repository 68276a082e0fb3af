"""The fabric: makes the kernel's network look like a plan, and keeps it so.

    fabric = Fabric(keeper.namespaces)      # one thread's own
    fabric.apply(plan)                      # returns when packets obey it; what failed, by fragment
    fabric.verify()                         # every few seconds: mends what somebody changed behind our back

It remembers what it did, so that a change costs the change.  What it cannot know, it looks up: a namespace is
*suspect* after a restart of the daemon, after an error, and when it is found changed.  `fabric_round` does the work.
"""

import socket
from collections.abc import Mapping

from atoll.host.contract import HostError
from atoll.host.linux import fabric_wires as wires
from atoll.host.linux.fabric_round import Round
from atoll.host.linux.fabric_space import Spaces
from atoll.host.linux.fabric_wanted import HAS_IPV6, Wanted, without_ipv6
from atoll.host.linux.namespaces import Namespaces
from atoll.network.facts import INTERNET
from atoll.network.plan import Change, Key, Plan, difference

LOOK_EVERY = 24  # two minutes, if somebody verifies every five seconds: what came during a round is not news
RESERVED = frozenset({"internet"})  # the keeper's name for its own namespace


class Fabric:
    """Drives the kernel's network.  For one thread."""

    def __init__(self, namespaces: Namespaces) -> None:
        """Work among these namespaces; nothing is read or changed before the first `apply`."""
        self._namespaces = namespaces
        self._spaces = Spaces(namespaces)
        self._plan = Plan()
        self._wanted = Wanted()
        self._suspect: set[str] = set()
        self._adopted = False
        self._verified = 0  # how often

    def apply(self, plan: Plan) -> list[tuple[Key, HostError]]:
        """Make the kernel look like the plan; returns what could not be done, to be tried again by the next call.

        The first call takes over what an earlier daemon left: open flows live on, and what nobody wants goes.
        """
        delta = difference(self._plan, plan)
        if not HAS_IPV6:
            delta = without_ipv6(delta)
        self._plan = plan
        self._wanted.note(delta)
        if not self._adopted:
            for name in self._namespaces.names() - self._wanted.facts.keys() - RESERVED:
                self._namespaces.delete(name)
            self._suspect = set(self._wanted.names)
            self._adopted = True
        return self._settle(delta)

    def verify(self) -> list[str]:
        """Find what somebody changed behind our back, mend it, and say what it was.

        Looks at namespaces, and in routers and the internet at links, addresses, neighbours, routes and rules; not
        into guests, whose network is their own.  Costs a few microseconds for each namespace, because the kernel
        tells of changes; every LOOK_EVERY-th time it looks all the same, which costs 0.1 ms for each interface.
        """
        if not self._adopted:
            return []
        self._verified += 1
        found = [*self._missing_namespaces(), *self._changed_spaces()]
        if self._suspect:
            found += [f"{key.id} could not be mended: {error}" for key, error in self._settle({})]
        return found

    def socket_in(self, name: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Open a socket in a namespace; it stays there, whoever uses it."""
        if name == INTERNET:
            return socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
        return self._namespaces.socket(name, family, kind, protocol)

    def close(self) -> None:
        """Close the sockets; the network stays."""
        self._spaces.close()

    def _settle(self, delta: Mapping[str, Change]) -> list[tuple[Key, HostError]]:
        suspect, self._suspect = self._suspect & self._wanted.facts.keys(), set()
        work = Round(self._spaces, self._wanted, delta, suspect)
        self._suspect = set(self._wanted.names)  # should it not come to its end
        try:
            work.run()
        except HostError as error:
            return [*work.failures.items(), (Key("", "network", "network"), error)]
        self._suspect = work.suspect
        return list(work.failures.items())

    def _missing_namespaces(self) -> list[str]:
        missing = self._wanted.facts.keys() - self._namespaces.names() - {INTERNET}
        self._suspect |= missing
        return [f"namespace {name} was gone" for name in sorted(missing)]

    def _changed_spaces(self) -> list[str]:
        found = []
        for name in self._wanted.facts.keys() - self._wanted.guests - self._suspect:
            space = self._spaces[name]
            what = []
            if self._spaces.generations.get(name) != space.rules_generation():
                what.append("rules")
            if space.is_quiet() and self._verified % LOOK_EVERY:
                pass
            elif any(wires.broken_links(space, self._wanted)):
                what.append("links")
            elif any(wires.differences(space, self._wanted.facts[name])):
                what.append("addresses or routes")
            if what:
                self._suspect.add(name)
                found.append(f"{' and '.join(what)} of {name or 'the internet'} had changed")
        return found
