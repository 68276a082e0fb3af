"""Systems Manager's public parameters, by which AWS's own instructions find an image."""

import re

import pytest
from botocore.exceptions import ClientError

from atoll.model.image_parameter import AMAZON_LINUX, UBUNTU
from tests.api.machines import image_id, refused
from tests.api.paper import code, refusal

LINUX_2023 = f"{AMAZON_LINUX}/al2023-ami-kernel-default-x86_64"
LINUX_2 = f"{AMAZON_LINUX}/amzn2-ami-hvm-x86_64-gp2"


@pytest.fixture
def ssm(paper):
    return paper.client("ssm")


def test_a_parameter_names_the_newest_image(ssm, ec2):
    parameter = ssm.get_parameter(Name=LINUX_2023)["Parameter"]

    (image,) = ec2.describe_images(ImageIds=[parameter["Value"]])["Images"]
    assert image["Name"].startswith("al2023-ami-2023.")
    assert image["Name"].endswith("-x86_64")
    assert (parameter["Name"], parameter["Type"], parameter["DataType"]) == (LINUX_2023, "String", "aws:ec2:image")
    assert parameter["ARN"] == f"arn:aws:ssm:us-east-1::parameter{LINUX_2023}"


@pytest.mark.parametrize(
    "name",
    ["al2023-ami-kernel-default-arm64", "al2023-ami-kernel-6.1-x86_64", "al2023-ami-minimal-kernel-default-x86_64",
     "amzn2-ami-hvm-x86_64-ebs", "amzn2-ami-hvm-arm64-gp2", "amzn2-ami-kernel-5.10-hvm-x86_64-gp2",
     "amzn-ami-hvm-x86_64-gp2"],
)  # fmt: skip
def test_the_parameters_that_programs_ask_for_exist(ssm, ec2, name):
    id = ssm.get_parameter(Name=f"{AMAZON_LINUX}/{name}")["Parameter"]["Value"]

    (image,) = ec2.describe_images(ImageIds=[id])["Images"]
    assert image["Architecture"] in name
    assert ("minimal" in image["Name"]) == ("minimal" in name)


@pytest.mark.parametrize(
    "release", ["22.04/stable/current/amd64/hvm/ebs-gp2", "noble/stable/current/arm64/hvm/ebs-gp3"]
)
def test_ubuntu_has_parameters_of_its_own(ssm, ec2, release):
    id = ssm.get_parameter(Name=f"/aws/service/canonical/ubuntu/server/{release}/ami-id")["Parameter"]["Value"]

    (image,) = ec2.describe_images(ImageIds=[id])["Images"]
    assert image["Name"].startswith("ubuntu/images/")
    assert {"x86_64": "amd64", "arm64": "arm64"}[image["Architecture"]] in release


def test_each_region_has_its_own_values(paper, ssm):
    there = paper.client("ssm", region="eu-west-1").get_parameter(Name=LINUX_2)["Parameter"]

    assert there["Value"] != ssm.get_parameter(Name=LINUX_2)["Parameter"]["Value"]
    assert there["ARN"].startswith("arn:aws:ssm:eu-west-1::")


def test_several_are_asked_for_at_once_and_the_unknown_are_named(ssm):
    answer = ssm.get_parameters(Names=[LINUX_2, "/golden-ami", LINUX_2023, f"{LINUX_2}:9"])

    assert [p["Name"] for p in answer["Parameters"]] == [LINUX_2, LINUX_2023]
    assert answer["InvalidParameters"] == ["/golden-ami", f"{LINUX_2}:9"]
    assert code(ssm.get_parameters, Names=[f"/p{n}" for n in range(11)]) == "ValidationException"


