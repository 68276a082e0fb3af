"""`atoll import` with a daemon: on paper, and with real engines that answer through the imported rules."""

import json
import shutil

import pytest

from tests.daemon.atoll import own_mode, running, until
from tests.twin.test_recorded import ACCOUNT, APP, RECORDED, WORKER

REGION = "us-west-2"


@pytest.fixture(scope="module")
def paper():
    with running("paper") as atoll:
        yield atoll


@pytest.fixture
def recording(paper):
    """The files, where the daemon's user may read them."""
    target = paper.place / "home" / "recorded"
    shutil.rmtree(target, ignore_errors=True)
    return shutil.copytree(RECORDED, target)


def why(atoll, source, target, *, ok):
    return decoded(atoll.cli("why", source, target, "--json", ok=ok))


def decoded(said):
    """Return the JSON in what was said, after the progress."""
    return json.loads(said[said.index("{") :])


def speak(atoll):
    atoll.environment |= {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_DEFAULT_REGION": REGION}


def test_a_trial_changes_nothing_and_the_import_answers(paper, recording):
    trial = paper.cli("import", str(recording), "--dry-run")
    assert "Would import" in trial
    assert "RDSNetworkInterface (10.0.1.50): its interface with its groups; nobody answers there" in trial
    assert paper.status()["instances"] == []

    paper.cli("import", str(recording))
    speak(paper)
    ec2, cache = (paper.client(service, account=ACCOUNT, region=REGION) for service in ("ec2", "elasticache"))
    assert len(ec2.describe_vpcs()["Vpcs"]) == 2
    until(lambda: cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "available", 60)
    assert why(paper, APP, "sessions:6379", ok=True)["reachable"]
    assert not why(paper, WORKER, "sessions:6379", ok=False)["reachable"]

    again = paper.cli("import", str(recording), ok=False)
    assert "--replace ends and forgets them" in again
    report = decoded(paper.cli("import", str(recording), "--replace", "--json"))
    assert report["replaced"] > 0
    assert report["resources"]["Subnet"] == 4
    until(lambda: cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "available", 60)
    assert not list((paper.state / "worlds").glob("*")), "what was brought is gone"


def test_what_is_damaged_is_refused_with_file_and_place(paper, recording):
    before = paper.get("/_atoll/world")
    file = recording / "describe-subnets.json"
    file.write_text(file.read_text().replace("10.0.1.0/24", "10.0.1.0/33"))

    said = paper.cli("import", str(recording), "--replace", ok=False)

    assert "describe-subnets.json: Subnets[1].CidrBlock" in said
    assert "nothing was changed" in said
    assert paper.get("/_atoll/world") == before


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        (["import"], "--commands says how to fill it"),
        (["import", "/proc/none"], "cannot be read"),
        (["import", "/proc/self/fd"], "has no file whose name ends with .json"),
        (["import", "/tmp", "--account", "1"], "'1' is not an account"),
    ],
)
def test_a_wrong_command_line_is_refused(paper, arguments, because):
    assert because in paper.cli(*arguments, ok=False)


@pytest.mark.kernel
@pytest.mark.engines
@pytest.mark.timeout(300)
def test_a_real_engine_answers_through_the_imported_rules():
    with running(own_mode()) as atoll:
        recording = shutil.copytree(RECORDED, atoll.place / "home" / "recorded")
        atoll.cli("import", str(recording))
        speak(atoll)
        ec2, cache = (atoll.client(service, account=ACCOUNT, region=REGION) for service in ("ec2", "elasticache"))
        until(lambda: cache.describe_replication_groups()["ReplicationGroups"][0]["Status"] == "available", 120)
        until(lambda: states(ec2)[APP] == states(ec2)[WORKER] == "running", 60)

        # The primary is the second node, in the other zone, as it was described; the name is the one on AWS.
        name = "sessions.a1b2c3.ng.0001.usw2.cache.amazonaws.com"
        ask = "exec 3<>/dev/tcp/%s/6379; printf 'ROLE\\r\\n' >&3; head -c 13 <&3"
        said = atoll.cli("exec", APP, "timeout", "10", "bash", "-c", ask % name)
        assert "maste" in said  # so many bytes were asked for
        assert "slave" in atoll.cli("exec", APP, "timeout", "10", "bash", "-c", ask % "10.0.1.230")
        refused = atoll.cli("exec", WORKER, "timeout", "2", "bash", "-c", ask % "10.0.2.230", ok=False)
        assert "maste" not in refused
        # A client outside reaches the instance's own public address, which exists in the simulated internet only.
        atoll.cli("exec", APP, "sh", "-c", "nohup python3 -m http.server 443 >/dev/null 2>&1 &")
        fetch = "until curl -s -m 2 http://52.39.10.20:443/ >/dev/null; do sleep 0.1; done; echo answered"
        assert "answered" in atoll.client_at("198.51.100.27", "timeout", "20", "sh", "-c", fetch)


def states(ec2):
    return {
        instance["InstanceId"]: instance["State"]["Name"]
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    }
