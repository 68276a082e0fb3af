"""Client libraries that applications use, each in a small program in `programs/`, run in an instance's network.

bin/clients installs them, apart from Atoll's own environment.
"""

import pytest

from tests.clients.conftest import NODE, PROGRAMS, PYTHON

pytestmark = pytest.mark.usefixtures("libraries")
NODE_PROGRAMS = {
    "ioredis": "OK 2 1\n2!\nnews: hello\nqueue job\nk=v\nWRONGTYPE\n",
    "node_redis": 'OK 2\n{"name":"Ann","age":"7"}\nhello\n100\n',
    "bullmq": "2 4 6\n",
}


def run(stage, place, *command):
    return stage.atoll.cli("run", "--in", place.app, "--", *map(str, command), timeout=120)


@pytest.mark.parametrize("engine", ["redis", "valkey"])
@pytest.mark.parametrize("name", NODE_PROGRAMS)
def test_libraries_of_node(stage, place, name, engine):
    if not NODE.exists():
        pytest.skip("this machine has no Node.js with npm: ioredis, node-redis and BullMQ are not tried")
    host = getattr(place, engine)
    stage.run(place.app, ["redis-cli", "-h", host, "FLUSHALL"])
    said = run(stage, place, "env", f"NODE_PATH={NODE}/node_modules", "node", PROGRAMS / f"{name}.js", host)
    lines = [line for line in said.splitlines(keepends=True) if "Eviction policy" not in line]  # BullMQ's advice
    assert "".join(lines) == NODE_PROGRAMS[name]


@pytest.mark.parametrize("engine", ["redis", "valkey"])
def test_celery_runs_its_tasks(stage, place, engine):
    said = run(stage, place, PYTHON, PROGRAMS / "celery_app.py", getattr(place, engine))
    assert said == "5\n12\n[0, 2, 4, 6, 8]\n1\n"


def test_django_caches_and_keeps_sessions(stage, place):
    said = run(stage, place, PYTHON, PROGRAMS / "django_app.py", place.valkey, *place.memcached)
    assert said == "default 190 2\nold 190 2\n7\n"


def test_valkey_py(stage, place):
    said = run(stage, place, PYTHON, PROGRAMS / "valkey_py.py", place.valkey)
    assert said == "[True, 2]\n2 ['bob']\n[3, 4, 5]\n"


def test_clients_of_memcached_spread_their_keys(stage, place):
    assert run(stage, place, PYTHON, PROGRAMS / "memcached_clients.py", *place.memcached) == "1225\n1225\n"
