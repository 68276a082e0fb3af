"""The flat host needs nothing of Linux's own, and is chosen where namespaces cannot be made."""

import json
import os
import re
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network

import pytest

from atoll.cache.node import NodePlan, Primary
from atoll.host.contract import HostError
from atoll.host.flat.places import LOOPBACK, Places
from tests.daemon.atoll import Atoll, until
from tests.flat import socks
from tests.flat.town import Town

# What other systems lack, of all that Atoll uses somewhere.
OF_LINUX = {
    "os": ("pidfd_open", "setns", "unshare", "memfd_create", "pipe2", "eventfd", "sched_getaffinity"),
    "signal": ("pidfd_send_signal",),
    "socket": ("AF_NETLINK", "SO_PEERCRED", "AF_PACKET", "SO_BINDTODEVICE"),
    "fcntl": ("F_SETPIPE_SZ", "F_ADD_SEALS"),
    "select": ("epoll",),
}
ELSEWHERE = f"""
import importlib, sys
for module, names in {OF_LINUX!r}.items():
    for name in names:
        vars(importlib.import_module(module)).pop(name, None)
class Closed:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("atoll.host.linux"):
            raise ImportError(f"{{name}} is Linux's own")
sys.meta_path.insert(0, Closed())
"""
UP = "from atoll.cli.__main__ import main; sys.exit(main())"


def elsewhere(*arguments):
    """Return what runs an `atoll` command without what only Linux has."""
    return [sys.executable, "-c", ELSEWHERE + f"sys.argv[1:] = {list(arguments)!r}\n{UP}"]


class Elsewhere(Atoll):
    """A daemon, and its commands, without what only Linux has."""

    def start_process(self, command, **options):
        if command[1:3] == ["-m", "atoll.cli"]:
            command = elsewhere(*command[3:])
        return super().start_process(command, **options)


def test_what_the_flat_host_imports_is_nothing_of_linux():
    told = (
        "import sys, atoll.start, atoll.daemon, atoll.host.flat.machine, atoll.host.flat.network, atoll.cli.main, "
        "atoll.cli.up, atoll.cli.machines, atoll.cli.enter, atoll.cli.purge, atoll.cli.status, atoll.cli.doctor; "
        "print([name for name in sys.modules if name.startswith('atoll.host.linux')])"
    )

    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.engines
def test_caches_run_where_nothing_of_linux_is():
    atoll = Elsewhere("flat")
    try:
        atoll.up()
        town = Town(atoll)
        made = town.memcached("mem", 1)
        with town.connect(town.app, made["ConfigurationEndpoint"]["Address"], 11211) as sock:
            sock.sendall(b"version\r\n")
            assert socks.line(sock).startswith("VERSION ")
        assert "mode flat" in atoll.cli("status")
    finally:
        left = atoll.close()
    assert left == []


def may_forbid_namespaces():
    tried = ["unshare", "--user", "--map-root-user", "true"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_forbid_namespaces(), reason="no user namespace in which others could be forbidden")
def test_flat_is_chosen_where_namespaces_are_forbidden_and_says_why():
    atoll = Atoll("auto")
    forbid = 'for f in user net mnt; do echo 0 > /proc/sys/user/max_${f}_namespaces; done; exec "$@"'
    plain = atoll.start_process
    atoll.start_process = lambda command, **options: plain(
        ["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh", *command], **options
    )
    try:
        said = atoll.up()

        assert "(mode flat" in said
        until(lambda: "make namespaces (" in atoll.said(), 10, "the reason")
        health = atoll.get("/_atoll/health")
        assert health["mode"] == "flat"
        assert re.search(r"This machine lets nobody make namespaces \(.+\)\.", health["because"])
    finally:
        atoll.close()


def near(_, address):
    return address in IPv4Network("10.0.0.0/16")


