"""Flow logs through boto3: what can be asked for, what is refused, what is shown."""

import pytest

from atoll.network.flow_format import DEFAULT_FORMAT, VERSIONS
from tests.api.paper import by, code, ids, refusal, tagging

ROLE = "arn:aws:iam::000000000000:role/flow-logs"
BUCKET = "arn:aws:s3:::my-logs/team"
GONE = "fl-0123456789abcdef0"


@pytest.fixture
def interface(ec2, subnet):
    return ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]


def call(vpc, **more):
    """Return the parameters of a log of a VPC in a log group."""
    given = {
        "ResourceIds": [vpc],
        "ResourceType": "VPC",
        "TrafficType": "ALL",
        "LogGroupName": "flows",
        "DeliverLogsPermissionArn": ROLE,
    }
    return {name: value for name, value in (given | more).items() if value is not None}


def in_bucket(vpc, **more):
    given = {"LogGroupName": None, "DeliverLogsPermissionArn": None}
    return call(vpc, **(given | {"LogDestinationType": "s3", "LogDestination": BUCKET} | more))


def create(ec2, **given):
    made = ec2.create_flow_logs(**given)
    assert made["Unsuccessful"] == []
    return made["FlowLogIds"]


def show(ec2, id):
    return ec2.describe_flow_logs(FlowLogIds=[id])["FlowLogs"][0]


def test_a_log_in_a_log_group_is_shown_as_it_was_made(ec2, vpc):
    (id,) = create(ec2, **call(vpc, TagSpecifications=tagging("vpc-flow-log", Name="all")))

    shown = show(ec2, id)

    assert shown.pop("CreationTime")
    assert shown == {
        "FlowLogId": id,
        "ResourceId": vpc,
        "TrafficType": "ALL",
        "LogDestinationType": "cloud-watch-logs",
        "LogGroupName": "flows",
        "DeliverLogsPermissionArn": ROLE,
        "DeliverLogsStatus": "SUCCESS",
        "FlowLogStatus": "ACTIVE",
        "LogFormat": DEFAULT_FORMAT,
        "MaxAggregationInterval": 600,
        "Tags": [{"Key": "Name", "Value": "all"}],
    }
    assert id.startswith("fl-0")


def test_a_log_in_a_bucket_has_its_options(ec2, vpc):
    options = {"FileFormat": "plain-text", "HiveCompatiblePartitions": True, "PerHourPartition": True}
    (id,) = create(ec2, **in_bucket(vpc, DestinationOptions=options, MaxAggregationInterval=60))

    shown = show(ec2, id)

    assert (shown["LogDestination"], shown["LogDestinationType"]) == (BUCKET, "s3")
    assert shown["DestinationOptions"] == options
    assert shown["MaxAggregationInterval"] == 60
    assert "LogGroupName" not in shown


def test_a_log_group_can_be_named_by_its_arn(ec2, vpc):
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/vpc/flows:*"
    (id,) = create(ec2, **call(vpc, LogGroupName=None, LogDestination=arn))

    assert (show(ec2, id)["LogGroupName"], show(ec2, id)["LogDestination"]) == ("/aws/vpc/flows", arn)


def test_every_field_of_versions_two_to_five_can_be_asked_for(ec2, vpc):
    format = " ".join(f"${{{field}}}" for fields in VERSIONS.values() for field in fields)
    (id,) = create(ec2, **call(vpc, LogFormat=format))

    assert show(ec2, id)["LogFormat"] == format


@pytest.mark.parametrize(
    ("format", "said"),
    [
        ("${srcaddr} ${ecs-cluster-arn}", "Unknown fields provided: ecs-cluster-arn"),
        ("${encryption-status}", "Unknown fields provided: encryption-status"),
        ("srcaddr", "Format 'srcaddr' is not a list of fields such as ${version}"),
        ("", "Format '' is not a list of fields such as ${version}"),
    ],
)
def test_a_field_that_is_not_known_is_refused_by_name(ec2, vpc, format, said):
    assert refusal(ec2.create_flow_logs, **call(vpc, LogFormat=format)) == ("InvalidParameter", said)


