"""`atoll quota` against a daemon: what it lists, what it sets, and that the next call obeys it."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.cli.daemon import Atoll


@pytest.fixture(scope="module")
def atoll():
    directory = Path(tempfile.mkdtemp(prefix="atoll-quota-"))
    made = Atoll(directory / "state", "paper")
    try:
        done = made.up()
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        made("down", "--purge")
        shutil.rmtree(directory)


def values(atoll, **environment):
    return {q["code"]: q["value"] for q in json.loads(atoll("quota", "list", "--json", **environment).stdout)}


def test_quotas_are_listed_for_people(atoll):
    done = atoll("quota", "list")

    assert done.returncode == 0
    (row,) = [line for line in done.stdout.splitlines() if "L-F678F1CE" in line]
    assert row.split() == ["vpc", "L-F678F1CE", "VPCs", "per", "Region", "100", "5"]


def test_a_quota_holds_from_the_next_call_on_for_its_account_only(atoll):
    done = atoll("quota", "set", "L-F678F1CE", "1")
    other = {"AWS_ACCESS_KEY_ID": "222222222222"}

    assert (done.returncode, done.stdout) == (0, "VPCs per Region: 1\n")
    assert values(atoll)["L-F678F1CE"] == 1
    assert values(atoll, **other)["L-F678F1CE"] == 100
    with pytest.raises(ClientError, match="VpcLimitExceeded"):
        atoll.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    asked = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"}
    atoll.client("service-quotas").request_service_quota_increase(**asked, DesiredValue=2)
    atoll.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")


def test_all_quotas_can_be_those_of_a_fresh_account_and_what_atoll_starts_with(atoll):
    before = values(atoll)

    assert atoll("quota", "set", "all", "aws").returncode == 0
    assert values(atoll)["L-0263D0A3"] == 5
    assert atoll("quota", "set", "all", "default").returncode == 0
    assert values(atoll) == before | {"L-F678F1CE": 100}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("L-NONE", "1"), "'L-NONE' is no quota of Atoll's"),
        (("L-F678F1CE", "lots"), "'lots' is no value: give a number, aws or default"),
        (("L-7E9ECCDB", "1000"), "can be 125 at most"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(atoll, words, said):
    done = atoll("quota", "set", *words)

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
