"""Ansible's amazon.aws modules: what they made they find again unchanged, and they take everything away.

Ansible is large (some 400 MB), so bin/ansible puts it into an environment of its own, .venv/ansible, once.  Where it
cannot be had there is nothing to test.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.api.paper import Paper
from tests.api.test_terraform import url

__all__ = ["url"]  # a fixture

HERE = Path(__file__).parent
INSTALL = HERE.parents[1] / "bin" / "ansible"
PROGRAM = HERE.parents[1] / ".venv" / "ansible" / "bin" / "ansible-playbook"
RUN_SECONDS, INSTALL_SECONDS = 240, 400
SAID_BYTES = 6_000  # of the output: errors come last


def play(name: str, url: str, image: str, home: Path) -> dict[str, int]:
    """Run a playbook, which must not fail; returns its recap: ok, changed, failed ..."""
    command = [str(PROGRAM), "-i", "localhost,", "-c", "local", str(HERE / "ansible" / name)]
    command += [
        "-e",
        f"url={url}",
        "-e",
        f"image={image}",
        "-e",
        f"ansible_python_interpreter={PROGRAM.parent}/python",
    ]
    environment = {
        "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run(
        command, env=environment, cwd=home, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-SAID_BYTES:]
    recap: dict[str, int] = {
        key: int(count) for key, count in re.findall(r"(\w+)=(\d+)", done.stdout.rpartition("PLAY RECAP")[2])
    }
    print(done.stdout[-SAID_BYTES:])
    return recap


@pytest.mark.timeout(3 * RUN_SECONDS + INSTALL_SECONDS)
def test_a_second_run_changes_nothing_and_absent_cleans_up(paper: Paper, url: str, tmp_path: Path) -> None:
    if not PROGRAM.exists():
        tried = subprocess.run([INSTALL], capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if tried.returncode:
            pytest.skip(f"NO ANSIBLE TEST: bin/ansible cannot install it: {tried.stderr[-200:]}")
    (image, *_) = paper.client().describe_images(
        Owners=["amazon"], Filters=[{"Name": "name", "Values": ["amzn2-ami-hvm-*-x86_64-gp2"]}]
    )["Images"]

    first = play("present.yml", url, image["ImageId"], tmp_path)
    second = play("present.yml", url, image["ImageId"], tmp_path)
    last = play("absent.yml", url, image["ImageId"], tmp_path)

    assert first["changed"] == first["ok"]
    assert second["changed"] == 0
    assert last["changed"] > 8
    assert not [call for call in paper.backend.calls if call.status >= 500]
    left = [r for r in paper.world if r.id.startswith(("vpc-", "eipalloc-")) and not getattr(r, "is_default", False)]
    assert left == []
