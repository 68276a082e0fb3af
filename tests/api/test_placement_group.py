"""Placement groups, and where instances and cache nodes stand."""

import pytest
from botocore.exceptions import ClientError

from atoll.ec2 import quotas
from atoll.model.hardware import HOSTS_PER_RACK, RACKS, rack_of
from atoll.model.instance import Instance
from atoll.model.interface import Interface
from tests.api.machines import launch, launch_running, refused, show
from tests.api.paper import tagging

LARGE = "m5.large"


@pytest.fixture
def b_subnet(ec2, vpc):
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-1b")
    return made["Subnet"]["SubnetId"]


@pytest.fixture
def group(ec2):
    """Return a function that makes a group of a strategy, called like it."""

    def make(strategy, **more):
        ec2.create_placement_group(GroupName=strategy, Strategy=strategy, **more)
        return {"GroupName": strategy}

    return make


def host(paper, instance):
    return paper.world[Instance, instance["InstanceId"]].host


def rack(paper, instance):
    return rack_of(host(paper, instance))


def several(ec2, subnet, count, **parameters):
    asked = {"InstanceType": LARGE, "SubnetId": subnet} | parameters
    return [launch(ec2, **asked) for _ in range(count)]


def test_a_group_is_made_described_and_deleted(ec2):
    made = ec2.create_placement_group(
        GroupName="db",
        Strategy="partition",
        PartitionCount=3,
        TagSpecifications=tagging("placement-group", team="web"),
    )["PlacementGroup"]

    assert made["GroupId"].startswith("pg-0")
    assert made["GroupArn"].endswith("placement-group/db")
    assert (made["State"], made["Strategy"], made["PartitionCount"]) == ("available", "partition", 3)
    assert made["Tags"] == [{"Key": "team", "Value": "web"}]
    assert ec2.describe_placement_groups()["PlacementGroups"] == [made]
    assert ec2.describe_placement_groups(GroupIds=[made["GroupId"]], GroupNames=["db"])["PlacementGroups"] == [made]
    ec2.delete_placement_group(GroupName="db")
    assert ec2.describe_placement_groups()["PlacementGroups"] == []


def test_what_a_strategy_leaves_unsaid_is_as_on_aws(ec2):
    for strategy in ("cluster", "spread", "partition"):
        ec2.create_placement_group(GroupName=strategy, Strategy=strategy)
    ec2.create_placement_group(GroupName="unsaid")

    groups = {g["GroupName"]: g for g in ec2.describe_placement_groups()["PlacementGroups"]}

    assert groups["unsaid"]["Strategy"] == "cluster"
    assert groups["spread"]["SpreadLevel"] == "rack"
    assert groups["partition"]["PartitionCount"] == 2
    assert "SpreadLevel" not in groups["cluster"]
    assert "PartitionCount" not in groups["spread"]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("strategy", "spread", ["s"]),
        ("spread-level", "host", ["s"]),
        ("group-name", "p*", ["p"]),
        ("group-arn", "*placement-group/c", ["c"]),
        ("state", "available", ["c", "p", "s"]),
        ("state", "deleted", []),
        ("tag:a", "1", ["p"]),
        ("tag-key", "a", ["p"]),
    ],
)
def test_groups_are_filtered(ec2, name, value, found):
    ec2.create_placement_group(GroupName="c")
    tags = tagging("placement-group", a="1")
    ec2.create_placement_group(GroupName="p", Strategy="partition", TagSpecifications=tags)
    ec2.create_placement_group(GroupName="s", Strategy="spread", SpreadLevel="host")

    groups = ec2.describe_placement_groups(Filters=[{"Name": name, "Values": [value]}])["PlacementGroups"]

    assert [g["GroupName"] for g in groups] == found


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"GroupName": "taken"}, "InvalidPlacementGroup.Duplicate", "The Placement Group 'taken' already exists."),
        ({}, "MissingParameter", "groupName"),
        ({"GroupName": "x" * 256}, "InvalidParameterValue", "255"),
        ({"GroupName": "é"}, "InvalidParameterValue", "ASCII"),
        ({"GroupName": "x", "PartitionCount": 2}, "InvalidParameterCombination", "partition strategy"),
        ({"GroupName": "x", "SpreadLevel": "rack"}, "InvalidParameterCombination", "spread strategy"),
        (
            {"GroupName": "x", "Strategy": "partition", "PartitionCount": 8},
            "InvalidParameterValue",
            "Value (8) for parameter partitionCount is invalid. Specify a number from 1 to 7.",
        ),
        ({"GroupName": "x", "Strategy": "partition", "PartitionCount": 0}, "InvalidParameterValue", "from 1 to 7"),
        ({"GroupName": "x", "Strategy": "precision-time"}, "UnsupportedOperation", "precision-time"),
    ],
)
def test_a_group_that_cannot_be_is_refused(ec2, asked, code, message):
    ec2.create_placement_group(GroupName="taken")

    with refused(code, message):
        ec2.create_placement_group(**asked)


