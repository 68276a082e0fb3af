"""Alarms, evaluated: once a period, from the samples that CloudWatch's metrics are made of."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

from atoll.control.events import going_on, log
from atoll.control.pulse import rest
from atoll.model.alarm import MetricAlarm, forget_old_alarm_events
from atoll.store.sqlite import Store, StoreError

LOOK_SECONDS = 2.0
AT_ONCE = 200  # alarms, between which requests get their turn
FORGET_SECONDS = 3600.0


class Alarms:
    """Evaluates the alarms of one installation."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        """Prepare; nothing was evaluated yet."""
        self._store, self._now = store, now
        self._done: dict[
            str, tuple[datetime, float]
        ] = {}  # its configuration, and the period in which it was evaluated
        self._begun = now().timestamp()  # samples are in memory: nobody knows what was before
        self._forgotten = time.monotonic()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await rest(LOOK_SECONDS)
            with going_on("alarms", "alarms not evaluated", StoreError):
                await self.look()

    async def look(self) -> None:
        """Evaluate what is due."""
        if time.monotonic() - self._forgotten > FORGET_SECONDS:
            self._forgotten = time.monotonic()
            self._store.write(forget_old_alarm_events, what="forget")
        alarms = list(self._store.world.seen_by(None).all(MetricAlarm))
        known = {alarm.id for alarm in alarms}
        self._done = {id: done for id, done in self._done.items() if id in known}
        for number, alarm in enumerate(alarms, 1):
            self._evaluate(alarm)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _evaluate(self, alarm: MetricAlarm) -> None:
        from atoll.cloudwatch.alarm_change import come_into  # with its verbs: no start waits for them
        from atoll.cloudwatch.evaluate import points_of, verdict

        now = self._now().timestamp()
        period = now // alarm.period
        if self._done.get(alarm.id) == (alarm.configured, period):
            return
        begin, points = points_of(alarm, now)
        self._done[alarm.id] = alarm.configured, period
        if all(point is None for point in points) and begin < self._begun:
            return  # perhaps there were samples, before we were started
        found = verdict(alarm, now, begin, points)
        if found.state != alarm.state:
            self._store.write(partial(come_into, id=alarm.id, verdict=found), what=f"alarm: {found.state}")
            log("alarm", name=alarm.name, state=found.state, because=found.reason)
