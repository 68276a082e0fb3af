"""Links, addresses, neighbours, routes and policy rules: facts to rtnetlink messages, and back from the kernel."""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, nullcontext
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from atoll.host.linux.fabric_space import Space, Spaces
from atoll.host.linux.fabric_wanted import Wanted
from atoll.host.linux.namespaces import set_sysctl
from atoll.host.linux.netlink import LOOPBACK, Netlink
from atoll.host.linux.netlink import Neighbour as KernelNeighbour
from atoll.host.linux.netlink import Route as KernelRoute
from atoll.host.linux.netlink import Rule as KernelRule
from atoll.model.ip import Net
from atoll.network.compile.marks import GUEST_LINK
from atoll.network.facts import INTERNET, MAIN_TABLE, Address, DualStack, Fact, Neighbour, PolicyRule, Route, Veth

Placed: TypeAlias = Address | Neighbour | Route | PolicyRule
PLACED = (Address, Neighbour, Route, PolicyRule)
# A link that carries IPv6 asks nobody for anything: it has permanent neighbours, and no router advertises itself.
SILENT = (("accept_ra", 0), ("accept_dad", 0), ("autoconf", 0), ("router_solicitations", 0), ("disable_ipv6", 0))
OUR_LINK = re.compile("[io][0-9a-f]{12}")  # on the internet the keeper may have links of its own
IPV6 = 6
LINKS_PER_BATCH = 100  # descriptors that are open at once


def packed_mac(mac: str) -> bytes:
    """Return a MAC address in bytes."""
    return bytes.fromhex(mac.replace(":", ""))


def add_links(spaces: Spaces, near: Space, _removed: Iterable[Fact], added: Iterable[Fact]) -> None:
    """Make pairs of links whose near ends are in one space; a far end in a guest is not up yet."""
    rest = (f for f in added if isinstance(f, Veth))
    while batch := tuple(islice(rest, LINKS_PER_BATCH)):
        with ExitStack() as opened:
            indexes = {}
            for index, veth in enumerate(batch, near.free_index()):
                far = spaces.descriptor(veth.peer_namespace, opened)
                near.net.add_veth(
                    veth.name,
                    peer=veth.peer,
                    peer_namespace=far,
                    mac=packed_mac(veth.mac),
                    peer_mac=packed_mac(veth.peer_mac),
                    mtu=veth.mtu,
                    index=index,
                )
                indexes[veth.name] = index
            near.net.commit()
            near.links.update(indexes)


def wake_links(space: Space, names: Iterable[str]) -> None:
    """Return when links that came up a moment ago carry packets, also the first."""
    rest = iter([space.links[name] for name in names if name in space.links])
    while batch := tuple(islice(rest, LINKS_PER_BATCH)):  # each is answered with a kilobyte
        for index in batch:
            space.net.ask_for(index)
        space.net.commit()


def remove_links(near: Space, names: Iterable[str]) -> None:
    """Delete links and, with them, their far ends and routes."""
    for name in names:
        near.net.delete_link(name)
        near.links.pop(name, None)
    near.net.commit()


def switch_ipv6(spaces: Spaces, name: str, removed: Iterable[Fact], added: Iterable[Fact]) -> None:
    """Let links carry IPv6, or no longer.  A link without it has no address and no route of version 6."""
    off = [f.link for f in removed if isinstance(f, DualStack)]
    on = [f.link for f in added if isinstance(f, DualStack)]
    if not on and not off:
        return
    with nullcontext() if name == INTERNET else spaces.namespaces.inside(name):
        for link in off:
            if Path(f"/proc/sys/net/ipv6/conf/{link}").exists():  # it may have gone already
                set_sysctl(f"net.ipv6.conf.{link}.disable_ipv6", 1)
        for link in on:
            # As a link that comes later would have it: a router's make no addresses of their own.
            mode = Path("/proc/sys/net/ipv6/conf/default/addr_gen_mode").read_text().strip()
            for key, value in (("addr_gen_mode", mode), *SILENT):
                set_sysctl(f"net.ipv6.conf.{link}.{key}", value)


