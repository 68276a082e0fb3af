"""The command line by itself: what it prints, how it fails, what it costs.  No daemon."""

import json
import os
import socket
import subprocess
import sys

import pytest

from atoll.cli import private
from atoll.cli.doctor import knows_endpoint_variable
from atoll.cli.failure import Failure
from atoll.cli.trace import split_target
from atoll.cli.whereabouts import default_state

# Someone who may only forbid: the same user in a user namespace of his own.
MODE = "root" if os.geteuid() == 0 else "rootless"
FORBIDDEN = ["--map-root-user"] if os.geteuid() == 0 else ["--map-current-user", "--keep-caps"]
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there


def atoll(*arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ATOLL_"))}
    command = [sys.executable, "-m", "atoll.cli", *arguments]
    env = clean | {"ATOLL_ENDPOINT": NOBODY} | environment
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=30, check=False)


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["status", "--drops"],
        ["reset"],
        ["flow-logs"],
        ["usage"],
        ["capture", "i-1"],
        ["flow-logs", "--flush"],
        ["down"],
        ["exec", "i-1", "--", "true"],
        ["run", "--in", "i-1", "--", "true"],
        ["run", "--as", "198.51.100.27", "--", "true"],
        ["ssh", "i-1"],
        ["trace", "i-1", "10.0.0.1:80"],
        ["why", "i-1", "10.0.0.1:80"],
        ["reach"],
    ],
    ids=" ".join,
)
def test_without_a_daemon_a_command_says_how_to_start_one(command):
    done = atoll(*command)

    assert done.returncode == 2
    assert done.stdout == ""
    assert f"Atoll is not running at {NOBODY}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failure_ends_with_the_next_step():
    assert atoll("status").stderr.splitlines()[-1] == "next:  start it with `atoll up`"


def test_waiting_ends_after_the_time_that_was_given():
    done = atoll("wait", "--seconds", "0.1")

    assert (done.returncode, "did not answer" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["run", "--", "true"], "either in an instance's network or as an internet client"),
        (["run", "--in", "a", "--as", "198.51.100.27", "true"], "either in an instance's network"),
        (["trace", "a", "b"], "does not say where to go"),
        (["trace", "a", "b:0"], "does not say where to go"),
        (["trace", "a", "b:80", "--protocol", "sctp"], "not a protocol"),
        (["env", "--shell", "tcsh"], "not a shell"),
        (["demo", "--engine", "mongo"], "not an engine"),
        (["up", "--host", "moon"], "not a host"),
        (["up", "--keys", "lost"], "not a way"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_refused_with_the_right_one(command, complaint):
    done = atoll(*command)

    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr


def test_nothing_of_weight_is_imported_for_help():
    heavy = "{'rich', 'botocore', 'http.client', 'starlette', 'uvicorn', 'asyncio'}"
    told = f"import sys; from atoll.cli import main; print({heavy} & set(sys.modules))"

    imported = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert imported.stdout.strip() == "set()"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_env_is_read_by_the_shell_that_it_is_for(shell):
    script = f'eval "$({sys.executable} -m atoll.cli env --shell {shell})"; env'

    told = subprocess.run(
        [shell, "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    )

    assert {
        "AWS_ENDPOINT_URL=http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID=test",
        "AWS_SECRET_ACCESS_KEY=test",
        "AWS_DEFAULT_REGION=us-east-1",
        "AWS_REGION=us-east-1",
        "AWS_EC2_METADATA_DISABLED=true",
    } <= set(told.stdout.splitlines())


@pytest.fixture
def hanging():
    """Where somebody listens who never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_env_waits_for_no_daemon_that_hangs(hanging):
    done = atoll("env", ATOLL_ENDPOINT=hanging)  # which ends by itself long before a question does

    assert (done.returncode, done.stderr) == (0, "")
    assert f"export AWS_ENDPOINT_URL={hanging}" in done.stdout


def test_a_key_is_the_usual_accounts_while_the_daemon_hangs(hanging, monkeypatch):
    monkeypatch.setenv("ATOLL_ENDPOINT", hanging)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")

    with pytest.raises(Failure, match="not running"):
        private.get_within(0.05, "/_atoll/keys")
    assert private.whose(0.05)["account"] == "000000000000"


def test_env_for_fish_sets_global_variables():
    assert atoll("env", "--shell", "fish").stdout.splitlines()[0] == f"set -gx AWS_ENDPOINT_URL {NOBODY};"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "http://127.0.0.1:4566"),
        ({"AWS_ENDPOINT_URL": "http://localhost:4599/"}, "http://localhost:4599"),
        ({"AWS_ENDPOINT_URL": "https://vpce.example.com"}, "http://127.0.0.1:4566"),
        ({"AWS_ENDPOINT_URL": "http://localhost:4599", "ATOLL_ENDPOINT": NOBODY}, NOBODY),
    ],
    ids=["none", "this machine's", "another machine's is not ours", "Atoll's own variable wins"],
)
def test_the_endpoint_comes_from_the_environment(environment, expected):
    done = atoll("env", **{"ATOLL_ENDPOINT": "", **environment})

    assert done.stdout.splitlines()[0] == f"export AWS_ENDPOINT_URL={expected}"


@pytest.mark.parametrize(
    ("version", "honours"),
    [
        ("aws-cli/2.9.19", False),
        ("aws-cli/2.12.7", False),
        ("aws-cli/2.13.0", True),
        ("aws-cli/1.28.85", False),
        ("aws-cli/1.46.2", True),
        ("", False),
    ],
)
def test_an_aws_cli_that_ignores_the_endpoint_is_known(version, honours):
    assert knows_endpoint_variable(version) is honours


def test_a_target_is_a_place_and_a_port():
    assert split_target("sessions-001:6379", "tcp") == ("sessions-001", 6379)
    assert split_target("10.0.1.230", "icmp") == ("10.0.1.230", 0)
    with pytest.raises(Failure):
        split_target("sessions-001:99999", "tcp")


def test_the_state_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("ATOLL_STATE", str(tmp_path))

    assert default_state() == tmp_path


def test_the_doctor_talks_to_programs_too():
    findings = json.loads(atoll("doctor", "--json").stdout)

    assert {f["status"] for f in findings} <= {"ok", "warning", "missing"}
    assert {"root mode", "rootless mode", "AWS CLI", "endpoint", "limits"} <= {f["subject"] for f in findings}


@pytest.mark.kernel
@pytest.mark.parametrize(
    "command", [["up", "--mode", MODE], ["up", "-d", "--mode", MODE], ["demo"]], ids=" ".join
)
def test_where_the_kernel_allows_nothing_it_says_what_and_offers_the_flat_host(command, tmp_path):
    forbid = "echo 0 > /proc/sys/user/max_net_namespaces; echo 0 > /proc/sys/user/max_user_namespaces"
    inside = f"{forbid}; exec {sys.executable} -m atoll.cli {' '.join(command)}"
    env = os.environ | {"ATOLL_STATE": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}

    done = subprocess.run(
        ["unshare", "--user", *FORBIDDEN, "sh", "-c", inside],
        capture_output=True,
        text=True,
        env=env,
        timeout=60,
        check=False,
    )

    if "unshare failed" in done.stderr:
        pytest.skip("NO USER NAMESPACES HERE: nothing to forbid")
    assert done.returncode == 3
    assert "user.max_user_namespaces: no user namespaces are allowed" in done.stderr
    assert "sudo sysctl -w user.max_user_namespaces=" in done.stderr
    assert "atoll up --mode flat" in done.stderr
