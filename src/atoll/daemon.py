"""The daemon: the only file that knows every part.

    socket - aws.answer - store (World) - control.wires, control.machines - host

One process, one event loop.  The network and the machines each have a thread for what blocks.
"""

import asyncio
import contextlib
import gc
import os
import shutil
import signal
import socket
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import atoll
from atoll.admin.activity import Activity
from atoll.aws.http import Answer, Request, Stream
from atoll.cache.node import NodePlan
from atoll.cache.serverless import owned_by
from atoll.console.access import Listener, is_proof, key_of
from atoll.control.alarms import Alarms
from atoll.control.changes import Changes
from atoll.control.counters import Counters
from atoll.control.discovery import Discovery
from atoll.control.disk_room import DiskRoom
from atoll.control.doorman import Doorman
from atoll.control.engines import Engines
from atoll.control.events import log
from atoll.control.failover import Failovers
from atoll.control.faults import Reverter
from atoll.control.global_groups import GlobalGroups
from atoll.control.health import HealthChecks
from atoll.control.hooks import Hooks
from atoll.control.log_delivery import LogDeliveries
from atoll.control.lone import LoneNodes
from atoll.control.machines import Machines
from atoll.control.maintenance import Housekeeping
from atoll.control.metrics import Sampler
from atoll.control.migration import Migrations
from atoll.control.pulse import Pulses
from atoll.control.record import Recorder
from atoll.control.resharding import Reshardings
from atoll.control.roster import Rosters
from atoll.control.services import Services
from atoll.control.sight import Sight, looking
from atoll.control.snapshot_files import SnapshotFiles
from atoll.control.snapshots import Snapshots
from atoll.control.wanted import Wanted
from atoll.control.wires import Wires
from atoll.control.worlds import Worlds
from atoll.elasticache import buckets
from atoll.front import Front, front_of
from atoll.guest import objects
from atoll.host.contract import Failure, Harm, Host, HostError, Seen
from atoll.model.endpoint import VpcEndpoint
from atoll.model.nat_gateway import NatGateway
from atoll.model.snapshot import Snapshot
from atoll.model.world import Caller, Tx, World
from atoll.offer import load_rest
from atoll.options import Lost, Options
from atoll.reception import Reception
from atoll.store.sqlite import Store, StoreError, utc_now

if TYPE_CHECKING:
    from atoll.admin.lessons import Lessons

GC_ALLOCATIONS = 10_000  # between collections; a World is made of values, which hold no cycles