def dress_guest(spaces: Spaces, name: str, _removed: Iterable[Fact], facts: Iterable[Fact]) -> None:
    """Give a guest's namespace its addresses and routes, and bring its links up: in one message, so whole or not.

    A route needs its link up, and a link that is up says that the rest was done.
    """
    with spaces.namespaces.opened(name) as fd, Netlink(fd) as net:
        links = {link.name: link.index for link in net.links()}
        facts = _on(links, facts)
        switch_ipv6(spaces, name, (), facts)
        net.set_up(LOOPBACK)
        for fact in (f for kind in (Address, Neighbour) for f in facts if isinstance(f, kind)):
            _queue_add(net, links, fact)
        for link in {f.link for f in facts if isinstance(f, Address)}:
            net.set_up(links[link])
        near = [f.address.network for f in facts if isinstance(f, Address) and f.is_connected]
        for route in (f for f in facts if isinstance(f, Route)):
            net.add_route(kernel_route(route, links, near))
        for policy in (f for f in facts if isinstance(f, PolicyRule)):
            _queue_add(net, links, policy)
        net.commit()


def change_guest(spaces: Spaces, name: str, removed: Iterable[Fact], added: Iterable[Fact]) -> None:
    """Change a guest's addresses; what the guest did itself stays."""
    with spaces.namespaces.opened(name) as fd, Netlink(fd) as net:
        links = {link.name: link.index for link in net.links()}
        removed, added = _on(links, removed), _on(links, added)
        switch_ipv6(spaces, name, (), added)
        near = [address.network for link, address in net.addresses() if link == links.get(GUEST_LINK)]
        for link in {f.link for f in added if isinstance(f, Address)}:
            net.set_up(links[link])
        for fact in _in_order(removed, reverse=True):
            _queue_remove(net, links, fact)
        for fact in _in_order(added):
            if isinstance(fact, Route):
                net.add_route(kernel_route(fact, links, near))
            else:
                _queue_add(net, links, fact)
        net.commit()
    switch_ipv6(spaces, name, removed, ())


def complete_guest(spaces: Spaces, name: str, links: Iterable[str], facts: Iterable[Fact]) -> bool:
    """Add the addresses that a guest lacks, its first IPv6 address with the way out; tell whether its links are up.

    If they are not, it was never completed.  What is not in the World any more stays: it may be the guest's own.
    """
    facts = tuple(facts)
    with spaces.namespaces.opened(name) as fd, Netlink(fd) as net:
        up = {link.name: link.index for link in net.links() if link.up}
        if not up.keys() >= set(links):
            return False
        have = net.addresses()
        lacking = [f for f in facts if isinstance(f, Address) and (up[f.link], f.address) not in have]
        for one in lacking:
            net.add_address(up[one.link], one.address, is_connected=one.is_connected)
        if any(f.address.version == IPV6 for f in lacking):  # it had none when it was completed: so no way either
            switch_ipv6(spaces, name, (), facts)
            near = [f.address.network for f in facts if isinstance(f, Address)]
            for fact in facts:
                if isinstance(fact, Neighbour) and fact.address.version == IPV6:
                    _queue_add(net, up, fact)
                elif isinstance(fact, Route) and fact.network.version == IPV6:
                    net.add_route(kernel_route(fact, up, near))
        net.commit()
        return True


def change_space(space: Space, removed: Iterable[Fact], added: Iterable[Fact]) -> None:
    """Change addresses, neighbours, routes and policy rules of a router or the internet."""
    come = _in_order(added)
    replaced = {_place(f) for f in come if isinstance(f, Route)}
    for fact in come:
        space.index(_link_of(fact))
        if isinstance(fact, Address):  # before others go: with a link's last address its routes and neighbours would
            _queue_add(space.net, space.links, fact)
    for fact in _in_order(removed, reverse=True):
        if _link_of(fact) in space.links and not (isinstance(fact, Route) and _place(fact) in replaced):
            _queue_remove(space.net, space.links, fact)
    for fact in come:
        if not isinstance(fact, Address):
            _queue_add(space.net, space.links, fact)
    space.net.commit()


