"""Everything that reads what others wrote: a function, texts that it takes, and the errors that it may raise."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from dnslib import DNSRecord

from atoll.admin.twin_routes import _files
from atoll.apply import document
from atoll.apply.document import Wrong
from atoll.aws import cbor, connect_token, sigv4
from atoll.aws.dialect import DIALECTS
from atoll.aws.errors import AwsError
from atoll.aws.http import Request
from atoll.cache import access_string, login, rdb, topology, windows
from atoll.ec2 import cidr
from atoll.ec2.keys import material
from atoll.guest import dns, token
from atoll.logs import pattern
from atoll.model.account import AccessKey
from atoll.model.vpc import Vpc
from atoll.model.world import World
from atoll.network.inside import seen
from atoll.network.places import PlaceError, endpoint
from atoll.store import archive
from atoll.twin import build
from atoll.twin.row import BadRecording
from tests.fuzz.dice import HOSTILE_TEXT, Dice
from tests.fuzz.stage import ACCOUNT, REGION, Stage
from tests.fuzz.wire import request

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Errors = tuple[type[Exception], ...]


@dataclass(frozen=True)
class Parser:
    """What reads bytes, whole ones to begin with, and how it may refuse others."""

    read: Callable[[bytes], Any]
    whole: tuple[bytes, ...]
    refuses: Errors = ()


@functools.cache
def _with_a_vpc() -> tuple[World, str]:
    stage = Stage()
    stage.ask(request("ec2", "DescribeVpcs", {}, ACCOUNT, REGION))
    return stage.world, next(iter(stage.world.all(Vpc))).id


def _text(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda raw: read(raw.decode("utf-8", "replace"))


def _rdb(raw: bytes) -> Any:
    return rdb.header(raw), rdb.pass_preamble(BytesIO(raw).read)


def _signed(raw: bytes) -> Any:
    """Read a signature in a header and in a query, and verify it with a key that was issued."""
    text = raw.decode("latin-1")
    key = AccessKey(id="AKIA", account="000000000000", region="us-east-1", secret="s", arn="arn:aws:iam::0:root")
    for asked in (
        Request("POST", "/", "", {"host": "h", "authorization": text, "x-amz-date": "20261120T120000Z"}, b""),
        Request("GET", "/", text, {"host": "h"}, b""),
    ):
        try:
            claim = sigv4.read_claim(asked)
            sigv4.identify(asked, claim, DIALECTS["ec2"], secret_of=lambda _: key, mode="strict", now=NOW)
        except AwsError:
            pass


def _connects(raw: bytes) -> Any:
    text = raw.decode("utf-8", "replace")
    said = connect_token.refusal(
        text, user_id="app", cache="h", owner=("000000000000", "us-east-1"), secret_of=lambda _: None, mode="local",
        now=NOW
    )  # fmt: skip
    if said is None:
        connect_token.seconds_left(text, NOW)


def _logins(raw: bytes) -> Any:
    return list(login.logins(raw))


def _twin(raw: bytes) -> Any:
    files = {"describe-vpcs.json": raw, "describe-subnets.json": raw}
    return build.build(files, World(), NOW, account="111122223333")


def _windows(text: str) -> Any:
    windows.snapshot(text)
    windows.overlap(text, "05:00-06:00")
    if windows.maintenance(text):
        windows.is_open(text, NOW)


def _cidrs(text: str) -> Any:
    return cidr.read_cidr(text), cidr.read_cidr6(text)


def _pages(raw: bytes) -> Any:
    return seen.read(json.loads(raw))


SIGNATURE = b"AWS4-HMAC-SHA256 Credential=AKIA/20261120/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=00"
QUERY = (
    b"Action=connect&User=app&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=000000000000%2F20261120%2Fus-east-1%2F"
    b"elasticache%2Faws4_request&X-Amz-Date=20261120T120000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
)
APPLY = b"""
vpcs:
  shop: {cidr: 10.0.0.0/16, subnets: {a: {cidr: 10.0.1.0/24, zone: a}}}
caches:
  sessions: {engine: valkey, replicas: 1, subnets: [a]}
