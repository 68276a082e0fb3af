"""The life of a daemon on paper: up, status, trace, reset, down, purge."""

import json
import os
import re
import signal
import subprocess

import pytest

from atoll.cli import up
from atoll.cli.failure import Failure
from atoll.cli.purge import purge
from atoll.host.directories import run_dir
from atoll.start import only_one
from tests.cli.daemon import Atoll
from tests.cli.stranger import listening
from tests.daemon.atoll import own_mode


@pytest.fixture
def atoll(tmp_path):
    made = Atoll(tmp_path / "state", host="paper")
    started = made.up()
    assert started.returncode == 0, started.stderr
    yield made
    made("down", "--purge")


def test_up_says_ready_and_where(tmp_path):
    made = Atoll(tmp_path / "state", host="paper")

    started = made.up()

    assert re.fullmatch(rf"Ready\. {made.endpoint} \(process \d+, log \S+/atoll\.log\)\n", started.stdout)
    assert made("down", "--purge").returncode == 0


def test_whoever_names_the_state_finds_the_daemon(tmp_path):
    made = Atoll(tmp_path / "state", host="paper")
    del made.env["ATOLL_ENDPOINT"]

    started = made("up", "-d", "--port", "0", "--host", "paper")

    try:
        url = re.match(r"Ready\. (http://127\.0\.0\.1:\d+) ", started.stdout)[1]
        assert f"AWS_ENDPOINT_URL={url}\n" in made("env").stdout
        assert json.loads(made("status", "--json").stdout)["state_dir"] == str(made.state)
        assert made("up", "-d", "--port", "0", "--host", "paper").stdout == f"Atoll already runs at {url}.\n"
    finally:
        assert made("down").returncode == 0
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:4566\n" in made("env").stdout
    assert made("down", "--purge").returncode == 0


def test_down_finds_the_daemon_of_the_state_that_is_named_wherever_it_listens(tmp_path):
    made = Atoll(tmp_path / "state", host="paper")
    for name in ("ATOLL_ENDPOINT", "ATOLL_STATE"):
        del made.env[name]
    elsewhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}

    assert made("up", "-d", "--port", "0", "--host", "paper", "--state", str(made.state)).returncode == 0

    stopped = made("down", "--purge", "--state", str(made.state), **elsewhere)
    assert (stopped.returncode, made.state.exists()) == (0, False), stopped.stderr


@pytest.mark.parametrize("purge", [False, True])
def test_a_daemon_that_does_not_answer_is_told_of_and_not_taken_for_ended(tmp_path, monkeypatch, purge):
    monkeypatch.setenv("ATOLL_ENDPOINT", "http://127.0.0.1:9")
    (tmp_path / "atoll.db").touch()

    with only_one(tmp_path), pytest.raises(Failure) as told:
        up.down(purge=purge, meant=tmp_path)

    assert f"process {os.getpid()}), and does not answer at http://127.0.0.1:9" in told.value.told()
    assert f"kill {os.getpid()}" in told.value.told()
    with pytest.raises(Failure, match="not running") as told:
        up.down(purge=False, meant=tmp_path)


def test_a_daemon_that_listens_elsewhere_than_where_it_is_looked_for_is_not_to_be_killed(atoll):
    asked = atoll("down", ATOLL_ENDPOINT="http://127.0.0.1:9")

    assert asked.returncode == 1
    assert f"listens at {atoll.endpoint}, not at http://127.0.0.1:9" in asked.stderr
    assert "kill" not in asked.stderr
    assert atoll("status").returncode == 0


def test_a_state_without_a_daemon_is_purged_whoever_answers_at_the_usual_place(atoll, tmp_path):
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    (other / "atoll.db").touch()
    elsewhere = {"AWS_ENDPOINT_URL": atoll.endpoint, "ATOLL_ENDPOINT": "", "ATOLL_STATE": ""}

    purged = atoll("down", "--purge", "--state", str(other), **elsewhere)

    assert (purged.returncode, other.exists()) == (0, False), purged.stderr
    assert atoll("status").returncode == 0


