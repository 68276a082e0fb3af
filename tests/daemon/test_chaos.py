"""`atoll chaos`: hardware that fails, and comes back by itself."""

import json

import pytest

from tests.daemon.atoll import until
from tests.daemon.stage import Stage

pytestmark = [pytest.mark.kernel, pytest.mark.engines]


def chaos(atoll, *words):
    said = atoll.cli("chaos", *words, "--json").splitlines()
    while not said[0].startswith(("{", "[")):  # progress, on standard error
        said.pop(0)
    return json.loads("\n".join(said))


def health(stage):
    (told,) = stage.ec2.describe_instance_status(InstanceIds=[stage.instance])["InstanceStatuses"]
    return told["InstanceState"]["Name"], told["SystemStatus"]["Status"], told["InstanceStatus"]["Status"]


def nodes_of(atoll, cache):
    return next(c for c in atoll.status()["caches"] if c["name"] == cache)["nodes"]


def placed(atoll, id):
    return next(i["placement"]["host"] for i in atoll.status()["instances"] if i["id"] == id)


def test_an_instance_on_a_host_that_fails_is_impaired_and_boots_again_with_its_disk(atoll):
    stage = Stage(atoll)
    atoll.inside(stage.instance, "echo kept >/root/kept")
    before = stage.pids()[stage.instance]

    fault = chaos(atoll, "kill-host", stage.instance)

    assert fault["target"] == placed(atoll, stage.instance)
    assert stage.instance in fault["hits"]
    assert stage.instance not in stage.pids()
    assert health(stage) == ("running", "impaired", "impaired")
    refused = atoll.cli("exec", stage.instance, "true", ok=False)
    assert f"atoll chaos revert {fault['id']}" in refused
    assert [f["id"] for f in chaos(atoll, "list")] == [fault["id"]]
    chaos(atoll, "revert", fault["id"])
    until(lambda: stage.pids().get(stage.instance) not in (None, before), what="another boot")
    assert health(stage) == ("running", "ok", "ok")
    assert atoll.inside(stage.instance, "cat /root/kept").strip() == "kept"
    assert chaos(atoll, "list") == []


def test_stopping_and_starting_moves_an_instance_off_hardware_that_is_down(atoll):
    stage = Stage(atoll)
    fault = chaos(atoll, "kill-rack", stage.instance)

    stage.ec2.stop_instances(InstanceIds=[stage.instance])
    stage.state(stage.instance, "stopped")
    stage.ec2.start_instances(InstanceIds=[stage.instance])
    stage.state(stage.instance, "running")

    assert not placed(atoll, stage.instance).startswith(f"{fault['target']}-")
    assert health(stage) == ("running", "ok", "ok")


def test_a_cache_node_on_a_rack_that_fails_is_unavailable_until_its_time_is_over(atoll):
    stage = Stage(atoll)
    before = stage.pids()["shut:0001"]

    chaos(atoll, "kill-rack", "shut:0001", "--for", "2")

    assert "shut:0001" not in stage.pids()
    until(lambda: nodes_of(atoll, "shut")[0]["status"] == "rebooting", what="its status")
    assert "Recovering cache nodes 0001" in stage.events("shut")
    until(lambda: nodes_of(atoll, "shut")[0]["status"] == "available", 20, "its return")
    assert stage.pids()["shut:0001"] != before
    assert chaos(atoll, "list") == []


def test_a_group_fails_over_when_the_rack_of_its_primary_fails(atoll):
    stage = Stage(atoll)
    stage.elasticache.create_replication_group(
        ReplicationGroupId="two", ReplicationGroupDescription="x", Engine="valkey", NumCacheClusters=2,
        CacheNodeType="cache.t3.micro", AutomaticFailoverEnabled=True, MultiAZEnabled=True,
    )  # fmt: skip
    stage.settled()

    def roles():
        group = stage.elasticache.describe_replication_groups(ReplicationGroupId="two")["ReplicationGroups"][0]
        members = group["NodeGroups"][0]["NodeGroupMembers"]
        return {member["CacheClusterId"]: member["CurrentRole"] for member in members}

    assert roles() == {"two-001": "primary", "two-002": "replica"}
    fault = chaos(atoll, "kill-rack", "two-001")

    until(lambda: roles() == {"two-001": "replica", "two-002": "primary"}, 30, "the failover")
    with stage.shell() as shell:
        shell.connect(*stage.node("two-002"))
        assert shell.say("SET a 1") == "+OK"
        chaos(atoll, "revert", fault["id"])
        stage.settled(30)
        shell.connect(*stage.node("two-001"))
        until(lambda: shell.say("EXISTS a") == ":1", 10, "the copy of the one that came back")


