"""The terminal of an instance."""

import base64
import binascii

from atoll.admin.machines import NotRunning, login, machine
from atoll.aws.errors import AwsError
from atoll.console.ask import Answered, Ask, Events, Told, name_of
from atoll.console.parts import one
from atoll.console.shells import Shells, TooMany
from atoll.console.site import act, page
from atoll.model.interface import Interface

MODES = ("root", "rootless")  # in which an instance has processes of its own to be among
BACK = "/ec2/instances/{id}/terminal"
shells = Shells()


@page("/ec2/instances/{id}/terminal")
async def terminal(ask: Ask) -> Answered:
    """Show the page in which a script opens a shell."""
    id = ask.parts["id"]
    found = await ask.aws("ec2", "DescribeInstances", InstanceIds=[id])
    it = one([i for r in found["Reservations"] for i in r["Instances"]])
    users = (login(ask.service.world, id), "root")
    user = ask.query.get("user", users[0])
    user = user if user in users else users[0]
    ask.show(f"atoll exec --user {user} {id}")
    return ask.view(
        "ec2/terminal.html",
        id=id,
        name=name_of(it),
        state=it["State"]["Name"],
        user=user,
        users=users,
        real=ask.service.where()["mode"] in MODES,
        is_terminal=True,
    )


@act("/ec2/instances/{id}/terminal/open", back=BACK)
async def open_(ask: Ask) -> Answered:
    """Open a shell; the script then listens to it."""
    id, user = ask.parts["id"], ask.form.get("user")
    where = ask.service.where()
    await ask.aws("ec2", "DescribeInstances", InstanceIds=[id])  # it is the caller's, or this raises
    world = ask.service.world.seen_by(ask.caller)
    interface = next(iter(world.all(Interface, instance_id=id)), None)
    if where["mode"] not in MODES or interface is None or user not in (login(world, id), "root"):
        return Told({"error": str(ask.t("ec2.terminal_not_here"))}, 409)
    try:
        found = machine(world, interface, ask.service.seen())
        assert found.pid, "an instance that runs has a process"
        shell = shells.open(ask.session, found.pid, rootless=where["rootless"], user=user)
    except NotRunning as because:
        return Told({"error": str(because)}, 409)
    except (TooMany, OSError):
        return Told({"error": str(ask.t("ec2.terminal_too_many"))}, 503)
    shell.size(_number(ask, "columns", 80), _number(ask, "rows", 24))
    return Told({"shell": shell.id})


@page("/ec2/instances/{id}/terminal/{shell}")
async def listen(ask: Ask) -> Answered:
    """Send what the shell says."""
    if shell := shells.find(ask.session, ask.parts["shell"]):
        return Events(shells.events(shell))
    return Told({"error": str(ask.t("ec2.terminal_gone"))}, 404)


@act("/ec2/instances/{id}/terminal/{shell}/type", back=BACK)
async def type_(ask: Ask) -> Answered:
    """Give the shell what was typed."""
    shell = shells.find(ask.session, ask.parts["shell"])
    if shell is None:
        return Told({"error": str(ask.t("ec2.terminal_gone"))}, 404)
    try:
        await shells.type(shell, base64.b64decode(ask.form.get("text"), validate=True))
    except binascii.Error:
        raise AwsError("InvalidParameterValue", "text is not base64") from None
    return Told({})


@act("/ec2/instances/{id}/terminal/{shell}/size", back=BACK)
async def size(ask: Ask) -> Answered:
    """Tell the shell how large its window is."""
    if shell := shells.find(ask.session, ask.parts["shell"]):
        shell.size(_number(ask, "columns", 80), _number(ask, "rows", 24))
    return Told({})


def _number(ask: Ask, name: str, usual: int) -> int:
    text = ask.form.get(name)
    return int(text) if text.isdecimal() and len(text) < 5 else usual