def test_there_is_a_quota(ec2, monkeypatch):
    monkeypatch.setattr(quotas, "PLACEMENT_GROUPS_MAX", 1)
    ec2.create_placement_group(GroupName="one")

    with refused("PlacementGroupLimitExceeded", "The maximum number of placement groups has been reached."):
        ec2.create_placement_group(GroupName="two")


def test_an_unknown_group_is_refused(ec2, stranger, subnet):
    ec2.create_placement_group(GroupName="mine")
    unknown = "InvalidPlacementGroup.Unknown"

    for client in (stranger,):
        with refused(unknown, "The Placement Group 'mine' is unknown."):
            client.describe_placement_groups(GroupNames=["mine"])
    with refused(unknown, "The Placement Group 'yours' is unknown."):
        ec2.delete_placement_group(GroupName="yours")
    with refused(unknown):
        ec2.describe_placement_groups(GroupIds=["pg-0123456789abcdef0"])
    with refused("InvalidPlacementGroupId.Malformed"):
        ec2.describe_placement_groups(GroupIds=["pg-1"])
    with refused(unknown, "The Placement Group 'yours' is unknown."):
        launch(ec2, SubnetId=subnet, Placement={"GroupName": "yours"})


def test_a_group_with_instances_that_are_not_terminated_is_not_deleted(paper, ec2, subnet, group):
    where = group("spread")
    id = launch_running(paper, ec2, SubnetId=subnet, Placement=where)["InstanceId"]

    with refused("InvalidPlacementGroup.InUse", "The placement group 'spread' is in use and may not be deleted."):
        ec2.delete_placement_group(GroupName="spread")
    ec2.stop_instances(InstanceIds=[id])
    paper.settle()
    with refused("InvalidPlacementGroup.InUse"):
        ec2.delete_placement_group(GroupName="spread")
    ec2.terminate_instances(InstanceIds=[id])
    paper.settle()

    assert show(ec2, id)["Placement"]["GroupName"] == "spread"
    ec2.delete_placement_group(GroupName="spread")
    assert show(ec2, id)["Placement"]["GroupName"] == ""


def test_tags_of_a_group_are_changed_like_all_others(ec2):
    id = ec2.create_placement_group(GroupName="g")["PlacementGroup"]["GroupId"]

    ec2.create_tags(Resources=[id], Tags=[{"Key": "a", "Value": "1"}])

    (tag,) = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [id]}])["Tags"]
    assert (tag["ResourceType"], tag["Key"], tag["Value"]) == ("placement-group", "a", "1")


def test_the_group_shows_in_the_instance_and_in_its_filters(ec2, subnet, group):
    where = group("partition", PartitionCount=3) | {"PartitionNumber": 2}
    other = launch(ec2, SubnetId=subnet)

    one = launch(ec2, SubnetId=subnet, Placement=where)

    assert one["Placement"]["GroupName"] == "partition"
    assert one["Placement"]["GroupId"].startswith("pg-")
    assert one["Placement"]["PartitionNumber"] == 2
    assert "PartitionNumber" not in other["Placement"]
    for name, value in (("placement-group-name", "partition"), ("placement-partition-number", "2")):
        found = ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}])["Reservations"]
        assert [i["InstanceId"] for r in found for i in r["Instances"]] == [one["InstanceId"]]


def test_without_a_group_instances_stand_on_different_hosts_and_racks(paper, ec2, subnet):
    launched = several(ec2, subnet, RACKS + 1)

    hosts = [host(paper, i) for i in launched]

    assert len(set(hosts)) == len(hosts)
    assert len(set(map(rack_of, hosts))) == RACKS
    assert all(h.startswith("us-east-1a-r") for h in hosts)


def test_instances_of_a_cluster_stand_on_one_rack_of_one_zone(paper, ec2, subnet, b_subnet, group):
    where = group("cluster")
    several(ec2, subnet, 3)  # somebody else's, so that the racks are not equally full

    members = several(ec2, subnet, 6, Placement=where)

    assert len({rack(paper, i) for i in members}) == 1
    assert len({host(paper, i) for i in members}) == HOSTS_PER_RACK
    with refused(
        "InvalidPlacementGroup.InUse",
        "The placement group 'cluster' is in use in another availability zone: us-east-1a",
    ):
        launch(ec2, InstanceType=LARGE, SubnetId=b_subnet, Placement=where)


