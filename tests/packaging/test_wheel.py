"""The wheel and the sdist hold what they must, and `pip install` of the wheel gives a working Atoll to anybody."""

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.cli.daemon import free_port
from tests.daemon.atoll import NOBODY, as_ordinary_user
from tests.tidy.tree import ROOT

pytestmark = pytest.mark.timeout(420)  # downloads what the wheel needs
SHARED = {
    "share/man/man1/atoll.1": "packaging/atoll.1",
    "share/bash-completion/completions/atoll": "packaging/completions/atoll.bash",
    "share/zsh/site-functions/_atoll": "packaging/completions/_atoll",
    "share/fish/vendor_completions.d/atoll.fish": "packaging/completions/atoll.fish",
    "share/atoll/atoll.service": "packaging/atoll.service",
}
NOT_CODE = (".pyc", "__pycache__")


@pytest.fixture(scope="module")
def built():
    """A directory with the wheel and the sdist, which an ordinary user may read."""
    with tempfile.TemporaryDirectory(prefix="atw-", dir="/tmp") as place:
        os.chmod(place, 0o755)
        command = [ROOT / "bin" / "release", "--no-audit", place]  # an audit asks a database on the network
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Path(place)


def only(place, pattern):
    (found,) = place.glob(pattern)
    return found


def package_files():
    listed = (p for p in (ROOT / "src/atoll").rglob("*") if p.is_file())
    return {str(p.relative_to(ROOT / "src")) for p in listed if not str(p).endswith(NOT_CODE)}


def test_the_wheel_holds_every_file_of_the_package_and_what_systems_look_for(built):
    with zipfile.ZipFile(only(built, "*.whl")) as wheel:
        names = set(wheel.namelist())
        data = next(name.partition("/")[0] for name in names if ".data/" in name)

        assert package_files() - names == set()
        assert any(name.endswith(".toml") for name in names), "texts"
        for name, source in SHARED.items():
            assert wheel.read(f"{data}/data/{name}").decode() == (ROOT / source).read_text()


def test_the_release_lists_all_that_the_wheel_brings_along(built):
    listed = json.loads(only(built, "*.cdx.json").read_text())
    names = {part["name"].lower().replace("_", "-") for part in listed["components"]}
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    wanted = {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in project["dependencies"]}

    assert listed["bomFormat"] == "CycloneDX"
    assert listed["metadata"]["component"]["name"] == "atoll"
    assert wanted - names == set()
    assert names & {"pip", "setuptools", "pytest", "ruff"} == set(), "what only we use"
    sums = only(built, "*.sha256").read_text().split()
    assert {Path(name).suffix for name in sums[1::2]} == {".whl", ".gz", ".json"}


def test_the_sdist_can_be_built_from_and_holds_nothing_of_ours_alone(built):
    with tarfile.open(only(built, "*.tar.gz")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    assert {"pyproject.toml", "README.md", "LICENSE", "packaging/atoll.1", "src/atoll/__init__.py"} <= names
    assert not [name for name in names if name.startswith((".venv", ".git/", "dist")) or name.endswith(".pyc")]


@pytest.fixture(scope="module")
def installed(built):
    """A clean virtual environment with the wheel in it, and nothing for development."""
    venv = built / "venv"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", venv / "bin/python"]
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(venv)],
        [*pip, "install", "--no-compile", str(only(built, "*.whl"))],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return venv


def lives(venv, home, port, run):
    """Start Atoll, call it without an SDK, and end it; returns what `up` said."""
    env = {
        "PATH": f"{venv}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "ATOLL_STATE": str(home / "state"),
        "ATOLL_ENDPOINT": f"http://127.0.0.1:{port}",
        "LC_ALL": "C.UTF-8",
    }

    def atoll(*arguments, codes=(0,)):
        done = subprocess.run(
            run([str(venv / "bin/atoll"), *arguments], env),
            env=env,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode in codes, done.stdout + done.stderr
        return done.stdout

    assert "engine valkey" in atoll("doctor", codes=(0, 1))
    said = atoll("up", "-d", "--port", str(port))
    try:
        assert "Ready." in said
        call = ["curl", "-s", "--aws-sigv4", "aws:amz:us-east-1:ec2", "--user", "test:test"]
        call += ["-d", "Action=DescribeVpcs&Version=2016-11-15", f"http://127.0.0.1:{port}/"]
        answer = subprocess.run(call, capture_output=True, text=True, timeout=30, check=True).stdout
        assert "<cidrBlock>172.31.0.0/16</cidrBlock>" in answer
        assert "vpc-" in atoll("status")
    finally:
        ended = atoll("down", "--purge")
    assert "Nothing is left" in ended
    assert not (home / "state").exists()


@pytest.mark.engines
def test_it_works_from_the_wheel(installed):
    with tempfile.TemporaryDirectory(prefix="ath-", dir="/tmp") as home:
        lives(installed, Path(home), free_port(), lambda command, _: command)


@pytest.mark.engines
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_it_works_from_the_wheel_for_an_ordinary_user(installed):
    with tempfile.TemporaryDirectory(prefix="ath-", dir="/tmp") as home:
        os.chown(home, NOBODY, NOBODY)
        lives(installed, Path(home), free_port(), lambda command, env: as_ordinary_user(command, Path(home), env))
