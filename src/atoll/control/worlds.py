"""Whole Worlds in files: saved while everything goes on, and loaded in one step.

    worlds/NAME.atoll      one that was saved and is to be fetched, or was brought and is to be loaded
    worlds/NAME/           what came with the World that is there now, until all of it has been taken

A World is replaced by one commit: whoever is killed before it leaves the old World, after it the new one.  What came
along lies ready by then, and the loops take it when they start what is new: caches their data, instances their disks.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import atoll
from atoll.cache import carrying
from atoll.cache.backup import SEEDS, is_new
from atoll.cache.carrying import Brought
from atoll.cache.node import NodePlan
from atoll.control.events import log
from atoll.control.pulse import rest
from atoll.host import trees
from atoll.host.contract import Host, HostError, Machine
from atoll.model.cache import CacheCluster, Seed
from atoll.model.engine import EngineBuild
from atoll.model.instance import Instance
from atoll.model.kinds import KINDS
from atoll.model.resource import Resource
from atoll.model.snapshot import Snapshot
from atoll.model.world import World
from atoll.store import archive
from atoll.store.sqlite import Store, utc_now

T = TypeVar("T")

PLACE, SUFFIX = "worlds", ".atoll"
SETTLE_SECONDS, SETTLE_PAUSE_SECONDS = 30.0, 0.1  # for changes that are under way; a resharding may take longer
TRIES = 3  # of a save: a failover may come in between
SWEEP_SECONDS = 10.0
FETCH_SECONDS = 3600.0  # a file that nobody has fetched by then: whoever asked for it was killed


class Refused(Exception):
    """It cannot be done now, or not with this file; nothing was changed."""


class Worlds:
    """The files of one state directory."""

    refusal: type[Exception] = Refused

    def __init__(
        self,
        store: Store,
        want: Callable[[], Mapping[str, Machine]],
        host: Host,
        state_dir: Path,
        replaced: Callable[[], None],
    ) -> None:
        """Prepare.  `replaced` is called after another World has come."""
        self._store, self._want, self._host, self._replaced = store, want, host, replaced
        self._state_dir, self.directory = state_dir, state_dir / PLACE
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="worlds")
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Remove what nobody needs any more, until cancelled."""
        try:
            while True:
                if not self._turn.locked():
                    await self._call(self._sweep)
                await rest(SWEEP_SECONDS)
        finally:
            self._thread.shutdown(wait=True)

    def place(self) -> Path:
        """Return a new name for a file to be loaded.  Raises OSError."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        return self.directory / f"{secrets.token_hex(8)}{SUFFIX}"

    async def save(self, *, whole: bool) -> dict[str, Any]:
        """Write the World to a new file, with the data of caches and disks (`whole`); returns what is in it.

        Raises Refused, HostError, OSError.
        """
        async with self._alone():
            target = await self._call(self.place)
            directory = target.with_suffix(".new")
            try:
                manifest, world = await self._collect(directory, target, whole=whole)
            except BaseException:
                target.unlink(missing_ok=True)
                raise
            finally:
                await self._call(partial(trees.remove, directory))
        return {
            "file": str(target),
            "resources": sum(1 for _ in carrying.carried(world)),
            "bytes": target.stat().st_size,
            "caches": len(manifest.caches),
            "disks": sum(name.startswith("disks/") for name in manifest.files),
            "memcached": sorted(c.name for c in world.seen_by(None).all(CacheCluster) if c.is_memcached),
        }

    async def load(self, name: str, *, replace: bool) -> dict[str, Any]:
        """Replace the World by that of a file in `directory`.  Raises Refused, HostError, OSError, StoreError."""
        source = self.directory / name
        async with self._alone():
            if (count := carrying.made(self._store.world)) and not replace:
                raise Refused(f"there are {count} resources here already: --replace ends and forgets them")
            directory = source.with_suffix("")
            try:
                manifest, arriving = await self._call(partial(self._read, source, directory))
                self._check_engines(arriving)
                brought = self._brought(manifest, directory)
                old = {s.files for s in self._store.world.all(Snapshot)} - {
                    r.files for r in arriving if isinstance(r, Snapshot)
                }
                await self._call(partial(self._place_snapshots, directory))
                self._store.write(lambda tx: carrying.arrive(tx, arriving, brought), what="snapshot load")
            except archive.NotASnapshot as error:
                await self._call(partial(trees.remove, directory))
                raise Refused(str(error)) from None
            except BaseException:
                await self._call(partial(trees.remove, directory))
                raise
            finally:
                with contextlib.suppress(OSError):
                    source.unlink(missing_ok=True)
            self._replaced()
            log("world loaded", resources=len(arriving), caches=len(brought.seeds), disks=len(brought.disks))
            await self._call(partial(self._forget_snapshots, old))
        return {"resources": len(arriving), "caches": len(brought.seeds), "disks": len(brought.disks)}

    @contextlib.asynccontextmanager
    async def _alone(self) -> Any:
        if self._turn.locked():
            raise Refused("another snapshot is being saved or loaded")
        async with self._turn:
            yield

    async def _collect(self, directory: Path, target: Path, *, whole: bool) -> tuple[archive.Manifest, World]:
        for _ in range(TRIES):
            await self._settled()
            world = self._store.world
            await self._call(partial(_begin, directory, archive.write_world(carrying.carried(world))))
            caches = await self._take_caches(world, directory) if whole else {}
            if carrying.layout(world) != carrying.layout(self._store.world) and whole:
                log("world not saved yet", because="caches changed while their data were taken")
                continue
            if whole:
                await self._call(partial(self._take_disks, world, directory))
            await self._call(partial(self._take_snapshots, world, directory))
            about = {
                "atoll": atoll.__version__, "taken": utc_now().isoformat(), "mode": self._host.mode,
                "revision": world.revision, "whole": whole, "caches": caches,
            }  # fmt: skip
            return await self._call(partial(archive.pack, directory, target, about)), world
        raise Refused("caches changed each time while their data were taken: try again when they are at rest")

    async def _settled(self) -> None:
        """Wait until nothing is in the middle of a change.  Raises Refused."""
        until = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while busy := carrying.unsettled(self._store.world):
            if asyncio.get_running_loop().time() > until:
                raise Refused(f"{'; '.join(busy[:5])}: try again when that is over")
            await asyncio.sleep(SETTLE_PAUSE_SECONDS)

    async def _take_caches(self, world: World, directory: Path) -> dict[str, str]:
        plans = {m.cluster_id: m for m in self._want().values() if isinstance(m, NodePlan)}
        names = {}
        for number, id in enumerate(carrying.primaries(world), 1):
            if id not in plans:
                raise HostError(f"{id} does not run", "save its data")
            names[id] = f"caches/{number:04}.rdb"
            await self._host.dump(plans[id], directory / names[id])
        return names

    def _take_disks(self, world: World, directory: Path) -> None:
        for instance in world.seen_by(None).all(Instance):
            if instance.state != "terminated":
                self._host.disks.save_disk(instance.id, directory / f"disks/{instance.id}.tar")

    def _take_snapshots(self, world: World, directory: Path) -> None:
        for snapshot in world.seen_by(None).all(Snapshot):
            for part in snapshot.parts if snapshot.status == "available" else ():
                name = snapshot.file(part)
                os.link(self._state_dir / SEEDS / name, directory / "snapshots" / name)

    def _read(self, source: Path, directory: Path) -> tuple[archive.Manifest, list[Resource]]:
        manifest = archive.unpack(source, directory)
        arriving = archive.read_world((directory / archive.WORLD).read_bytes(), KINDS, manifest.store)
        known = {r.id for r in arriving if isinstance(r, Instance | CacheCluster)}
        disks = [Path(name).stem for name in manifest.files if name.startswith("disks/")]
        if strange := {*disks, *manifest.caches} - known:
            raise archive.NotASnapshot(f"it has data of {min(strange)[:100]}, which is not in its world")
        for id in disks:
            packed = directory / f"disks/{id}.tar"
            self._host.disks.unpack_disk(packed, directory / "disks" / id)
            packed.unlink()
        return manifest, arriving

    def _check_engines(self, arriving: list[Resource]) -> None:
        builds = [(b.engine, b.version) for b in self._store.world.seen_by(None).all(EngineBuild)]
        if builds and (lacking := carrying.lacking(builds, arriving)):  # on paper there are none, and none is needed
            raise Refused(f"this machine has no {', '.join(sorted(lacking))}: see `atoll doctor`")

    def _brought(self, manifest: archive.Manifest, directory: Path) -> Brought:
        below = f"{PLACE}/{directory.name}"
        seeds = {
            id: Seed(path=f"{below}/{name}", digest=manifest.files[name].digest)
            for id, name in manifest.caches.items()
        }
        disks = {path.name: f"{below}/disks/{path.name}" for path in (directory / "disks").glob("i-*")}
        return Brought(seeds=seeds, disks=disks)

    def _place_snapshots(self, directory: Path) -> None:
        """Put the files of snapshots where they belong; their names are theirs alone, and no file ever changes."""
        place = self._state_dir / SEEDS
        place.mkdir(mode=0o700, exist_ok=True)
        for path in (directory / "snapshots").glob("*"):
            path.replace(place / path.name)

    def _forget_snapshots(self, old: set[str]) -> None:
        for files in old:
            for path in (self._state_dir / SEEDS).glob(f"{files}-*"):
                path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what neither a cache nor an instance still waits for."""
        world = self._store.world.seen_by(None)
        needed = {Path(seed.path).parts[1] for c in world.all(CacheCluster) if is_new(world, c) for seed in c.seeds}
        needed |= {
            Path(i.disk).parts[1] for i in world.all(Instance) if i.disk and (self._state_dir / i.disk).is_dir()
        }
        for path in self.directory.glob("*"):
            if path.is_dir() and path.name not in needed:
                trees.remove(path)
            elif path.suffix == SUFFIX and time.time() - path.stat().st_mtime > FETCH_SECONDS:
                path.unlink(missing_ok=True)

    async def _call(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _begin(directory: Path, world: bytes) -> None:
    trees.remove(directory)
    for name in ("caches", "disks", "snapshots"):
        (directory / name).mkdir(mode=0o700, parents=True)
    (directory / archive.WORLD).write_bytes(world)
