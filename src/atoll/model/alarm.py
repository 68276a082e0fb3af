"""CloudWatch alarms: a threshold over a metric, and what has become of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from atoll.model.names import arn
from atoll.model.resource import Resource
from atoll.model.world import Tx

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
STATES = (OK, ALARM, INSUFFICIENT)
KEPT = timedelta(days=30)  # CloudWatch API Reference, DescribeAlarmHistory
CONFIGURATION, STATE, ACTION = "ConfigurationUpdate", "StateUpdate", "Action"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAlarm(Resource):
    """An alarm; its World id is `names.key(account, region, name)`."""

    name: str
    namespace: str
    metric: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...]  # sorted
    period: int  # seconds
    evaluation_periods: int
    datapoints_to_alarm: int | None  # None: all of them; it was not given
    threshold: float
    comparison: str  # GreaterThanThreshold ...
    missing: str | None  # how missing data are treated: missing, ignore, breaching, notBreaching; None: missing
    unit: str | None
    description: str | None
    actions_enabled: bool
    ok_actions: tuple[str, ...]
    alarm_actions: tuple[str, ...]
    insufficient_actions: tuple[str, ...]
    configured: datetime
    state: str = INSUFFICIENT
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str | None = None
    updated: datetime  # the state, or its reason
    transitioned: datetime  # the state alone

    @property
    def arn(self) -> str:
        """Its Amazon Resource Name."""
        return arn("cloudwatch", self.region, self.account, f"alarm:{self.name}")

    @property
    def needed(self) -> int:
        """How many breaching periods raise the alarm."""
        return self.datapoints_to_alarm or self.evaluation_periods

    def actions(self, state: str) -> tuple[str, ...]:
        """Return what is to be done when it comes into a state."""
        of = {OK: self.ok_actions, ALARM: self.alarm_actions, INSUFFICIENT: self.insufficient_actions}
        return of[state] if self.actions_enabled else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEvent(Resource):
    """One line of an alarm's history; kept for 30 days, also when the alarm is gone."""

    alarm: str  # its name
    kind: str
    summary: str
    body: str  # JSON
    at: datetime


def remember(tx: Tx, alarm: MetricAlarm, kind: str, summary: str, body: str) -> None:
    """Write one line into an alarm's history; works without a caller.  The id sorts by time."""
    told = sum(1 for changed, _ in tx.changes if changed is AlarmEvent)
    stamp = int(tx.now.timestamp() * 1000)
    tx.put(
        AlarmEvent(
            id=f"{alarm.account}/{alarm.region}/{stamp:014d}-{told:04d}-{tx.new_hex(8)}",
            account=alarm.account,
            region=alarm.region,
            alarm=alarm.name,
            kind=kind,
            summary=summary,
            body=body,
            at=tx.now,
        )
    )


def forget_old_alarm_events(tx: Tx) -> None:
    """Remove the history that AWS would no longer show."""
    for event in tx.all(AlarmEvent):
        if event.at < tx.now - KEPT:
            tx.delete(event)