def plan(**changes):
    made = {
        "name": "a:0001", "cluster_id": "a", "node_id": "0001", "interface_id": "eni-1", "vpc_id": "vpc-1",
        "engine": "valkey", "version": "8.0.0", "boot": 1, "address": IPv4Address("10.0.0.5"), "port": 6379,
        "memory_bytes": 1, "settings": (("port", "6379"), ("cluster-port", "16379"), ("maxmemory", "1")),
    }  # fmt: skip
    return NodePlan(**(made | changes))


def test_a_node_has_an_address_of_its_own_and_keeps_its_port(tmp_path):
    places = Places(tmp_path / "places.json", near, one_address=False)
    replica = plan(primary=Primary(IPv4Address("10.0.0.6"), 6379))

    here = places.placed(replica)

    assert here.address.is_loopback
    assert here.port == 6379
    assert here.primary.address == places.of("vpc-1", IPv4Address("10.0.0.6"), 6379).address != here.address
    assert places.back(str(here.address), 6379) == ("10.0.0.5", 6379)
    assert places.canonical(here.address, 6379) == (IPv4Address("10.0.0.5"), 6379)
    assert Places(tmp_path / "places.json", near, one_address=False).placed(replica) == here, (
        "the next daemon finds it there"
    )


def test_where_loopback_has_one_address_a_node_has_a_port_of_its_own(tmp_path):
    places = Places(tmp_path / "places.json", near, one_address=True)

    one, other = places.placed(plan()), places.placed(plan(address=IPv4Address("10.0.0.6")))

    assert one.address == other.address == LOOPBACK
    assert one.port != other.port
    assert ("port", str(one.port)) in one.settings
    assert "cluster-port" not in dict(one.settings), "it follows from the port"
    assert places.canonical(IPv4Address("10.0.0.6"), other.port) == (IPv4Address("10.0.0.6"), 6379)
    assert places.worded(plan(), ("REPLICAOF", "10.0.0.6", "6379")) == ("REPLICAOF", "127.0.0.1", str(other.port))


def test_nothing_outside_the_vpc_is_ever_connected_to(tmp_path):
    places = Places(tmp_path / "places.json", near, one_address=False)
    foreign = Primary(IPv4Address("192.0.2.1"), 6379, is_foreign=True)

    with pytest.raises(HostError, match=r"192\.0\.2\.1 is not in vpc-1"):
        places.placed(plan(primary=foreign))
    with pytest.raises(HostError, match=r"192\.0\.2\.1 is not in vpc-1"):
        places.worded(plan(), ("REPLICAOF", "192.0.2.1", "6379"))
    assert places.worded(plan(), ("REPLICAOF", "NO", "ONE")) == ("REPLICAOF", "NO", "ONE")


def test_addresses_that_nobody_has_any_more_are_forgotten(tmp_path):
    places = Places(tmp_path / "places.json", near, one_address=False)
    here = places.placed(plan())

    places.keep({("vpc-1", IPv4Address("10.0.0.6"))})

    assert places.back(str(here.address), 6379) == (str(here.address), 6379)
    assert json.loads((tmp_path / "places.json").read_text()) == []


def test_two_vpcs_may_have_the_same_addresses(tmp_path):
    places = Places(tmp_path / "places.json", near, one_address=False)

    assert places.placed(plan()).address != places.placed(plan(vpc_id="vpc-2")).address


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a daemon as another user")
@pytest.mark.engines
def test_an_ordinary_user_needs_nothing_more():
    atoll = Atoll("flat")
    atoll.uid = 65534
    for path in (atoll.place, atoll.place / "home", atoll.place / "runtime"):
        os.chown(path, 65534, 65534)
    try:
        atoll.up()
        town = Town(atoll)
        made = town.memcached("mem", 1)
        with town.connect(town.app, made["ConfigurationEndpoint"]["Address"], 11211) as sock:
            sock.sendall(b"version\r\n")
            assert socks.line(sock).startswith("VERSION ")
    finally:
        left = atoll.close()
    assert left == []
