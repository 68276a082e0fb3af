"""kill -9 of the daemon while a snapshot is taken, restored, or the last of its group: the next start finishes it."""

import time

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.engines]

# After the call has answered, and before the daemon is killed: steps take some milliseconds each.
MOMENTS_MS = (0, 15, 60)


def crash(vault, after_ms):
    time.sleep(after_ms / 1000)
    vault.atoll.kill()
    vault.atoll.up()


def test_the_next_start_finishes_what_was_under_way_and_no_data_are_lost(own_vault):
    vault = own_vault("valkey")
    vault.group("crash", 2)
    vault.shell(
        "for n in $(seq 2000); do echo SET k:$n $(printf '%0500d' $n); done | "
        f"redis-cli -h {vault.endpoint('crash')} | tail -1"
    )

    for n, moment in enumerate(MOMENTS_MS):
        vault.snapshot(f"s{n}", "crash", wait=False)
        crash(vault, moment)
        vault.taken(f"s{n}")
    vault.becomes("crash")
    assert len(vault.files) == len(MOMENTS_MS), "and nothing half written"

    for n, moment in enumerate(MOMENTS_MS):
        vault.group(f"again-{n}", 1, SnapshotName=f"s{n}", Engine=None, CacheNodeType=None, wait=False)
        crash(vault, moment)
    for n in range(len(MOMENTS_MS)):
        vault.becomes(f"again-{n}")
        assert vault.redis(f"again-{n}", "DBSIZE") == "2000"

    vault.cache.delete_replication_group(ReplicationGroupId="crash", FinalSnapshotIdentifier="last")
    crash(vault, MOMENTS_MS[1])
    vault.taken("last")
    for name in ("s0", "s1", "s2"):
        vault.cache.delete_snapshot(SnapshotName=name)
    crash(vault, 0)
    vault.wait_for(lambda: vault.names == ["last"], "one snapshot")
    vault.wait_for(lambda: len(vault.files) == 1, "one file")
    vault.wait_for(lambda: "crash" not in vault.groups, "the end of the group")
