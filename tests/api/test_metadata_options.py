"""Metadata options: of an instance, of the account, and what they ask of tags."""

import pytest

from tests.api.machines import image_id, launch, launch_running, refused, show
from tests.api.paper import tagging

OLD = "amzn2-ami-hvm-2.0.20260915.0-x86_64-gp2"
BAD_KEY = (
    "'a b' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{1,255}), and must not be a "
    "reserved name ('.', '..', '_index')"
)


@pytest.fixture
def running(paper, ec2):
    return launch_running(paper, ec2)["InstanceId"]


def options(instance):
    found = instance["MetadataOptions"]
    members = ("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "InstanceMetadataTags")
    return tuple(found[member] for member in members)


def test_metadata_options_change_at_once_and_one_by_one(ec2, running):
    before = show(ec2, running)["MetadataOptions"]

    answer = ec2.modify_instance_metadata_options(
        InstanceId=running, HttpTokens="optional", InstanceMetadataTags="enabled"
    )

    assert answer["InstanceId"] == running
    assert answer["InstanceMetadataOptions"] == before | {
        "State": "pending",
        "HttpTokens": "optional",
        "InstanceMetadataTags": "enabled",
    }
    assert show(ec2, running)["MetadataOptions"] == answer["InstanceMetadataOptions"] | {"State": "applied"}


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"HttpPutResponseHopLimit": 0}, "InvalidParameterValue", "Specify a number from 1 to 64."),
        ({"HttpTokens": "maybe"}, "InvalidParameterValue", "maybe"),
    ],
    ids=["no hop", "no such value"],
)
def test_metadata_options_are_checked(ec2, running, change, code, message):
    with refused(code, message):
        ec2.modify_instance_metadata_options(InstanceId=running, **change)


def test_a_launch_asks_the_call_then_the_account_then_the_image(ec2, abroad, stranger):
    assert options(launch(ec2)) == ("required", 2, "enabled", "disabled")
    assert options(launch(ec2, ImageId=image_id(OLD))) == ("optional", 1, "enabled", "disabled")

    ec2.modify_instance_metadata_defaults(HttpTokens="optional", HttpPutResponseHopLimit=5)
    ec2.modify_instance_metadata_defaults(HttpEndpoint="disabled", InstanceMetadataTags="enabled")

    assert options(launch(ec2)) == ("optional", 5, "disabled", "enabled")
    asked = {"HttpTokens": "required", "HttpPutResponseHopLimit": 3, "HttpEndpoint": "enabled"}
    assert options(launch(ec2, MetadataOptions=asked)) == ("required", 3, "enabled", "enabled")
    assert options(launch(stranger))[0] == "required"
    assert options(launch(abroad, ImageId=image_id(region="eu-west-1")))[0] == "required"


def test_the_account_s_defaults_are_shown_and_taken_back(ec2):
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {"ManagedBy": "account"}
    assert ec2.modify_instance_metadata_defaults(HttpTokens="required", HttpPutResponseHopLimit=2)["Return"] is True
    found = ec2.get_instance_metadata_defaults()["AccountLevel"]
    assert found == {"ManagedBy": "account", "HttpTokens": "required", "HttpPutResponseHopLimit": 2}
    ec2.modify_instance_metadata_defaults(HttpTokens="no-preference", HttpPutResponseHopLimit=-1)
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {"ManagedBy": "account"}


@pytest.mark.parametrize(
    "change", [{"HttpPutResponseHopLimit": 65}, {"HttpPutResponseHopLimit": 0}, {"HttpTokens": "x"}]
)
def test_the_account_s_defaults_are_checked(ec2, change):
    with refused("InvalidParameterValue"):
        ec2.modify_instance_metadata_defaults(**change)
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {"ManagedBy": "account"}


def test_enforced_tokens_refuse_whoever_goes_without(ec2, running):
    ec2.modify_instance_metadata_defaults(HttpTokensEnforced="enabled")
    with refused(
        "UnsupportedOperation", "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled"
    ):
        launch(ec2, ImageId=image_id(OLD))
    with refused("UnsupportedOperation", "httpTokensEnforced"):
        ec2.modify_instance_metadata_options(InstanceId=running, HttpTokens="optional")
    assert options(launch(ec2, ImageId=image_id(OLD), MetadataOptions={"HttpTokens": "required"}))[0] == "required"
    assert ec2.get_instance_metadata_defaults()["AccountLevel"]["HttpTokensEnforced"] == "enabled"


def test_tags_that_no_path_can_name_are_refused_while_tags_are_shown(ec2, running):
    shown = {"InstanceMetadataTags": "enabled"}
    with refused("InvalidParameterValue", BAD_KEY):
        launch(ec2, MetadataOptions=shown, TagSpecifications=tagging("instance", **{"a b": "c"}))
    ec2.create_tags(Resources=[running], Tags=[{"Key": "a b", "Value": "c"}])
    with refused("InvalidParameterValue", BAD_KEY):
        ec2.modify_instance_metadata_options(InstanceId=running, **shown)

    ec2.delete_tags(Resources=[running], Tags=[{"Key": "a b"}])
    ec2.modify_instance_metadata_options(InstanceId=running, **shown)
    for key in ("a b", "a/b", "_index", ".."):
        with refused("InvalidParameterValue", f"'{key}' is not a valid tag key."):
            ec2.create_tags(Resources=[running], Tags=[{"Key": key, "Value": ""}])
    ec2.create_tags(Resources=[running], Tags=[{"Key": "Owner:a@b", "Value": "/ anything"}])
    assert show(ec2, running)["Tags"] == [{"Key": "Owner:a@b", "Value": "/ anything"}]
