"""The options of an instance that have calls of their own."""

import pytest

from tests.api.machines import launch, launch_running, launch_stopped, refused, show


@pytest.fixture
def running(paper, ec2):
    return launch_running(paper, ec2)["InstanceId"]


def test_recovery_can_be_switched_off(ec2, running):
    answer = ec2.modify_instance_maintenance_options(InstanceId=running, AutoRecovery="disabled")

    assert (answer["InstanceId"], answer["AutoRecovery"]) == (running, "disabled")
    assert show(ec2, running)["MaintenanceOptions"]["AutoRecovery"] == "disabled"
    with refused("UnsupportedOperation", "RebootMigration"):
        ec2.modify_instance_maintenance_options(InstanceId=running, RebootMigration="disabled")


def test_names_change_while_stopped_and_records_at_any_time(paper, ec2, running):
    stopped = launch_stopped(paper, ec2)["InstanceId"]
    change = {"PrivateDnsHostnameType": "resource-name"}

    assert ec2.modify_private_dns_name_options(InstanceId=stopped, **change)["Return"] is True
    assert show(ec2, stopped)["PrivateDnsName"] == f"{stopped}.ec2.internal"
    with refused("IncorrectInstanceState", f"The instance '{running}' is not in the 'stopped' state."):
        ec2.modify_private_dns_name_options(InstanceId=running, **change)
    ec2.modify_private_dns_name_options(InstanceId=running, EnableResourceNameDnsARecord=True)
    assert show(ec2, running)["PrivateDnsNameOptions"]["EnableResourceNameDnsARecord"] is True
    ec2.modify_private_dns_name_options(InstanceId=running, EnableResourceNameDnsAAAARecord=True)
    assert show(ec2, running)["PrivateDnsNameOptions"]["EnableResourceNameDnsAAAARecord"] is True


@pytest.mark.parametrize(
    ("type", "asked", "credits"),
    [("t3.micro", None, "unlimited"), ("t2.micro", None, "standard"), ("t3.micro", "standard", "standard")],
    ids=["t3", "t2", "as asked"],
)
def test_burstable_instances_burst_by_type_or_as_asked(ec2, type, asked, credits):
    given = {"CreditSpecification": {"CpuCredits": asked}} if asked else {}
    id = launch(ec2, InstanceType=type, **given)["InstanceId"]

    found = ec2.describe_instance_credit_specifications(InstanceIds=[id])["InstanceCreditSpecifications"]

    assert found == [{"InstanceId": id, "CpuCredits": credits}]


def test_without_ids_only_the_unlimited_are_listed(ec2):
    unlimited = launch(ec2)["InstanceId"]
    launch(ec2, InstanceType="t2.micro")
    launch(ec2, InstanceType="m5.large")

    found = ec2.describe_instance_credit_specifications()["InstanceCreditSpecifications"]
    assert [c["InstanceId"] for c in found] == [unlimited]
    by_id = [{"Name": "instance-id", "Values": ["i-x*"]}]
    assert ec2.describe_instance_credit_specifications(Filters=by_id)["InstanceCreditSpecifications"] == []


def test_an_instance_that_does_not_burst_has_no_credits(ec2):
    id = launch(ec2, InstanceType="m5.large")["InstanceId"]

    with refused("UnsupportedOperation", f"The instance '{id}' is not a burstable performance instance."):
        ec2.describe_instance_credit_specifications(InstanceIds=[id])
    with refused("InvalidParameterCombination"):
        ec2.describe_instance_credit_specifications(InstanceIds=[id], MaxResults=5)


def test_credits_change_and_what_cannot_is_listed_apart(ec2, running):
    fixed = launch(ec2, InstanceType="m5.large")["InstanceId"]
    asked = [{"InstanceId": id, "CpuCredits": "standard"} for id in (running, fixed, "i-0123456789abcdef0")]

    answer = ec2.modify_instance_credit_specification(InstanceCreditSpecifications=asked)

    assert answer["SuccessfulInstanceCreditSpecifications"] == [{"InstanceId": running}]
    failed = {f["InstanceId"]: f["Error"]["Code"] for f in answer["UnsuccessfulInstanceCreditSpecifications"]}
    assert failed == {
        fixed: "InstanceCreditSpecification.NotSupported",
        "i-0123456789abcdef0": "InvalidInstanceID.NotFound",
    }
    (credit,) = ec2.describe_instance_credit_specifications(InstanceIds=[running])["InstanceCreditSpecifications"]
    assert credit["CpuCredits"] == "standard"
    with refused("InvalidParameterValue", "Specify standard or unlimited."):
        ec2.modify_instance_credit_specification(
            InstanceCreditSpecifications=[{"InstanceId": running, "CpuCredits": "some"}]
        )