def test_a_daemon_that_comes_later_reverts_what_is_over(atoll):
    stage = Stage(atoll)
    chaos(atoll, "kill-zone", "us-east-1a", "--for", "1")
    forever = chaos(atoll, "partition-instance", stage.instance)
    atoll.kill()

    atoll.up()

    until(lambda: [f["id"] for f in chaos(atoll, "list")] == [forever["id"]], what="the end of one of them")
    chaos(atoll, "revert", "--all")
    stage.settled()
    assert chaos(atoll, "list") == []


def test_packets_of_an_instance_that_is_cut_off_are_lost_and_the_trace_says_why(atoll):
    stage = Stage(atoll)
    with stage.shell() as shell:
        assert shell.reaches(*stage.node("mem"))
        fault = chaos(atoll, "partition-instance", stage.instance)

        assert not shell.reaches(*stage.node("mem"))

        said = atoll.cli("trace", stage.instance, "mem:0001:11211", ok=False)
        assert f"{fault['id']} cuts {stage.instance} off" in said
        assert f"atoll chaos revert {fault['id']}" in said
        assert health(stage) == ("running", "impaired", "impaired")
        chaos(atoll, "revert", fault["id"])
        assert shell.reaches(*stage.node("mem"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("kill-host", "us-east-1a-r9-h1"), "there is no host us-east-1a-r9-h1"),
        (("kill-rack", "us-east-1a-r9"), "there is no rack us-east-1a-r9"),
        (("kill-zone", "mars-1a"), "nothing is called 'mars-1a'"),
        (("partition-instance", "198.51.100.27"), "is not a machine of yours"),
        (("kill-zone", "us-east-1a", "--for", "0"), "0 seconds: give a number above 0"),
        (("revert", "fault-1"), "there is no fault fault-1"),
        (("revert",), "which fault?"),
    ],
)
def test_what_cannot_be_broken_is_refused(paper, words, says):
    assert says in paper.cli("chaos", *words, ok=False)


def test_the_same_fault_is_not_made_twice(paper):
    id = chaos(paper, "kill-zone", "use1-az1")["id"]
    said = paper.cli("chaos", "kill-zone", "us-east-1a", ok=False)
    assert f"{id} does that already; end it with: atoll chaos revert {id}" in said


def test_nothing_is_put_where_everything_is_down(paper):
    chaos(paper, "kill-zone", "us-east-1a")
    ec2, cache = paper.client("ec2"), paper.client("elasticache")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    asked = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}

    with pytest.raises(ec2.exceptions.ClientError, match="InsufficientInstanceCapacity"):
        ec2.run_instances(**asked, Placement={"AvailabilityZone": "us-east-1a"})
    with pytest.raises(cache.exceptions.InsufficientCacheClusterCapacityFault, match="us-east-1a"):
        cache.create_cache_cluster(
            CacheClusterId="x", Engine="memcached", NumCacheNodes=1, CacheNodeType="cache.t3.micro",
            PreferredAvailabilityZone="us-east-1a",
        )  # fmt: skip

    assert ec2.run_instances(**asked, Placement={"AvailabilityZone": "us-east-1b"})["Instances"]
    impaired = ec2.describe_availability_zones(Filters=[{"Name": "state", "Values": ["impaired"]}])
    (zone,) = impaired["AvailabilityZones"]
    assert (zone["ZoneName"], zone["State"]) == ("us-east-1a", "impaired")
    assert zone["Messages"][0]["Message"].startswith("us-east-1a is down: kill-zone, fault-")