def test_whoever_else_listens_has_no_directory_deleted(tmp_path):
    state, home = tmp_path / "state", tmp_path / "home"
    for directory, file in ((state, "atoll.db"), (home, "letter")):
        directory.mkdir(mode=0o700)
        (directory / file).touch()
    gone = subprocess.Popen(["true"])
    gone.wait()
    told = {"state_dir": str(state), "namespaces": str(home / "net"), "pid": gone.pid}

    with listening(told) as (url, asked):
        done = Atoll(tmp_path / "usual")("down", "--purge", ATOLL_ENDPOINT=url, ATOLL_STATE="")

    assert done.returncode == 1
    assert "is not that of a daemon of yours" in done.stderr
    assert {method for method, _, _ in asked} == {"GET"}
    assert ((state / "atoll.db").exists(), (home / "letter").exists()) == (True, True)


def test_only_what_is_called_as_a_run_directory_is_removed_as_one(tmp_path):
    state, home = tmp_path / "state", tmp_path / "home"
    ours = tmp_path / run_dir(state).name
    for directory in (state, home, ours):
        directory.mkdir(mode=0o700)

    purge(state, [home, ours])

    assert (state.exists(), home.exists(), ours.exists()) == (False, True, False)


def test_another_state_s_daemon_is_neither_taken_for_ours_nor_ended(atoll, tmp_path):
    other = str(tmp_path / "other")

    started, ended = atoll.up(ATOLL_STATE=other), atoll("down", "--purge", ATOLL_STATE=other)

    assert (started.returncode, ended.returncode) == (1, 1)
    assert f"another Atoll serves {atoll.endpoint}, with its state in {atoll.state}" in started.stderr
    assert f"keeps its state in {atoll.state}, not in {other}" in ended.stderr
    assert atoll("status").returncode == 0


def test_a_note_that_a_killed_daemon_left_misleads_nobody(tmp_path):
    made = Atoll(tmp_path / "state", host="paper")
    del made.env["ATOLL_ENDPOINT"]
    made("up", "-d", "--port", "0", "--host", "paper")
    os.kill(json.loads(made("status", "--json").stdout)["pid"], signal.SIGKILL)

    assert "is not running at http://127.0.0.1:4566" in made("status").stderr
    assert made("up", "-d", "--port", "0", "--host", "paper").stdout.startswith("Ready.")
    assert made("status").returncode == 0
    assert made("down", "--purge").returncode == 0


def test_up_twice_is_up_once(atoll):
    again = atoll.up()

    assert (again.returncode, again.stdout) == (0, f"Atoll already runs at {atoll.endpoint}.\n")


@pytest.mark.usefixtures("atoll")
def test_a_second_daemon_on_the_same_state_is_refused(tmp_path):
    other = Atoll(tmp_path / "state", host="paper")

    done = other("up", "--port", other.port, "--host", "paper")

    assert done.returncode == 1
    assert "another Atoll runs on" in done.stderr


def test_another_address_needs_keys(atoll):
    done = atoll("up", "--bind", "0.0.0.0", "--port", "0", "--host", "paper", "--state", atoll.state / "other")

    assert done.returncode == 1
    assert "--keys required" in done.stderr


def test_who_cannot_make_certificates_is_told_so_and_starts_nothing(atoll):
    other = atoll.state / "other"
    other.mkdir()
    (other / "authority").write_text("in the way")

    bound = ("--bind", "0.0.0.0", "--keys", "required")
    done = atoll("up", *bound, "--port", "0", "--host", "paper", "--state", other)

    assert done.returncode == 1
    assert done.stderr.startswith("error: nobody can be answered over TLS on 0.0.0.0: make the certificate authority")


@pytest.mark.kernel
def test_a_start_that_fails_leaves_no_keeper(atoll):
    other = atoll.state / "other"
    other.mkdir()
    (other / "authority").write_text("in the way")

    bound = ("--bind", "0.0.0.0", "--keys", "required", "--mode", own_mode())
    done = atoll("up", *bound, "--port", "0", "--state", other)

    assert (done.returncode, run_dir(other).exists()) == (1, False)
    assert done.stderr.startswith("error: nobody can be answered over TLS"), done.stderr


