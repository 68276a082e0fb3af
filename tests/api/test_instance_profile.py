"""Instance profiles: attached at launch or later, replaced, taken off."""

import pytest

from tests.api.machines import launch, launch_running, refused, show
from tests.api.paper import ACCOUNT

WEB, DATABASE = {"Name": "web"}, {"Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/team/database"}


@pytest.fixture
def running(paper, ec2):
    return launch_running(paper, ec2)["InstanceId"]


def listed(ec2, **parameters):
    return ec2.describe_iam_instance_profile_associations(**parameters)["IamInstanceProfileAssociations"]


def test_a_profile_is_attached_replaced_and_taken_off(ec2, running):
    made = ec2.associate_iam_instance_profile(InstanceId=running, IamInstanceProfile=WEB)
    made = made["IamInstanceProfileAssociation"]
    assert (made["InstanceId"], made["State"]) == (running, "associating")
    assert made["IamInstanceProfile"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/web"
    assert show(ec2, running)["IamInstanceProfile"] == made["IamInstanceProfile"]
    assert listed(ec2) == [made | {"State": "associated"}]

    other = ec2.replace_iam_instance_profile_association(
        AssociationId=made["AssociationId"], IamInstanceProfile=DATABASE
    )["IamInstanceProfileAssociation"]
    assert other["AssociationId"] != made["AssociationId"]
    assert show(ec2, running)["IamInstanceProfile"]["Arn"] == DATABASE["Arn"]

    gone = ec2.disassociate_iam_instance_profile(AssociationId=other["AssociationId"])[
        "IamInstanceProfileAssociation"
    ]
    assert (gone["State"], gone["IamInstanceProfile"]) == ("disassociating", other["IamInstanceProfile"])
    assert "IamInstanceProfile" not in show(ec2, running)
    assert listed(ec2) == []


def test_a_launch_with_a_profile_has_an_association_until_it_is_terminated(paper, ec2, running, stranger):
    id = launch(ec2, IamInstanceProfile=WEB)["InstanceId"]
    (found,) = listed(ec2)
    assert (found["InstanceId"], found["State"]) == (id, "associated")
    assert listed(ec2, AssociationIds=[found["AssociationId"]]) == [found]
    assert listed(ec2, Filters=[{"Name": "instance-id", "Values": [id]}]) == [found]
    assert listed(ec2, Filters=[{"Name": "instance-id", "Values": [running]}]) == []
    assert listed(ec2, Filters=[{"Name": "state", "Values": ["disassociated"]}]) == []
    assert listed(stranger) == []
    ec2.terminate_instances(InstanceIds=[id])
    paper.settle()
    assert listed(ec2) == []


def test_what_cannot_be_attached_is_refused_and_changes_nothing(paper, ec2, running, stranger):
    association = ec2.associate_iam_instance_profile(InstanceId=running, IamInstanceProfile=WEB)
    association = association["IamInstanceProfileAssociation"]["AssociationId"]
    with refused("IncorrectState", f"There is an existing association for instance {running}"):
        ec2.associate_iam_instance_profile(InstanceId=running, IamInstanceProfile=DATABASE)
    with refused("InvalidInstanceID.NotFound"):
        ec2.associate_iam_instance_profile(InstanceId="i-00000000000000000", IamInstanceProfile=WEB)
    with refused("MissingParameter", "IamInstanceProfile"):
        ec2.replace_iam_instance_profile_association(AssociationId=association, IamInstanceProfile={})
    with refused("InvalidParameterValue", "Invalid value for associationId."):
        ec2.disassociate_iam_instance_profile(AssociationId=running)
    with refused("NoSuchAssociation", f"An invalid association-id of '{association}' was given"):
        stranger.disassociate_iam_instance_profile(AssociationId=association)
    assert show(ec2, running)["IamInstanceProfile"]["Arn"].endswith("/web")
    ec2.terminate_instances(InstanceIds=[running])
    with refused("IncorrectInstanceState"):
        ec2.associate_iam_instance_profile(InstanceId=running, IamInstanceProfile=WEB)
    paper.settle()
    with refused("NoSuchAssociation"):
        ec2.disassociate_iam_instance_profile(AssociationId=association)
