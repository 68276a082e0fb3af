"""The store of objects behind gateway endpoints: what it keeps, lists and refuses."""

import asyncio
import errno
import hashlib
import os
import random
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from atoll.aws.http import BODY_BYTES_MAX, Request
from atoll.guest import objects
from atoll.guest.objects import Objects

DOMAIN = "s3.us-east-1.amazonaws.com"


@pytest.fixture
def store(tmp_path):
    return Objects(tmp_path / "objects", [DOMAIN])


def ask(store, method, path, query="", body=b"", host=DOMAIN, **headers):
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {"host": host, "authorization": "AWS4-HMAC-SHA256", **more}
    return store.answer(Request(method, path, query, given, body))


def code(answer):
    return answer.status, re.search(rb"<Code>(\w+)</Code>", answer.body)[1].decode()


def test_an_object_is_kept_by_either_style_of_its_name(store):
    assert ask(store, "PUT", "/seeds").status == 200
    assert ask(store, "PUT", "/a/b%20c", body=b"hello", host=f"seeds.{DOMAIN}").status == 200
    found = ask(store, "GET", "/seeds/a/b%20c", "x-id=GetObject")
    assert (found.status, found.body) == (200, b"hello")
    assert found.headers["etag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert ask(store, "DELETE", "/seeds/a/b%20c").status == 204
    assert code(ask(store, "GET", "/seeds/a/b%20c")) == (404, "NoSuchKey")


def test_a_streamed_body_is_put_together(store):
    ask(store, "PUT", "/seeds")
    body = b"5\r\nhello\r\n1;chunk-signature=0\r\n!\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
    streamed = {"x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    assert ask(store, "PUT", "/seeds/k", body=body, **streamed).status == 200
    assert ask(store, "GET", "/seeds/k").body == b"hello!"
    for bad in (b"x\r\n", b"9\r\nhi\r\n", b"-1\r\n\r\n"):
        assert code(ask(store, "PUT", "/seeds/k", body=bad, **streamed)) == (400, "IncompleteBody")


def test_a_body_of_a_hundred_thousand_parts_is_read_once(store):
    """To cut off each part from what follows took a minute, in which the daemon did nothing else."""
    ask(store, "PUT", "/seeds")
    streamed = {"x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}

    assert ask(store, "PUT", "/seeds/k", body=b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n", **streamed).status == 200
    assert ask(store, "GET", "/seeds/k").body == b"a" * 100_000
    endless = b"1;" + b"x" * objects.CHUNK_HEAD_BYTES_MAX + b"\r\na\r\n0\r\n\r\n"
    assert code(ask(store, "PUT", "/seeds/k", body=endless, **streamed)) == (400, "IncompleteBody")


def test_nothing_is_kept_when_the_machines_disk_is_nearly_full(store, monkeypatch):
    ask(store, "PUT", "/seeds")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=100 << 30, free=200 << 20))

    assert code(ask(store, "PUT", "/seeds/k", body=b"x")) == (503, "ServiceUnavailable")
    assert ask(store, "GET", "/seeds/k").status == 404


def test_an_object_that_was_replaced_has_another_tag(store):
    ask(store, "PUT", "/seeds")
    seen = set()
    for body in (b"one", b"two", b"six"):
        ask(store, "PUT", "/seeds/k", body=body)
        seen.add(ask(store, "GET", "/seeds/k").headers["etag"])
    assert len(seen) == 3


def test_an_object_that_was_replaced_within_a_tick_of_the_clock_has_another_tag(store, tmp_path):
    """Its inode, its length and its times are those of the former one."""
    ask(store, "PUT", "/seeds")
    ask(store, "PUT", "/seeds/k", body=b"one")
    file = tmp_path / "objects/seeds/k"
    former = file.stat()
    ask(store, "GET", "/seeds", "list-type=2")

    file.write_bytes(b"two")
    os.utime(file, ns=(former.st_atime_ns, former.st_mtime_ns))

    tag = hashlib.md5(b"two").hexdigest()
    assert tag in ask(store, "GET", "/seeds/k").headers["etag"]
    assert tag.encode() in ask(store, "GET", "/seeds", "list-type=2").body


def test_what_many_endpoints_put_at_once_is_each_what_was_put(tmp_path):
    """Each endpoint has a store of its own over the same buckets, in a thread of its own."""
    stores = [Objects(tmp_path / "objects", [DOMAIN]) for _ in range(4)]
    ask(stores[0], "PUT", "/seeds")

    def put(number):
        bodies = [f"{number}-{turn}".encode() * 2_000 for turn in range(100)]
        paths = [f"/seeds/{number}-{turn}" for turn in range(100)]
        put = [ask(stores[number], "PUT", path, body=body).status for path, body in zip(paths, bodies, strict=True)]
        return set(put), [ask(stores[number], "GET", path).body for path in paths] == bodies

    with ThreadPoolExecutor(len(stores)) as threads:
        assert list(threads.map(put, range(len(stores)))) == [({200}, True)] * len(stores)
    assert [path.name for path in (tmp_path / "objects").iterdir()] == ["seeds"]


def test_what_one_endpoint_deletes_while_another_uses_it_is_not_there(tmp_path):
    stores = [Objects(tmp_path / "objects", [DOMAIN]) for _ in range(4)]
    asked = [("PUT", "", ""), ("PUT", "/k", ""), ("GET", "/k", ""), ("GET", "", "list-type=2"), ("DELETE", "/k", "")]

    def use(store):
        for _ in range(100):
            for method, key, query in asked:
                yield ask(store, method, f"/seeds{key}", query, b"x" if key else b"").status
            yield ask(store, "DELETE", "/seeds").status

    with ThreadPoolExecutor(len(stores)) as threads:
        seen = set().union(*threads.map(lambda store: set(use(store)), stores))
    assert seen <= {200, 204, 404, 409}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_what_finds_no_room_is_refused_and_leaves_nothing(store, tmp_path, monkeypatch, number):
    ask(store, "PUT", "/seeds")
    write = Path.write_bytes

    def full(path, body):
        write(path, body[:1])
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert code(ask(store, "PUT", "/seeds/k", body=b"hello")) == (503, "ServiceUnavailable")
    assert [path.name for path in (tmp_path / "objects").rglob("*")] == ["seeds"]


def test_what_was_half_written_when_the_daemon_ended_is_swept(store, tmp_path):
    ask(store, "PUT", "/seeds")
    ask(store, "PUT", "/seeds/.k.new", body=b"x")
    for left in (".seeds.new", ".0123456789abcdef.new"):
        (tmp_path / "objects" / left).write_bytes(b"half")

    objects.sweep(tmp_path / "objects")

    assert [path.name for path in (tmp_path / "objects").iterdir()] == ["seeds"]
    assert ask(store, "GET", "/seeds/.k.new").body == b"x"


def test_listings_have_prefixes_delimiters_and_pages(store):
    ask(store, "PUT", "/seeds")
    for key in ("a/1", "a/2", "b", "c%26"):
        ask(store, "PUT", f"/seeds/{key}", body=b"x")

    def listed(query):
        body = ask(store, "GET", "/seeds", f"list-type=2&{query}").body.decode()
        keys = re.findall("<Key>(.*?)</Key>", body)
        token = re.search("<NextContinuationToken>(.*?)<", body)
        return keys, re.findall("<CommonPrefixes><Prefix>(.*?)<", body), token and token[1]

    assert listed("") == (["a/1", "a/2", "b", "c&amp;"], [], None)
    assert listed("prefix=a/") == (["a/1", "a/2"], [], None)
    assert listed("delimiter=/") == (["b", "c&amp;"], ["a/"], None)
    assert listed("max-keys=2") == (["a/1", "a/2"], [], "a/2")
    assert listed("max-keys=2&continuation-token=a/2") == (["b", "c&amp;"], [], None)


def test_what_may_not_be_is_refused(store, monkeypatch):
    ask(store, "PUT", "/seeds")
    assert code(store.answer(Request("GET", "/", "", {"host": DOMAIN}, b""))) == (403, "AccessDenied")
    assert code(ask(store, "PUT", "/..")) == (400, "InvalidBucketName")
    assert code(ask(store, "GET", "/nothing", "list-type=2")) == (404, "NoSuchBucket")
    assert code(ask(store, "GET", "/seeds")) == (501, "NotImplemented")
    assert code(ask(store, "POST", "/seeds/k", "uploads=")) == (501, "NotImplemented")
    assert code(ask(store, "PUT", "/seeds/k", x_amz_copy_source="/seeds/j")) == (501, "NotImplemented")
    assert code(ask(store, "PUT", "/seeds/" + "k" * 300)) == (400, "KeyTooLongError")
    assert code(ask(store, "PUT", "/seeds/k", body=b"x" * (BODY_BYTES_MAX + 1))) == (400, "EntityTooLarge")
    ask(store, "PUT", "/seeds/k", body=b"x")
    assert code(ask(store, "DELETE", "/seeds")) == (409, "BucketNotEmpty")
    monkeypatch.setattr(objects, "OBJECTS_MAX", 1)
    assert code(ask(store, "PUT", "/seeds/another")) == (400, "TooManyBuckets")
    monkeypatch.setattr(objects, "BUCKETS_MAX", 1)
    assert code(ask(store, "PUT", "/other")) == (400, "TooManyBuckets")


def test_a_key_never_leaves_its_bucket(store, tmp_path):
    ask(store, "PUT", "/seeds")
    ask(store, "PUT", "/seeds/..%2F..%2Fescaped", body=b"x")
    ask(store, "PUT", "/seeds/../../escaped", body=b"x")
    assert not (tmp_path / "escaped").exists()
    assert code(ask(store, "PUT", "/seeds/..", body=b"x"))[0] == 400
    assert all(p.parent.name in ("seeds", "objects") for p in (tmp_path / "objects").rglob("*"))


def test_a_large_object_is_given_in_pieces_and_never_whole_in_memory(tmp_path):
    """A hundred clients that do not read would have a hundred copies held for them."""
    (tmp_path / "exports").mkdir()
    text = random.Random(1).randbytes(3 << 20)
    (tmp_path / "exports/k").write_bytes(text)

    given = ask(Objects(tmp_path, [DOMAIN]), "GET", "/exports/k")

    assert (given.status, given.headers["content-length"]) == (200, str(len(text)))

    async def read():
        (tmp_path / "exports/new").write_bytes(b"another")
        (tmp_path / "exports/new").replace(tmp_path / "exports/k")
        return [piece async for piece in given.pieces]

    pieces = asyncio.run(read())
    assert b"".join(pieces) == text
    assert max(map(len, pieces)) == objects.PIECE_BYTES


def test_a_large_object_is_listed_without_being_read_and_not_given_whole(tmp_path, monkeypatch):
    bucket = tmp_path / "exports"
    bucket.mkdir()
    (bucket / "large-0001.rdb").write_bytes(b"REDIS" + bytes(2 << 20))
    monkeypatch.setattr(objects, "WHOLE_BYTES_MAX", 1 << 20)
    store = Objects(tmp_path, [DOMAIN])

    listed = ask(store, "GET", "/exports", "list-type=2")
    given = ask(store, "GET", "/exports/large-0001.rdb")

    assert b"<Size>2097157</Size>" in listed.body
    assert (given.status, b"EntityTooLarge" in given.body) == (400, True)
