"""What strangers send to the socket: nothing of it harms, and everything of it ends."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.daemon.atoll import Atoll, running, until

FORM = "application/x-www-form-urlencoded"
SCOPE = "AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0"


@pytest.fixture(scope="module")
def atoll() -> Iterator[Atoll]:
    with running("paper") as daemon:
        yield daemon


@contextlib.contextmanager
def connected(atoll: Atoll) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", atoll.port), timeout=10) as sock:
        yield sock


def answer_of(sock: socket.socket) -> bytes:
    """Return all that is said before the other end closes or falls silent."""
    said = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while part := sock.recv(65536):
            said += part
    return said


def ask(
    atoll: Atoll, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(atoll.url + path, body, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def memory_kib(atoll: Atoll) -> int:
    lines = Path(f"/proc/{atoll.status()['pid']}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def is_well(atoll: Atoll) -> bool:
    return bool(atoll.client("ec2").describe_vpcs()["Vpcs"])


@pytest.mark.parametrize(
    "noise",
    [b"\x00" * 4096, bytes(range(256)) * 64, b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n",
     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
     b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ids=["zeroes", "bytes", "lines", "word", "version", "tls", "negative", "two lengths"],
)  # fmt: skip
def test_what_is_not_http_is_refused_and_forgotten(atoll, noise):
    with connected(atoll) as sock:
        sock.settimeout(2)
        sock.sendall(noise)
        assert answer_of(sock)[:12] in (b"", b"HTTP/1.1 400")
    assert is_well(atoll)


def test_half_requests_stay_open_for_a_bounded_time_and_hold_up_nobody(atoll):
    with contextlib.ExitStack() as stack:
        half = [stack.enter_context(connected(atoll)) for _ in range(200)]
        for sock in half:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nAct")
        begun = time.perf_counter()
        assert is_well(atoll)
        assert time.perf_counter() - begun < 2
        for sock in half:
            sock.settimeout(60)
        assert half[0].recv(100)[:12] == b"HTTP/1.1 408"
        assert 20 < time.perf_counter() - begun < 45


def test_more_connections_than_allowed_are_refused_and_served_again_later(atoll):
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(connected(atoll)) for _ in range(1_010)]
        last = many[-1]
        last.settimeout(5)
        assert answer_of(last)[:12] in (b"HTTP/1.1 503", b"")
    until(lambda: is_well(atoll), 10)


def test_a_body_of_100_megabytes_is_refused_early_and_not_kept(atoll):
    is_well(atoll)
    before, sent = memory_kib(atoll), 0
    with connected(atoll) as sock:
        sock.sendall(
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {SCOPE}\r\nContent-Type: {FORM}\r\n"
            f"Content-Length: {100 << 20}\r\n\r\n".encode()
        )
        piece = b"a" * 65536
        with contextlib.suppress(OSError):
            while sent < 100 << 20:
                sock.sendall(piece)
                sent += len(piece)
        said = answer_of(sock)
    assert sent < 20 << 20, "most of it was never read"
    assert said == b"" or b" 4" in said[:12]
    assert memory_kib(atoll) - before < 20_000
    assert is_well(atoll)


def test_ten_thousand_headers_are_refused(atoll):
    with connected(atoll) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(10_000)) + b"\r\n")
        assert answer_of(sock)[:12] in (b"HTTP/1.1 431", b"")
    assert is_well(atoll)


def test_an_unknown_action_is_a_client_error_at_once(atoll):
    status, _, body = ask(
        atoll, "POST", "/", b"Action=MakeCoffee&Version=2016-11-15", Authorization=SCOPE, Content_Type=FORM
    )
    assert status == 400
    assert b"<Code>InvalidAction</Code>" in body


def test_visits_are_answered_and_other_methods_change_nothing(atoll):
    assert ask(atoll, "GET", "/")[0] == 200
    status, headers, body = ask(atoll, "HEAD", "/")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0
    assert ask(atoll, "OPTIONS", "/")[0] in (400, 403, 405)
    assert ask(atoll, "DELETE", "/_atoll/status")[0] == 405
    assert ask(atoll, "GET", "/_atoll/reset")[0] == 405
    assert ask(atoll, "GET", "/_atoll/nothing")[0] == 404


@pytest.mark.parametrize(
    "path", ["/_atoll/reset", "/moto-api/reset", "/_localstack/state/reset", "/_atoll/stop", "/"]
)
def test_a_web_page_may_neither_rule_nor_call(atoll, path):
    vpc = atoll.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    origin = {"Origin": "https://evil.example"}
    body = b"Action=DeleteVpc&Version=2016-11-15&VpcId=" + vpc.encode()
    status, _, said = ask(atoll, "POST", path, body, **origin, Authorization=SCOPE, Content_Type=FORM)
    assert status == 403
    assert b"evil.example" in said
    assert atoll.client("ec2").describe_vpcs(VpcIds=[vpc])["Vpcs"]


@pytest.mark.parametrize("path", ["/_atoll/status", "/_atoll/health", "/_localstack/health", "/"])
def test_a_name_that_is_led_to_us_is_not_ours(atoll, path):
    """DNS rebinding: the page's own name now means 127.0.0.1, so the browser sees no other origin."""
    host = f"evil.example:{atoll.port}"
    assert ask(atoll, "GET", path, Host=host)[0] == 403
    assert ask(atoll, "GET", path, Host=host, Origin=f"http://{host}")[0] == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "ec2.us-east-1.localhost", "LOCALHOST."])
