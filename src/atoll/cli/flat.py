"""The way into a network of the flat host: programs of this machine, through its relay.

ALL_PROXY and its kin      for programs that know SOCKS, like curl
libproxychains             for all others that are linked dynamically: their own connections and names go through it
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from atoll.cli.failure import Failure

TRUST = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")  # where programs look for whom they trust
PROXY = ("ALL_PROXY", "all_proxy")
WAIT_MILLISECONDS = 5_000  # for a connection that the network drops; then it has failed
INSTALL = "sudo apt-get install libproxychains4 (on macOS: brew install proxychains-ng)"
LIBRARIES = (
    "/usr/lib/*/libproxychains.so.4",
    "/usr/lib*/libproxychains.so.4",
    "/usr/lib*/proxychains-ng/libproxychains4.so",
    "/usr/local/lib/libproxychains4.*",
    "/opt/homebrew/lib/libproxychains4.dylib",
)


@dataclass(frozen=True, kw_only=True)
class Relay:
    """The relay, as somebody's way into a network."""

    host: str
    port: int
    user: str  # the interface, or the internet client
    password: str
    directory: str  # the daemon's own: what is kept there goes with it

    @property
    def url(self) -> str:
        """The relay, as programs are told of it that know SOCKS: names are resolved on the other side."""
        return f"socks5h://{self.user}:{self.password}@{self.host}:{self.port}"


def relay_of(answer: Mapping[str, Any]) -> Relay | None:
    """Return the way into a place's network, if the daemon's answer has one."""
    found = answer.get("relay")
    if not found:
        return None
    user = answer["address"] if answer["kind"] == "outside" else answer["interface"]
    return Relay(
        host=found["host"], port=found["port"], user=user, password=found["password"], directory=found["directory"]
    )


def refuse(relay: Relay | None, because: str) -> None:
    """Raise Failure on the flat host."""
    if relay:
        raise Failure(
            f"on the flat host {because}",
            "run a program of this machine in its network: atoll run --in INSTANCE -- COMMAND (docs/flat.md)",
        )


def through(relay: Relay, authority: str, execute: Callable[[Sequence[str]], NoReturn]) -> Callable[..., NoReturn]:
    """Return what becomes a command whose connections go through a relay; `authority` is whom it should trust."""
    library = libproxychains()

    def become(command: Sequence[str]) -> NoReturn:
        sys.stdout.flush()
        if library is None:
            print(
                f"warning: only programs that know ALL_PROXY are let in; for all others: {INSTALL}", file=sys.stderr
            )
        else:
            os.environ.update(_preloaded(relay, library))
        for name in PROXY:
            os.environ[name] = relay.url
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
        if os.path.exists(authority):
            for name in TRUST:
                os.environ[name] = authority
        execute(command)

    return become


def libproxychains() -> Path | None:
    """Return the library that has a program connect through a proxy; None: this machine has none."""
    for pattern in LIBRARIES:
        if found := sorted(Path("/").glob(pattern[1:])):
            return found[0]
    return None


def _preloaded(relay: Relay, library: Path) -> dict[str, str]:
    """Return the variables that have a program load the library, with its configuration in a file of this user's."""
    text = (
        "strict_chain\nquiet_mode\nproxy_dns\nremote_dns_subnet 224\n"
        f"tcp_read_time_out {WAIT_MILLISECONDS}\ntcp_connect_time_out {WAIT_MILLISECONDS}\n"
        "localnet 127.0.0.1/255.255.255.255\n"
        f"[ProxyList]\nsocks5 {relay.host} {relay.port} {relay.user} {relay.password}\n"
    )
    directory = Path(relay.directory)
    if not os.access(directory, os.W_OK):
        raise Failure(
            f"{directory} is another user's", "run it as the user who started Atoll (with sudo, if that was root)"
        )
    file = directory / f"{relay.user}.conf"
    if not file.exists() or file.read_text() != text:
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.touch(mode=0o600)
        unfinished.write_text(text)
        unfinished.replace(file)
    preload = "DYLD_INSERT_LIBRARIES" if sys.platform == "darwin" else "LD_PRELOAD"
    return {"PROXYCHAINS_CONF_FILE": str(file), preload: str(library)}
