"""A world: an account of its own on a warm daemon, so a fresh one costs a call or two and no process.

What accounts share is the internet; names, ids, addresses of VPCs and everything in them are a world's own, and two
worlds reach each other as two customers of AWS do: not at all, but over the internet.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from atoll.testing.account import Account
from atoll.testing.cache import Cache, make_cache
from atoll.testing.checks import Outcome, Place, check_blocked, check_reachable, look
from atoll.testing.daemon import Daemon, Mode, shared
from atoll.testing.instance import Instance, make_instance
from atoll.testing.vpc import Vpc, make_vpc

REGION = "us-east-1"


class World(Account):
    """An account of its own, with caches and instances that are made in a line each."""

    def __init__(self, daemon: Daemon, region: str) -> None:
        """Open a new account; `world` and the fixture `atoll` do it for you."""
        super().__init__(daemon, region)
        self._vpc: Vpc | None = None
        self._instances: list[Instance] = []
        self._numbers: dict[str, int] = {}

    @property
    def vpc(self) -> Vpc:
        """The VPC that caches and instances are put into unless told otherwise; made when first asked for."""
        if self._vpc is None:
            self._vpc = self.new_vpc()
        return self._vpc

    def new_vpc(self, cidr: str = "10.0.0.0/16", *, zones: int = 1, nat: bool = False) -> Vpc:
        """Make a VPC with a public and a private subnet in each of so many zones.

        `nat`: a NAT gateway for the private ones.  The first VPC of a world is its `vpc`.
        """
        made = make_vpc(self, cidr, zones=zones, nat=nat)
        self._vpc = self._vpc or made
        return made

    def cache(
        self,
        engine: str = "valkey",
        *,
        shards: int = 1,
        replicas: int = 0,
        name: str | None = None,
        vpc: Vpc | None = None,
        wait: bool = True,
        **aws: Any,
    ) -> Cache:
        """Make a cache in the private subnets of a VPC, and wait until it is available.

        `shards` above 1 is cluster mode; of Memcached it is the number of nodes.  Its own security group lets in the
        VPC's `app_group`, in which instances are.  `aws`: further parameters of CreateReplicationGroup, or for
        Memcached of CreateCacheCluster; they win over ours.
        """
        name = name or self._next(engine)
        return make_cache(self, vpc or self.vpc, engine, name, shards=shards, replicas=replicas, wait=wait, aws=aws)

    def instance(
        self,
        name: str | None = None,
        *,
        vpc: Vpc | None = None,
        public: bool = False,
        groups: list[str] | None = None,
        wait: bool = True,
        **aws: Any,
    ) -> Instance:
        """Launch an instance in a private (or public) subnet of a VPC, and wait until it has booted.

        `groups`: ids of security groups instead of the VPC's `app_group`.  `aws`: parameters of RunInstances.
        """
        name = name or self._next("app")
        made = make_instance(self, vpc or self.vpc, name, public=public, groups=groups, wait=wait, aws=aws)
        self._instances.append(made)
        return made

    def why(self, source: Place, target: Place, port: int | None = None, protocol: str = "tcp") -> Outcome:
        """Say everything that keeps one place from reaching another, as `atoll why` does."""
        return look(self, source, target, port, protocol)

    def assert_reachable(
        self, source: Place, target: Place, port: int | None = None, *, protocol: str = "tcp"
    ) -> None:
        """Fail, with all that is in the way and what mends it, unless a place reaches another.

        AWS's rules are asked, and, where packets are real, a TCP connection is made.  A cache has a port of its own.
        """
        __tracebackhide__ = True
        check_reachable(self, source, target, port, protocol)

    def assert_blocked(
        self, source: Place, target: Place, port: int | None = None, *, by: str | None = None, protocol: str = "tcp"
    ) -> None:
        """Fail if a place reaches another; `by`: or if this security group, ACL, route table ... is not in the way.

        AWS's rules are asked, and, where packets are real, a TCP connection is tried: it must not come about.
        """
        __tracebackhide__ = True
        check_blocked(self, source, target, port, protocol, by)

    def close(self) -> None:
        """Forget the world: what it ran ends while others go on."""
        for instance in self._instances:
            instance.close()
        super().close()

    def _next(self, what: str) -> str:
        self._numbers[what] = self._numbers.get(what, 0) + 1
        return what if self._numbers[what] == 1 else f"{what}-{self._numbers[what]}"


@contextmanager
def world(mode: Mode = "real", *, region: str = REGION, state: Path | None = None) -> Iterator[World]:
    """Make a world, and forget it at the end; the daemon stays warm until this process ends.

    The variables of AWS tools lead to it meanwhile.  `mode` "paper": every call works, nothing runs.  `state`: a
    directory for the daemon's state instead of the system's for temporary files.  Raises AtollError.
    """
    made = World(shared(mode, state), region)
    before = {name: os.environ.get(name) for name in made.environment()}
    os.environ.update(made.environment())
    try:
        yield made
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        made.close()
