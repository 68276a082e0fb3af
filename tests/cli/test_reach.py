"""`atoll reach` on paper: the matrix, what a change opens before it is made, and what a gate in CI reads."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest

from atoll.admin import classic
from atoll.cli.reach import _vpc_ids
from atoll.cli.reach_shown import sarif
from atoll.model.world import Caller
from atoll.network.reach.matrix import matrix
from tests.api.machines import launch
from tests.api.paper import ACCOUNT, REGION, Paper
from tests.cli.daemon import Atoll

EVERYBODY = "aws ec2 authorize-security-group-ingress --group-id {} --protocol tcp --port 22 --cidr 0.0.0.0/0"
CLOSED = "Nothing has opened, and nothing has closed."


@pytest.fixture(scope="module")
def atoll():
    directory = Path(tempfile.mkdtemp(prefix="atoll-reach-"))
    made = Atoll(directory / "state", "paper")
    started = made.up()
    assert started.returncode == 0, started.stderr
    made.directory = directory
    try:
        made.launch("app")
        made.launch("web")
        yield made
    finally:
        made("down", "--purge")
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def group(atoll):
    return atoll.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]


def rules(atoll):
    return len(atoll.client("ec2").describe_security_group_rules()["SecurityGroupRules"])


def test_the_matrix_is_readable(atoll, group):
    done = atoll("reach", "--matrix")
    assert done.returncode == 0, done.stderr
    title, heads, *rows = done.stdout.splitlines()
    assert (title, heads.split()) == ("Reachable", ["to", "ports", "from"])
    assert any(row.startswith(f"2 of {group} (default)") and row.rstrip().endswith("each other") for row in rows)
    assert any(row.startswith("the internet") for row in rows)


def test_the_matrix_as_data_names_everybody(atoll):
    told = json.loads(atoll("reach", "--json", "--port", "22").stdout)
    (inside,) = [end for end in told["ends"] if "members" in end]
    assert len(inside["members"]) == 2
    assert {"from": 0, "to": 0, "ports": {"tcp": [[22, 22]], "udp": [[22, 22]]}} in told["paths"]


def test_a_change_is_tried_before_it_is_made(atoll, group):
    before = rules(atoll)
    done = atoll("reach", "--with", EVERYBODY.format(group))
    assert done.returncode == 1, done.stderr
    opened = [line for line in done.stdout.splitlines() if line.startswith("opened")]
    assert len(opened) == 1
    assert "the internet" in opened[0]
    assert "tcp 22" in opened[0]
    assert rules(atoll) == before


def test_a_change_that_opens_nothing_passes(atoll, group):
    vpc = atoll.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    done = atoll(
        "reach", "--with", f"aws ec2 create-security-group --group-name g --description g --vpc-id {vpc}",
        "--with", f"aws ec2 revoke-security-group-ingress --group-id {group} --protocol all --source-group {group}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "closed" in done.stdout
    assert "opened" not in done.stdout


def test_a_saved_world_is_compared_with_the_live_one(atoll, group):
    saved = atoll.directory / "before.json"
    kept = atoll("reach", "--save", saved)
    same = atoll("reach", "--diff", saved, "live")
    ec2 = atoll.client("ec2")
    rule = {"GroupId": group, "IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "CidrIp": "198.51.100.0/24"}
    ec2.authorize_security_group_ingress(**rule)
    table, markdown, scanner = (
        atoll("reach", "--diff", saved, "live", "--format", style) for style in ("table", "markdown", "sarif")
    )
    back = atoll("reach", "--diff", "live", saved, "--json")
    ec2.revoke_security_group_ingress(**rule)

    assert kept.stdout.startswith("Saved ")
    assert oct(saved.stat().st_mode)[-3:] == "600"
    assert (same.returncode, same.stdout.strip()) == (0, CLOSED)
    assert table.returncode == markdown.returncode == scanner.returncode == 1
    assert "| 198.51.100.0/24 | 2 of " in markdown.stdout
    (result,) = json.loads(scanner.stdout)["runs"][0]["results"]
    assert result["message"]["text"].startswith("198.51.100.0/24 reaches 2 of ")
    assert back.returncode == 0
    assert [c["change"] for c in json.loads(back.stdout)["changes"]] == ["closed"]


def test_the_log_for_scanners_is_sarif(atoll, group):
    """What the schema of SARIF 2.1.0 requires of what we write (OASIS, sections 3.13 to 3.50)."""
    done = atoll("reach", "--with", EVERYBODY.format(group), "--format", "sarif")
    log = json.loads(done.stdout)
    assert (log["version"], log["$schema"].rpartition("/")[2]) == ("2.1.0", "sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "atoll"
    assert [r["id"] for r in driver["rules"]] == ["path-opened", "path-closed"]
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "live"
        assert all(isinstance(v, str) for v in result["partialFingerprints"].values())
    assert sarif([], "live")["runs"][0]["results"] == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--diff", "live", "nowhere.json"], "nowhere.json cannot be read"),
        (["--vpc", "moon"], "there is no VPC moon"),
        (["--format", "xml"], "'xml' is not a format"),
        (["--format", "sarif"], "SARIF is for what has changed"),
        (["--matrix", "--save", "x"], "--matrix prints"),
        (["--with", "aws ec2 delete-vpc --vpc-id vpc-0123456789abcdef0"], "InvalidVpcID.NotFound"),
        (["--with", "no-such-program"], "is not a command of this machine"),
        (["--port", "0"], "Invalid value for '--port'"),
    ],
)
def test_what_cannot_be_done_is_an_error(atoll, arguments, complaint):
    done = atoll("reach", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_machines_of_classic_are_in_the_matrix(monkeypatch):
    paper = Paper()
    ec2 = paper.client()
    ec2.describe_vpcs()
    caller = Caller(account=ACCOUNT, region=REGION, arn="")
    paper.write(lambda tx: classic.change(tx, caller, enabled=True))
    ids = [launch(ec2, InstanceType="m1.small")["InstanceId"] for _ in range(2)]
    paper.settle()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
    monkeypatch.setenv("AWS_REGION", REGION)
    found = matrix(paper.world, vpc_ids=_vpc_ids(paper.world, None))
    assert {i.instance_id for end in found.ends for i in end.members} == set(ids)
    assert found.paths


def test_a_file_that_is_no_world_is_refused(atoll, tmp_path):
    (tmp_path / "x.json").write_text("{}")
    done = atoll("reach", "--diff", tmp_path / "x.json", "live")
    assert done.returncode == 2
    assert "is not a saved world" in done.stderr
