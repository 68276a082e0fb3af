"""Which engines this machine has, kept true in the World: a package may be installed or replaced while we run."""

import asyncio

from atoll.cache.updates import announce
from atoll.control.events import log
from atoll.control.pulse import rest
from atoll.host.contract import Host
from atoll.model.engine import EngineBuild
from atoll.model.world import Tx
from atoll.store.sqlite import Store, StoreError

LOOK_SECONDS = 5.0  # between two looks, which cost some milliseconds: programs are asked again only when changed


class Engines:
    """Looks for the engines of one host."""

    def __init__(self, store: Store, host: Host) -> None:
        """Prepare; nothing is looked for yet."""
        self._store, self._host = store, host

    def note(self) -> None:
        """Put what the host has found into the World, if that is something else.  Raises StoreError."""
        builds = {build.id: build for build in self._host.builds()}
        known = {build.id: build for build in self._store.world.seen_by(None).all(EngineBuild)}
        if builds == {id: build.but(found=None) for id, build in known.items()}:
            return

        def note(tx: Tx) -> None:
            for build in known.values():
                if build.id not in builds:
                    tx.delete(build)
            for build in builds.values():
                old = known.get(build.id)
                tx.put(build.but(found=old.found if old and old.found else tx.now))
            for id in builds.keys() - known.keys():
                announce(tx, builds[id])

        self._store.write(note, what="engines")

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await rest(LOOK_SECONDS)
            await asyncio.to_thread(self._host.find_builds)
            try:
                self.note()
            except StoreError as error:
                log("engines not noted", because=str(error))
