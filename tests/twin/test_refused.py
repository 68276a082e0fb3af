"""Damaged, hostile and incomplete recordings are refused with file and place, and what is in the way stays."""

import json

import pytest

from atoll.twin.arrive import InTheWay, arrive
from atoll.twin.build import build
from atoll.twin.commands import COMMANDS, command_of, script
from atoll.twin.row import BadRecording
from tests.api import caches
from tests.api.paper import Paper
from tests.twin.test_recorded import ACCOUNT, recorded

REGION = "us-west-2"


@pytest.fixture
def paper():
    made = Paper()
    caches.install(made)
    return made


@pytest.fixture
def files():
    return recorded()


def refusal(paper, files):
    with pytest.raises(BadRecording) as why:
        build(files, paper.world, paper.clock)
    return str(why.value)


def changed(files, name, *path, to):
    """Change one value in a file."""
    said = json.loads(files[name])
    at = said
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = to
    files[name] = json.dumps(said).encode()


ENIS, ENI = "describe-network-interfaces", ("NetworkInterfaces",)
EVIL = "\x1b[2J<script>" + "x" * 10_000


@pytest.mark.parametrize(
    ("file", "path", "to", "because"),
    [
        ("describe-vpcs", ("Vpcs", 0, "CidrBlock"), "10.0.0.0/99", "describe-vpcs.json: Vpcs[0].CidrBlock: "),
        ("describe-vpcs", ("Vpcs", 0, "CidrBlock"), 7, "Vpcs[0].CidrBlock: a number stands where"),
        ("describe-vpcs", ("Vpcs", 0), "x", "describe-vpcs.json: Vpcs[0]: 'x' stands where an object belongs"),
        ("describe-vpcs", ("Vpcs",), {}, "describe-vpcs.json: Vpcs: an object stands where a list belongs"),
        ("describe-vpcs", ("Vpcs", 0, "VpcId"), "../../etc", "Vpcs[0].VpcId: '../../etc' is no id of the form vpc-"),
        ("describe-vpcs", ("Vpcs", 0, "VpcId"), EVIL, "Vpcs[0].VpcId: '\\x1b[2J<script>xxx"),
        ("describe-vpcs", ("Vpcs", 1, "VpcId"), "vpc-0a1f2e3d4c5b60001", "is there twice"),
        ("describe-subnets", ("Subnets", 2, "CidrBlock"), "10.0.1.0/25", "overlaps 10.0.1.0/24 of subnet-"),
        ("describe-subnets", ("Subnets", 0, "CidrBlock"), "10.77.0.0/24", "is in no range of vpc-"),
        ("describe-subnets", ("Subnets", 0, "VpcId"), "vpc-00000000", "vpc-00000000 is in no file"),
        ("describe-subnets", ("Subnets", 1, "AvailabilityZone"), "eu-west-1a", "a recording is of one region"),
        ("describe-subnets", ("Subnets", 0, "SubnetId"), "subnet-00000000", "no network ACL"),
        ("describe-network-acls", ("NetworkAcls", 0, "IsDefault"), False, "no default network ACL of vpc-"),
        ("describe-network-acls", ("NetworkAcls", 0, "Entries", 0, "Protocol"), "999", "is no protocol's number"),
        ("describe-network-acls", ("NetworkAcls", 1, "Entries", 2, "PortRange", "To"), 70000, "70000 is no port"),
        ("describe-route-tables", ("RouteTables", 0, "Associations"), [], "no main table of vpc-"),
        ("describe-security-groups", ("SecurityGroups", 1, "IpPermissions", 0, "FromPort"), -5, "are no ports"),
        (ENIS, (*ENI, 0, "PrivateIpAddress"), "10.0.9.9", "is not in 10.0.0.0/24"),
        (ENIS, (*ENI, 7, "PrivateIpAddress"), "10.0.1.230", "has 10.0.1.230, too"),
        (ENIS, (*ENI, 0, "Groups", 0, "GroupId"), "sg-00000000", "is in no file"),
        ("describe-addresses", ("Addresses", 0, "PublicIp"), "127.0.0.1", "is no public address"),
        ("describe-nat-gateways", ("NatGateways", 0, "CreateTime"), "yesterday", "'yesterday' is no time"),
        ("describe-cache-clusters", ("CacheClusters", 0, "CacheNodes"), [], "--show-cache-node-info"),
        ("describe-cache-clusters", ("CacheClusters", 0, "Engine"), "mongodb", "'mongodb' is none of"),
        ("describe-cache-clusters", ("NextToken",), "more", None),  # no member of this output: not read
        ("describe-cache-clusters", ("Marker",), "more", "its last page says that there are more"),
        ("get-caller-identity", ("Account",), "me", "'me' is no account"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_refused_with_its_place(paper, files, file, path, to, because):
    changed(files, f"{file}.json", *path, to=to)

    if because is None:
        build(files, paper.world, paper.clock)
        return
    said = refusal(paper, files)
    assert because in said
    assert len(said) < 1000
    assert said.isprintable()


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (b"", "describe-vpcs.json: it is empty: did its command fail?"),
        (b"An error occurred (UnauthorizedOperation)", "describe-vpcs.json: it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'{"Vpcs":', "it is not JSON"),
        (b"7", "describe-vpcs.json: it holds a number"),
        (b"{}", "it has no Vpcs: it is no output of `aws ec2 describe-vpcs`"),
        (b'{"Vpcs": null}', "it has no Vpcs"),
    ],
)
def test_a_file_that_is_no_output_is_refused(paper, files, text, because):
    files["describe-vpcs.json"] = text

    assert because in refusal(paper, files)


def test_a_file_that_is_needed_is_asked_for_by_its_command(paper, files):
    del files["describe-subnets.json"]

    assert "aws ec2 describe-subnets --output json > describe-subnets.json" in refusal(paper, files)


def test_a_file_that_is_not_needed_is_missed_in_the_report(paper, files):
    del files["describe-egress-only-internet-gateways.json"]

    notes = {note.what: note for note in build(files, paper.world, paper.clock).notes}

    assert "lists is here" in notes["describe-egress-only-internet-gateways.json"].why


def test_pages_are_put_together_in_files_and_in_lists(paper, files):
    first, second = json.loads(files["describe-instances.json"]), json.loads(files.pop("describe-instances-2.json"))
    whole = build(recorded(), paper.world, paper.clock)
    files["describe-instances.json"] = json.dumps([first | {"NextToken": "x"}, second]).encode()

    assert {r.id for r in build(files, paper.world, paper.clock).resources} == {r.id for r in whole.resources}


def test_an_account_that_has_something_is_replaced_only_when_told(paper, files):
    mine = paper.client(account=ACCOUNT, region=REGION)
    mine.create_key_pair(KeyName="kept")
    old = mine.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    before = list(paper.world)
    twin = build(files, paper.world, paper.clock)

    with pytest.raises(InTheWay, match=r"has \d+ resources in us-west-2 already: --replace ends and forgets"):
        paper.write(lambda tx: arrive(tx, twin, may_replace=False))
    assert list(paper.world) == before

    paper.write(lambda tx: arrive(tx, twin, may_replace=True))
    assert old not in {vpc["VpcId"] for vpc in mine.describe_vpcs()["Vpcs"]}
    assert len(mine.describe_key_pairs()["KeyPairs"]) == 1


def test_a_second_import_of_the_same_gives_the_same(paper, files):
    paper.write(lambda tx: arrive(tx, build(files, paper.world, paper.clock), may_replace=False))
    before = {(type(r), r.id) for r in paper.world}

    paper.write(lambda tx: arrive(tx, build(files, paper.world, paper.clock), may_replace=True))

    assert {(type(r), r.id) for r in paper.world} == before


def test_ids_that_another_account_has_here_are_in_the_way(paper, files):
    paper.write(lambda tx: arrive(tx, build(files, paper.world, paper.clock), may_replace=False))
    again = build(files, paper.world, paper.clock, account="111111111111")

    with pytest.raises(InTheWay, match="is here already, in the account 123456789012"):
        paper.write(lambda tx: arrive(tx, again, may_replace=False))


def test_the_peer_of_an_outline_takes_its_place(paper, files):
    paper.write(lambda tx: arrive(tx, build(files, paper.world, paper.clock), may_replace=False))
    text = {name: content.decode() for name, content in files.items()}
    # The other account: the same shapes under other ids, with the VPC that the first knew in outline.
    swap = (("vpc-0c3f2e3d4c5b60003", "vpc-0d"), ("vpc-0a1f2e3d4c5b60001", "vpc-0c3f2e3d4c5b60003"))
    other = {
        renamed(name, swap): renamed(content, swap).encode()
        for name, content in text.items()
        if "peering" not in name and "addresses" not in name and "nat-gateways" not in name
    }
    paper.write(lambda tx: arrive(tx, build(other, paper.world, paper.clock), may_replace=False))

    theirs = paper.client(account="210987654321", region=REGION)
    assert "vpc-0c3f2e3d4c5b60003" in {vpc["VpcId"] for vpc in theirs.describe_vpcs()["Vpcs"]}
    tables = theirs.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": ["vpc-0c3f2e3d4c5b60003"]}])
    assert sum(a["Main"] for t in tables["RouteTables"] for a in t["Associations"]) == 1


def renamed(text, swap):
    for old, new in swap:
        text = text.replace(old, new)
    for old, new in (
        (ACCOUNT, "210987654321"), ("0a1b2c3d4e5f6", "0a1b2c3d4e5f7"), ("0bb1c79de", "0bb1c79df"),
        ("0b2f2e3d4c5b60002", "0b2f2e3d4c5b70002"), ("0062c64cf", "0062c64ce"), ("0df3f54e0", "0df3f54e1"),
        ("0d0fb496b", "0d0fb496c"), ("1234567890abcdef0", "1234567890abcdef1"),
        ("0598c7d356eba48d7", "0598c7d356eba48d8"),
        ("dopt-19edf471", "dopt-19edf472"), ("pl-0123456789abc0001", "pl-0123456789abc0002"),
    ):  # fmt: skip
        text = text.replace(old, new)
    return text


def test_the_script_fills_files_that_are_read(tmp_path):
    """Run the script with an `aws` that says what it was asked."""
    import subprocess

    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\ncase "$*" in *"--output text") echo x-1 ;; *) echo "$*" ;; esac\n')
    aws.chmod(0o755)
    subprocess.run(
        ["sh", "-c", script(), "sh", str(tmp_path / "out")], check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}
    )

    found = {path.name: command_of(path.name) for path in (tmp_path / "out").iterdir()}
    assert {command.verb for command, _ in found.values()} == {command.verb for command in COMMANDS}
    assert all(path.read_text().count("--output json") for path in (tmp_path / "out").iterdir())