"""
MACHINE = {
    "ip_forward": "1", "listeners": [["tcp", "0.0.0.0", 22]], "resolvers": ["10.0.0.2"], "nft_text": "",
    "iptables": (
        "*filter\n:INPUT DROP [1:2]\n:FORWARD ACCEPT [0:0]\n[3:180] -A INPUT -p tcp -m multiport --dports 22,80:90 -s"
        " 10.0.0.0/8 -j ACCEPT\n-A INPUT -m conntrack --ctstate NEW -j REJECT\nCOMMIT\n*nat\n"
        ":PREROUTING ACCEPT [0:0]\n"
        "-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.1.5:8080\n"
        "-A POSTROUTING -o ens5 -j MASQUERADE\nCOMMIT\n"
    ),
    "nft": json.dumps({"nftables": [
        {"table": {"family": "inet", "name": "t", "handle": 1}},
        {"chain": {"family": "inet", "table": "t", "name": "in", "type": "filter", "hook": "input", "handle": 2,
         "prio": 0, "policy": "drop"}},
        {"rule": {"family": "inet", "table": "t", "chain": "in", "handle": 3, "expr": [
            {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22,
             {"range": [80, 90]}]}}},
            {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}},
             "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}},
            {"counter": {"packets": 1, "bytes": 2}}, {"accept": None}]}}]}),
}  # fmt: skip
CLUSTER = (
    b"07c37dfeb235213a872192d90877d0cd55635b91 10.0.1.4:6379@16379,host slave"
    b" e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca 0 1426238317239 4 connected\n"
    b"67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1 10.0.1.5:6379@16379 myself,master - 0"
    b" 1426238316232 2 connected 0-5460 [93->-abc]\n"
)

PARSERS: Mapping[str, Parser] = {
    "access strings": Parser(_text(access_string.parse), (b"on ~app::* %R~x &c -@all +@read +get|x (~a +set)",),
                             (access_string.BadAccessString,)),
    "windows": Parser(_text(_windows), (b"sun:05:00-mon:06:00", b"23:00-00:30")),
    "CIDR blocks": Parser(_text(_cidrs), (b"10.0.0.0/16", b"2001:db8::/56")),
    "CBOR": Parser(cbor.loads, (cbor.dumps({"a": [1, -5, 1.5, None, True, "x", NOW], "b": {"c": "d"}}),
    b"\xbf\x61a\x9f\x01\xff\xff"),
                   (ValueError,)),
    "signatures": Parser(_signed, (SIGNATURE, QUERY)),
    "connect tokens": Parser(_connects, (b"h/?" + QUERY,)),
    "logins": Parser(_logins,
    (b"*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$5\r\ntoken\r\n*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$1\r\nb\r\n",)),
    "RDB files": Parser(_rdb, (b"REDIS0011\xfa\x09redis-ver\x057.2.4\xfa\x0aredis-bits\xc0\x40\xf5\x04abcd\xfe\x00",
    b"VALKEY080\xf5\xc3\x02\x04ab\xfe"),
                        (ValueError,)),
    "CLUSTER NODES": Parser(_text(topology.parse), (CLUSTER,), (ValueError, IndexError, KeyError, StopIteration)),
    "DNS": Parser(lambda raw: dns.answer(*_with_a_vpc(), raw),
                  (bytes(DNSRecord.question("ip-10-0-0-4.ec2.internal").pack()),
                      bytes(DNSRecord.question("4.0.0.10.in-addr.arpa", "PTR").pack()))),
    "metadata tokens": Parser(_text(lambda text: token.seconds_left(b"k" * 32, "i-1", text, NOW)),
                              (token.new_token(b"k" * 32, "i-1", ends=NOW, nonce=b"n" * token.NONCE_BYTES).encode(),
                                  )),
    "filter patterns": Parser(_text(lambda text: pattern.matcher(text)("a message")), (b'ERROR ?WARN -"not \\"me"',
    ), (AwsError,)),
    "key material": Parser(material.read_public_key,
                           (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Lr0Xw2f8mQpYy0d9p9mCw3pQb1nq3u2yqk7m4Tg5e x",),
                               (material.NoKey,)),
    "places": Parser(_text(lambda text: endpoint(World(), None, text)), (b"i-0a:22", b"10.0.0.4:80",
    b"a.b.0001.use1.cache.amazonaws.com"),
                     (PlaceError,)),
    "YAML of apply": Parser(_text(document.read), (APPLY,), (Wrong,)),
    "recordings of a twin": Parser(_twin, (json.dumps({"Vpcs": [{"VpcId": "vpc-0123456789abcdef0",
    "CidrBlock": "10.0.0.0/16", "OwnerId": "111122223333"}]}).encode(),),
                                   (BadRecording,)),
    "files of a twin": Parser(_files, (b'{"a.json": "e30="}',), (BadRecording,)),
    "a machine's firewall": Parser(_pages, (json.dumps(MACHINE).encode(),), (ValueError, KeyError, TypeError,
    RecursionError)),
    "a world's file": Parser(lambda raw: archive.read_world(raw, ()), (b'[["Vpc", {"id": "vpc-1"}]]',),
    (archive.NotASnapshot,)),
}  # fmt: skip

MORE = tuple(text.encode("utf-8", "surrogatepass") for text in HOSTILE_TEXT if len(text) < 10_000)
NESTS = (b"[", b'{"a":', b"\x81", b"(", b"- ", b"&a [*a, ", b"\xc1", b"? ")


def worn(dice: Dice, raw: bytes) -> bytes:
    """Return what something has happened to."""
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randint(0, len(raw))
        match dice.randrange(7):
            case 0:
                raw = raw[:at]
            case 1:
                raw = raw[:at] + bytes((dice.randrange(256),)) + raw[at + 1 :]
            case 2:
                raw = raw[:at] + dice.choice(MORE) + raw[at:]
            case 3:
                raw = raw[:at] + dice.choice(MORE) + raw[at + dice.randint(1, 12) :]
            case 4:
                end = at + dice.randint(1, 40)
                raw = raw[:end] + raw[at:end] * dice.choice((1, 2, 50)) + raw[end:]
            case 5:
                raw = raw[:at] + raw[at + dice.randint(1, 12) :]
            case _:
                raw = raw[:at] + dice.choice(NESTS) * dice.choice((2, 30, 300)) + raw[at:]
    return raw[:100_000]