def test_burstable_types_cannot_be_in_a_cluster(ec2, subnet, group):
    where = group("cluster")

    with refused(
        "InvalidParameterCombination",
        "Cluster placement groups are not supported by the 't3.micro' instance type. Specify a supported instance "
        "type or change the placement group strategy, and try again.",
    ):
        launch(ec2, SubnetId=subnet, Placement=where)


def test_partitions_fill_evenly_and_share_no_rack(paper, ec2, subnet, group):
    where = group("partition", PartitionCount=7)

    members = several(ec2, subnet, 14, Placement=where)

    racks = {}
    for i in members:
        racks.setdefault(i["Placement"]["PartitionNumber"], []).append(rack(paper, i))
    assert {n: len(found) for n, found in racks.items()} == dict.fromkeys(range(1, 8), 2)
    assert all(len(set(found)) == 1 for found in racks.values())
    assert len({found[0] for found in racks.values()}) == 7


def test_partitions_stand_in_several_zones(paper, ec2, subnet, b_subnet, group):
    where = group("partition", PartitionCount=2) | {"PartitionNumber": 1}

    one, other = launch(ec2, SubnetId=subnet, Placement=where), launch(ec2, SubnetId=b_subnet, Placement=where)

    assert rack(paper, one) != rack(paper, other)
    assert one["Placement"]["PartitionNumber"] == other["Placement"]["PartitionNumber"] == 1


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ({"PartitionNumber": 3}, "InvalidParameterValue", "has the partitions 1 to 2"),
        ({"PartitionNumber": 0}, "InvalidParameterValue", "has the partitions 1 to 2"),
        ({"GroupId": "pg-0123456789abcdef0"}, "InvalidParameterCombination", "groupName and groupId"),
        ({"Tenancy": "dedicated"}, "UnsupportedOperation", "tenancy"),
        ({"SpreadDomain": "x"}, "UnsupportedOperation", "Placement.SpreadDomain"),
        ({"HostId": "h-1"}, "UnsupportedOperation", "Placement.HostId"),
    ],
)
def test_a_placement_that_cannot_be_is_refused(ec2, subnet, group, more, code, message):
    where = group("partition", PartitionCount=2)

    with refused(code, message):
        launch(ec2, SubnetId=subnet, Placement=where | more)


def test_a_partition_number_needs_a_partition_group(ec2, subnet, group):
    for where in ({}, group("spread")):
        with refused("InvalidParameterCombination", "only be specified for a partition placement group"):
            launch(ec2, SubnetId=subnet, Placement={"PartitionNumber": 1, **where})


def test_the_eighth_spread_instance_of_a_zone_does_not_start(paper, ec2, subnet, b_subnet, group):
    where = group("spread")
    seven = several(ec2, subnet, 7, Placement=where)

    assert len({rack(paper, i) for i in seven}) == 7
    with refused("InsufficientInstanceCapacity", "the placement group 'spread'"):
        launch(ec2, SubnetId=subnet, Placement=where)
    assert launch(ec2, SubnetId=b_subnet, Placement=where)


def test_a_launch_of_several_starts_as_many_as_there_is_room_for(ec2, subnet, group):
    where = group("spread")

    launched = ec2.run_instances(
        ImageId=launch(ec2, SubnetId=subnet)["ImageId"], InstanceType=LARGE, SubnetId=subnet, Placement=where,
        MinCount=5, MaxCount=9,
    )["Instances"]  # fmt: skip

    assert len(launched) == 7
    assert [i["AmiLaunchIndex"] for i in launched] == list(range(7))


def test_a_stopped_member_of_a_spread_group_makes_room_and_starts_only_if_there_is_some(paper, ec2, subnet, group):
    where = group("spread")
    ids = [i["InstanceId"] for i in several(ec2, subnet, 7, Placement=where)]
    paper.settle()
    ec2.stop_instances(InstanceIds=ids[:1])
    paper.settle()
    assert paper.world[Instance, ids[0]].host is None

    launch(ec2, SubnetId=subnet, Placement=where)

    with refused("InsufficientInstanceCapacity"):
        ec2.start_instances(InstanceIds=ids[:1])
    ec2.terminate_instances(InstanceIds=ids[1:2])
    paper.settle()
    ec2.start_instances(InstanceIds=ids[:1])
    racks = [rack_of(i.host) for i in paper.world.all(Instance) if i.host]
    assert len(racks) == len(set(racks)) == 7


def test_a_spread_group_by_host_fills_every_host_once(paper, ec2, subnet, group):
    where = group("spread", SpreadLevel="host")
    count = RACKS * HOSTS_PER_RACK

    members = several(ec2, subnet, count, Placement=where)

    assert len({host(paper, i) for i in members}) == count
    with refused("InsufficientInstanceCapacity"):
        launch(ec2, SubnetId=subnet, Placement=where)


