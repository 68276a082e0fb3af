"""One daemon for all client tests; each module begins with an empty one."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.api.test_terraform import Terraform
from tests.daemon.atoll import Atoll, running
from tests.scenario.stage import ANYWHERE, Stage

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
PYTHON, NODE = CHECKOUT / ".venv" / "clients" / "bin" / "python", CHECKOUT / ".venv" / "node"
PROGRAMS = HERE / "programs"
INSTALL_SECONDS = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.scenario)


@pytest.fixture(scope="session")
def clients_daemon() -> Iterator[Atoll]:
    with running() as atoll:
        yield atoll


@pytest.fixture(scope="session")
def libraries() -> None:
    """Have the libraries of `programs/` installed, or skip."""
    install()


def install() -> None:
    """Install what is missing of the libraries, or skip."""
    is_whole = (PYTHON.parents[1] / "requirements.txt").exists()  # bin/clients writes it last
    if is_whole and (NODE.exists() or not shutil.which("npm")):
        return  # an ordinary user could not change it
    done = subprocess.run([CHECKOUT / "bin" / "clients"], capture_output=True, text=True, timeout=INSTALL_SECONDS)
    if done.returncode:
        pytest.skip(f"bin/clients could not install the libraries: {done.stderr.strip()[-300:]}")


@pytest.fixture(scope="module")
def stage(clients_daemon: Atoll) -> Stage:
    """Return an empty Atoll."""
    daemon = clients_daemon.daemon
    assert daemon is not None
    assert daemon.poll() is None, f"the daemon ended with {daemon.returncode}: {clients_daemon.said()[-4000:]}"
    clients_daemon.reset()
    return Stage(clients_daemon)


@dataclass(frozen=True)
class Place:
    """An application's instance, and the caches that it may use, by their endpoints' names."""

    app: str
    redis: str
    valkey: str
    memcached: tuple[str, ...]


@pytest.fixture(scope="module")
def place(stage: Stage) -> Place:
    vpc = stage.vpc()
    public, private = stage.subnet(vpc, "10.0.0.0/24", public=True), stage.subnet(vpc, "10.0.1.0/24")
    subnets, group = stage.subnet_group(private), stage.group(vpc)
    for port in (6379, 11211):
        stage.allow(group, port, ANYWHERE)
    valkey = stage.replication_group("valkey", subnets, group, 2)
    (found,) = stage.cache.describe_replication_groups(ReplicationGroupId=valkey)["ReplicationGroups"]
    return Place(
        app=stage.instance(public),
        redis=stage.endpoints(stage.cluster("redis", subnets, group))[0][0],
        valkey=found["NodeGroups"][0]["PrimaryEndpoint"]["Address"],
        memcached=tuple(
            name for name, _ in stage.endpoints(stage.cluster("memcached", subnets, group, NumCacheNodes=2))
        ),
    )


@pytest.fixture
def configured(stage: Stage, tmp_path: Path) -> Callable[[str], Terraform]:
    """Return a function that returns one that runs Terraform in a configuration: it must succeed, and says what.

    Needs `terraform` and its AWS provider in a local mirror (ATOLL_TERRAFORM_MIRROR names one).  The provider waits
    half a minute for a new cache and as long for one that goes: so each configuration has a file of tests of its own.
    """

    def configured(name: str) -> Terraform:
        made = Terraform(tmp_path, stage.atoll.url)
        shutil.copy(HERE / "terraform" / name, tmp_path)
        made("init")
        return made

    return configured