@pytest.mark.parametrize(("bind", "said"), [("192.0.2.5", "--bind 0.0.0.0"), ("0.0.0.0", "Console: http://127.0.0.1:1/")])
def test_no_console_is_promised_where_none_can_be_reached(bind, said, tmp_path, capsys):
    start = up.Start(state=tmp_path, port=1, bind=bind, host="paper", keys="required")

    up._ready(start, f"https://{bind}:1", "paper", "")

    told = capsys.readouterr().out
    assert said in told
    assert ("Console:" in told) is (bind in up.EVERYWHERE)


def test_status_tells_people_and_programs(atoll):
    atoll.client("ec2").create_vpc(CidrBlock="10.77.0.0/16")

    people, programs = atoll("status").stdout, json.loads(atoll("status", "--json").stdout)

    assert "mode paper" in people
    assert "10.77.0.0/16" in people
    assert {"172.31.0.0/16", "10.77.0.0/16"} == {v["cidr"] for v in programs["vpcs"]}


def test_status_is_of_the_account_that_the_environment_names(atoll):
    atoll.client("ec2").create_vpc(CidrBlock="10.77.0.0/16")

    other = json.loads(atoll("status", "--json", AWS_ACCESS_KEY_ID="123456789012").stdout)

    assert other["vpcs"] == []


def test_the_state_survives_the_daemon(atoll):
    atoll.client("ec2").create_vpc(CidrBlock="10.77.0.0/16")

    assert atoll("down").returncode == 0
    assert atoll("status").returncode == 2
    assert atoll.up().returncode == 0

    assert "10.77.0.0/16" in atoll("status").stdout


def test_reset_forgets_everything(atoll):
    atoll.client("ec2").create_vpc(CidrBlock="10.77.0.0/16")

    assert atoll("reset").returncode == 0

    assert "10.77.0.0/16" not in atoll("status").stdout


def test_purge_leaves_nothing(atoll):
    assert atoll("down", "--purge").returncode == 0

    assert not atoll.state.exists()


def test_purge_of_what_does_not_run_leaves_nothing_either(atoll):
    atoll("down")

    done = atoll("down", "--purge")

    assert done.returncode == 0, done.stderr
    assert not atoll.state.exists()


def test_purge_deletes_only_a_state_directory(tmp_path):
    (tmp_path / "precious").write_text("mine")

    done = Atoll(tmp_path)("down", "--purge")

    assert (done.returncode, (tmp_path / "precious").read_text()) == (0, "mine")
    assert "Nothing to remove" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--as", "198.51.100.27", "--", "true"],
        ["exec", "app", "--", "true"],
        ["run", "--in", "app", "--", "true"],
    ],
    ids=lambda words: words[0],
)
def test_on_paper_nothing_can_be_entered_and_it_says_so(atoll, command):
    done = atoll(*command)

    assert done.returncode == 1
    assert "nothing runs on the paper host" in done.stderr


def test_trace_answers_on_paper_with_the_rule_and_the_mend(atoll):
    source, target = atoll.launch("one"), atoll.launch("two")
    ec2 = atoll.client("ec2")
    address = ec2.describe_instances(InstanceIds=[target])["Reservations"][0]["Instances"][0]["PrivateIpAddress"]
    closed = ec2.create_security_group(GroupName="closed", Description="no rules")["GroupId"]

    allowed = atoll("trace", "one", f"{address}:6379")
    ec2.modify_instance_attribute(InstanceId=target, Groups=[closed])
    refused = atoll("trace", source, f"{address}:6379")
    programs = json.loads(atoll("trace", source, f"{address}:6379", "--json").stdout)

    assert allowed.returncode == 0, allowed.stdout + allowed.stderr
    assert refused.returncode == 1
    assert "ingress-groups" in refused.stdout
    assert f"aws ec2 authorize-security-group-ingress --group-id {closed}" in refused.stdout
    assert programs["delivered"] is False


def test_a_place_that_does_not_exist_is_named_with_what_does(atoll):
    atoll.launch("app")

    done = atoll("trace", "ap", "10.0.0.1:80")

    assert done.returncode == 1
    assert "app" in done.stderr
