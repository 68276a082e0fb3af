"""IAM users at the door of a node: their tokens verified, and told to the engine for as long as they are valid.

What carries TLS shows us the first bytes of a connection that has a token in them, and waits.  A token that is good
becomes a password of its user in the engine, which then decides as always; the bytes go on as they were sent.  So
nothing but the beginning of such a connection passes through here.

A daemon that starts does not know which tokens its predecessor has told: engines are told all their users anew.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from atoll.aws.connect_token import looks_like_one, refusal, seconds_left
from atoll.aws.sigv4 import Mode
from atoll.cache.login import logins
from atoll.cache.node import NodePlan
from atoll.control.events import log
from atoll.control.news import News
from atoll.control.sight import Book
from atoll.host.contract import Host, HostError, Machine
from atoll.model.access import User
from atoll.model.account import AccessKey
from atoll.model.cache import CacheCluster, ReplicationGroup
from atoll.model.digest import Digest
from atoll.model.world import World

TOKENS_MAX = 1_000  # told to one engine at once; more are refused until some have expired
RETRY_SECONDS = 2.0
# A connection that began with a token ends after twelve hours: ElastiCache User Guide, "Authenticating with IAM".
LASTS_SECONDS = 12 * 3600.0
LOOK_SECONDS = 60.0  # for connections that have lasted so long


class Doorman:
    """Stands at the doors of all nodes that have IAM users."""

    def __init__(
        self,
        store: Book,
        want: Callable[[], Mapping[str, Machine]],
        host: Host,
        now: Callable[[], datetime],
        *,
        strict: bool,
    ) -> None:
        """Prepare; `strict`: the API believes nobody whose key Atoll did not issue."""
        self._store, self._want, self._host, self._now = store, want, host, now
        self._mode: Mode = "strict" if strict else "local"
        self._news = News()
        self._open: set[str] = set()  # processes whose doors are attended
        self._looked = float("-inf")  # when connections were looked at last
        self._told: dict[str, dict[tuple[str, Digest], asyncio.TimerHandle]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """The World has changed."""
        self._news.tell()

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            while True:
                wanted = self._wanted()
                for name in self._open - wanted.keys():
                    self._leave(name)
                for plan in wanted.values():
                    await self._attend(plan)
                await self._cut_old()
                waits = wanted.keys()  # if others are wanted by now, there is news of it
                await self._news.wait(RETRY_SECONDS if waits - self._open else LOOK_SECONDS if waits else None)
        finally:
            for name in list(self._open):
                self._leave(name)

    async def _cut_old(self) -> None:
        """End connections that have lasted for twelve hours, once a minute."""
        now = asyncio.get_running_loop().time()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        for plan in self._wanted().values():
            names = {user.name for user in plan.users if user.by_token}
            try:
                if count := await self._host.doorway.cut(plan, names, seconds=LASTS_SECONDS):
                    log("connections ended", node=plan.process, count=count, because="they lasted 12 hours")
            except HostError as error:
                log("connections not looked at", node=plan.process, because=str(error))

    def _wanted(self) -> dict[str, NodePlan]:
        plans = (machine for machine in self._want().values() if isinstance(machine, NodePlan))
        return {plan.process: plan for plan in plans if plan.users and any(user.by_token for user in plan.users)}

    async def _attend(self, plan: NodePlan) -> None:
        if plan.process in self._open or self._host.vital(plan.process) is None:
            return
        try:
            await self._host.doorway.attend(plan, partial(self._judge, plan.process))
            await self._host.admit(plan, ())
        except HostError as error:  # it is coming up, perhaps
            log("door not attended", node=plan.process, because=str(error))
            return
        self._open.add(plan.process)

    def _leave(self, name: str) -> None:
        self._open.discard(name)
        self._host.doorway.dismiss(name)
        for timer in self._told.pop(name, {}).values():
            timer.cancel()

    async def _judge(self, process: str, sent: bytes) -> None:
        """Read the beginning of a connection, and tell the engine of a token that is good."""
        plan = self._wanted().get(process)
        if plan is None:
            return
        for login in logins(sent):
            user = next((u for u in plan.users if u.name == login.user and u.by_token), None)
            if user is None or not looks_like_one(login.password):
                continue
            because = self._refusal(plan, user.identity, login.password)
            if because is None:
                because = await self._lend(plan, user.name, login.password)
            if because is not None:
                log("token refused", node=plan.process, user=user.name, because=because)

    def _refusal(self, plan: NodePlan, identity: str, token: str) -> str | None:
        world = self._store.world.seen_by(None)
        user, cluster = world.get(User, identity), world.get(CacheCluster, plan.cluster_id)
        if user is None or cluster is None or cluster.group_id is None:
            return "its user has gone"
        return refusal(
            token,
            user_id=user.user_id,
            cache=world[ReplicationGroup, cluster.group_id].name,
            owner=user.owner,
            secret_of=partial(_key, world),
            mode=self._mode,
            now=self._now(),
        )

    async def _lend(self, plan: NodePlan, name: str, text: str) -> str | None:
        """Make a token a password until it expires; returns why not."""
        token, seconds = Digest.of(text), seconds_left(text, self._now())
        told = self._told.setdefault(plan.process, {})
        if (name, token) not in told and len(told) >= TOKENS_MAX:
            return f"{TOKENS_MAX} tokens are valid on this node already"
        try:
            await self._host.doorway.lend(plan, name, token, valid=True)
        except HostError as error:
            return str(error)
        if old := told.get((name, token)):
            old.cancel()
        later = asyncio.get_running_loop().call_later
        told[name, token] = later(seconds, self._expire, plan, name, token)
        return None

    def _expire(self, plan: NodePlan, name: str, token: Digest) -> None:
        self._told.get(plan.process, {}).pop((name, token), None)
        task = asyncio.ensure_future(self._take_back(plan, name, token))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_back(self, plan: NodePlan, name: str, token: Digest) -> None:
        with contextlib.suppress(HostError):  # it has ended, or forgotten the user
            await self._host.doorway.lend(plan, name, token, valid=False)


def _key(world: World, id: str) -> AccessKey | None:
    return world.get(AccessKey, id)
