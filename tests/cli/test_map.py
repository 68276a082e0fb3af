"""`atoll map`, against a daemon."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from tests.daemon.atoll import running


@pytest.fixture(scope="module")
def paper():
    with running("paper") as atoll:
        atoll.client("ec2").describe_vpcs()  # opens the account: its default VPC
        yield atoll


def test_the_map_of_the_only_vpc_is_a_picture_that_names_its_zones(paper):
    found = paper.cli("map")

    root = ElementTree.fromstring(found)
    assert root.tag.endswith("svg")
    assert {"us-east-1a", "us-east-1f"} <= {e.text for e in root.iter() if e.tag.endswith("text")}


def test_a_file_takes_the_picture_and_json_has_all_of_it(paper):
    file = paper.place / "vpc.svg"
    paper.cli("map", "--output", str(file))
    told = json.loads(paper.cli("map", "--json"))

    assert ElementTree.parse(file).getroot().tag.endswith("svg")
    assert len(told["subnets"]) == 6
    assert told["vpc_id"].startswith("vpc-")
    assert all(subnet["is_public"] for subnet in told["subnets"])


def test_what_cannot_be_drawn_is_refused_with_the_next_step(paper):
    unknown = paper.cli("map", "vpc-9", ok=False)
    assert "there is no VPC vpc-9" in unknown
    assert "name one of: vpc-" in unknown
    nowhere = paper.cli("map", "--output", "/nowhere/x.svg", ok=False)
    assert "/nowhere/x.svg cannot be written: No such file or directory" in nowhere
