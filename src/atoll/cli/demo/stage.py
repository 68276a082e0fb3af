"""The stage: make AWS calls, type commands in machines, check claims; and show all of it as it happens.

An AWS call is shown as the command line that makes it, a typed command with its prompt and its output, a check with
its proof.  `undo` remembers how to take everything away again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from atoll.cli import enter, private, show
from atoll.cli.failure import Failure
from atoll.recipe.cli import command

TYPED_SECONDS_MAX = 20.0
CONNECT_SECONDS_MAX = 5.0  # where a connection is expected: one retry of a lost SYN, on a busy machine
REFUSE_SECONDS = 1.5  # where none is expected: the first SYN and its first retry
LINGER_SECONDS = 0.4  # telnet leaves at the end of its input; the answer comes first
BOOT_SECONDS_MAX = 30.0
LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Typed:
    """A command that was typed somewhere, and what came of it."""

    command: str
    output: str
    code: int | None  # None: it was ended because it took too long


@dataclass(frozen=True)
class Check:
    """A claim of the documentation, and what was seen."""

    rows: str  # of the inventory of claims
    claim: str
    passed: bool
    proof: str


class Stage:
    """Where the scenario is played."""

    def __init__(self, *, quiet: bool) -> None:
        """Play against the daemon at the endpoint; `quiet`: show nothing, only collect."""
        self.checks: list[Check] = []
        self._quiet = quiet
        self._clients: dict[str, Any] = {}
        self._undo: list[Callable[[], object]] = []

    # What the audience sees

    def chapter(self, title: str) -> None:
        """Open a chapter."""
        self._line()
        self._line(title, "bold")

    def say(self, text: str) -> None:
        """Explain."""
        self._line(text, "italic")

    def check(self, rows: str, claim: str, passed: bool, proof: str) -> None:
        """Record whether a claim holds, and why we say so."""
        self.checks.append(Check(rows, claim, passed, proof))
        self._line(f"  {'✓' if passed else '✗'} {claim}: {proof}", "green" if passed else "bold red")

    # AWS

    def aws(self, service: str, operation: str, **parameters: Any) -> Any:
        """Make an AWS call; returns its answer."""
        self._line(f"$ {command(service, operation, parameters)}", "cyan")
        return self._call(service, operation, parameters)

    def aws_error(self, service: str, operation: str, **parameters: Any) -> str:
        """Make an AWS call that must be refused; returns the error, or an empty string if it was not refused."""
        from botocore.exceptions import ClientError

        self._line(f"$ {command(service, operation, parameters)}", "cyan")
        try:
            self._call(service, operation, parameters)
        except ClientError as error:
            self._output(str(error))
            return str(error)
        return ""

    def wait(self, service: str, waiter: str, **parameters: Any) -> None:
        """Wait as the CLI does."""
        self._line(f"$ {command(service, waiter, parameters, waiter=True)}", "cyan")
        config = {"Delay": 0.1, "MaxAttempts": 300}
        self._client(service).get_waiter(waiter).wait(**parameters, WaiterConfig=config)

    def undo(self, service: str, operation: str, **parameters: Any) -> None:
        """Remember the call that takes a thing away again; the last made is the first to go."""
        self._undo.append(lambda: self._call(service, operation, parameters))

    def undo_by(self, act: Callable[[], object]) -> None:
        """Remember an act, where one call is not enough."""
        self._undo.append(act)

    def clean_up(self) -> None:
        """Take everything away."""
        while self._undo:
            self._undo.pop()()

    # Machines

    def type_in(self, instance: str, command: str, *, seconds_max: float = TYPED_SECONDS_MAX) -> Typed:
        """Type a command as root in an instance."""
        place = enter.place_of(private.machine(instance))
        prompt = f"[root@ip-{place.address.replace('.', '-')} ~]#"
        return self._type(prompt, enter.in_instance(place), command, seconds_max)

    def type_as(self, address: str, command: str, *, seconds_max: float = TYPED_SECONDS_MAX) -> Typed:
        """Type a command on an internet client."""
        place = enter.place_of(private.outside(address))
        return self._type(f"{address}$", enter.in_network(place), command, seconds_max)

    def telnet(self, here: str, address: str, port: int, *lines: str, expected: bool) -> Typed:
        """Connect by telnet from an instance or an internet client, type lines, and leave.

        `expected` says how long to wait, not what is true.
        """
        seconds = CONNECT_SECONDS_MAX if expected else REFUSE_SECONDS
        typed = " ".join(f"'{line}'" for line in lines) or "quit"
        command = f"(printf '%s\\n' {typed}; sleep {LINGER_SECONDS}) | telnet {address} {port}"
        typist = self.type_in if here.startswith("i-") else self.type_as
        return typist(here, command, seconds_max=seconds)

    def reboot(self, instance: str) -> None:
        """Reboot an instance, and wait until it has booted again."""
        before = private.machine(instance)["pid"]
        self.aws("ec2", "RebootInstances", InstanceIds=[instance])
        self.booted(instance, before)

    def booted(self, instance: str, before: int | None = None) -> None:
        """Wait until an instance has booted, as another process than `before`.

        It is `running` when its first process is; that one starts the SSH server when the network is as it will be.
        """
        deadline = time.monotonic() + BOOT_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                found = private.machine(instance)
                if found["pid"] != before and self._serves_ssh(enter.place_of(found)):
                    return
            except Failure:  # it is not running at this moment
                pass
            time.sleep(LOOK_EVERY_SECONDS)
        raise Failure(f"{instance} did not boot within {BOOT_SECONDS_MAX:g} s", "`atoll status` shows why")

    def _serves_ssh(self, place: enter.Place) -> bool:
        look = ["/bin/sh", "-c", "pgrep -x dropbear"]
        return enter.run(enter.in_instance(place), look, seconds_max=TYPED_SECONDS_MAX).code == 0

    def _type(self, prompt: str, become: enter.Become, command: str, seconds_max: float) -> Typed:
        self._line(f"{prompt} {command}", "yellow")
        ended = enter.run(become, ["/bin/bash", "-c", command], seconds_max=seconds_max)
        self._output(ended.output)
        if ended.code is None:
            self._line(f"    ^C  (no answer for {seconds_max:g} s)")
        return Typed(command, ended.output.strip(), ended.code)

    def _call(self, service: str, operation: str, parameters: dict[str, Any]) -> Any:
        from botocore import xform_name

        return getattr(self._client(service), xform_name(operation))(**parameters)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            from botocore.config import Config
            from botocore.session import Session

            self._clients[service] = Session().create_client(
                service,
                endpoint_url=private.endpoint(),
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[service]

    def _line(self, text: str = "", style: str | None = None) -> None:
        if not self._quiet:
            show.line(text, style)

    def _output(self, text: str) -> None:
        for line in text.splitlines():
            self._line(f"    {line}")