class Daemon:
    """Every part, wired."""

    def __init__(self, options: Options, host: Host, store: Store, hooks: Hooks, reception: Reception) -> None:
        """Wire the parts; nothing runs yet."""
        self._options, self._host, self._store, self.hooks = options, host, store, hooks
        self._reception, self.backend = reception, reception.backend
        self._objects = options.state_dir.absolute() / "objects"
        objects.sweep(self._objects)
        self._listener = Listener(options.port)
        self._stop, self._purge = asyncio.Event(), False
        self._pulses = Pulses()
        self._private_api: Callable[[Request], Awaitable[Answer]] | None = None
        self._pages: Callable[[Request], Awaitable[Answer | Stream]] | None = None
        services = Services(store, utc_now, self._front)
        self.wires = Wires(lambda: store.world, host, services, self._network_in_force)
        wanted = self._wanted = Wanted(lambda: store.world)
        self._recorder = Recorder(sight := Sight(store))  # of the machines
        self._health = HealthChecks(host, self.write, utc_now)
        self._counters = Counters(host, store, lambda: self.wires.plan, options.state_dir.absolute() / "flow-logs")
        self._sampler = Sampler(
            lambda: store.world, wanted.machines, host, self._counters, self._gateway_counts, utc_now,
            options.metrics_seconds,
        )  # fmt: skip
        look, strict = partial(looking, store, wanted.nodes), options.keys == "required"
        self.machines = Machines(sight.through(wanted.machines), host, self._recorder, self.in_force)
        sight.watch(self.machines.wake)
        self._discovery = look(lambda sight, want: Discovery(want, host, Recorder(sight)))
        self._logs = look(lambda sight, want: LogDeliveries(sight, want, host, options.state_dir.absolute()))
        self._doorman = look(lambda sight, want: Doorman(sight, want, host, utc_now, strict=strict))
        self.failovers = look(lambda sight, want: Failovers(sight, want, host, self.machines.wake), burst_seconds=0.0)
        self._reverter = look(lambda sight, _: Reverter(sight, utc_now))
        self._engines = Engines(store, host)
        self.changes = look(lambda sight, want: Changes(sight, want, host, self.machines.wake))
        self.migrations = look(lambda sight, want: Migrations(sight, want, host, self.machines.lead))
        self.rosters = look(lambda _, want: Rosters(want, host))
        self.global_groups = look(lambda sight, want: GlobalGroups(sight, want, host))
        self._sampler.samples = reception.samples
        self._sampler.lags = self.global_groups.lags
        files = SnapshotFiles(options.state_dir.absolute())
        self.snapshots = look(lambda sight, want: Snapshots(sight, want, host, files, utc_now))
        buckets.look_with(files)
        self.worlds = Worlds(store, wanted.machines, host, options.state_dir.absolute(), self._forget_seen)
        self.reshardings = look(lambda sight, want: Reshardings(sight, want, host, self.machines.wake))
        host.on_exit(self._exited)
        store.watch(lambda _: self.wires.wake())
        with contextlib.suppress(StoreError):  # a full disk: what was there before is still known
            self._engines.note()

    async def _gateway_counts(self) -> Sequence[tuple[NatGateway, Mapping[str, int]]]:
        world = self._store.world.seen_by(None)
        if next(iter(world.all(NatGateway)), None) is None:
            return ()
        from atoll.admin import usage  # no start waits for it

        spaces = usage.gateways(world).keys()
        tallies = await self._counters.tallies(usage.counting(self._counters.plan, spaces))
        return usage.gateway_counts(world, tallies, (await self._counters.traffic((), spaces))[1])

    def _front(self, endpoint: VpcEndpoint) -> Front:
        return front_of(endpoint, self.backend, self._reception.authority, self._objects)

    @property
    def world(self) -> World:
        """The newest World."""
        return self._store.world

    def watch(self, fn: Callable[[World], None]) -> Callable[[], None]:
        """Call `fn` with each new World, until what is returned is called."""
        return self._store.watch(fn)

    def write(self, fn: Callable[[Tx], Any], what: str, caller: Caller | None = None) -> Any:
        """Change the World for the private API."""
        return self._store.write(fn, caller=caller, what=what)

    async def in_force(self) -> bool:
        """Wait until the kernel obeys everything that is committed now."""
        return await self.wires.in_force(self._store.world.revision)

    @property
    def counters(self) -> Counters:
        """What the kernel counts."""
        return self._counters

    @property
    def activity(self) -> Activity:
        """The newest calls."""
        return self.backend.activity

    @property
    def sampler(self) -> Sampler:
        """What measures."""
        return self._sampler

    def printed(self, instance_id: str) -> bytes:
        """Return the newest output of an instance's console."""
        return self._host.console(instance_id)

    async def private(self, request: Request) -> Answer:
        """Answer a request of the private API."""
        if self._private_api is None:
            from atoll.admin.routes import private_api  # with the tracer: 15 ms that no start waits for

            self._private_api = private_api(self)
        return await self._private_api(request)

    def owner_shows(self) -> dict[str, str]:
        """Say with which key an owner signs, and for whom.  Raises OSError."""
        key_of(self._options.state_dir.absolute())  # makes it, if a disk was full before
        return {"state_dir": str(self._options.state_dir.absolute()), "challenge": self._listener.challenge}

    def is_owner(self, words: Sequence[str], ticket: str) -> bool:
        """Tell whether who asks can read the state directory: any user of this machine can ask.  Raises OSError."""
        return is_proof(key_of(self._options.state_dir.absolute()), self._listener, words, ticket)

    async def console(self, request: Request) -> Answer | Stream:
        """Answer a request of the console."""
        if self._pages is None:
            from atoll.console.app import console  # 150 ms and 15 MB that no start waits for

            self._pages = console(self, self._options.state_dir.absolute(), self._listener)
        return await self._pages(request)

    def seen(self) -> Mapping[str, Seen]:
        """Return the processes of the host."""
        return self._host.seen()

    def health(self) -> dict[str, Any]:
        """Say that we serve, and how."""
        services = dict.fromkeys(("ec2", "elasticache", "elbv2", "logs", "service-quotas", "ssm", "sts"), "running")
        body = {"status": "running", "version": atoll.__version__, "mode": self._host.mode, "services": services}
        if self._host.because:
            body["because"] = self._host.because
        return body

    async def harm(self, cluster_id: str, what: Harm) -> None:
        """Harm a cache node on purpose, or heal it.  Raises HostError."""
        for machine in self._wanted.machines().values():
            if isinstance(machine, NodePlan) and machine.cluster_id == cluster_id:
                await self._host.harm(machine, what)
                return
        raise HostError("it does not run", f"{what} {cluster_id}")

    def dial(self, namespace: str) -> socket.socket | None:
        """Return a socket inside a namespace of the plan, to connect from there.  Raises HostError."""
        return self._host.dial(namespace)

    @cached_property
    def lessons(self) -> "Lessons":
        """What is taught, and how far somebody is."""
        from atoll.admin.lessons import Lessons  # no start waits for it

        return Lessons(self)

    def failover_steps(self) -> list[dict[str, Any]]:
        """Return what the failover did last, step by step."""
        return list(self.failovers.steps)

    def where(self) -> dict[str, Any]:
        """Say where we run."""
        return {
            "mode": self._host.mode,
            "because": self._host.because,
            "relay": getattr(self._host, "relay", None),
            "rootless": self._host.mode == "rootless",
            "pid": os.getpid(),
            "keys": self._options.keys,
            "state_dir": str(self._options.state_dir),
            "authority": str(self._options.state_dir.absolute() / "authority" / "ca.pem"),
            "keeper": getattr(self._host, "keeper_pid", None),
            "namespaces": getattr(self._host, "namespaces_dir", None),
        }

    def loops(self) -> dict[str, Any]:
        """Say what the loops did last, and what is wrong."""
        report = self.wires.report
        failures, history = [f"{f.subject}: {f.because}" for f in report.failures], []
        try:
            history = self._store.history(50)
        except StoreError as error:  # a disk that fails is when somebody looks here
            failures.append(f"history: {error}")
        return {
            "rounds": report.rounds,
            "revision": report.revision,
            "milliseconds": round(report.milliseconds, 3),
            "failures": failures,
            "repairs": report.repairs[-10:],
            "machine_rounds": self.machines.rounds,
            "each": self._pulses.told(),
            "history": history,
        }

    async def reset(self, accounts: Collection[str] = ()) -> None:
        """Forget every resource and end what ran; returns when the kernel is empty.

        Of named accounts only, it returns at once: what they had ends while others go on.
        Raises StoreError, HostError, TimeoutError.
        """
        if accounts:
            gone = list(owned_by(self._store.world, accounts))
            self._store.clear(lambda _: gone)
            self.backend.forget()
            await self.snapshots.drop([it.files for it in gone if isinstance(it, Snapshot)])
            return
        self._store.clear()
        await self.snapshots.forget()
        shutil.rmtree(self._objects, ignore_errors=True)
        self._engines.note()
        self._forget_seen()
        await self.machines.idle()
        if not await self.in_force():
            raise TimeoutError

    def _forget_seen(self) -> None:
        """Forget what was seen and done in a World that is gone."""
        for forget in (self.backend.forget, self._counters.flow_logs.clear, self._logs.clear, self._sampler.forget):
            forget()

    def stop(self, *, purge: bool) -> None:
        """End the daemon, soon; with `purge`, everything that it runs too."""
        self._purge = self._purge or purge
        self._stop.set()

    def _pulled(self) -> None:
        """Standard input is the leash: nobody holds it any more."""
        if not os.read(0, 4096):
            self.stop(purge=True)

    async def serve(self, sock: socket.socket, ready: Callable[[str, str, str], None]) -> None:
        """Serve until stopped."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: self.stop(purge=False))
        if self._options.leash:
            loop.add_reader(0, self._pulled)
        self._listener = Listener(sock.getsockname()[1])
        await self._reception.open(sock)
        await self.machines.take_stock()
        lost = asyncio.create_task(self._host.lost())
        tasks = [lost, *(self._pulses.begin(name, run()) for name, run in self._named_loops())]
        loading = asyncio.create_task(load_rest())
        self._reception.show_in(self)
        gc.freeze()  # the modules are never looked through again
        gc.set_threshold(GC_ALLOCATIONS, 20, 50)
        gc.enable()
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait([stopping, asyncio.create_task(self.hooks.run("start"))], return_when=FIRST_COMPLETED)
        ready(self._options.url(sock.getsockname()[1]), self._host.mode, self._host.because)
        log("ready", mode=self._host.mode, resources=len(self._store.world))
        hooks = asyncio.create_task(self.hooks.run("ready"))
        await asyncio.wait([stopping, *tasks], return_when=FIRST_COMPLETED)
        ended = next((task for task in tasks if task.done()), None)
        because = lost.result() if lost.done() else f"{ended.get_name()} has ended" if ended else "it was told to"
        log("stopping", purge=self._purge, because=because)
        await self.hooks.run("shutdown")
        self.hooks.close()
        await self._reception.close()
        for task in (loading, hooks, *tasks):
            task.cancel()
        results = await asyncio.gather(loading, hooks, *tasks, return_exceptions=True)
        self._health.close()
        await self.machines.close()
        self.wires.close()
        self._store.close()
        if self._purge:
            self._host.destroy()
        else:
            self._host.close()
        if lost.done() and not lost.cancelled():
            raise Lost(because)
        for result in results:
            if isinstance(result, Exception):  # a loop ended by itself: our mistake
                raise result
        if ended:  # likewise: what it waited for was cancelled
            raise RuntimeError(because)

    def _named_loops(self) -> Iterator[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """Yield every loop, by the name under which people are told of it."""
        yield from (("network", self.wires.run), ("machines", self.machines.run), ("failovers", self.failovers.run))
        yield from (("faults", self._reverter.run), ("changes", self.changes.run), ("snapshots", self.snapshots.run))
        yield from (("resharding", self.reshardings.run), ("roster", self.rosters.run))
        yield from (("discovery", self._discovery.run), ("doorman", self._doorman.run), ("logs", self._logs.run))
        yield from (("migrations", self.migrations.run), ("global", self.global_groups.run))
        yield from (("house", Housekeeping(self._store, self._recorder, utc_now).run), ("worlds", self.worlds.run))
        if self._host.mode != "paper":  # there nothing passes, and nothing is said of it
            lone = LoneNodes(lambda: self.world, self._wanted.machines, self._host)
            yield from (("lone", lone.run), ("metrics", self._sampler.run), ("flow_logs", self._counters.run))
            yield from (("alarms", Alarms(self._store, utc_now).run), ("engines", self._engines.run))
            yield ("disks", DiskRoom(self._wanted.machines, self._host, self._recorder).run)

    def _network_in_force(self, world: World, failures: Sequence[Failure]) -> bool:
        self._health.follow(world)
        try:
            self._recorder.network_obeys(world, {failure.subject for failure in failures})
        except StoreError:  # a full disk: it is seen again
            return False
        return True

    def _exited(self) -> None:
        self.failovers.exited()  # first: a lost primary is the more urgent
        self.machines.wake()
