"""A machine that refuses: a full disk, a disk that is read-only, engines that do not start."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.daemon.atoll import Atoll, running, until
from tests.daemon.stage import Stage
from tests.daemon.test_crash import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.engines]
LISTEN = """
import socket, sys, time
listening = socket.create_server((sys.argv[1], int(sys.argv[2])))
print('on', flush=True)
time.sleep(60)
"""


@contextmanager
def on_a_small_disk(megabytes: int, mode: str | None = None) -> Iterator[Atoll]:
    """A daemon whose state is on a file system of its own.  Only root can make one."""
    if os.geteuid():
        pytest.skip("ONLY ROOT MAKES FILE SYSTEMS: bin/test as root covers a full disk")
    with running(mode, started=False) as atoll:
        atoll.state.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "atoll-test", str(atoll.state)], check=True
        )
        try:
            atoll.up()
            yield atoll
            atoll.purge_running()
        finally:
            if atoll.daemon and atoll.daemon.poll() is None:
                atoll.kill()
            subprocess.run(["umount", "--lazy", str(atoll.state)], check=True)
            atoll.state.rmdir()


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as out:
        while True:
            out.write(b"x" * 4096)


def create_for_ever(stage: Stage, made: list[str]) -> None:
    for number in range(100):  # what SQLite has reserved already may suffice for some
        made.append(stage.ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"])


def refused(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    told = error.value.response
    return told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]


def test_on_a_full_disk_writes_are_refused_reads_go_on_and_space_mends_it():
    with on_a_small_disk(24) as atoll:
        stage = Stage(atoll)
        before = stage.ec2.describe_vpcs()["Vpcs"]
        filler = atoll.state / "filler"
        with pytest.raises(OSError, match="No space"):
            fill(filler)

        made = [vpc["VpcId"] for vpc in before]
        with pytest.raises(ClientError) as error:
            create_for_ever(stage, made)
        before = stage.ec2.describe_vpcs()["Vpcs"]
        assert [vpc["VpcId"] for vpc in before] == made
        assert refused(error) == ("ServiceUnavailable", 503)
        assert "full" in str(error.value)
        assert stage.ec2.describe_vpcs()["Vpcs"] == before, "nothing changed"
        victim = stage.pids()["mem:0001"]
        os.kill(victim, signal.SIGKILL)
        until(
            lambda: stage.pids().get("mem:0001") not in (None, victim), 10, "the node, whether it can be told or not"
        )
        with pytest.raises(AssertionError, match="503"):
            atoll.reset()
        assert stage.ec2.describe_vpcs()["Vpcs"] == before

        filler.unlink()

        assert stage.ec2.create_vpc(CidrBlock="10.200.0.0/16")
        stage.settled()
        assert "Traceback" not in atoll.said()


def test_on_a_disk_that_has_become_read_only_reads_go_on():
    with on_a_small_disk(24) as atoll:
        ec2 = atoll.client("ec2")
        vpcs = ec2.describe_vpcs()["Vpcs"]
        keeper = str(atoll.status()["keeper"])
        for how, works in (("ro", False), ("rw", True)):
            command = ["mount", "-o", f"remount,{how}", str(atoll.state)]
            subprocess.run(command, check=how == "rw", capture_output=True)
            subprocess.run(["nsenter", "--target", keeper, "--mount", *command], check=False, capture_output=True)
            if works:
                assert ec2.create_vpc(CidrBlock="10.1.0.0/16")
            assert ec2.describe_vpcs()["Vpcs"][: len(vpcs)] == vpcs


def node_of(atoll: Atoll, name: str) -> dict[str, str]:
    return next(c for c in atoll.status()["caches"] if c["name"] == name)["nodes"][0]


@pytest.fixture
def breakable() -> Iterator[tuple[Atoll, Path]]:
    """A daemon whose Memcached is a copy of its own."""
    found = shutil.which("memcached", path=f"{Path(sys.prefix) / 'engines' / 'bin'}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("NO MEMCACHED: bin/setup gets one")
    with running(started=False) as atoll:
        engine = atoll.place / "engines" / "memcached"
        engine.parent.mkdir()
        shutil.copy(Path(found).resolve(), engine)
        if atoll.uid is not None:
            shutil.chown(engine, atoll.uid)
        atoll.environment["ATOLL_ENGINES"] = str(engine.parent)
        atoll.up()
        yield atoll, engine


@pytest.mark.parametrize("damage", ["missing", "forbidden", "failing"])
def test_an_engine_that_does_not_start_says_why_and_starts_when_it_can(breakable, damage):
    atoll, engine = breakable
    good = engine.rename(engine.with_suffix(".good"))
    if damage == "forbidden":
        shutil.copy(good, engine)
        engine.chmod(0o000)
    elif damage == "failing":
        shutil.copy(Path("/bin/ls").resolve(), engine)
    elasticache = atoll.client("elasticache")
    elasticache.create_cache_cluster(
        CacheClusterId="mem", Engine="memcached", NumCacheNodes=1, CacheNodeType="cache.t3.micro"
    )
    said = {"missing": "No such file", "forbidden": "Permission denied", "failing": "ended with status 2"}[damage]

    until(lambda: node_of(atoll, "mem")["host_error"], 10, "the reason")

    assert said in node_of(atoll, "mem")["host_error"]
    events = elasticache.describe_events(SourceIdentifier="mem", SourceType="cache-cluster")["Events"]
    assert any("cannot run" in event["Message"] and said in event["Message"] for event in events)
    assert said.removeprefix("ended with ") in atoll.said().replace('": ', " ")
    assert node_of(atoll, "mem")["status"] == "creating"
    rounds = atoll.status()["loop"]["machine_rounds"]
    engine.unlink(missing_ok=True)
    good.rename(engine)
    until(lambda: node_of(atoll, "mem")["status"] == "available", 15, "the node")
    assert node_of(atoll, "mem")["host_error"] is None
    assert atoll.status()["loop"]["machine_rounds"] - rounds < 100, "it rests between its tries"


def test_an_address_in_use_is_said_and_waited_for(atoll):
    stage = Stage(atoll)
    kernel, victim = Kernel(atoll), stage.pids()["mem:0001"]
    address, port = stage.node("mem")
    found = stage.ec2.describe_network_interfaces(Filters=[{"Name": "private-ip-address", "Values": [address]}])
    interface = found["NetworkInterfaces"][0]["NetworkInterfaceId"]
    atoll.kill()
    os.kill(victim, signal.SIGKILL)
    with kernel.process(interface, "python3", "-c", LISTEN, address, str(port)) as squatter:
        assert squatter.stdout.readline() == b"on\n"
        atoll.up()
        until(lambda: node_of(atoll, "mem")["host_error"], 10, "the reason")
        assert "in use" in node_of(atoll, "mem")["host_error"]
    stage.settled(20)


def test_an_instance_that_cannot_boot_is_given_up_and_says_why(atoll):
    stage = Stage(atoll)
    for image in (atoll.state / "images").glob("*"):
        image.rename(image.with_name("elsewhere"))
    (atoll.state / "instances" / stage.instance / "image").unlink()
    image = stage.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    told = stage.ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]

    gone = stage.state(told["InstanceId"], "terminated", 20)

    assert gone["StateReason"]["Code"] == "Server.InternalError"
    assert "No such file" in gone["StateReason"]["Message"]
    assert not (atoll.state / "instances" / told["InstanceId"]).exists() or until(
        lambda: not (atoll.state / "instances" / told["InstanceId"]).exists(), 5
    )
