"""The code with which a client connects to a cache: what to install, what to write, and nothing secret in it.

A password or a token is taken from the environment (CACHE_PASSWORD), so that the text can be kept and shared.
tests/console/test_connect.py runs what it says against real caches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from atoll.console.caches import connect_memcached, connect_server
from atoll.console.caches.connect_target import Target

Family = Literal["server", "memcached"]


@dataclass(frozen=True, slots=True)
class Client:
    """A client that people use: its id in URLs, its name, and how its text is written."""

    id: str
    name: str
    family: Family
    language: str  # of the text: shell, python, javascript, php
    install: str  # the command that installs it on an instance; empty: nothing to install
    write: Callable[[Target], str]
    can_tls: bool = True
    can_cluster: bool = True
    can_discover: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """What a client needs: how to install it, and the text; `because` says why there is none."""

    client: Client
    text: str
    because: str = ""  # the key of a text: "no_tls", "no-cluster"


CLIENTS: tuple[Client, ...] = (
    Client("redis-cli", "redis-cli", "server", "shell", "apt-get install redis-tools", connect_server.redis_cli),
    Client("valkey-cli", "valkey-cli", "server", "shell", "apt-get install valkey-tools", connect_server.valkey_cli),
    Client("redis-py", "redis-py", "server", "python", "pip install redis", connect_server.redis_py),
    Client("valkey-py", "valkey-py", "server", "python", "pip install valkey", connect_server.valkey_py),
    Client("ioredis", "ioredis", "server", "javascript", "npm install ioredis", connect_server.ioredis),
    Client("node-redis", "node-redis", "server", "javascript", "npm install redis", connect_server.node_redis),
    Client("phpredis", "PHP (redis)", "server", "php", "apt-get install php-redis", connect_server.phpredis),
    Client("telnet", "telnet", "server", "shell", "apt-get install telnet", connect_server.telnet),
    Client("telnet", "telnet", "memcached", "shell", "apt-get install telnet", connect_memcached.telnet),
    Client("pymemcache", "pymemcache", "memcached", "python", "pip install pymemcache", connect_memcached.pymemcache),
    Client(
        "emcache",
        "emcache",
        "memcached",
        "python",
        "pip install emcache",
        connect_memcached.emcache,
        can_discover=True,
    ),
    Client(
        "php-memcached",
        "PHP (memcached)",
        "memcached",
        "php",
        "apt-get install php-memcached",
        connect_memcached.php_memcached,
        can_tls=False,
    ),
    Client(
        "php-memcache",
        "PHP (memcache)",
        "memcached",
        "php",
        "apt-get install php-memcache",
        connect_memcached.php_memcache,
        can_tls=False,
    ),
)


def clients_of(target: Target) -> Sequence[Client]:
    """Return the clients that speak to a cache of this engine."""
    family = "memcached" if target.engine == "memcached" else "server"
    return [client for client in CLIENTS if client.family == family]


def code(client_id: str, target: Target) -> Code:
    """Return the text of a client, or of the first one if there is none of that id."""
    clients = clients_of(target)
    client = next((one for one in clients if one.id == client_id), clients[0])
    if target.tls and not client.can_tls:
        return Code(client, "", "no_tls")
    return Code(client, client.write(target))
