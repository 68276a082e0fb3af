"""Whatever comes to a door of the daemon's, nobody but the sender is the worse for it.

Seeds and counts are fixed: what fails says its number, and fails again.
"""

import asyncio
import os
import re
import socket
import ssl
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from atoll.aws.http import Request
from atoll.console import site
from atoll.guest.imds import Imds, _Connection
from atoll.guest.objects import Objects
from tests.api.conftest import ec2, paper, subnet, vpc  # noqa: F401
from tests.console.visitor import Visitor
from tests.daemon.atoll import running, until
from tests.fuzz import doors
from tests.fuzz.dice import HOSTILE_TEXT, Dice
from tests.guest.conftest import web  # noqa: F401
from tests.guest.test_imds import _AsTheInstance
from tests.tidy.tree import ROOT

VISITS, VISITS_OVER_TLS, CALLS, FORMS, METADATA = 400, 120, 900, 700, 4_000
DESCRIPTORS_MORE, MEGABYTES_MORE = 5, 80
ANSWERED_SHARE = 0.05  # of the visits: 0.87 here; 0.07 and 0.1 bring a whole request, and wait for its answer

pytestmark = pytest.mark.timeout(300)


def held(daemon) -> tuple[int, float]:
    """Return the descriptors and the megabytes of a daemon."""
    process = Path(f"/proc/{daemon.daemon.pid}")
    pages = int((process / "statm").read_text().split()[1])
    return len(os.listdir(process / "fd")), pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@pytest.fixture(scope="module")
def daemon():
    with running("paper") as made:
        ec2, elasticache = made.client("ec2"), made.client("elasticache")
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        elasticache.create_cache_cluster(
            CacheClusterId="one", Engine="memcached", NumCacheNodes=1, CacheNodeType="cache.t3.micro"
        )
        yield made
        assert "Traceback" not in made.said()


def is_well(daemon, before) -> None:
    assert daemon.get("/_atoll/health")["status"] == "running"
    until(lambda: held(daemon)[0] <= before[0] + DESCRIPTORS_MORE, 20, "as many descriptors as before")
    assert held(daemon)[1] < before[1] + MEGABYTES_MORE
    assert "Traceback" not in daemon.said()


def test_what_is_no_request_is_refused_or_waited_for(daemon):
    before, answered = held(daemon), 0
    for number in range(VISITS):
        dice = Dice(f"door {number}")
        raw = doors.NOT_REQUESTS[number] if number < len(doors.NOT_REQUESTS) else doors.worn(dice)
        statuses = doors.visit(daemon.port, raw, dice)
        wrong = [it for it in statuses if it >= 500 and it not in doors.NO_MISTAKES]
        assert not wrong, f"number {number}: {wrong} to {raw[:300]!r}"
        answered += bool(statuses)
    assert answered > VISITS * ANSWERED_SHARE
    is_well(daemon, before)


def test_what_is_no_request_is_refused_over_tls_too():
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with running("paper", bind="0.0.0.0", keys="required") as daemon:
        before, answered = held(daemon), 0
        for number in range(VISITS_OVER_TLS):
            dice = Dice(f"tls {number}")
            raw = doors.worn(dice)
            statuses = doors.visit(daemon.port, raw, dice, trusting if number % 2 else None)
            wrong = [it for it in statuses if it >= 500 and it not in doors.NO_MISTAKES]
            assert not wrong, f"number {number}: {wrong} to {raw[:300]!r}"
            answered += bool(statuses)
        assert answered > VISITS_OVER_TLS * ANSWERED_SHARE
        is_well(daemon, before)


def routes() -> list[str]:
    """Return every path that the private API names, but those that end or empty the daemon."""
    texts = [path.read_text() for path in (ROOT / "src/atoll/admin").glob("*.py")]
    found = {path for text in texts for path in re.findall(r'"(/_atoll/[\w/-]+)"', text)}
    return sorted(found - {"/_atoll/stop", "/_atoll/reset"})


def names() -> list[str]:
    """Return what the private API reads of a body or a query, as far as its text says."""
    texts = [path.read_text() for path in (ROOT / "src/atoll/admin").glob("*.py")]
    of = re.compile(r'(?:_text|get|_number|_list)\((?:body, |query, |said, )?"(\w+)"')
    return sorted({name for text in texts for name in of.findall(text)} | {"from", "to", "port", "protocol"})


def test_the_private_api_refuses_what_it_does_not_understand(daemon):
    before, paths, known = held(daemon), routes(), names()
    assert len(paths) > 20
    assert len(known) > 10
    for number in range(CALLS):
        dice = Dice(f"private {number}")
        path = paths[number % len(paths)] + dice.choice(("", "", "", "", "/x", "/%00", "/i-1", "/.."))
        method = dice.choice(("POST", "POST", "POST", "GET", "GET", "PUT", "DELETE"))
        asked, raw = doors.query(dice, known), doors.body(dice, known)
        status = doors.ask(daemon.port, method, f"{path}?{asked}" if dice.random() < 0.5 else path, raw)
        said = f"number {number}: {status} to {method} {path}?{asked} {raw[:500]!r}: {daemon.said()[-1500:]}"
        assert status < 500 or status in doors.NO_MISTAKES, said
    is_well(daemon, before)


