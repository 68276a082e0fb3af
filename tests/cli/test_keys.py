"""`atoll keys` against a daemon that takes no other keys: who has one calls, as its account, until it is deleted."""

import json
import os
import re
import shutil
import tempfile
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.cli.daemon import Atoll
from tests.cli.stranger import listening

ACCOUNT, OTHER = "111122223333", "444455556666"


@pytest.fixture(scope="module")
def atoll():
    directory = Path(tempfile.mkdtemp(prefix="atoll-keys-"))
    made = Atoll(directory / "state", "paper")
    try:
        done = made("up", "-d", "--port", made.port, "--host", "paper", "--keys", "required")
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        made("down", "--purge")
        shutil.rmtree(directory)


def made(atoll, *words):
    """Make a key; returns it."""
    done = atoll("keys", "create", "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def client(atoll, key, service):
    named = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    return boto3.client(service, endpoint_url=atoll.endpoint, region_name="us-east-1", **named)


def listed(atoll):
    return json.loads(atoll("keys", "list", "--json").stdout)


def test_a_key_calls_as_its_user_until_it_is_deleted(atoll):
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        atoll.client("sts").get_caller_identity()

    key = made(atoll, "--account", ACCOUNT, "--user", "ci")
    sts = client(atoll, key, "sts")
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ci"
    assert key["AccessKeyId"] in {one["AccessKeyId"] for one in listed(atoll)}

    done = atoll("keys", "delete", key["AccessKeyId"])
    assert done.returncode == 0, done.stderr
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        sts.get_caller_identity()
    assert key["AccessKeyId"] not in {one["AccessKeyId"] for one in listed(atoll)}


def test_a_secret_is_told_once(atoll):
    key = made(atoll)

    assert key["Arn"] == "arn:aws:iam::000000000000:root"
    for words in (("keys", "list"), ("keys", "list", "--json"), ("status", "--json"), ("activity", "--json")):
        assert key["SecretAccessKey"] not in atoll(*words).stdout


def test_a_key_is_told_as_variables_of_a_shell(atoll):
    done = atoll("keys", "create", "--account", ACCOUNT, "--shell", "fish")

    first, second = done.stdout.splitlines()
    assert first.startswith("set -gx AWS_ACCESS_KEY_ID AKIA")
    assert second.startswith("set -gx AWS_SECRET_ACCESS_KEY ")
    before = listed(atoll)
    assert atoll("keys", "create", "--shell", "csh").returncode == 2
    assert listed(atoll) == before


def test_commands_speak_for_the_account_of_a_key_and_of_its_sessions(atoll):
    key = made(atoll, "--account", ACCOUNT)
    session = client(atoll, key, "sts").assume_role(
        RoleArn=f"arn:aws:iam::{OTHER}:role/ops", RoleSessionName="deploy"
    )["Credentials"]
    for account, id, value in ((ACCOUNT, key["AccessKeyId"], 7), (OTHER, session["AccessKeyId"], 9)):
        done = atoll("quota", "set", "L-F678F1CE", value, AWS_ACCESS_KEY_ID=id)
        assert done.returncode == 0, done.stderr
        quotas = json.loads(atoll("quota", "list", "--json", AWS_ACCESS_KEY_ID=account).stdout)
        assert next(q["value"] for q in quotas if q["code"] == "L-F678F1CE") == value


def test_a_file_is_applied_with_a_key_and_with_a_session(atoll, tmp_path):
    key = made(atoll, "--account", ACCOUNT)
    session = client(atoll, key, "sts").get_session_token()["Credentials"]
    file = tmp_path / "one.yaml"
    file.write_text("vpcs: {one: {cidr: 10.0.0.0/16}}\n")
    signed = {"AWS_ACCESS_KEY_ID": session["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"]}

    done = atoll("apply", file, **signed, AWS_SESSION_TOKEN=session["SessionToken"])

    assert done.returncode == 0, done.stderr
    vpcs = client(atoll, key, "ec2").describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["one"]}])["Vpcs"]
    assert [vpc["CidrBlock"] for vpc in vpcs] == ["10.0.0.0/16"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "--account", "12"), "account is no number of twelve digits"),
        (("create", "--user", "a b"), "'a b' is no name of a user"),
        (("delete", "AKIANOTHERE"), "AKIANOTHERE is no access key that was made here"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(atoll, words, said):
    done = atoll("keys", *words)

    assert done.returncode == 1
    assert said in done.stderr


def test_who_asks_for_variables_is_told_that_keys_are_required(atoll):
    assert "atoll keys create" in atoll("env").stderr


def test_whoever_else_listens_is_shown_nothing_that_the_daemon_takes(atoll, tmp_path):
    with urllib.request.urlopen(atoll.endpoint + "/_atoll/owner") as answer:
        told = json.load(answer)
    shutil.copy(Path(told["state_dir"]) / "console.key", tmp_path)  # without the note of where its daemon listens

    with listening(told | {"state_dir": str(tmp_path)}) as (url, asked):
        atoll("keys", "create", "--json", ATOLL_ENDPOINT=url)
        link = re.search(r"/console/\S+", atoll("console", ATOLL_ENDPOINT=url).stdout)[0]

    body = next(body for method, path, body in asked if method == "POST")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(atoll.endpoint + "/_atoll/keys", body)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(atoll.endpoint + link)


def test_a_request_goes_where_the_state_says_that_its_daemon_listens(atoll):
    with urllib.request.urlopen(atoll.endpoint + "/_atoll/owner") as answer:
        told = json.load(answer)

    with listening(told) as (url, asked):
        key = json.loads(atoll("keys", "create", "--json", ATOLL_ENDPOINT=url).stdout)
        assert atoll.endpoint in atoll("console", ATOLL_ENDPOINT=url).stdout

    assert {method for method, _, _ in asked} == {"GET"}
    assert key["AccessKeyId"] in {one["AccessKeyId"] for one in listed(atoll)}


@pytest.mark.parametrize("command", [("keys", "create"), ("keys", "delete", "AKIA"), ("console",)])
def test_nothing_is_made_in_a_directory_that_an_answer_names(atoll, tmp_path, command):
    with listening({"state_dir": str(tmp_path), "challenge": "c"}) as (url, _):
        done = atoll(*command, ATOLL_ENDPOINT=url)

    assert done.returncode == 1
    assert "cannot be read: No such file or directory" in done.stderr
    assert os.listdir(tmp_path) == []
