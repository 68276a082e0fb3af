"""The floors of ARCHITECTURE.md: who may import whom, and who does no I/O."""

import subprocess
import sys

from tests.tidy.tree import ROOT


def test_every_package_imports_only_floors_below_it():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    checked = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout[-4000:] + checked.stderr[-1000:]
