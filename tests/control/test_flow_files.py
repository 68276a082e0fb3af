"""The files of flow logs: where they are, that they are whole, and that they do not grow for ever."""

import gzip
from datetime import UTC, datetime, timedelta

import pytest

from atoll.control import flow_files, log_files
from atoll.control.flow_files import FlowFiles
from atoll.model.flow_log import FlowLog

END = datetime(2026, 11, 26, 17, 4, 5, tzinfo=UTC)
ACCOUNT, REGION = "111122223333", "us-east-1"
FORMAT = "${interface-id} ${action}"


def log(**more):
    given = {
        "id": "fl-1", "account": ACCOUNT, "region": REGION, "vpc_id": "vpc-1", "resource_id": "vpc-1",
        "traffic": "ALL", "format": FORMAT, "interval_seconds": 60, "created": END,
    }  # fmt: skip
    return FlowLog(**(given | more))


def in_bucket(**more):
    return log(destination_type="s3", destination="arn:aws:s3:::mine/team", **more)


@pytest.fixture
def files(tmp_path):
    return FlowFiles(tmp_path / "flow-logs")


def found(files):
    return sorted(str(p.relative_to(files.directory)) for p in files.directory.rglob("*") if p.is_file())


def test_a_log_group_has_a_stream_for_each_interface(files):
    reject = log(log_group="/aws/vpc", traffic="REJECT")
    files.deliver(reject, [("eni-1", "eni-1 REJECT"), ("eni-2", "eni-2 REJECT"), ("eni-1", "eni-1 REJECT")], END)

    where = "111122223333/us-east-1/cloud-watch-logs/%2Faws%2Fvpc"
    assert found(files) == [f"{where}/eni-1-reject.log", f"{where}/eni-2-reject.log", "recent/fl-1"]
    assert (files.place(reject) / "eni-1-reject.log").read_text() == "eni-1 REJECT\n" * 2


@pytest.mark.parametrize("group", [".", "..", "../../etc", "a/../..", "/"])
def test_no_name_of_a_log_group_leads_out_of_its_directory(files, group):
    place = files.place(log(log_group=group))

    assert place.resolve().parent == (files.directory / ACCOUNT / REGION / "cloud-watch-logs").resolve()


def test_a_bucket_has_an_object_for_each_window_with_its_fields_in_the_first_line(files):
    files.deliver(in_bucket(), [("eni-1", "eni-1 ACCEPT")], END)

    (object_, _) = sorted(found(files), reverse=True)
    begin = "s3/mine/team/AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/11/26/"
    assert object_.startswith(f"{begin}111122223333_vpcflowlogs_us-east-1_fl-1_20261126T1704Z_")
    assert object_.endswith(".log.gz")
    text = gzip.decompress((files.directory / object_).read_bytes()).decode()
    assert text == "interface-id action\neni-1 ACCEPT\n"


def test_partitions_are_as_asked_for(files):
    files.deliver(in_bucket(hive_partitions=True, hour_partitions=True), [("eni-1", "eni-1 ACCEPT")], END)

    (object_, _) = sorted(found(files), reverse=True)
    assert object_.startswith(
        "s3/mine/team/AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/"
        "year=2026/month=11/day=26/hour=17/"
    )


def test_two_windows_of_one_minute_are_two_objects(files):
    for _ in range(2):
        files.deliver(in_bucket(), [("eni-1", "eni-1 ACCEPT")], END)
    files.deliver(in_bucket(), [("eni-1", "eni-1 ACCEPT")], END + timedelta(seconds=1))

    assert len([name for name in found(files) if name.endswith(".gz")]) == 2  # the very same window is one


def test_nothing_grows_for_ever(files, monkeypatch):
    monkeypatch.setattr(log_files, "STREAM_BYTES_MAX", 100)
    monkeypatch.setattr(flow_files, "OBJECTS_MAX", 3)
    monkeypatch.setattr(flow_files, "RECENT_BYTES_MAX", 200)
    monkeypatch.setattr(flow_files, "RECENT_LINES", 5)
    streamed, stored = log(log_group="flows"), in_bucket(id="fl-2")
    for n in range(40):
        records = [("eni-1", f"eni-1 {n:05}")]
        files.deliver(streamed, records, END)
        files.deliver(stored, records, END + timedelta(days=n))

    stream = files.place(streamed) / "eni-1-all.log"
    assert stream.stat().st_size <= 112
    assert stream.with_name("eni-1-all.log.1").stat().st_size <= 112
    objects = [name for name in found(files) if name.endswith(".gz")]
    assert [name.split("/")[-2] for name in objects] == ["02", "03", "04"], "the newest"
    assert len(list(files.place(stored).rglob("*"))) == 3 + 3 + 2, "and no folder without an object"
    assert files.recent(streamed)[-1] == ("eni-1", "eni-1 00039")
    assert (files.directory / "recent" / "fl-1").stat().st_size <= 220


def test_what_is_shown_again_is_the_newest_the_oldest_first(files):
    mine = log(log_group="flows")
    assert files.recent(mine) == []
    files.deliver(mine, [("eni-1", "eni-1 ACCEPT"), ("eni-2", "eni-2 ACCEPT")], END)
    files.deliver(mine, [("eni-1", "eni-1 REJECT")], END)

    assert files.recent(mine) == [("eni-1", "eni-1 ACCEPT"), ("eni-2", "eni-2 ACCEPT"), ("eni-1", "eni-1 REJECT")]
    files.forget("fl-1")
    assert files.recent(mine) == []


def test_clearing_leaves_nothing(files):
    files.deliver(log(log_group="flows"), [("eni-1", "eni-1 ACCEPT")], END)
    files.note_look(1000.0)
    assert files.looked() == 1000.0
    files.clear()

    assert not files.directory.exists()
    assert files.looked() is None
