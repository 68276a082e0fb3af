"""Snapshots of real engines: what was in memory is in a file, and comes back."""

import pytest

from tests.daemon.atoll import until

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


def test_data_times_to_live_and_functions_come_back_in_another_group(vault):
    vault.group("first", 2, AtRestEncryptionEnabled=True, KmsKeyId="key-1")
    vault.say("first", "SET kept yes EX 1000", "RPUSH list 1 2 3", "SELECT 3", "SET elsewhere 3")
    vault.redis("first", "FUNCTION", "LOAD", "'#!lua name=l\nredis.register_function(\"f\",function() return 7 end)'")

    taken = vault.snapshot("first-1", "first")
    vault.becomes("first")
    vault.redis("first", "SET", "kept", "no")
    vault.group("second", 2, SnapshotName="first-1", Engine=None, CacheNodeType=None)

    kept, seconds, *others = vault.say(
        "second", "GET kept", "TTL kept", "LLEN list", "FCALL f 0", "SET new 1", "SELECT 3", "GET elsewhere"
    )
    assert kept == "yes"
    assert 900 < int(seconds) <= 1000
    assert others == ["3", "7", "OK", "OK", "3"]
    assert vault.redis("second", "GET", "kept", kind="ReaderEndpoint") == "yes", "the replica has it, too"
    assert taken["KmsKeyId"] == "key-1"
    assert vault.messages("first")[-1] == (
        "Snapshot succeeded for snapshot with ID 'first-1' of replication group with ID 'first'"
    )
    (file,) = vault.files
    raw = (vault.atoll.state / "snapshots" / file).read_bytes()
    assert raw.startswith(b"VALKEY" if vault.engine == "valkey" else b"REDIS00")
    assert b"kept" in raw, "in the clear, whatever AtRestEncryptionEnabled says: docs/snapshots.md"


def test_an_export_is_an_object_from_which_another_group_begins(vault):
    vault.group("third")
    vault.redis("third", "SET", "kept", "third")
    vault.snapshot("third-1", "third")
    bucket = vault.bucket("exports")

    vault.cache.copy_snapshot(SourceSnapshotName="third-1", TargetSnapshotName="Out", TargetBucket="exports")
    vault.taken("third-1")

    assert [path.name for path in bucket.iterdir()] == ["out-0001.rdb"]
    vault.cache.delete_snapshot(SnapshotName="third-1")
    vault.group("fourth", SnapshotArns=["arn:aws:s3:::exports/out-0001.rdb"])
    assert vault.redis("fourth", "GET", "kept") == "third"


def test_a_copy_is_another_name_of_the_same_bytes(vault):
    vault.group("fifth")
    vault.redis("fifth", "SET", "kept", "fifth")
    vault.snapshot("fifth-1", "fifth")

    vault.cache.copy_snapshot(SourceSnapshotName="fifth-1", TargetSnapshotName="fifth-2")
    vault.taken("fifth-2")
    vault.cache.delete_snapshot(SnapshotName="fifth-1")
    until(lambda: "fifth-1" not in vault.names, 30.0, "the end of fifth-1")
    vault.group("sixth", SnapshotName="fifth-2")

    assert vault.redis("sixth", "GET", "kept") == "fifth"


def test_a_group_goes_after_its_final_snapshot(vault):
    vault.group("seventh", 2)
    vault.redis("seventh", "SET", "kept", "last")

    vault.cache.delete_replication_group(ReplicationGroupId="seventh", FinalSnapshotIdentifier="last")
    vault.cache.get_waiter("replication_group_deleted").wait(
        ReplicationGroupId="seventh", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )

    assert vault.shown("last")["SnapshotStatus"] == "available"
    vault.group("eighth", SnapshotName="last")
    assert vault.redis("eighth", "GET", "kept") == "last"


def test_a_file_that_the_engine_does_not_take_is_a_failed_restore_that_can_be_deleted(vault):
    bucket = vault.bucket("broken")
    (bucket / "half.rdb").write_bytes(b"REDIS0009\xfe\x00")

    vault.group("ninth", 2, SnapshotArns=["arn:aws:s3:::broken/half.rdb"], wait=False)
    vault.becomes("ninth", "create-failed")

    (told,) = [m for m in vault.messages("ninth-001", "cache-cluster") if "estore" in m]
    assert told.startswith("Restore from snapshot failed for node 0001: ")
    found = vault.cache.describe_cache_clusters(CacheClusterId="ninth-001")["CacheClusters"][0]
    assert found["CacheClusterStatus"] == "restore-failed"
    until(lambda: vault.delete("ninth"), 30.0, "the end of the group")


def test_a_file_that_has_changed_is_not_restored(vault):
    vault.group("tenth")
    vault.snapshot("tenth-1", "tenth")
    before = set(vault.files)
    vault.cache.copy_snapshot(SourceSnapshotName="tenth-1", TargetSnapshotName="tenth-2")
    vault.taken("tenth-2")
    (file,) = set(vault.files) - before
    path = vault.atoll.state / "snapshots" / file
    raw = path.read_bytes()
    path.unlink()
    path.write_bytes(raw.replace(b"redis-ver", b"redis-var").replace(b"valkey-ver", b"valkey-var"))

    vault.group("eleventh", SnapshotName="tenth-2", wait=False)
    vault.becomes("eleventh", "create-failed")

    told = [m for m in vault.messages("eleventh-001", "cache-cluster") if "estore" in m]
    assert "is not what it was" in told[-1]