def ids(daemon) -> list[str]:
    said = str(daemon.status()) + str(daemon.client("ec2").describe_network_interfaces())
    return sorted(set(re.findall(r"\b(?:vpc|i|eni|sg|subnet|rtb|acl|igw)-[0-9a-f]+\b", said)))


def test_a_form_of_the_console_that_nobody_would_fill_in_so_is_told_so(daemon):
    site.load()
    before, visitor, known = held(daemon), Visitor(daemon).enter(), [*ids(daemon), "one", "default", "0001"]
    token, acts = visitor.token(), sorted(site.ACTS)
    fields = sorted({
        name for path in (ROOT / "src/atoll/console").rglob("*.html")
        for name in re.findall(r'name="(\w+)"', path.read_text())
    } | {"id", "name", "cidr", "vpc", "subnet", "group", "port", "protocol", "from", "to", "count"})  # fmt: skip
    assert len(acts) > 40
    for number in range(FORMS):
        dice = Dice(f"form {number}")

        def value(dice=dice):
            return dice.choice(known) if dice.random() < 0.3 else str(doors.nasty(dice))[:2_000]

        def part(_, value=value):
            return quote(value()[:80] or "x", safe="", errors="replace")

        path = re.sub(r"\{[^}]*\}", part, acts[number % len(acts)])
        pairs = [("token", token), *((name, value()) for name in dice.sample(fields, dice.randint(0, 12)))]
        sent = urlencode(pairs, errors="replace")
        page = visitor.ask("POST", visitor.address(path), sent, follow=False)
        assert page.status < 500, f"number {number}: {page.status} to {path} {sent[:500]}: {daemon.said()[-1500:]}"
    is_well(daemon, before)


class Wire(asyncio.Transport):
    """A connection to nowhere."""

    def __init__(self):
        super().__init__()
        self.said, self.is_over, self.socket = b"", False, socket.socket()

    def get_extra_info(self, name, default=None):
        return {"peername": ("10.0.0.4", 40_000), "socket": self.socket}.get(name, default)

    def write(self, data):
        self.said += data

    def is_closing(self):
        return self.is_over

    def close(self):
        self.is_over = True
        self.socket.close()

    abort = close


METADATA_PATHS = (
    "/latest/meta-data/", "/latest/user-data", "/latest/api/token", "/latest/dynamic/instance-identity/document", "/",
    "/latest/meta-data/network/interfaces/macs/", "/latest/meta-data/iam/security-credentials/", "/1.0/", "/x" * 200,
)  # fmt: skip
METADATA_HEADERS = (
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
    "x-forwarded-for",
    "host",
    "te",
)


def test_metadata_is_asked_for_by_whatever_is_sent(web):  # noqa: F811
    async def one(number):
        dice, wire = Dice(f"metadata {number}"), Wire()
        path = dice.choice(METADATA_PATHS) + quote(str(doors.nasty(dice))[:200], safe="/%", errors="replace")
        lines = [f"{dice.choice(('GET', 'PUT', 'HEAD', 'POST'))} {path} HTTP/1.1"]
        for name in dice.sample(METADATA_HEADERS, 2):
            lines.append(f"{name}: {str(doors.nasty(dice))[:300]}")
        raw = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") if dice.random() < 0.7 else doors.worn(dice)
        connection = _Connection(imds)
        connection.connection_made(wire)
        for at in range(0, len(raw), 1 + dice.randint(1, 20_000)):
            connection.data_received(raw[at : at + 20_000])
        if connection._task:
            await connection._task
        connection.connection_lost(None)
        statuses = [int(status) for status in doors.STATUS.findall(wire.said)]
        assert all(it < 500 or it in doors.NO_MISTAKES for it in statuses), f"number {number}: {raw[:500]!r}"
        return bool(statuses)

    async def all_of_them():
        return sum([await one(number) for number in range(METADATA)])

    imds = Imds(_AsTheInstance(web), lambda: web.paper.clock)
    assert asyncio.run(all_of_them()) > METADATA / 2, "most of it is answered"


def test_the_store_of_objects_refuses_by_its_own_errors(tmp_path):
    store, hosts = Objects(tmp_path / "objects", ["s3.us-east-1.amazonaws.com"]), ("s3.us-east-1.amazonaws.com",)
    (tmp_path / "objects").mkdir()
    for number in range(METADATA):
        dice = Dice(f"objects {number}")
        parts = ("bucket", "a", "..", ".", "%2e%2e", "", quote(str(doors.nasty(dice))[:300], errors="replace"))
        request = Request(
            dice.choice(("GET", "PUT", "PUT", "DELETE", "HEAD", "POST")),
            "/" + "/".join(dice.choice(parts) for _ in range(dice.randint(1, 4))),
            doors.query(dice, ["list-type", "prefix", "max-keys", "x-id"]),
            {"authorization": "x", "host": dice.choice((*hosts * 5, *HOSTILE_TEXT))[:300]},
            doors.body(dice, ["a"]),
        )
        answer = store.answer(request)
        assert answer.status < 500 or answer.status in doors.NO_MISTAKES, f"number {number}: {request}"
    assert {path.name for path in tmp_path.iterdir()} == {"objects"}, "nothing was written beside it"
