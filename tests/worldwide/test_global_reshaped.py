"""Node groups of a global datastore that come and go: real engines, in both regions, with a client that writes."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from atoll.cache.shards import parse_slots, write_slots
from tests.daemon.atoll import own_mode, running, until
from tests.worldwide.test_global import FAR, GROUPS, NEAR
from tests.worldwide.test_global_sharded import Sharded

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

MANY = 2000
FOLLOWING = "redis-cli -c -h {} | grep -v Redirected"  # one client for all
ASKED = f"seq 1 {MANY} | sed 's/.*/{{}}/' | {FOLLOWING}"


class Reshaped(Sharded):
    """The same, whose node groups change."""

    def slots(self) -> dict[str, str]:
        """Return the slots of all shards, which are the same in both regions."""
        both = [
            {shard["NodeGroupId"]: shard["Slots"] for shard in self.group(region)["NodeGroups"]} for region in GROUPS
        ]
        shown = {one["GlobalNodeGroupId"][-4:]: one["Slots"] for one in self.datastore()["GlobalNodeGroups"]}
        assert both == [shown, shown]
        return shown

    def reshape(self, operation: str, **more: Any) -> None:
        operation = f"{operation}_in_global_replication_group"
        getattr(self.cache[FAR], operation)(GlobalReplicationGroupId=self.name, ApplyImmediately=True, **more)

    def done(self) -> None:
        """Wait until a change is over, in the engines of both regions, too."""
        until(lambda: self.status() == "available", 120.0, f"an end of the change ({self.atoll.log})")
        self.whole()
        wanted = sorted(self.slots().values())
        for region in GROUPS:
            until(lambda r=region: self.owned(r) == wanted, 30.0, f"{wanted} in {region}")

    def owned(self, region: str) -> list[str]:
        """Return the slots of all primaries, as a node tells cluster clients."""
        lines = [line.split()[8:] for line in self.redis(region, "CLUSTER", "NODES").splitlines()]
        owning = [[words for words in line if "[" not in words] for line in lines]  # but for open ones
        return sorted(write_slots(parse_slots(",".join(slots))) for slots in owning if slots)

    def fill(self) -> None:
        said = self.inside(NEAR, ASKED.format("set p& &", self.endpoint(NEAR))).split()
        assert said == ["OK"] * MANY

    def full(self) -> None:
        """Check that all is there, in both regions."""
        for region in GROUPS:
            until(lambda r=region: self.found(r) == [str(n) for n in range(1, MANY + 1)], 30.0, f"all in {region}")

    def found(self, region: str) -> list[str]:
        return self.inside(region, ASKED.format("get p&", self.endpoint(region)), ok=False).split()


@pytest.fixture(scope="module")
def globe() -> Iterator[Reshaped]:
    with running(own_mode()) as atoll:
        builds = atoll.client("elasticache").describe_cache_engine_versions()["CacheEngineVersions"]
        if "valkey" not in {build["Engine"] for build in builds}:
            pytest.skip("NOT TESTED: no valkey on this machine")
        yield Reshaped(atoll)


def test_more_shards_are_in_both_regions_and_nothing_acknowledged_is_lost(globe):
    globe.fill()
    script = (
        "echo $$ >/tmp/writer; i=0; while :; do i=$((i+1)); "
        f"redis-cli -c -h {globe.endpoint(NEAR)} set w$i $i | grep -q OK && echo $i >>/tmp/acked; done"
    )
    globe.inside(NEAR, f"(setsid sh -c '{script}' >/dev/null 2>&1 </dev/null &)")

    globe.reshape("increase_node_groups", NodeGroupCount=3)
    with pytest.raises(globe.cache[FAR].exceptions.InvalidGlobalReplicationGroupStateFault):
        globe.fail_over(FAR)
    globe.done()

    acked = globe.inside(NEAR, "kill $(cat /tmp/writer); cat /tmp/acked").split()
    assert globe.slots() == {"0001": "0-5461", "0002": "8192-13652", "0003": "5462-8191,13653-16383"}
    for region in GROUPS:
        assert len(globe.group(region)["MemberClusters"]) == 6
        asked = f"for i in {' '.join(acked)}; do echo get w$i; done"
        read = f"({asked}) | {FOLLOWING.format(globe.endpoint(region))}"
        until(lambda r=region, script=read: globe.inside(r, script).split() == acked, 30.0, f"writes in {region}")
    assert acked
    globe.full()
    globe.write(NEAR, "more")
    globe.all_copied("more")
    globe.refuses(FAR)


def test_fewer_shards_are_in_both_regions_and_have_everything(globe):
    globe.reshape("decrease_node_groups", NodeGroupCount=2, GlobalNodeGroupsToRemove=[f"{globe.name}-0001"])
    globe.done()

    assert globe.slots().keys() == {"0002", "0003"}
    for region in GROUPS:
        assert len(globe.group(region)["MemberClusters"]) == 4
    globe.full()
    globe.write(NEAR, "fewer")
    globe.all_copied("fewer")
    globe.refuses(FAR)


def test_the_next_daemon_finishes_a_change_that_a_killed_one_began_and_then_the_secondary_can_be_promoted(globe):
    begun = globe.atoll.log.stat().st_size
    globe.reshape("increase_node_groups", NodeGroupCount=3)
    until(lambda: '"act": "claim"' in globe.atoll.said(begun), 60.0, "slots that move")
    globe.atoll.kill()
    time.sleep(1.0)  # engines finish what they had begun, and nobody tells the others

    globe.atoll.up()

    globe.done()
    assert globe.slots().keys() == {"0001", "0002", "0003"}
    globe.full()
    globe.fail_over(FAR)
    globe.whole()
    globe.full()
    globe.write(FAR, "promoted")
    globe.all_copied("promoted")
    globe.refuses(NEAR)
