"""`atoll exec`, `atoll ssh` and `atoll run`: commands in instances, in their networks and on the internet."""

import os
import shutil
import sys
from collections.abc import Sequence
from typing import NoReturn

from atoll.cli import enter, private
from atoll.cli.failure import Failure

TRUSTED_CLIENT = "198.51.100.27"  # the internet client of the documented scenario
# Instances come and go at the same address: what ssh remembers of the last one means nothing for the next.
SSH_OPTIONS = ("-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR", "-F/dev/null")


def execute(instance: str, command: Sequence[str], user: str) -> NoReturn:
    """Run a command inside a running instance; without one, a login shell."""
    place = _instance(instance)
    enter.in_instance(place, user)(command)


def run(command: Sequence[str], *, inside: str | None, source: str | None) -> NoReturn:
    """Run a command of this machine, with this user's files, in an instance's network or as an internet client.

    The client is made if there is none.
    """
    if inside and not source:
        place = _instance(inside)
    elif source and not inside:
        place = enter.place_of(private.outside(_client(source)))
    else:
        usage = "atoll run --in INSTANCE -- COMMAND, or atoll run --as 198.51.100.27 -- COMMAND"
        raise Failure("say where to run it: either in an instance's network or as an internet client", usage, 2)
    enter.in_network(place)(command)


def ssh(instance: str, *, key: str | None, source: str, user: str | None, command: Sequence[str]) -> NoReturn:
    """Log in to an instance: from the internet if it has a public address, else from its own network."""
    program = shutil.which("ssh")
    if program is None:
        raise Failure("there is no ssh on this machine", "sudo apt-get install openssh-client")
    if key is not None and not os.access(key, os.R_OK):
        raise Failure(f"the key {key} cannot be read", "give the file that `aws ec2 create-key-pair` printed")
    private_place = _instance(instance)
    public = _public_address(private_place.id)
    place = enter.place_of(private.outside(_client(source))) if public else private_place
    if public:
        _warn(place.address, instance, public)
    to = f"{user or private_place.user}@{public or private_place.address}"
    login = [program, *SSH_OPTIONS, *(["-i", key] if key else []), to]
    enter.in_network(place)([*login, *command])


def _client(source: str) -> str:
    """Return the address of an internet client; "outside" is that of the documented scenario."""
    return TRUSTED_CLIENT if source == "outside" else source


def _instance(name: str) -> enter.Place:
    place = enter.place_of(private.machine(name))
    if place.kind == "outside":
        raise Failure(f"{name} is an internet client, not an instance", f"atoll run --as {name} -- COMMAND")
    if place.kind != "instance":
        raise Failure(
            f"{name} is a {place.kind}: as on AWS, nobody can log in to it",
            "use an instance of the same VPC; `atoll status` lists them",
        )
    return place


def _warn(client: str, instance: str, public: str) -> None:
    """Say at once what a login would end with after two minutes: that the network lets nobody in."""
    port = 22
    asked = {"from": client, "to": public, "port": port, "protocol": "tcp"}
    found = private.post("/_atoll/trace", asked | private.whose())
    refusal = next((step["because"] for step in (*found["steps"], *found["back"]) if not step["allowed"]), None)
    if not found["delivered"] and refusal:
        print(
            f"note: {client} does not get in: {refusal}\n"
            f"      `atoll why {client} {instance}:{port}` says what mends it; Ctrl-C ends the waiting",
            file=sys.stderr,
            flush=True,
        )


def _public_address(instance_id: str) -> str | None:
    instances = private.get("/_atoll/status", **private.whose())["instances"]
    found: str | None = next((i["public_ip"] for i in instances if i["id"] == instance_id), None)
    return found