def test_a_version_and_an_arn_are_names_too(ssm):
    parameter = ssm.get_parameter(Name=f"{LINUX_2}:1", WithDecryption=True)["Parameter"]

    assert (parameter["Version"], parameter["Selector"]) == (1, ":1")
    assert ssm.get_parameter(Name=parameter["ARN"])["Parameter"]["Value"] == parameter["Value"]
    assert code(ssm.get_parameter, Name=f"{LINUX_2}:2") == "ParameterVersionNotFound"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (f"{AMAZON_LINUX}/al2024-ami-x86_64", AMAZON_LINUX),
        (f"{UBUNTU}/18.04/stable/current/amd64/hvm/ebs-gp2/ami-id", UBUNTU),
        ("/golden-ami", "/aws/service"),
    ],
    ids=["amazon", "ubuntu", "other"],
)
def test_an_unknown_parameter_is_refused_and_the_message_says_which_there_are(ec2, ssm, name, path):
    with pytest.raises(ssm.exceptions.ParameterNotFound, match=f"no parameter {name}\\.") as refused_here:
        ssm.get_parameter(Name=name)
    with pytest.raises(ClientError, match=f"no parameter {name}\\.") as refused_there:
        ec2.run_instances(ImageId=f"resolve:ssm:{name}", MinCount=1, MaxCount=1)

    for said in (str(refused_here.value), str(refused_there.value)):
        asked = re.search("by-path (--recursive )?--path ([^`]*)`", said)
        assert asked
        assert asked[2] == path
        assert ssm.get_parameters_by_path(Path=asked[2], Recursive=bool(asked[1]))["Parameters"]


def test_a_path_lists_what_is_below_it_page_by_page(ssm):
    pages = list(ssm.get_paginator("get_parameters_by_path").paginate(Path=AMAZON_LINUX))
    names = [p["Name"] for page in pages for p in page["Parameters"]]

    assert len(pages) > 1
    assert {LINUX_2, LINUX_2023} < set(names)
    assert names == sorted(set(names))
    assert ssm.get_parameters_by_path(Path="/aws/service")["Parameters"] == []
    assert len(ssm.get_parameters_by_path(Path="/aws/service/", Recursive=True, MaxResults=3)["Parameters"]) == 3
    assert ssm.get_parameters_by_path(Path="/", Recursive=True)["Parameters"] == []


@pytest.mark.parametrize(
    ("asked", "error"),
    [({"Path": "aws"}, "ValidationException"), ({"MaxResults": 11}, "ValidationException"),
     ({"NextToken": "mangled"}, "InvalidNextToken")],
    ids=["path", "size", "token"],
)  # fmt: skip
def test_a_bad_listing_is_refused(ssm, error, asked):
    assert code(ssm.get_parameters_by_path, **({"Path": AMAZON_LINUX} | asked)) == error


def test_the_rest_of_systems_manager_is_refused_and_the_message_leads_on(ssm):
    why, said = refusal(ssm.start_session, Target="i-1")

    assert why == "UnknownOperationException"
    assert "atoll port-forward" in said


def test_an_instance_is_launched_from_a_parameter(ec2, ssm):
    (made,) = ec2.run_instances(ImageId=f"resolve:ssm:{LINUX_2023}", MinCount=1, MaxCount=1)["Instances"]
    (again,) = ec2.run_instances(ImageId=f"resolve:ssm:{LINUX_2023}:1", MinCount=1, MaxCount=1)["Instances"]

    assert made["ImageId"] == again["ImageId"] == ssm.get_parameter(Name=LINUX_2023)["Parameter"]["Value"]


@pytest.mark.parametrize("name", ["/golden-ami", f"{LINUX_2023}:7", ""])
def test_a_launch_from_no_parameter_is_refused(ec2, name):
    with refused("SsmInvalidParameter", "There is no parameter"):
        ec2.run_instances(ImageId=f"resolve:ssm:{name}", MinCount=1, MaxCount=1)


def test_a_parameter_is_no_id_elsewhere(ec2):
    with refused("InvalidAMIID.Malformed"):
        ec2.describe_images(ImageIds=[f"resolve:ssm:{LINUX_2}"])
    assert ec2.describe_images(ImageIds=[image_id("amzn2-ami-hvm-2.0.20260915.0-x86_64-gp2")])["Images"]
