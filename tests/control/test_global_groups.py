"""How far behind a secondary is, measured by what the primary had and when."""

import asyncio

from atoll.control.global_groups import GlobalGroups
from atoll.model.global_group import GlobalMember, GlobalReplicationGroup

HERE, THERE = "000000000000/us-east-1/one", "000000000000/eu-west-1/two"
DATASTORE = GlobalReplicationGroup(
    id="g", account="000000000000", region="us-east-1", name="ldgnf-g", description="", status="available",
    members=(GlobalMember(group_id=HERE, number=0), GlobalMember(group_id=THERE, number=1)), primary_id=HERE,
)  # fmt: skip


class Globe(GlobalGroups):
    """Everybody's leader is a cluster of the group's own name."""

    def __init__(self):
        super().__init__(None, dict, None)

    def _leaders(self, group_id):
        return [type("Plan", (), {"cluster_id": f"{group_id}/{n}" if n else group_id}) for n in range(2)]


def test_the_lag_is_the_age_of_the_oldest_thing_that_a_secondary_lacks():
    async def story():
        globe, loop, lags = Globe(), asyncio.get_running_loop(), []
        clock = [0.0]
        loop.time = lambda: clock[0]
        for at, primary, secondary in ((0, 10, 10), (1, 20, 10), (2, 30, 10), (3, 30, 25), (4, 30, 30), (5, 5, 5)):
            clock[0] = float(at)
            globe._measure(DATASTORE, {
                HERE: [{"role": "master", "master_repl_offset": str(primary)}],
                THERE: [{"role": "slave", "slave_repl_offset": str(secondary)}],
            })  # fmt: skip
            lags.append(globe.lags[THERE])
        del loop.time
        return lags, globe.lags

    lags, last = asyncio.new_event_loop().run_until_complete(story())

    assert lags == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    assert HERE not in last


def test_a_primary_that_is_not_heard_leaves_the_lag_as_what_was_known_of_it():
    async def story():
        globe = Globe()
        globe._measure(DATASTORE, {HERE: [{"role": "master", "master_repl_offset": "9"}], THERE: [{"role": "slave"}]})
        globe._measure(DATASTORE, {HERE: [{}], THERE: [{"role": "slave", "slave_repl_offset": "9"}]})
        return globe.lags[THERE]

    assert asyncio.new_event_loop().run_until_complete(story()) == 0.0


def test_each_shard_has_a_lag_of_its_own():
    def offsets(role, *of):
        return [{"role": role, f"{role}_repl_offset": str(n)} for n in of]

    async def story():
        globe, loop, clock = Globe(), asyncio.get_running_loop(), [0.0]
        loop.time = lambda: clock[0]
        for at, second in ((0, 10), (1, 20), (3, 30)):
            clock[0] = float(at)
            globe._measure(DATASTORE, {HERE: offsets("master", 10, second), THERE: offsets("slave", 10, 10)})
        del loop.time
        return globe.lags

    lags = asyncio.new_event_loop().run_until_complete(story())

    assert lags == {THERE: 0.0, f"{THERE}/1": 2.0}
