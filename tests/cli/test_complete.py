"""Completion: what may come next, with and without a daemon."""

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

STATUS = b'{"instances": [{"id": "i-1", "name": "app"}], "caches": [{"name": "sessions-001", "group": "sessions"}]}'


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(STATUS)

    def log_message(self, *_):
        """Stay quiet."""


@pytest.fixture(scope="module")
def endpoint():
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def tab(cache):
    def tab(*words, endpoint="http://127.0.0.1:9", program=(sys.executable, "-m", "atoll.cli"), **more):
        environment = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(cache), "ATOLL_ENDPOINT": endpoint} | more
        done = subprocess.run(
            [*program, "__complete", *words], env=environment, capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout.split()

    return tab


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["port-f"], ["port-forward"]),
        (["drill", "fail"], ["failover"]),
        (["exec", ""], ["app", "i-1"]),
        (["run", "--in", "a"], ["app"]),
        (["why", "app", "se"], ["sessions", "sessions-001"]),
        (["port-forward", "sessions", "--from", ""], ["app", "i-1"]),
        (["export", "--form"], ["--format"]),
        (["run", "--in", "app", "--", "e"], []),
        (["nonsense", "x"], []),
    ],
)
def test_what_may_come_next(tab, endpoint, words, found):
    assert tab(*words, endpoint=endpoint) == found


def test_without_a_daemon_there_are_no_names_and_no_errors(tab):
    assert tab("exec", "") == []
    assert tab("profile", "") == ["install", "remove"]


def test_a_tab_waits_for_no_daemon_that_hangs_even_to_know_whose_a_key_is(tab):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert tab("exec", "", endpoint=url, AWS_ACCESS_KEY_ID="AKIAEXAMPLE") == []


def test_a_tab_with_a_key_takes_any_answer(tab, endpoint):
    assert tab("exec", "", endpoint=endpoint, AWS_ACCESS_KEY_ID="AKIAEXAMPLE") == ["app", "i-1"]


def test_a_tab_does_not_load_what_reads_command_lines(tab, cache):
    tab("exec", "")
    program = (sys.executable, "-X", "importtime", "-m", "atoll.cli")

    environment = {"PATH": os.environ["PATH"], "ATOLL_ENDPOINT": "http://127.0.0.1:9", "HOME": "/nonexistent"}
    cold = subprocess.run([*program, "__complete", "ex"], env=environment, capture_output=True, text=True, check=True)

    assert cold.stdout.split() == ["exec", "export"], "a cache that cannot be written is done without"
    done = subprocess.run(
        [*program, "__complete", "ex"], capture_output=True, text=True, check=True,
        env=environment | {"XDG_CACHE_HOME": str(cache)},
    )  # fmt: skip
    assert "typer" not in done.stderr
    assert done.stdout == cold.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell):
    command = [sys.executable, "-m", "atoll.cli", "completion", shell]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "atoll __complete" in done.stdout


def test_bash_completes(endpoint):
    script = (
        f'atoll() {{ {sys.executable} -m atoll.cli "$@"; }}\neval "$(atoll completion bash)"\n'
        'COMP_WORDS=(atoll exec a); COMP_CWORD=2; _atoll; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], env={"PATH": os.environ["PATH"], "ATOLL_ENDPOINT": endpoint},
        capture_output=True, text=True, check=True)  # fmt: skip

    assert done.stdout.split() == ["app"]
