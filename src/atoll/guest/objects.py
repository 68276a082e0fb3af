"""A small store of objects, as much of S3 as shows that a gateway endpoint leads somewhere.

Buckets are directories and objects are files, at most a megabyte each, below the state directory.  ListBuckets,
CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation, ListObjectsV2, PutObject, GetObject, HeadObject and
DeleteObject; everything else is refused.  Every account sees every bucket, and nothing is remembered of an object but
its bytes: no metadata, versions, ranges, parts or policies.
Source: Amazon S3 API Reference.
"""

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, quote, unquote

from atoll.aws.errors import AwsError, Err
from atoll.aws.http import BODY_BYTES_MAX, Answer, Request, Stream
from atoll.aws.serialize import PROLOGUE, escape
from atoll.host.disks import spare
from atoll.model.digits import is_number

BUCKETS_MAX, OBJECTS_MAX = 100, 1000  # of a bucket
ETAGS_KEPT = 10_000  # some 200 bytes each
SETTLED_SECONDS = 1.0  # a file that changed before is known by its times, which are exact to some milliseconds
FILE_NAME_BYTES_MAX = 250  # of a key, with its special characters written out
PAGE_MAX = 1000
CHUNK_HEAD_BYTES_MAX = 512  # of a part of a body: its length and its signature have some 90
WHOLE_BYTES_MAX = 64 << 20  # of an object that is given
PIECE_BYTES = 256 << 10  # of a large one that is held in memory, for each client
DENIED = Err("AccessDenied", "Access Denied", 403)
NO_BUCKET = Err("NoSuchBucket", "The specified bucket does not exist", 404)
NO_KEY = Err("NoSuchKey", "The specified key does not exist.", 404)
BAD_NAME = Err("InvalidBucketName", "The specified bucket is not valid.")
NOT_EMPTY = Err("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
TOO_LARGE = Err("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size: {limit} bytes in Atoll.")
TOO_LARGE_TO_READ = Err(
    "EntityTooLarge", "Atoll gives whole objects only, of {limit} bytes at most: this one is a file in its bucket."
)
TOO_MANY = Err("TooManyBuckets", "You have attempted to create more buckets, or objects, than Atoll keeps.")
NO_ROOM = Err("ServiceUnavailable", "The machine's disk has less than {mebibytes} MiB left.", 503)
SLOW_DOWN = Err("SlowDown", "Please reduce your request rate.", 503)
LONG_KEY = Err("KeyTooLongError", "Your key is too long for Atoll.")
BAD_BODY = Err("IncompleteBody", "The request body is not what its headers say.")
UNSUPPORTED = Err("NotImplemented", "Atoll's store of objects does not support {what}.", 501)
NEW = ".new"  # ends the name of what is being written
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_QUERY_OF_OBJECTS = {"x-id"}  # SDKs say what they call
_QUERY_OF_LISTS = {
    "list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type",
}  # fmt: skip


def sweep(directory: Path) -> None:
    """Remove what was half written when the daemon ended; nobody may write meanwhile."""
    for path in directory.glob(f".*{NEW}"):
        path.unlink(missing_ok=True)


class Objects:
    """The buckets below a directory, which others like this one, each in its thread, may use at the same time."""

    def __init__(self, directory: Path, domains: Sequence[str]) -> None:
        """Keep buckets in `directory`; `domains` are the service's own names, which a bucket's may precede."""
        self._directory, self._domains = directory, domains

    def answer(self, request: Request) -> Answer | Stream:
        """Answer one request; never raises for what a caller does."""
        try:
            if "authorization" not in request.headers:
                raise DENIED()
            return self._perform(request)
        except AwsError as error:
            return refusal(error)

    def _perform(self, request: Request) -> Answer | Stream:
        host = request.headers.get("host", "").partition(":")[0].lower()
        path = unquote(request.path).lstrip("/")
        for domain in self._domains:
            if host.endswith(f".{domain}"):  # bucket.s3.us-east-1.amazonaws.com
                path = f"{host.removesuffix(f'.{domain}')}/{path}"
                break
        bucket, _, key = path.partition("/")
        query = parse_qs(request.query, keep_blank_values=True)
        if not bucket:
            return self._buckets(request.method)
        if not _BUCKET.fullmatch(bucket):
            raise BAD_NAME()
        directory = self._directory / bucket
        if key and not directory.is_dir():
            raise NO_BUCKET()
        if key and (strange := set(query) - _QUERY_OF_OBJECTS):
            raise UNSUPPORTED(what=f"{min(strange)} of an object")
        try:
            return self._object(request, directory, key) if key else self._bucket(request.method, directory, query)
        except FileNotFoundError:  # another endpoint deleted it meanwhile
            raise (NO_KEY if directory.is_dir() else NO_BUCKET)() from None

    def _buckets(self, method: str) -> Answer:
        if method != "GET":
            raise UNSUPPORTED(what=method)
        names = "".join(
            f"<Bucket><Name>{name}</Name><CreationDate>{_when(found):%Y-%m-%dT%H:%M:%S.000Z}</CreationDate></Bucket>"
            for name, found in self._all()
        )
        return _xml(f"{PROLOGUE}<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>")

    def _all(self) -> list[tuple[str, os.stat_result]]:
        found = []
        for path in self._directory.glob("*"):
            with suppress(FileNotFoundError):
                found.append((path.name, path.stat()))
        return sorted(one for one in found if stat.S_ISDIR(one[1].st_mode))

    def _bucket(self, method: str, directory: Path, query: dict[str, list[str]]) -> Answer:
        if method == "PUT" and not query:
            if not directory.is_dir() and len(self._all()) >= BUCKETS_MAX:
                raise TOO_MANY()
            self._directory.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                directory.mkdir()
            return Answer(200, {"location": f"/{directory.name}"}, b"")
        if not directory.is_dir():
            raise NO_BUCKET()
        if method == "DELETE" and not query:
            try:
                directory.rmdir()
            except OSError as error:
                if error.errno == errno.ENOTEMPTY:
                    raise NOT_EMPTY() from None
                raise
            return Answer(204, {}, b"")
        if method == "HEAD":
            return Answer(200, {}, b"")
        if method == "GET" and set(query) == {"location"}:
            return _xml(f"{PROLOGUE}<LocationConstraint/>")
        if method == "GET" and not set(query) - _QUERY_OF_LISTS:
            return _xml(_listing(directory, {name: values[0] for name, values in query.items()}))
        raise UNSUPPORTED(what=f"{method} of a bucket with {', '.join(query) or 'nothing'}")

    def _object(self, request: Request, directory: Path, key: str) -> Answer | Stream:
        name = quote(key, safe="")
        if len(name) > FILE_NAME_BYTES_MAX or name in (".", ".."):
            raise LONG_KEY()
        file = directory / name
        if request.method == "PUT":
            return self._put(request, directory, file)
        if request.method == "DELETE":
            file.unlink(missing_ok=True)
            return Answer(204, {}, b"")
        if request.method not in ("GET", "HEAD"):
            raise UNSUPPORTED(what=request.method)
        if not file.is_file():
            raise NO_KEY()
        opened = file.open("rb")  # whatever is put meanwhile is another file
        found = os.fstat(opened.fileno())
        is_large = found.st_size > BODY_BYTES_MAX
        if is_large and request.method == "GET" and found.st_size <= WHOLE_BYTES_MAX:
            length = {"content-length": str(found.st_size)}
            return Stream(200, _shown(found, _large_etag(found)) | length, _pieces(opened, found.st_size))
        with opened:
            if found.st_size > WHOLE_BYTES_MAX:
                raise TOO_LARGE_TO_READ(limit=WHOLE_BYTES_MAX)
            body = opened.read()
        return Answer(200, _shown(found, _large_etag(found) if is_large else _etag(body)), body)

    def _put(self, request: Request, directory: Path, file: Path) -> Answer:
        if "x-amz-copy-source" in request.headers:
            raise UNSUPPORTED(what="copies")
        if len(request.body) > BODY_BYTES_MAX:
            raise TOO_LARGE(limit=BODY_BYTES_MAX)
        streams = request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
        body = b"".join(_chunks(request.body)) if streams else request.body
        if not file.exists() and sum(1 for _ in directory.iterdir()) >= OBJECTS_MAX:
            raise TOO_MANY()
        disk = shutil.disk_usage(directory)
        if disk.free < (least := spare(disk.total)):
            raise NO_ROOM(mebibytes=least >> 20)
        unfinished = directory.parent / f".{secrets.token_hex(8)}{NEW}"
        try:
            unfinished.write_bytes(body)
            unfinished.replace(file)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise NO_ROOM(mebibytes=least >> 20) from None
            raise
        finally:
            unfinished.unlink(missing_ok=True)
        return Answer(200, {"etag": _etag(body)}, b"")


def refusal(error: AwsError) -> Answer:
    """Return what a caller is told."""
    body = f"{PROLOGUE}<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
    return _xml(body, error.status)


async def _pieces(file: BinaryIO, size: int) -> AsyncGenerator[bytes, None]:
    """Yield a file, as fast as a client reads it; one that is replaced meanwhile is given as it was."""
    with file:
        while size > 0 and (piece := file.read(min(PIECE_BYTES, size))):
            size -= len(piece)
            yield piece


def _chunks(body: bytes) -> Iterator[bytes]:
    """Yield the parts of a body in the encoding `aws-chunked`; what follows the last one (checksums) is left.

    Each byte is looked at once, however many parts there are.
    """
    at = 0
    while True:
        end = body.find(b"\r\n", at, at + CHUNK_HEAD_BYTES_MAX)
        if end < 0:
            raise BAD_BODY()
        try:
            size = int(body[at:end].partition(b";")[0], 16)
        except ValueError:
            raise BAD_BODY() from None
        at = end + 2
        if size < 0 or size > len(body) - at:
            raise BAD_BODY()
        if size == 0:
            return
        yield body[at : at + size]
        at += size
        if body[at : at + 2] == b"\r\n":
            at += 2


def _listing(directory: Path, asked: dict[str, str]) -> str:
    """Return ListObjectsV2: keys in order, those behind a delimiter rolled up."""
    if asked.get("list-type") != "2":
        raise UNSUPPORTED(what="ListObjects of version 1")
    prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
    after = asked.get("continuation-token") or asked.get("start-after", "")
    room = int(asked["max-keys"]) if is_number(asked.get("max-keys", ""), PAGE_MAX) else PAGE_MAX
    shown: dict[str, Path | None] = {}
    more = False
    for file in sorted(directory.iterdir(), key=lambda path: unquote(path.name)):
        key = unquote(file.name)
        if not key.startswith(prefix):
            continue
        head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        entry = prefix + head + found if found else key
        if entry <= after or entry in shown:
            continue
        if len(shown) >= room:
            more = True
            break
        shown[entry] = None if found else file
    encode = quote if asked.get("encoding-type") == "url" else escape
    contents = "".join(_entry(encode(key), file) for key, file in shown.items() if file)
    common = "".join(
        f"<CommonPrefixes><Prefix>{encode(key)}</Prefix></CommonPrefixes>" for key, file in shown.items() if not file
    )
    token = f"<NextContinuationToken>{escape(max(shown))}</NextContinuationToken>" if more and shown else ""
    encoding = "<EncodingType>url</EncodingType>" if encode is quote else ""
    return (
        f"{PROLOGUE}<ListBucketResult><Name>{directory.name}</Name><Prefix>{encode(prefix)}</Prefix>{encoding}"
        f"<KeyCount>{len(shown)}</KeyCount><MaxKeys>{room}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{token}{contents}{common}</ListBucketResult>"
    )


def _entry(key: str, file: Path) -> str:
    try:
        found = file.stat()
        tag = _etag_of(file, found)
    except FileNotFoundError:
        return ""
    return (
        f"<Contents><Key>{key}</Key><LastModified>{_when(found):%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        f"<ETag>{escape(tag)}</ETag><Size>{found.st_size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def _etag_of(file: Path, found: os.stat_result) -> str:
    """Return the ETag of an object that was just found so.

    It is kept only of what has been so for a while: two files of one tick of the kernel's clock, of which the later
    one may have got the former one's inode, could not be told apart.
    """
    if found.st_size > BODY_BYTES_MAX:
        return _large_etag(found)
    if abs(time.time() - found.st_ctime) < SETTLED_SECONDS:
        return _etag(file.read_bytes())
    return _etag_at(file, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@lru_cache(maxsize=ETAGS_KEPT)
def _etag_at(file: Path, *_found: int) -> str:
    """Return the ETag of a file as it is now: a list has a thousand, and they need not be read for each."""
    return _etag(file.read_bytes())


def _large_etag(found: os.stat_result) -> str:
    """Return the ETag of a large object, such as an exported snapshot: it is not made of its bytes."""
    return f'"{found.st_mtime_ns:x}-{found.st_size:x}"'


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _shown(found: os.stat_result, tag: str) -> dict[str, str]:
    """Return the headers of an object."""
    modified = f"{_when(found):%a, %d %b %Y %H:%M:%S GMT}"
    return {"content-type": "binary/octet-stream", "etag": tag, "last-modified": modified}


def _when(found: os.stat_result) -> datetime:
    return datetime.fromtimestamp(found.st_mtime, UTC)


def _xml(text: str, status: int = 200) -> Answer:
    return Answer(status, {"content-type": "application/xml"}, text.encode())
