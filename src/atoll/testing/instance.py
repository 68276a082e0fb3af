"""An instance of a world, and how a test gets into it or into its network."""

import os
import pickle
import select
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from atoll.cli import enter
from atoll.cli.failure import Failure
from atoll.cli.launch import Broker, command
from atoll.testing import sockets
from atoll.testing.account import Account
from atoll.testing.daemon import AtollError
from atoll.testing.vpc import Vpc
from atoll.testing.waiting import until

T = TypeVar("T")

TYPE = "t3.micro"
SECONDS_MAX = 30.0  # of one command or call, unless it is told otherwise


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command said, on both outputs, and its exit code."""

    output: str
    code: int


class Instance:
    """A light machine: its own disk, users, network."""

    def __init__(self, world: Account, id: str, name: str) -> None:
        """Know an instance that exists; `World.instance` makes one."""
        self.world, self.id, self.name = world, id, name
        self._broker: Broker | None = None

    def describe(self) -> dict[str, Any]:
        """Return what DescribeInstances says of it."""
        found = self.world.client("ec2").describe_instances(InstanceIds=[self.id])["Reservations"][0]["Instances"][0]
        described: dict[str, Any] = found
        return described

    @property
    def address(self) -> str:
        """Its private address."""
        return str(self.describe()["PrivateIpAddress"])

    @property
    def public_address(self) -> str | None:
        """Its public address; None: it has none."""
        found: str | None = self.describe().get("PublicIpAddress")
        return found

    def wait(self) -> "Instance":
        """Wait until it runs, and, where it is real, has booted.  Raises AtollError."""

        def look() -> bool | None:
            state = self.describe()["State"]["Name"]
            if state not in ("pending", "running"):
                raise AtollError(f"{self.id} is {state}\nnext:  see its StateReason, and `atoll status`")
            return True if state == "running" and (not self.world.is_real or self._has_booted()) else None

        until(look, f"the instance {self.name}")
        return self

    def run(
        self, *words: str, user: str = "root", check: bool = True, seconds_max: float = SECONDS_MAX, input: str = ""
    ) -> Completed:
        """Run a command inside the instance, with its files; one word is a line for its shell.

        Raises AtollError if it takes longer, or, with `check`, if its exit code is not 0.
        """
        line = ("sh", "-c", words[0]) if len(words) == 1 else words
        with subprocess.Popen(
            command(self._place(), "instance", user, *line),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                said, _ = process.communicate(input.encode(), seconds_max)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise AtollError(f"{' '.join(words)} took longer than {seconds_max:.0f} s in {self.name}") from None
            except BaseException:  # Ctrl-C
                os.killpg(process.pid, signal.SIGKILL)
                raise
        done = Completed(said.decode(errors="replace"), process.returncode)
        if check and done.code != 0:
            raise AtollError(f"{' '.join(words)} ended with {done.code} in {self.name}:\n{done.output}")
        return done

    def popen(self, words: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
        """Start a program of this machine, with this user's files, in the instance's network; see `subprocess`."""
        return subprocess.Popen(command(self._place(), "network", "", *words), **options)

    def call(self, function: Callable[..., T], *arguments: Any, seconds_max: float = SECONDS_MAX) -> T:
        """Call a function in the instance's network, in a fork of this process, and return what it returns.

        What it returns or raises must be picklable; what it changes here is lost.
        Raises AtollError if it takes longer.
        """
        place = enter.place_of(self._place())
        reading, writing = os.pipe2(os.O_CLOEXEC)
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads: the child asks nothing of them
            child = os.fork()
        if child == 0:
            _be_called(place, function, arguments, writing)
        os.close(writing)
        try:
            told = _read(reading, time.monotonic() + seconds_max)
        finally:
            os.close(reading)
            os.kill(child, signal.SIGKILL)  # it has said all that it had to say
            os.waitpid(child, 0)
        if told is None:
            raise AtollError(f"{function!r} took longer than {seconds_max:.0f} s in {self.name}")
        if not told:
            raise AtollError(f"{function!r} ended its process in {self.name}, and returned nothing")
        returned, value, trace = pickle.loads(told)
        if returned:
            result: T = value
            return result
        if isinstance(value, Failure):
            raise AtollError(value.told())
        if trace:
            value.add_note(f"In the network of {self.name}:\n{trace}")
        raise value

    @contextmanager
    def inside(self) -> Iterator["Instance"]:
        """Have all new sockets of this process be in the instance's network, and names mean what they mean there.

        It holds for all threads, and for what uses Python's `socket`; calls to Atoll's API go on as before.
        """
        with sockets.inside(self.sockets(), self.world.endpoint):
            yield self

    def sockets(self) -> Broker:
        """Return what makes sockets in the instance's network."""
        if self._broker is None:
            self._broker = Broker(self._place())
        return self._broker

    def close(self) -> None:
        """End what works for this object here; the instance goes on."""
        if self._broker is not None:
            self._broker.close()
            self._broker = None

    def _place(self) -> dict[str, Any]:
        return place_of(self.world, self.id)

    def _has_booted(self) -> bool:
        said = self.world.client("ec2").get_console_output(InstanceId=self.id, Latest=True).get("Output", "")
        return "atoll: up" in said


