"""Engines are found by running them, whatever their files are called, and are asked once."""

import os

import pytest

from atoll.host.engine.programs import available

pytestmark = pytest.mark.kernel


def program(path, text, mode=0o755):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(mode)
    return path


@pytest.fixture
def engines(tmp_path, monkeypatch):
    place = tmp_path / "programs"
    place.mkdir()
    monkeypatch.setenv("ATOLL_ENGINES", str(place))
    return place


def of_place(place, state):
    return [(e.name, e.version, e.tls) for e in available(state) if e.path.is_relative_to(place)]


def test_a_program_is_what_it_says_it_is(engines, tmp_path):
    program(engines / "deep/bin/redis-server", "echo 'Valkey server v=98.0.1 sha=0 malloc=libc'")
    program(engines / "memcached", "echo memcached 98.6.1; echo '-Z, --enable-ssl'")
    program(engines / "valkey-server", "exit 1")
    program(engines / "other/valkey-server", "echo Valkey server v=98.0.2", mode=0o644)
    found = of_place(engines, tmp_path)
    assert found == [("memcached", "98.6.1", True), ("valkey", "98.0.1", False)]


def test_of_two_alike_the_one_with_tls_is_taken(engines, tmp_path):
    plain = "echo 'Redis server v=98.0.0 sha=0'"
    program(engines / "a/redis-server", plain)
    with_tls = program(engines / "b/redis-server", f"{plain}; echo Failed to load certificate")
    found = [engine for engine in available(tmp_path) if engine.version == "98.0.0"]
    assert [(engine.path, engine.tls) for engine in found] == [(with_tls, True)]


def test_a_program_is_asked_again_only_when_it_changes(engines, tmp_path):
    asked = tmp_path / "asked"
    path = program(engines / "memcached", f"echo x >> {asked}; echo memcached 98.0.0")
    available(tmp_path)
    first = asked.read_text()
    available(tmp_path)
    assert asked.read_text() == first
    program(path, f"echo x >> {asked}; echo memcached 98.0.10")
    os.utime(path, ns=(1, 1))
    assert of_place(engines, tmp_path) == [("memcached", "98.0.10", False)]


def test_a_broken_note_is_no_obstacle(engines, tmp_path):
    program(engines / "memcached", "echo memcached 98.0.0")
    (tmp_path / "engines.json").write_text("{")
    assert of_place(engines, tmp_path) == [("memcached", "98.0.0", False)]
