"""HCL as it is printed is what Terraform reads: each text comes back as it was."""

import json
import os
import shutil
import subprocess

import pytest

from atoll.recipe.hcl import Block, Comment, Expression, document, string, value
from tests.recipe.calls import NASTY, PLAIN

TEXTS = (*PLAIN, *NASTY, "$${a}", "$$${a}", "%%{if}", "$", "${", "a$", "#!/bin/sh\necho ${HOME}\n", "\n\n\n", "\r\n",
    "\x7f")  # fmt: skip


def test_templates_and_quotes_are_escaped():
    assert string('say "${x}" %{if}\n') == '"say \\"$${x}\\" %%{if}\\n"'


def test_attributes_in_a_row_are_aligned_and_blocks_stand_apart():
    block = Block("resource", ("aws_vpc", "main"), (
        ("cidr_block", "10.0.0.0/16"), ("id", Expression("aws_vpc.other.id")),
        Block("timeouts", (), (("create", "5m"),)),
    ))  # fmt: skip

    assert document([Comment("a VPC"), block]) == (
        "# a VPC\n\n"
        'resource "aws_vpc" "main" {\n  cidr_block = "10.0.0.0/16"\n  id         = aws_vpc.other.id\n\n'
        '  timeouts {\n    create = "5m"\n  }\n}\n'
    )


def test_a_comment_cannot_end_itself():
    assert document([Comment("x\r\nresource {}\u2028y")]) == "# x?\n# resource {}?y\n"


@pytest.mark.skipif(not shutil.which("terraform"), reason="NO TERRAFORM TEST: no terraform in PATH")
def test_terraform_reads_each_text_back(tmp_path):
    outputs = [Block("output", (f"t{n}",), (("value", text),)) for n, text in enumerate(TEXTS)]
    nested = {"a b": [1, 2.5, True, None, {"x": list(TEXTS)}], "plain": {}}
    (tmp_path / "main.tf").write_text(document([*outputs, Block("output", ("nested",), (("value", nested),))]))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CHECKPOINT_DISABLE": "1"}

    def terraform(*words):
        done = subprocess.run(
            ["terraform", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert terraform("fmt", "-list=true") == "", "it is laid out as Terraform lays it out"
    terraform("apply", "-auto-approve")
    found = {name: it["value"] for name, it in json.loads(terraform("output", "-json")).items()}

    assert [found[f"t{n}"] for n in range(len(TEXTS))] == list(TEXTS)
    assert found["nested"] == nested


def test_lists_of_many_are_a_line_each():
    assert value(["a", "b"]) == '["a", "b"]'
    assert value(["a"] * 5) == "[\n" + '  "a",\n' * 5 + "]"
