"""Engines, versions, families, node types and parameters: the tables."""

import pytest

from atoll.cache.families import Build, builds, choose, family
from atoll.cache.node_types import NODE_TYPES
from atoll.cache.parameters import Parameter, of_family
from atoll.model.engine import engine_build
from tests.cache.worlds import Life


@pytest.mark.parametrize(
    ("engine", "version", "name"),
    [
        ("redis", "7.0.15", "redis7"), ("redis", "7.1.0", "redis7"), ("redis", "6.2.14", "redis6.x"),
        ("redis", "5.0.6", "redis5.0"), ("redis", "4.0.10", "redis4.0"), ("valkey", "7.2.6", "valkey7"),
        ("valkey", "8.1.3", "valkey8"), ("valkey", "9.1.2", "valkey9"), ("memcached", "1.6.18", "memcached1.6"),
    ],
)  # fmt: skip
def test_a_version_belongs_to_a_family(engine, version, name):
    assert family(engine, version) == name


@pytest.mark.parametrize(
    ("engine", "asked", "version"),
    [
        ("redis", None, "7.0.15"), ("redis", "7.0", "7.0.15"), ("redis", "6.x", "6.2.14"), ("redis", "7", None),
        ("redis", "7.1", None), ("valkey", None, "10.0.1"), ("valkey", "9.1", "9.1.2"),
        ("memcached", "1.6.18", "1.6.18"), ("memcached", "1.6", None), ("memcached", "1.6.22", None),
    ],
)  # fmt: skip
def test_a_request_gets_the_newest_build_that_serves_it(engine, asked, version):
    life = Life()
    life.put(
        *(engine_build("redis", v) for v in ("5.0.6", "7.0.9", "7.0.15", "6.2.14")),
        *(engine_build("valkey", v) for v in ("9.1.2", "10.0.1")),
        engine_build("memcached", "1.6.18"),
    )

    found = choose(life.world, engine, asked)

    assert (found.version if found else None) == version


def test_what_runs_here_hides_awss_list_and_engines_too_old_to_forbid_commands():
    life = Life()
    assert Build("redis", "7.1.0", tls=True) in builds(life.world)

    life.put(engine_build("redis", "5.0.6"), engine_build("redis", "7.0.15", tls=True))

    assert builds(life.world) == (Build("redis", "7.0.15", tls=True),)


@pytest.mark.parametrize(
    ("name", "memory", "mib", "threads"),
    [
        ("cache.t3.micro", 536870912, 512, 2), ("cache.t2.micro", 581959680, 555, 1),
        ("cache.t4g.medium", 3317862236, 3164, 2), ("cache.m5.large", 6854542746, 6537, 2),
        ("cache.r6g.16xlarge", 450000750456, 429154, 64), ("cache.m4.10xlarge", 166047614239, 158355, 40),
    ],
)  # fmt: skip
def test_a_node_type_has_the_memory_that_aws_documents(name, memory, mib, threads):
    found = NODE_TYPES[name]

    assert (found.memory_bytes, found.memcached_mib, found.threads) == (memory, mib, threads)


@pytest.mark.parametrize("name", ["cache.m5.8xlarge", "cache.m6g.24xlarge", "cache.r6gd.xlarge", "cache.m1.small"])
def test_a_node_type_that_aws_does_not_make_is_not_there(name):
    assert name not in NODE_TYPES


@pytest.mark.parametrize(
    ("allowed", "kind", "value", "good"),
    [
        ("1-75", "integer", "75", True), ("1-75", "integer", "76", False), ("0-", "integer", "99999999999", True),
        ("0,20-", "integer", "0", True), ("0,20-", "integer", "19", False), ("-", "integer", "-1", True),
        ("5000", "integer", "5000", True), ("5000", "integer", "4999", False), ("0-", "integer", "-1", False),
        ("0-", "integer", "x", False), ("0-", "integer", "", False), ("yes,no", "string", "yes", True),
        ("yes,no", "string", "maybe", False), ("", "string", "KEA", True), ("", "string", "KE\n", False),
        ("1-1024", "float", "1.25", True), ("1-1024", "float", "0.5", False), ("1-1024", "float", "nan", False),
    ],
)  # fmt: skip
def test_a_parameter_takes_what_its_span_allows(allowed, kind, value, good):
    assert Parameter("p", None, allowed, "", kind=kind, letters="AEK").accepts(value) is good


@pytest.mark.parametrize("name", ["redis5.0", "redis6.x", "redis7", "valkey7", "valkey8", "valkey9", "memcached1.6"])
def test_every_default_is_allowed(name):
    rows = of_family(name)

    assert len(rows) == len({row.name for row in rows}) > 25
    for row in rows:
        assert row.value is None or row.accepts(row.value), row