def test_a_capacity_error_is_one_of_the_server_s(ec2, subnet, group):
    where = group("spread", SpreadLevel="host")
    several(ec2, subnet, RACKS * HOSTS_PER_RACK, Placement=where)

    with pytest.raises(ClientError) as caught:
        launch(ec2, SubnetId=subnet, Placement=where)

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_a_stopped_instance_moves_into_a_group_and_out_of_it(paper, ec2, subnet, group):
    group("partition", PartitionCount=3)
    id = launch_running(paper, ec2, SubnetId=subnet)["InstanceId"]
    with refused("IncorrectInstanceState", f"The instance '{id}' is not in the 'stopped' state."):
        ec2.modify_instance_placement(InstanceId=id, GroupName="partition")
    ec2.stop_instances(InstanceIds=[id])
    paper.settle()

    assert ec2.modify_instance_placement(InstanceId=id, GroupName="partition", PartitionNumber=3)["Return"]

    assert show(ec2, id)["Placement"]["PartitionNumber"] == 3
    ec2.modify_instance_placement(InstanceId=id, PartitionNumber=2)
    assert show(ec2, id)["Placement"]["PartitionNumber"] == 2
    ec2.modify_instance_placement(InstanceId=id, GroupName="")
    assert show(ec2, id)["Placement"]["GroupName"] == ""
    with refused("InvalidParameterCombination", "partition placement group"):
        ec2.modify_instance_placement(InstanceId=id, PartitionNumber=2)
    with refused("MissingParameter"):
        ec2.modify_instance_placement(InstanceId=id)
    with refused("UnsupportedOperation", "tenancy"):
        ec2.modify_instance_placement(InstanceId=id, Tenancy="host")


def test_an_instance_that_moved_without_a_number_joins_the_smallest_partition_when_it_starts(
    paper, ec2, subnet, group
):
    where = group("partition", PartitionCount=2)
    launch(ec2, SubnetId=subnet, Placement=where)
    id = launch_running(paper, ec2, SubnetId=subnet)["InstanceId"]
    ec2.stop_instances(InstanceIds=[id])
    paper.settle()

    ec2.modify_instance_placement(InstanceId=id, **where)

    assert "PartitionNumber" not in show(ec2, id)["Placement"]
    ec2.start_instances(InstanceIds=[id])
    assert show(ec2, id)["Placement"]["PartitionNumber"] == 2


def test_an_instance_of_another_zone_does_not_move_into_a_cluster(paper, ec2, subnet, b_subnet, group):
    where = group("cluster")
    launch(ec2, InstanceType=LARGE, SubnetId=subnet, Placement=where)
    id = launch_running(paper, ec2, InstanceType=LARGE, SubnetId=b_subnet)["InstanceId"]
    ec2.stop_instances(InstanceIds=[id])
    paper.settle()

    with refused("InvalidPlacementGroup.InUse", "in use in another availability zone: us-east-1a"):
        ec2.modify_instance_placement(InstanceId=id, GroupName="cluster")


def test_topology_tells_who_stands_near_whom(ec2, subnet, b_subnet, group):
    where = group("cluster")
    near = [i["InstanceId"] for i in several(ec2, subnet, 2, Placement=where)]
    far = launch(ec2, SubnetId=b_subnet)["InstanceId"]

    nodes = {i["InstanceId"]: i for i in ec2.describe_instance_topology()["Instances"]}

    assert nodes[near[0]]["NetworkNodes"] == nodes[near[1]]["NetworkNodes"]
    assert not set(nodes[near[0]]["NetworkNodes"]) & set(nodes[far]["NetworkNodes"])
    assert nodes[near[0]]["GroupName"] == "cluster"
    only = ec2.describe_instance_topology(GroupNames=["cluster"])["Instances"]
    assert {i["InstanceId"] for i in only} == set(near)
    in_zone = [{"Name": "zone-id", "Values": [nodes[far]["ZoneId"]]}]
    only = ec2.describe_instance_topology(Filters=in_zone)["Instances"]
    assert [i["InstanceId"] for i in only] == [far]
    with refused("InvalidParameterCombination"):
        ec2.describe_instance_topology(InstanceIds=[far], MaxResults=5)


def test_replicas_of_one_group_stand_on_different_hosts(paper, cache, private):
    for n in range(3):
        cache.create_replication_group(
            ReplicationGroupId=f"rg{n}", ReplicationGroupDescription="x", Engine="valkey", NumCacheClusters=6,
            CacheNodeType="cache.t3.micro", CacheSubnetGroupName=private, AutomaticFailoverEnabled=False,
        )  # fmt: skip
        hosts = [
            i.host
            for i in paper.world.seen_by(None).all(Interface)
            if i.description.startswith(f"ElastiCache rg{n}-")
        ]
        assert len(hosts) == len(set(hosts)) == 6
