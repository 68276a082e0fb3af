"""Files for systems that cannot run here: they parse, keep to what linters ask, and name what exists."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.tidy.tree import ROOT

PACKAGING = ROOT / "packaging"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


def instructions():
    """Return the Dockerfile's instructions and their arguments."""
    lines = [line for line in DOCKERFILE.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def options(command):
    told = subprocess.run(
        [sys.executable, "-m", "atoll.cli", *command, "--help"], capture_output=True, text=True, check=True
    )
    return set(re.findall(r"--[a-z-]+", told.stdout))


def test_the_dockerfile_keeps_to_what_hadolint_asks():
    found = instructions()

    assert {word for word, _ in found} <= {
        "FROM", "RUN", "WORKDIR", "COPY", "ENV", "VOLUME", "HEALTHCHECK", "ENTRYPOINT", "CMD"
    }  # fmt: skip
    for word, rest in found:
        if word == "FROM":
            assert re.match(r"\S+:\d", rest), "DL3006, DL3007: a version"
        if word == "WORKDIR":
            assert rest.startswith("/"), "DL3000"
        if word == "RUN" and "apt-get install" in rest:
            assert "-y --no-install-recommends" in rest, "DL3014, DL3015"
            assert rest.startswith("apt-get update"), "the lists are as old as the layer"
            assert rest.endswith("rm -rf /var/lib/apt/lists/*"), "DL3009"
        if word == "RUN" and "pip install" in rest:
            assert "--no-cache-dir" in rest, "DL3042"
        if word in ("CMD", "ENTRYPOINT"):
            assert rest.startswith("["), "DL3025: as JSON"
        assert "sudo " not in rest.replace("dropbear-bin sudo", ""), "DL3004"
    assert [word for word, _ in found][-2:] == ["ENTRYPOINT", "CMD"]


def test_what_the_dockerfile_runs_exists():
    assert "--seconds" in options(["wait"])
    assert '"wait", "--seconds", "2"' in DOCKERFILE
    assert (ROOT / ".dockerignore").read_text().split()[:2] == [".git", ".venv"]


def test_the_compose_file_opens_nothing_to_other_machines():
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["atoll"]

    assert service["network_mode"] == "host"
    assert "ports" not in service
    assert 'CMD ["up"]' in DOCKERFILE, "it binds to 127.0.0.1"


def scripts():
    return [step["run"] for step in ACTION["runs"]["steps"]]


def test_the_action_is_composite_and_takes_what_it_names():
    assert ACTION["runs"]["using"] == "composite"
    named = set(re.findall(r"inputs\.([a-z-]+)", (ROOT / "action.yml").read_text()))
    assert named == set(ACTION["inputs"])
    assert all(step["shell"] == "bash" for step in ACTION["runs"]["steps"]), "composite steps must say it"
    assert not [script for script in scripts() if "${{" in script], "inputs come by the environment: no injection"
    assert ACTION["outputs"]["endpoint"]["value"] == "${{ steps.start.outputs.endpoint }}"


@pytest.mark.parametrize("script", scripts(), ids=["system", "package", "start"])
def test_each_step_of_the_action_is_bash(script):
    checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert {"--detach", "--mode", "--port"} <= options(["up"])


def test_the_last_step_of_the_action_starts_atoll_and_tells_the_rest(tmp_path):
    """Its own text, with an `atoll` that is this one, on the flat host."""
    from tests.cli.daemon import free_port

    port = str(free_port())
    place = tmp_path / "atoll/bin"
    place.mkdir(parents=True)
    (place / "atoll").write_text(f'#!/bin/sh\nexec {sys.executable} -m atoll.cli "$@"\n')
    (place / "atoll").chmod(0o755)
    env = {
        "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "RUNNER_TEMP": str(tmp_path), "MODE": "flat", "PORT": port,
        "GITHUB_ENV": str(tmp_path / "env"), "GITHUB_OUTPUT": str(tmp_path / "output"),
        "ATOLL_ENDPOINT": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    down = [sys.executable, "-m", "atoll.cli", "--endpoint", f"http://127.0.0.1:{port}", "down", "--purge"]
    try:
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", scripts()[2]],
            env=env, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip

        assert done.returncode == 0, done.stdout + done.stderr
        told = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
        assert told["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"
        assert (tmp_path / "output").read_text() == f"endpoint=http://127.0.0.1:{port}\n"
    finally:
        subprocess.run(down, env=env, capture_output=True, timeout=90, check=False)


def test_the_manual_page_and_the_completions_are_fresh():
    checked = subprocess.run(
        [sys.executable, str(PACKAGING / "written.py"), "--check"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.skipif(not shutil.which("man"), reason="no man on this machine")
def test_the_manual_page_is_shown_without_a_complaint():
    shown = subprocess.run(
        ["man", "-l", "--warnings", "-E", "UTF-8", str(PACKAGING / "atoll.1")],
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert shown.returncode == 0
    assert shown.stderr == ""
    assert "atoll why" in shown.stdout


def test_bash_completes_commands():
    script = (
        f'PATH={Path(sys.executable).parent}:$PATH; source "{PACKAGING}/completions/atoll.bash"; '
        'COMP_WORDS=(atoll sta); COMP_CWORD=1; _atoll; printf "%s\\n" "${COMPREPLY[@]}"'
    )

    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)

    assert "status" in done.stdout.split(), done.stderr


def test_the_unit_ends_the_daemon_only():
    lines = (PACKAGING / "atoll.service").read_text().splitlines()

    assert [line for line in lines if line.startswith("[")] == ["[Unit]", "[Service]", "[Install]"]
    assert "KillMode=process" in lines