def test_vpcs_subnets_and_interfaces_can_have_logs(ec2, vpc, subnet, interface):
    made = create(ec2, **call(vpc))
    made += create(ec2, **call(subnet, ResourceType="Subnet"))
    made += create(ec2, **call(interface, ResourceType="NetworkInterface"))

    assert [show(ec2, id)["ResourceId"] for id in made] == [vpc, subnet, interface]


def test_one_call_makes_a_log_for_each_resource_and_says_for_which_it_could_not(ec2, vpc):
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    create(ec2, **call(vpc))
    gone = "vpc-0123456789abcdef0"

    made = ec2.create_flow_logs(**call(vpc, ResourceIds=[vpc, other, gone]))

    assert [show(ec2, id)["ResourceId"] for id in made["FlowLogIds"]] == [other]
    assert [(u["ResourceId"], u["Error"]["Code"]) for u in made["Unsuccessful"]] == [
        (vpc, "FlowLogAlreadyExists"),
        (gone, "InvalidVpcID.NotFound"),
    ]


def test_a_second_log_with_the_same_configuration_is_refused_and_another_is_not(ec2, vpc):
    create(ec2, **call(vpc))

    assert refusal(ec2.create_flow_logs, **call(vpc)) == (
        "FlowLogAlreadyExists",
        "Error. There is an existing Flow Log with the same configuration and log destination.",
    )
    create(ec2, **call(vpc, TrafficType="REJECT"))
    assert code(ec2.create_flow_logs, **call(vpc, TrafficType="ACCEPT")) == "FlowLogsLimitExceeded"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"TrafficType": None}, ("MissingParameter", "The request must contain the parameter TrafficType")),
        ({"MaxAggregationInterval": 300}, ("InvalidParameter", "Invalid Flow Log Max Aggregation Interval")),
        (
            {"DeliverLogsPermissionArn": None},
            (
                "InvalidParameter",
                "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.",
            ),
        ),
        (
            {"LogGroupName": None},
            ("InvalidParameter", "LogDestination can't be empty if LogGroupName is not provided."),
        ),
        (
            {"LogDestination": BUCKET},
            ("InvalidParameter", "Please only provide LogGroupName or only provide LogDestination."),
        ),
        (
            {"LogDestinationType": "s3"},
            ("InvalidParameter", "LogDestinationType type must be cloud-watch-logs if LogGroupName is provided."),
        ),
        ({"LogGroupName": "no spaces"}, ("InvalidParameter", "LogDestination: no spaces does not name a log group.")),
        (
            {"LogGroupName": None, "LogDestination": BUCKET},
            ("InvalidParameter", f"LogDestination: {BUCKET} does not name a log group."),
        ),
        (
            {"DestinationOptions": {"PerHourPartition": True}},
            ("InvalidParameter", "DestinationOptions is only supported for LogDestinationType s3."),
        ),
        (
            {"LogDestinationType": "kinesis-data-firehose", "LogGroupName": None},
            ("UnsupportedOperation", "LogDestinationType kinesis-data-firehose is not supported by Atoll."),
        ),
        (
            {"ResourceType": "TransitGateway"},
            ("UnsupportedOperation", "A flow log of a TransitGateway is not supported by Atoll."),
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_does_not_belong_together_is_refused(ec2, vpc, change, said):
    assert refusal(ec2.create_flow_logs, **call(vpc, **change)) == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"LogDestination": "my-logs"},
            ("InvalidParameter", "LogDestination: my-logs does not name a bucket."),
        ),
        (
            {"LogDestination": "arn:aws:s3:::my-logs/../../etc"},
            ("InvalidParameter", "LogDestination: arn:aws:s3:::my-logs/../../etc does not name a bucket."),
        ),
        (
            {"LogDestination": "arn:aws:s3:::my-logs/AWSLogs/"},
            (
                "InvalidParameter",
                "LogDestination: arn:aws:s3:::my-logs/AWSLogs/ has AWSLogs as a subfolder, which is reserved.",
            ),
        ),
        (
            {"DeliverLogsPermissionArn": ROLE},
            ("InvalidParameter", "DeliverLogsPermissionArn is not supported for LogDestinationType s3."),
        ),
        (
            {"DestinationOptions": {"FileFormat": "parquet"}},
            ("UnsupportedOperation", "FileFormat parquet is not supported by Atoll."),
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_in_a_bucket_is_refused(ec2, vpc, change, said):
    assert refusal(ec2.create_flow_logs, **in_bucket(vpc, **change)) == said


def test_logs_are_found_by_every_filter(ec2, vpc, subnet):
    (all_,) = create(ec2, **call(vpc, TagSpecifications=tagging("vpc-flow-log", team="a")))
    (rejects,) = create(ec2, **in_bucket(subnet, ResourceType="Subnet", TrafficType="REJECT"))

    def found(filters):
        return ids(ec2.describe_flow_logs(Filter=filters)["FlowLogs"], "FlowLogId")

    assert found(by(resource_id=vpc)) == found(by(traffic_type="ALL")) == found(by(log_group_name="flows")) == [all_]
    assert found(by(flow_log_id=all_)) == found([{"Name": "tag:team", "Values": ["a"]}]) == [all_]
    assert found(by(log_destination_type="s3")) == [rejects]
    assert sorted(found(by(deliver_log_status="SUCCESS"))) == sorted([all_, rejects])
    assert found(by(deliver_log_status="FAILED")) == []
    assert code(ec2.describe_flow_logs, Filter=by(vpc_id=vpc)) == "InvalidParameterValue"
    pages = ec2.get_paginator("describe_flow_logs").paginate(PaginationConfig={"PageSize": 5})
    assert len([log for page in pages for log in page["FlowLogs"]]) == 2


def test_a_deleted_log_is_gone_and_one_that_never_was_cannot_be_deleted(ec2, vpc):
    (id,) = create(ec2, **call(vpc))

    assert refusal(ec2.delete_flow_logs, FlowLogIds=[id, GONE]) == (
        "InvalidFlowLogId.NotFound",
        f"These flow log ids in the input list are not found: [TotalCount: 1] {GONE}",
    )
    assert show(ec2, id)
    assert ec2.delete_flow_logs(FlowLogIds=[id])["Unsuccessful"] == []
    assert code(ec2.describe_flow_logs, FlowLogIds=[id]) == "InvalidFlowLogId.NotFound"
    assert code(ec2.delete_flow_logs, FlowLogIds=["fl-x"]) == "InvalidFlowLogId.Malformed"


def test_a_log_goes_with_what_it_is_about(ec2, subnet):
    create(ec2, **call(subnet, ResourceType="Subnet"))
    ec2.delete_subnet(SubnetId=subnet)

    assert ec2.describe_flow_logs()["FlowLogs"] == []


def test_a_dry_run_makes_nothing_and_a_token_makes_one(ec2, vpc):
    assert code(ec2.create_flow_logs, **call(vpc), DryRun=True) == "DryRunOperation"
    assert ec2.describe_flow_logs()["FlowLogs"] == []
    first = ec2.create_flow_logs(**call(vpc), ClientToken="once")
    assert ec2.create_flow_logs(**call(vpc), ClientToken="once")["FlowLogIds"] == first["FlowLogIds"]
    assert first["ClientToken"] == "once"


def test_a_stranger_sees_nothing_of_it(ec2, stranger, vpc):
    (id,) = create(ec2, **call(vpc))

    assert stranger.describe_flow_logs()["FlowLogs"] == []
    assert code(stranger.delete_flow_logs, FlowLogIds=[id]) == "InvalidFlowLogId.NotFound"
    assert code(stranger.create_flow_logs, **call(vpc)) == "InvalidVpcID.NotFound"


def test_tags_come_and_go(ec2, vpc):
    (id,) = create(ec2, **call(vpc))
    ec2.create_tags(Resources=[id], Tags=[{"Key": "team", "Value": "a"}])

    tags = ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": ["vpc-flow-log"]}])["Tags"]
    assert [(t["ResourceId"], t["Key"]) for t in tags] == [(id, "team")]
    ec2.delete_tags(Resources=[id], Tags=[{"Key": "team"}])
    assert show(ec2, id)["Tags"] == []
