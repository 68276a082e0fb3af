"""Terraform: what it applies it finds again, and it takes everything away.

Needs `terraform` and its AWS provider in a local mirror.  Every file in terraform/ is a configuration as people write
it; here they are modules of one, because starting the provider costs more than what it does.  Its own waits make it
last half a minute.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atoll.aws.answer import answer
from atoll.aws.http import Answer, Request
from atoll.server import Server
from tests.api.paper import Paper

CONFIGURATIONS = Path(__file__).parent / "terraform"
MIRRORS = (
    "/opt/*/*/hashicorp/aws",
    "/usr/*/terraform/plugins/*/hashicorp/aws",
    "/usr/local/*/terraform/*/hashicorp/aws",
)
CONFIG = (
    'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\ndisable_checkpoint = true\n'
)
RUN_SECONDS = 180
SAID_BYTES = 6_000  # of Terraform's output: its errors come last


def mirror() -> Path | None:
    """Return a directory that mirrors the AWS provider, or None."""
    if named := os.environ.get("ATOLL_TERRAFORM_MIRROR"):
        return Path(named)
    found = (path for pattern in MIRRORS for path in Path("/").glob(pattern[1:]))
    return next((path.parents[2] for path in found), None)


@pytest.fixture
def url(paper: Paper) -> Iterator[str]:
    """Serve the paper on a port, with the daemon's own server.

    It matters that an answer leaves in one piece: the provider now and then gives up a connection on which it has
    got the head of an answer and not yet the body, asks again, and what it deleted is then not there.
    """
    loop = asyncio.new_event_loop()
    sock = socket.create_server(("127.0.0.1", 0), backlog=100)

    async def answering(request: Request) -> Answer:
        out = await answer(request, paper.backend)
        paper.settle()
        return out

    server = Server(answering, sock)
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Terraform:
    """Terraform in a directory, against a URL."""

    def __init__(self, directory: Path, url: str) -> None:
        program, plugins = shutil.which("terraform"), mirror()
        if program is None or plugins is None:
            pytest.skip(
                "NO TERRAFORM TEST: no terraform in PATH, or no mirror of its provider (ATOLL_TERRAFORM_MIRROR)"
            )
        (directory / "terraform.rc").write_text(CONFIG.format(mirror=plugins))
        self.program, self.directory = program, directory
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "TF_CLI_CONFIG_FILE": str(directory / "terraform.rc"),
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "GOGC": "400",  # a third less processor time for each start of the provider, for 50 MB more
        }

    def __call__(self, *words: str) -> str:
        """Run a command, which must succeed; returns what it said."""
        done = subprocess.run(
            [self.program, *words, "-no-color"],
            cwd=self.directory,
            env=self.environment,
            timeout=RUN_SECONDS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (
            f"terraform {' '.join(words)} ended with {done.returncode}:\n{done.stdout[-SAID_BYTES:]}"
        )
        return done.stdout.strip()


@pytest.mark.timeout(500)
def test_a_second_plan_changes_nothing_and_destroy_leaves_nothing(paper: Paper, url: str, tmp_path: Path) -> None:
    main = []
    for path in sorted(CONFIGURATIONS.glob("*.tf")):
        (tmp_path / path.stem).mkdir()
        shutil.copy(path, tmp_path / path.stem / "main.tf")
        main.append(f'module "{path.stem}" {{\n  source = "./{path.stem}"\n}}\n')
    assert len(main) >= 4
    (tmp_path / "main.tf").write_text("".join(main))
    terraform = Terraform(tmp_path, url)

    terraform("init")
    terraform("apply", "-auto-approve", "-parallelism=30")
    terraform("plan", "-detailed-exitcode", "-parallelism=30")  # 2 would mean that it wants to change something
    terraform("destroy", "-auto-approve", "-parallelism=30")

    assert not [call for call in paper.backend.calls if call.status >= 500]
    left = [r for r in paper.world if r.id.startswith(("vpc-", "eipalloc-")) and not getattr(r, "is_default", False)]
    assert left == []
