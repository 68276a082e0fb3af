"""Terraform: what it applies it finds again, and it takes everything away.

Needs `terraform` and its AWS provider in a local mirror; the provider's own waits make it last half a minute.
"""

import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from atoll.aws.answer import answer
from atoll.aws.http import Request
from tests.api.paper import now

CONFIGURATIONS = Path(__file__).parent / "terraform"
MIRRORS = (
    "/opt/*/*/hashicorp/aws",
    "/usr/*/terraform/plugins/*/hashicorp/aws",
    "/usr/local/*/terraform/*/hashicorp/aws",
)
CONFIG = (
    'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\ndisable_checkpoint = true\n'
)
RUN_SECONDS = 90


def mirror():
    """Return a directory that mirrors the AWS provider, or None."""
    if named := os.environ.get("ATOLL_TERRAFORM_MIRROR"):
        return Path(named)
    found = (path for pattern in MIRRORS for path in Path("/").glob(pattern[1:]))
    return next((path.parents[2] for path in found), None)


@pytest.fixture
def url(paper):
    """Serve the paper on a port."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            path, _, query = self.path.partition("?")
            with lock:
                out = now(answer(Request("POST", path, query, headers, body), paper.backend))
                paper.settle()
            self.send_response(out.status)
            for name, value in {**out.headers, "Content-Length": str(len(out.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(out.body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def terraform(url, tmp_path, request):
    """Return a function that runs Terraform and returns its exit code and output."""
    program, plugins = shutil.which("terraform"), mirror()
    if not program or not plugins:
        pytest.skip("no terraform, or no mirror of its AWS provider: set ATOLL_TERRAFORM_MIRROR")
    shutil.copy(CONFIGURATIONS / request.param, tmp_path)
    config = tmp_path / "terraform.rc"
    config.write_text(CONFIG.format(mirror=plugins))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TF_CLI_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def run(*words):
        done = subprocess.run(
            [program, *words, "-no-color"],
            cwd=tmp_path,
            env=environment,
            timeout=RUN_SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    code, said = run("init")
    assert code == 0, said
    return run


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "terraform",
    ["network.tf", "instances.tf", "nat.tf", "peering.tf", "placement.tf"],
    indirect=True,
    ids=["network", "instances", "nat", "peering", "placement groups"],
)
def test_a_second_plan_changes_nothing_and_destroy_leaves_nothing(paper, terraform):
    code, said = terraform("apply", "-auto-approve")
    assert code == 0, said
    code, said = terraform("plan", "-detailed-exitcode")
    assert code == 0, said
    code, said = terraform("destroy", "-auto-approve")
    assert code == 0, said

    assert not [call for call in paper.backend.calls if call.status >= 500]
    left = [r for r in paper.world if r.id.startswith(("vpc-", "eipalloc-")) and not getattr(r, "is_default", False)]
    assert left == []