def place_of(world: Account, name: str) -> dict[str, Any]:
    """Return how to enter an instance, a node or an internet client.  Raises AtollError."""
    if not world.is_real:
        raise AtollError(
            f"nothing runs on paper, so nobody can be in {name}\n"
            "next:  use a real world (atoll_mode = real), or ask the rules: assert_reachable, assert_blocked, why"
        )
    found: dict[str, Any] = world.daemon.get(f"/_atoll/machines/{name}", **world.whose)
    return found


def make_instance(
    world: Account, vpc: Vpc, name: str, *, public: bool, groups: list[str] | None, wait: bool, aws: dict[str, Any]
) -> Instance:
    """Launch an instance."""
    ec2 = world.client("ec2")
    ours: dict[str, Any] = {
        "InstanceType": TYPE, "MinCount": 1, "MaxCount": 1,
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}],
    }  # fmt: skip
    if "ImageId" not in aws:
        images = ec2.describe_images(
            Owners=["amazon"], Filters=[{"Name": "name", "Values": ["amzn2-ami-hvm-*-x86_64-gp2"]}]
        )
        ours["ImageId"] = images["Images"][0]["ImageId"]
    if "NetworkInterfaces" not in aws:
        ours["SubnetId"] = vpc.public if public else vpc.private
        ours["SecurityGroupIds"] = [vpc.app_group] if groups is None else groups
    made = ec2.run_instances(**(ours | aws))["Instances"][0]
    instance = Instance(world, made["InstanceId"], name)
    return instance.wait() if wait else instance


def _be_called(place: enter.Place, function: Callable[..., Any], arguments: Sequence[Any], writing: int) -> NoReturn:
    told: bytes
    try:
        enter.move_into(place)
        told = pickle.dumps((True, function(*arguments), ""))
    except BaseException as error:  # the test's own failures too: pytest's are no Exception
        trace = "" if isinstance(error, Failure) else traceback.format_exc()
        try:
            told = pickle.dumps((False, error, trace))
            pickle.loads(told)
        except Exception:  # such as one that takes other arguments than it keeps
            told = pickle.dumps((False, AtollError(f"{type(error).__name__}: {error}"), trace))
    try:
        view = memoryview(told)
        while view:
            view = view[os.write(writing, view) :]
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)


def _read(reading: int, deadline: float) -> bytes | None:
    """Read to the end; None: it did not come in time."""
    said, readable = bytearray(), select.poll()
    readable.register(reading, select.POLLIN)
    while readable.poll(max(0.0, deadline - time.monotonic()) * 1000):
        part = os.read(reading, 1 << 20)
        if not part:
            return bytes(said)
        said += part
    return None
