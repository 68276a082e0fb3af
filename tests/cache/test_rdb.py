"""RDB files: who can read which, and where their keys begin."""

import io

import pytest

from atoll.cache import rdb

AUXILIARY = b"\xfa\x09redis-ver\x067.0.15\xfa\x0aredis-bits\xc0\x40\xfa\x05ctime\xc2\x00\x01\x02\x03"
SHORT = b"\xf5\x05hello"
LONG = b"\xf5\x41\x00" + b"x" * 256  # a length of 14 bits
HUGE = b"\xf5\x80\x00\x00\x01\x00" + b"x" * 256  # of 32
PACKED = b"\xf5\xc3\x05\x40\x80" + b"\xfe\xfe\xfe\xfe\xfe"  # compressed: 5 bytes, of 128
KEYS = b"\xfe\x00\x00\x01k\x01v"


@pytest.mark.parametrize("before", [b"", AUXILIARY, AUXILIARY + SHORT, SHORT + LONG + HUGE + PACKED + AUXILIARY])
@pytest.mark.parametrize("header", [b"REDIS0010", b"VALKEY080"])
def test_the_keys_begin_after_what_describes_the_engine_and_its_functions(header, before):
    file = io.BytesIO(header + before + KEYS + rdb.FOOTER)

    assert rdb.pass_preamble(file.read) + file.read() == KEYS + rdb.FOOTER


def test_a_file_without_keys_begins_with_its_end():
    file = io.BytesIO(rdb.EMPTY)

    assert rdb.pass_preamble(file.read) + file.read() == rdb.FOOTER


@pytest.mark.parametrize("raw", [b"", b"REDIS", b"*3\r\n$3\r\nSET", b"REDIS0010", b"REDIS0010" + AUXILIARY])
def test_what_is_no_rdb_file_is_told(raw):
    with pytest.raises(ValueError, match=r"RDB file|ends before"):
        rdb.pass_preamble(io.BytesIO(raw).read)


@pytest.mark.parametrize(
    ("engine", "version", "header", "reads"),
    [
        ("redis", "6.2.14", b"REDIS0009", True),
        ("redis", "6.2.14", b"REDIS0010", False),
        ("redis", "7.0.15", b"REDIS0010", True),
        ("redis", "7.0.15", b"REDIS0011", False),
        ("redis", "7.2.1", b"REDIS0011", True),
        ("redis", "8.2.0", b"REDIS0013", True),
        ("redis", "8.2.0", b"VALKEY080", False),
        ("valkey", "7.2.6", b"REDIS0011", True),
        ("valkey", "8.1.0", b"VALKEY080", False),
        ("valkey", "9.1.2", b"VALKEY080", True),
        ("valkey", "9.1.2", b"REDIS0006", True),
        ("valkey", "9.1.2", b"REDIS0012", False),
    ],
)
def test_an_engine_reads_its_own_files_and_older_ones(engine, version, header, reads):
    found = rdb.header(header)

    assert found
    assert rdb.reads(engine, version, found) is reads


def test_of_several_headers_the_one_is_taken_whose_reader_reads_all():
    assert rdb.newest([b"REDIS0009", b"REDIS0011", b"REDIS0010"]) == b"REDIS0011"
    assert rdb.newest([b"REDIS0011", b"VALKEY080"]) == b"VALKEY080"
