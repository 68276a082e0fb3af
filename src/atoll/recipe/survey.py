"""Survey a world: the steps that make again all that an account has in a region, in an order that works.

Reads a World as one caller sees it; decides nothing about text.  `script.py` writes the steps as AWS CLI commands,
`configuration.py` as Terraform.  Not here: data of caches, snapshots, secrets (the World has only their digests), and
what `LeftOut` says.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from atoll.model.alarm import MetricAlarm
from atoll.model.cache_security_group import CacheSecurityGroup
from atoll.model.global_group import GlobalReplicationGroup
from atoll.model.reserved import ReservedNode
from atoll.model.resource import Resource
from atoll.model.serverless import ServerlessSnapshot
from atoll.model.snapshot import AUTOMATED, Snapshot
from atoll.model.world import Caller, World
from atoll.recipe import survey_balancer, survey_cache, survey_edge, survey_group, survey_instance, survey_vpc
from atoll.recipe.step import LeftOut, Step, needed

# Kinds that no call of ours makes again, and why.
NOT_AGAIN: dict[type[Resource], str] = {
    GlobalReplicationGroup: "a global datastore spans regions: make it by hand from its primary group",
    Snapshot: "a snapshot has data, and an export has none: `atoll snapshot save` keeps both",
    ServerlessSnapshot: "a snapshot has data, and an export has none: `atoll snapshot save` keeps both",
    CacheSecurityGroup: "EC2-Classic is made by `atoll classic`",
    ReservedNode: "a reservation is bought, not described",
    MetricAlarm: "alarms are not exported",
}


@dataclass(frozen=True, slots=True)
class Survey:
    """All that an account has in a region."""

    steps: tuple[Step, ...]
    left_out: tuple[LeftOut, ...]


def survey(world: World, *, account: str, region: str) -> Survey:
    """Survey what an account has in a region."""
    seen = world.seen_by(Caller(account=account, region=region, arn=""))
    steps = needed(list(_steps(seen)))
    return Survey(tuple(steps), tuple(_left_out(seen)))


def _steps(world: World) -> Iterator[Step]:
    """Yield what others need first."""
    yield from survey_vpc.steps(world)
    yield from survey_group.steps(world)
    yield from survey_instance.interfaces(world)
    yield from survey_instance.steps(world)
    yield from survey_edge.steps(world)
    yield from survey_balancer.steps(world)
    yield from survey_edge.endpoints(world)
    yield from survey_edge.routes(world)
    yield from survey_cache.steps(world)


def _left_out(world: World) -> Iterator[LeftOut]:
    for kind, why in NOT_AGAIN.items():
        yield from (LeftOut(_called(found), why) for found in world.all(kind) if not _comes_by_itself(found))
    yield from survey_edge.left_out(world)
    yield from survey_cache.left_out(world)


def _comes_by_itself(found: Resource) -> bool:
    return (isinstance(found, Snapshot) and found.source == AUTOMATED) or (
        isinstance(found, ServerlessSnapshot) and found.is_automated
    )


def _called(found: Resource) -> str:
    """Return the name that people know: ids of ElastiCache have the account and the region before it."""
    return found.id.rpartition("/")[2]
