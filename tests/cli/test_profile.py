"""`atoll profile`: its own section of ~/.aws, and not a byte of anything else."""

import os
import subprocess
import sys

import pytest

from atoll.cli.profile import with_section, without

HEAD, VALUES = "[profile atoll]", {"endpoint_url": "http://127.0.0.1:4566", "region": "us-east-1"}
FILES = {
    "nothing": "",
    "a profile": "[default]\nregion = eu-west-1\n",
    "comments and odd spaces": "# mine\n\n[ profile  x ]\n  region=us-east-1\n\n\n; end\n",
    "a name that begins alike": "[profile atoll-2]\nregion = x\n",
    "nested settings": "[default]\ns3 =\n  max_concurrent_requests = 20\n",
    "bytes that are no text": "[default]\nkey = \udcff\n",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_what_is_put_in_comes_out_again_and_nothing_else(text):
    once = with_section(text, HEAD, VALUES)

    assert once.startswith(text)
    assert with_section(once, HEAD, VALUES) == once
    assert without(once) == text


def test_what_was_written_behind_it_stays():
    text = with_section("[a]\nb = c\n", HEAD, VALUES) + "\n# mine\n[z]\nb = c\n"

    assert without(text) == "[a]\nb = c\n\n\n# mine\n[z]\nb = c\n"


def test_an_old_one_is_brought_up_to_date():
    old = with_section("[a]\nb = c\n", HEAD, {"endpoint_url": "http://127.0.0.1:1"})

    assert with_section(old, HEAD, VALUES) == with_section("[a]\nb = c\n", HEAD, VALUES)


@pytest.fixture
def profile(tmp_path):
    def run(verb):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ATOLL_ENDPOINT": "http://127.0.0.1:4577"}
        return subprocess.run(
            [sys.executable, "-m", "atoll.cli", "profile", verb], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    return run


def test_it_is_installed_and_removed_with_a_copy_of_what_was(profile, tmp_path):
    place = tmp_path / ".aws"
    place.mkdir()
    (tmp_path / "real").write_text("[default]\nregion = eu-west-1\n")
    (tmp_path / "real").chmod(0o640)
    (place / "config").symlink_to(tmp_path / "real")

    installed, again = profile("install"), profile("install")
    text = (place / "config").read_text()
    removed = profile("remove")

    assert [p.returncode for p in (installed, again, removed)] == [0, 0, 0]
    assert "endpoint_url = http://127.0.0.1:4577" in text
    assert "is there already" in again.stdout
    assert (place / "config").is_symlink()
    assert (tmp_path / "real").read_text() == "[default]\nregion = eu-west-1\n"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "real.before-atoll").read_text() == "[default]\nregion = eu-west-1\n"
    assert (place / "credentials").stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_written_is_told(profile, tmp_path):
    (tmp_path / ".aws").write_text("a file, not a directory")

    refused = profile("install")

    assert refused.returncode == 1
    assert "cannot be" in refused.stderr
