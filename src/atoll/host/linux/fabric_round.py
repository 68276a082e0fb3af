"""One round of the fabric: a change, and the mending of what is suspect, in an order that never opens what is shut.

    namespaces        made, forwarding on
    rules             each namespace's in one transaction: whatever comes later is judged by them
    ARP, going        before its links go
    links             the old, then the new; guests get their addresses
    routes            addresses, neighbours, routes, policy rules
    ARP, coming       now neighbours hear of each other
    settings          of connection tracking, which exists only once there are rules
    links             the new ones carry the first packet, too
    namespaces        that nobody wants go

A step that fails is repeated fragment by fragment, so that a bad one does not stop the others; its namespace is then
suspect, and is mended by the next round.  Mending reads links and routes back and changes what differs, and replaces
all rules in one instant.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from atoll.host.contract import HostError
from atoll.host.linux import fabric_wires as wires
from atoll.host.linux.fabric_rules import change_rules, load_rules, put_back
from atoll.host.linux.fabric_space import Spaces
from atoll.host.linux.fabric_wanted import HAS_IPV6, Facts, Wanted
from atoll.host.linux.namespaces import set_sysctl
from atoll.host.linux.netlink import LOOPBACK, Netlink
from atoll.host.linux.tallies import kept
from atoll.network.compile.marks import GUEST_LINK
from atoll.network.facts import (
    INTERNET,
    IPV4,
    IPV6,
    NETDEV,
    Container,
    DualStack,
    Namespace,
    Sysctl,
    Veth,
)
from atoll.network.nft import NFT
from atoll.network.plan import Change, Key

Act: TypeAlias = Callable[[Facts, Facts], None]  # removed, added
NOTHING: Facts = {}


class Round:
    """One round; `failures` and `suspect` are what is left to do."""

    def __init__(self, spaces: Spaces, wanted: Wanted, delta: Mapping[str, Change], suspect: Iterable[str]) -> None:
        """Prepare; `wanted` is what must be after the round."""
        self._spaces, self._wanted, self._delta = spaces, wanted, delta
        self._namespaces = spaces.namespaces
        self._doubted = set(suspect)
        self._mending = self._doubted - wanted.guests  # routers and the internet
        self._naked = set[str]()  # guests that must get their addresses
        self._moving = set[str]()  # spaces in which a link is made anew, as its other end moves
        self._fresh: dict[str, set[str]] = {}  # new links of routers and the internet
        self.failures: dict[Key, HostError] = {}
        self.suspect: set[str] = set()

    def run(self) -> None:
        """Do it all."""
        self._make_namespaces()
        changing = {n for n in self._delta if n in self._wanted.names} - self._wanted.guests - self._mending
        self._moving = {name for name in changing if self._moves_links(name)}
        tampered = {name for name in changing if self._is_tampered(name)} | self._moving
        self._mending |= tampered
        changing -= tampered
        self._change_rules(changing, IPV4)
        self._change_rules(changing, IPV6)
        self._change_rules(changing, NETDEV, coming=False)
        self._links(changing)
        self._switch_ipv6(changing, coming=True)
        self._dress_guests()
        self._place(changing)
        self._switch_ipv6(changing, coming=False)
        self._change_rules(changing, NETDEV, going=False)
        self._settings(changing)
        self._wake_links()
        for name in (changing | self._mending) - self.suspect:
            self._spaces.generations[name] = self._spaces[name].rules_generation()
            self._spaces[name].is_quiet()  # that was us
        for name in self._delta:
            if name not in self._wanted.names and name != INTERNET:
                self._spaces.forget(name)
                self._namespaces.delete(name)

    def _is_tampered(self, name: str) -> bool:
        known = self._spaces.generations.get(name)
        return known is not None and known != self._spaces[name].rules_generation()

    def _moves_links(self, name: str) -> bool:
        """Tell whether a link of a space is made anew, because its other end moves: what rests on it goes with it."""
        change = self._delta[name]
        gone = {f.name for f in change.removed if isinstance(f, Veth)}
        return bool(gone) and any(isinstance(f, Veth) and f.name in gone for f in change.added)

    # Namespaces

    def _make_namespaces(self) -> None:
        made = set()
        for name in (*self._delta, *(self._doubted - self._delta.keys())):
            if name in self._doubted:
                want: Facts = self._wanted.of(name, Namespace)
            else:
                want = {f: key for f, key in self._delta[name].added.items() if isinstance(f, Namespace)}
            if want and self._make(name, want):
                made.add(name)
        for name in made:
            for veth in self._wanted.far_links(name).values():
                change = self._delta.get(veth.namespace)
                if change is None or veth not in change.added:  # the link went with its guest's former namespace
                    self._mending.add(veth.namespace)
        self._naked |= made & self._wanted.guests
        self._made = made

    def _make(self, name: str, want: Facts) -> bool:
        """Make a namespace, or set up the one that is there; tell whether it is new."""
        is_new = name != INTERNET and not self._namespaces.exists(name)
        if is_new:
            self._abandon(name)

        def act(_: Facts, added: Facts) -> None:
            for fact in added:
                assert isinstance(fact, Namespace), "this step makes namespaces"
                settings = {k: v for k, v in fact.sysctls if HAS_IPV6 or not k.startswith("net.ipv6.")}
                if name == INTERNET:
                    for key, value in settings.items():
                        set_sysctl(key, value)
                elif is_new or not fact.is_guest:  # an old guest's settings are its own by now
                    self._namespaces.create(name, settings)
                if not fact.is_guest:
                    self._spaces[name].net.set_up(LOOPBACK)
                    self._spaces[name].net.commit()

        self._attempt(name, NOTHING, want, act)
        return is_new

    def _abandon(self, name: str) -> None:
        """Give up a namespace that lost its name: its links go now, not when the kernel finds the time."""
        if space := self._spaces.known(name):
            wires.remove_links(space, [link for link in space.links if link != "lo"])
        self._spaces.forget(name)
        self._spaces.generations.pop(name, None)

    # Rules

    def _change_rules(self, changing: Iterable[str], family: str, *, going: bool = True, coming: bool = True) -> None:
        """Change the rules of one family; `going` and `coming` choose a half of the change."""
        for name in changing:
            change, space = self._delta[name], self._spaces[name]
            out, come = (change.removed if going else NOTHING), (change.added if coming else NOTHING)
            self._attempt(name, out, come, partial(change_rules, space, family))
        if coming:
            for name in self._mending:
                self._load_rules(name, family)

    def _load_rules(self, name: str, family: str) -> None:
        space = self._spaces[name]
        want = self._wanted.of(name, *NFT)
        mine: Facts = {f: key for f, key in want.items() if isinstance(f, NFT) and f.family == family}
        counting = [f for f in mine if isinstance(f, Container) and f.is_tally]
        counts = kept(self._namespaces, name, counting) if counting and name not in self._made else []
        try:
            load_rules(space, family, NOTHING, mine)
        except HostError:
            first = next(iter(mine.values()))  # the router's own fragment, on which the others rest
            base: Facts = {f: key for f, key in mine.items() if key == first}
            rest: Facts = {f: key for f, key in mine.items() if key != first}
            self._attempt(name, NOTHING, base, partial(load_rules, space, family))
            self._one_by_one(name, NOTHING, rest, partial(change_rules, space, family))
        with suppress(HostError):  # a set that an earlier version filled otherwise begins anew
            put_back(space, counts)

    # Links

    def _links(self, changing: Iterable[str]) -> None:
        come: dict[str, dict[str, Veth]] = {}
        for name, change in self._delta.items():
            gone = [f for f in change.removed if isinstance(f, Veth)]
            if name not in self._wanted.names:  # the others go with their guests' namespaces
                gone = [f for f in gone if f.peer_namespace in self._wanted.names]
            if gone and (name not in self._mending or name in self._moving) and self._spaces.known(name):
                wires.remove_links(self._spaces[name], [f.name for f in gone])
        for name in changing:
            come[name] = {f.name: f for f in self._delta[name].added if isinstance(f, Veth)}
        for name in tuple(self._mending):
            space, far = self._spaces[name], self._wanted.far_links(name)
            wrong, _ = wires.broken_links(space, self._wanted)
            wrong |= {v.name for v in self._wanted.links(name).values() if v.peer_namespace in self._made}
            wrong |= {v.name for v in self._wanted.links(name).values() if not self._is_plugged_in(v)}
            wires.remove_links(space, wrong)
            self._mending |= {far[link].namespace for link in wrong & far.keys()}  # a pair goes as a whole
        for name in self._mending:
            self._spaces[name].read_links()
            _, missing = wires.broken_links(self._spaces[name], self._wanted)
            come[name] = {v.name: v for v in self._wanted.links(name).values() if v.name in missing}
            for veth in come[name].values():
                if veth.peer_namespace not in self._wanted.guests:  # the end of a pair whose namespace is still going
                    far_space = self._spaces[veth.peer_namespace]
                    far_space.read_links()
                    wires.remove_links(far_space, {veth.peer} & far_space.links.keys())
        for name, new in come.items():
            if new:
                self._add_links(name, new)

    def _add_links(self, name: str, new: Mapping[str, Veth]) -> None:
        space, keys = self._spaces[name], self._wanted.facts[name]
        try:
            wires.add_links(self._spaces, space, NOTHING, new.values())
        except HostError:
            space.read_links()
            left: Facts = {v: keys[v] for v in new.values() if v.name not in space.links}
            self._one_by_one(name, NOTHING, left, partial(wires.add_links, self._spaces, space))
        for veth in new.values():
            self._fresh.setdefault(name, set()).add(veth.name)
            if veth.peer_namespace not in self._wanted.guests:
                self._fresh.setdefault(veth.peer_namespace, set()).add(veth.peer)
            if veth.peer_namespace in self._wanted.guests:
                if not self._is_plugged(veth):
                    self._naked.add(veth.peer_namespace)
            elif far := self._spaces[veth.peer_namespace]:
                far.read_links()
                far.net.set_up(veth.peer)
                far.net.commit()
                if veth.peer_namespace in self._wanted.names and name in self._mending:
                    self._mending.add(veth.peer_namespace)  # what it knew of the former link is lost

    def _is_plugged(self, veth: Veth) -> bool:
        """Tell whether a link is a further one, new in an old guest: then its addresses are new facts, too."""
        change = self._delta.get(veth.namespace)
        is_new = change is not None and veth in change.added
        return is_new and veth.peer != GUEST_LINK and veth.peer_namespace not in self._made | self._doubted

    def _is_plugged_in(self, veth: Veth) -> bool:
        """Tell whether a link that is there ends where it must; of a guest's first one the name says so."""
        guest = veth.peer_namespace
        if veth.peer == GUEST_LINK or guest not in self._wanted.guests or not self._namespaces.exists(guest):
            return True
        with self._namespaces.opened(guest) as fd, Netlink(fd) as net:
            return any(link.name == veth.peer for link in net.links())

    def _wake_links(self) -> None:
        for name, links in self._fresh.items():
            if name in self._wanted.names or name == INTERNET:
                wires.wake_links(self._spaces[name], links)

    def _dress_guests(self) -> None:
        for name in self._doubted & self._wanted.guests - self._naked:
            facts = self._wanted.facts[name]
            if not wires.complete_guest(self._spaces, name, self._wanted.far_links(name), facts):
                self._naked.add(name)
        for name in self._naked & self._wanted.facts.keys():
            self._attempt(name, NOTHING, self._wanted.facts[name], partial(wires.dress_guest, self._spaces, name))

    # Addresses, routes, settings

    def _switch_ipv6(self, changing: Iterable[str], *, coming: bool) -> None:
        """Switch IPv6 on at links of routers before anything is placed there, and off behind it."""
        for name in changing:
            change = self._delta[name]
            out, come = (NOTHING, change.added) if coming else (change.removed, NOTHING)
            self._attempt(name, out, come, partial(wires.switch_ipv6, self._spaces, name))
        for name in self._mending if coming else ():
            want: Facts = self._wanted.of(name, DualStack)
            self._attempt(name, NOTHING, want, partial(wires.switch_ipv6, self._spaces, name))

    def _place(self, changing: Iterable[str]) -> None:
        for name, change in self._delta.items():
            if name in changing:
                self._attempt(name, change.removed, change.added, partial(wires.change_space, self._spaces[name]))
            elif name in self._wanted.guests - self._naked - self._doubted:
                self._attempt(name, change.removed, change.added, partial(wires.change_guest, self._spaces, name))
        for name in self._mending:
            space, want = self._spaces[name], self._wanted.facts[name]
            extra, missing = wires.differences(space, want)
            strangers: Facts = dict.fromkeys(extra, Key("", "stranger", name))
            come: Facts = {f: want[f] for f in missing}
            self._attempt(name, strangers, come, partial(wires.change_space, space))

    def _settings(self, changing: set[str]) -> None:
        for name in changing | self._mending:
            source = self._wanted.facts[name] if name in self._mending else self._delta[name].added
            want: Facts = {f: key for f, key in source.items() if isinstance(f, Sysctl)}
            if want:
                self._attempt(name, NOTHING, want, partial(self._set, name))

    def _set(self, name: str, _: Facts, added: Facts) -> None:
        with self._namespaces.inside(name):
            for fact in added:
                assert isinstance(fact, Sysctl), "this step sets settings"
                set_sysctl(fact.key, fact.value)

    # Trying

    def _attempt(self, name: str, removed: Facts, added: Facts, act: Act) -> None:
        """Do a step; if it fails, fragment by fragment, remembering those that do."""
        try:
            act(removed, added)
        except HostError:
            self._one_by_one(name, removed, added, act)

    def _one_by_one(self, name: str, removed: Facts, added: Facts, act: Act) -> None:
        """Do a step fragment by fragment; those that fail once more, because some rest on others."""
        self.suspect.add(name)
        left = dict.fromkeys((*removed.values(), *added.values()))
        for _ in range(2):
            failed: dict[Key, HostError] = {}
            for key in left:
                out = {f: k for f, k in removed.items() if k == key}
                come = {f: k for f, k in added.items() if k == key}
                try:
                    act(out, come)
                except HostError as error:
                    failed[key] = error
            left = dict.fromkeys(failed)
        self.failures |= failed
