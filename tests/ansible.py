"""Ansible in an environment of its own, .venv/ansible: some 400 MB, which bin/ansible installs once.

Where it cannot be had there is nothing to test.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
INSTALL = CHECKOUT / "bin" / "ansible"
PROGRAM = CHECKOUT / ".venv" / "ansible" / "bin" / "ansible-playbook"
RUN_SECONDS, INSTALL_SECONDS = 240, 400
SAID_BYTES = 6_000  # of the output: errors come last


def play(book: Path, url: str, home: Path, **values: str) -> dict[str, int]:
    """Run a playbook, which must not fail; returns its recap: ok, changed, failed ..."""
    command = [str(PROGRAM), "-i", "localhost,", "-c", "local", str(book)]
    for name, value in {"url": url, "ansible_python_interpreter": f"{PROGRAM.parent}/python", **values}.items():
        command += ["-e", f"{name}={value}"]
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


def need_ansible() -> None:
    """Install Ansible if it is not there, or skip the test and say why."""
    if not PROGRAM.exists():
        tried = subprocess.run([INSTALL], capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if tried.returncode:
            pytest.skip(f"NO ANSIBLE TEST: bin/ansible cannot install it: {tried.stderr[-200:]}")