def test_our_own_names_are_ours(atoll, host):
    assert ask(atoll, "GET", "/_atoll/health", Host=f"{host}:{atoll.port}")[0] == 200


def test_requests_in_one_packet_are_answered_in_order(atoll):
    requests = b"".join(
        b"GET /_atoll/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in (b"health", b"none", b"health")
    )
    with connected(atoll) as sock:
        sock.sendall(requests + b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = answer_of(sock)
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"200", b"404", b"200", b"200"]


def test_a_connection_serves_many_requests(atoll):
    with connected(atoll) as sock:
        for _ in range(100):
            sock.sendall(b"GET /_atoll/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_wrong_signature_with_an_issued_key_is_refused(atoll):
    token = atoll.client("sts").get_session_token()["Credentials"]
    wrong = atoll.client("ec2", account=token["AccessKeyId"], secret="no")
    with pytest.raises(ClientError) as refused:
        wrong.describe_vpcs()
    assert refused.value.response["Error"]["Code"] in ("AuthFailure", "SignatureDoesNotMatch")


def test_with_keys_required_only_issued_keys_may_call():
    with running("paper", keys="required") as strict:
        with pytest.raises(ClientError) as refused:
            strict.client("ec2").describe_vpcs()
        assert refused.value.response["Error"]["Code"] in ("AuthFailure", "InvalidClientTokenId")
        assert strict.get("/_atoll/health")["status"] == "running"


def test_others_machines_may_call_with_a_key_but_never_rule():
    with running("paper", keys="required", bind="0.0.0.0") as strict:
        address = next(
            line.split()[3].split("/")[0]
            for line in subprocess.check_output(["ip", "-o", "-4", "addr"], text=True).splitlines()
            if " lo " not in line
        )
        with socket.create_connection((address, strict.port), timeout=5) as sock:
            sock.sendall(f"POST /_atoll/reset HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
            said = answer_of(sock)
        assert said.startswith(b"HTTP/1.1 403")
        assert "this machine only" in json.loads(said.partition(b"\r\n\r\n")[2])["error"]


def test_to_be_reached_by_others_needs_keys():
    with running("paper", started=False, bind="0.0.0.0") as open_to_all:
        said = open_to_all.up(expect=False)
        assert "--keys required" in said
        assert open_to_all.daemon.returncode == 1


def test_two_daemons_share_neither_state_nor_port(atoll):
    with running("paper", started=False) as same_state:
        same_state.state, own = atoll.state, same_state.state
        assert "another Atoll runs on" in same_state.up(expect=False)
        same_state.state = own
    with running("paper", started=False) as same_port:
        same_port.port = atoll.port
        said = same_port.up(expect=False)
        assert f"cannot listen on 127.0.0.1:{atoll.port}" in said
        assert "--port" in said
        assert [path.name for path in same_port.state.iterdir()] == ["lock"]
        shutil.rmtree(same_port.state)
