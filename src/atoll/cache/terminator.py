"""A TLS terminator, HAProxy, beside a node's engine: its configuration, and the rules that lead clients to it. Pure.

It listens at two doors of the node's address.  At one it speaks TLS; at the other it looks at the first byte of a
connection, which says whether TLS or plain text follows, and serves both.  Clients use neither by number: rules in
the node's network lead new connections for the engine's port to one door or the other, by the mode of the moment.
Those that exist stay where they are, and so a mode changes in one instant and cuts nobody.
"""

from ipaddress import IPv4Address

from atoll.cache import token_door
from atoll.cache.node import Encryption, NodePlan

# Above the ports that Linux gives to clients, below 65536: nobody else listens there.
DOORS = (65_501, 65_502, 65_503, 65_504, 65_505)
BUS_OFFSET = 10_000  # of the cluster bus, from the engine's port
CERTIFICATE, CONFIGURATION, ORDERS = "tls.pem", "tls.cfg", "tls-orders.sock"  # files in the node's directory
INNER = "abns@atoll-tls"  # a name that exists in the node's own network only
DESCRIPTORS = 4  # of one connection, at most: two each in and out, where the first byte was looked at
CONNECTIONS_MAX = 65_000  # AWS's maxclients
THREADS = 2
TABLE = "atoll-tls"
LINK = "eth0"  # by which clients come; the nodes of another region come by a link of the backbone
FIRST_BYTE_SECONDS = 5  # to wait for it; whoever says nothing is served in plain text
IDLE_DAYS = 24  # HAProxy's longest: idle connections are the engine's to end (its parameter `timeout`)
KEEPALIVE_SECONDS = 300  # as the engines' tcp-keepalive
NOWHERE = (IPv4Address("127.0.0.1"), 1)  # stands for a server that is disabled
ENGINE, ELSEWHERE = "tls/engine", "tls/elsewhere"  # the servers of connections with TLS
PLAIN = "plain/engine"  # the server, by HAProxy's name, of connections in plain text


def doors(engine: int) -> tuple[int, int]:
    """Return the port for TLS, and the port for TLS and plain text, beside an engine's port."""
    taken = (engine, engine + BUS_OFFSET)
    first, second, *_ = (door for door in DOORS if door not in taken)
    return first, second


def configuration(
    node: NodePlan, *, socket: str, files_max: int, uid: int | None, has_lua: bool = False, inner: str = INNER
) -> str:
    """Return HAProxy's configuration file.

    `socket` is the engine's, as HAProxy sees it (Memcached: none, it is reached at its port); `files_max` is how many
    files it may open; `uid` is whom it becomes when it has read this file and its keys (None: it stays who it is);
    with `has_lua` it shows tokens (`cache/token_door.py`); `inner` is where it hands over connections to itself.
    """
    load, look = (token_door.LOAD, token_door.LOOK) if has_lua and not node.is_memcached else ("", "")
    tls, either = doors(node.port)
    engine = f"{node.address}:{node.port}" if node.is_memcached else f"unix@{socket}"
    secure = f"ssl crt {CERTIFICATE} ssl-min-ver TLSv1.2"
    become = f"  uid {uid}\n  gid {uid}\n" if uid is not None else ""
    return f"""global
{become}  nbthread {THREADS}
  maxconn {max(min(CONNECTIONS_MAX, files_max // DESCRIPTORS - 25), 10)}
  stats socket unix@{ORDERS} mode 600 level admin
{load}defaults
  mode tcp
  timeout connect 5s
  timeout client {IDLE_DAYS}d
  timeout server {IDLE_DAYS}d
  option clitcpka
  clitcpka-idle {KEEPALIVE_SECONDS}s
frontend tls
  bind {node.address}:{tls} {secure}
{look}  default_backend tls
frontend either
  bind {node.address}:{either}
  tcp-request inspect-delay {FIRST_BYTE_SECONDS}s
  tcp-request content accept if {{ req.len ge 1 }}
  use_backend inner if {{ req.payload(0,1) -m bin 16 }}
  default_backend plain
frontend inner
  bind {inner} {secure}
{look}  default_backend tls
backend inner
  server inner {inner}
backend tls
  server engine {engine}{_elsewhere(node)}
backend plain
  server engine {engine}
"""


def _elsewhere(node: NodePlan) -> str:
    """Return the server beside the engine that clients of a serverless cache may be led to; only one is enabled."""
    if not _may_lead_elsewhere(node):
        return ""
    address, port = node.encryption.elsewhere if node.encryption and node.encryption.elsewhere else NOWHERE
    engine, other = ("", " disabled") if (address, port) == NOWHERE else (" disabled", "")
    return f"{engine}\n  server elsewhere {address}:{port}{other}"


def orders(node: NodePlan) -> tuple[str, ...]:
    """Return the orders that lead clients to the engine or elsewhere, and cut those who are at the other."""
    if not _may_lead_elsewhere(node):
        return ()
    assert node.encryption, "a serverless cache has TLS"
    if node.encryption.elsewhere is None:
        return _switch(ELSEWHERE, ENGINE)
    address, port = node.encryption.elsewhere
    return f"set server {ELSEWHERE} addr {address} port {port}", *_switch(ENGINE, ELSEWHERE)


def _switch(old: str, new: str) -> tuple[str, ...]:
    return f"disable server {old}", f"shutdown sessions server {old}", f"enable server {new}"


def _may_lead_elsewhere(node: NodePlan) -> bool:
    """Tell whether a node is behind a serverless cache that can be migrated to: it alone has a second port."""
    return node.encryption is not None and bool(node.encryption.also) and not node.is_memcached


def rules(node: NodePlan, encryption: Encryption | None) -> str:
    """Return the nftables transaction that leads a node's clients to the right door; None: to the engine.

    Only the first packet of a connection is looked at, so that connections older than the rules stay.  The chain of
    address translation stays in any case, with a rule that needs connection tracking: without them the kernel would
    end both, and no longer translate the connections that are open.
    """
    tls, either = doors(node.port)
    text = (
        f"add table ip {TABLE}\ndelete table ip {TABLE}\nadd table ip {TABLE}\n"
        f"add chain ip {TABLE} doors {{ type filter hook prerouting priority -300; }}\n"
        f'add rule ip {TABLE} doors iifname != "lo" tcp dport {{ {tls}, {either} }} drop\n'
        f"add chain ip {TABLE} lead {{ type nat hook prerouting priority -100; }}\n"
        f"add rule ip {TABLE} lead ct status dnat accept\n"
    )
    if encryption is None:
        return text
    door = either if encryption.mode == "preferred" else tls
    members = ", ".join(map(str, encryption.members))
    begins = "tcp flags & (fin | syn | rst | ack) == syn"
    lead = f'add rule ip {TABLE} lead iifname "{LINK}" ip daddr {node.address} tcp dport'
    return f"{text}{lead} {node.port} {begins} ip saddr != {{ {members} }} dnat to {node.address}:{door}\n" + "".join(
        f"{lead} {port} {begins} dnat to {node.address}:{door}\n" for port in encryption.also
    )