def read_space(space: Space) -> Iterator[Placed]:
    """Yield what is in the kernel, as facts."""
    space.read_links()
    names = {index: name for name, index in space.links.items()}
    for index, address in space.net.addresses():
        if not address.is_loopback and not (address.version == IPV6 and address.is_link_local):
            yield Address(space.name, names.get(index, ""), address)
    for neighbour in space.net.neighbours():
        if not neighbour.address.is_multicast:
            yield Neighbour(space.name, names.get(neighbour.link, ""), neighbour.address, neighbour.mac.hex(":"))
    for route in space.net.routes():
        link = names.get(route.link, "") if route.link else None
        yield Route(space.name, route.network, route.table, route.kind, link, route.via, route.metric)
    for rule in space.net.rules():
        if rule.mark is not None:
            yield PolicyRule(space.name, rule.priority, rule.mark, rule.mask, rule.table, rule.version)


def broken_links(space: Space, wanted: Wanted) -> tuple[set[str], set[str]]:
    """Return the links of a space that are not as they must be, or nobody's; and those that are missing."""
    mine, far = wanted.links(space.name), wanted.far_links(space.name)
    wrong, right = set[str](), set[str]()
    for link in space.net.links():
        if veth := mine.get(link.name):
            (right if link.up and link.mac == packed_mac(veth.mac) else wrong).add(link.name)
        elif veth := far.get(link.name):
            if not link.up or link.mac != packed_mac(veth.peer_mac):
                wrong.add(link.name)
        elif link.kind == "veth" and (space.name != INTERNET or OUR_LINK.fullmatch(link.name)):
            wrong.add(link.name)
    return wrong, mine.keys() - right - wrong


def differences(space: Space, wanted: Iterable[Fact]) -> tuple[set[Placed], set[Placed]]:
    """Return what a space has too much and what it lacks, of addresses, neighbours, routes and policy rules."""
    want = {f for f in wanted if isinstance(f, PLACED)}
    have = set(read_space(space))
    extra = have - want
    if space.name == INTERNET:  # only what is on our links: the keeper may have more
        extra = {f for f in extra if not isinstance(f, PolicyRule) and f.link and OUR_LINK.fullmatch(f.link)}
    return extra, want - have


def kernel_route(it: Route, links: dict[str, int], near: Iterable[Net] = ()) -> KernelRoute:
    """Return a route as netlink knows it; a gateway outside the networks `near` is reached on its link anyway."""
    return KernelRoute(
        it.network,
        link=links[it.link] if it.link else 0,
        via=it.via,
        table=it.table,
        kind=it.kind,
        onlink=it.via is not None and (it.table != MAIN_TABLE or not any(it.via in network for network in near)),
        metric=it.metric,
    )


def kernel_rule(it: PolicyRule) -> KernelRule:
    """Return a policy rule as netlink knows it."""
    mark = it.mark if it.mask else None
    return KernelRule(it.priority, it.table, mark=mark, mask=it.mask, version=it.version, source=it.source)


def _on(links: Collection[str], facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return the facts that are not about a link that has gone, or could not be made: then they went with it."""
    placed = (Address, Neighbour, Route, DualStack)
    return tuple(f for f in facts if not isinstance(f, placed) or f.link is None or f.link in links)


def _queue_add(net: Netlink, links: dict[str, int], fact: Placed) -> None:
    match fact:
        case Address(_, link, address, is_connected):
            net.add_address(links[link], address, is_connected=is_connected)
        case Neighbour(_, link, address, mac):
            net.add_neighbour(KernelNeighbour(links[link], address, packed_mac(mac)))
        case Route():
            net.add_route(kernel_route(fact, links))
        case PolicyRule():
            net.add_rule(kernel_rule(fact))


def _queue_remove(net: Netlink, links: dict[str, int], fact: Placed) -> None:
    match fact:
        case Address(_, link, address):
            net.delete_address(links[link], address)
        case Neighbour(_, link, address, mac):
            net.delete_neighbour(KernelNeighbour(links[link], address, packed_mac(mac)))
        case Route():
            net.delete_route(kernel_route(fact, links))
        case PolicyRule():
            net.delete_rule(kernel_rule(fact))


def _in_order(facts: Iterable[Fact], *, reverse: bool = False) -> list[Placed]:
    """Return what is placed on links: what others rest on first (or, reversed, last)."""
    placed = [f for f in facts if isinstance(f, PLACED)]
    return sorted(placed, key=lambda f: PLACED.index(type(f)), reverse=reverse)


def _link_of(fact: Placed) -> str:
    return "lo" if isinstance(fact, PolicyRule) or fact.link is None else fact.link


def _place(route: Route) -> tuple[Net, int, int]:
    return route.network, route.table, route.metric
