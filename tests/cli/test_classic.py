"""`atoll classic`: the account's mode, by the command line."""

import json

import pytest

from tests.cli.daemon import Atoll


@pytest.fixture(scope="module")
def atoll(tmp_path_factory):
    atoll = Atoll(tmp_path_factory.mktemp("state"), host="paper")
    assert atoll.up().returncode == 0
    yield atoll
    atoll("down", "--purge")


def mode(atoll, **environment):
    return json.loads(atoll("classic", "show", "--json", **environment).stdout)


def test_an_account_has_vpcs_only_until_it_is_told_otherwise(atoll):
    mine = {"AWS_ACCESS_KEY_ID": "111122223333", "AWS_REGION": "eu-west-1"}

    assert atoll("classic", "show", **mine).stdout == "Account 111122223333 in eu-west-1 has VPCs only.\n"
    told = atoll("classic", "enable", **mine)

    assert told.stdout == "Account 111122223333 in eu-west-1 has EC2-Classic, 10.0.0.0/8.\n"
    assert mode(atoll, **mine)["enabled"]
    assert not mode(atoll)["enabled"]
    assert not mode(atoll, **(mine | {"AWS_REGION": "us-east-1"}))["enabled"]
    assert atoll("classic", "disable", **mine).returncode == 0
    assert not mode(atoll, **mine)["enabled"]


def test_it_refuses_while_something_is_in_the_way_and_says_what(atoll):
    id = atoll.launch("web")

    refused = atoll("classic", "enable")

    assert refused.returncode != 0
    assert f"{id} is in vpc-" in refused.stderr
    assert "it must be empty" in refused.stderr
