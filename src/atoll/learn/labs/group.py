"""The cache's group lets in the wrong group."""

from atoll.learn.commands import admit, withdraw
from atoll.learn.ground import ANYWHERE, Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import PING, PONG, View
from atoll.learn.width import groups_are_narrow

PORT = 6379


async def build(ground: Ground) -> None:
    """Make a cache that admits `web`, and an application that carries `app`."""
    vpc = await ground.vpc("shop")
    apps = await ground.subnet("apps", vpc, "10.0.0.0/24")
    deep = await ground.subnet("data", vpc, "10.0.1.0/24")
    web, cache = await ground.group("web", vpc), await ground.group("cache", vpc)
    await ground.allow(cache, PORT, web)
    for name in ("app", "guest"):
        await ground.instance(name, apps, await ground.group(name, vpc))
    await ground.subnet_group("shop", deep)
    await ground.valkey("sessions", "shop", cache)


def judge(view: View) -> Facts:
    """Check that the application is answered, and that its neighbour is not."""
    groups_are_narrow(view.groups_of(view.cluster("sessions-001")))
    address = view.node("sessions")
    said = view.must_answer("app", address, PORT, PING, PONG, name="sessions")
    return {"said": said, "because": view.must_not_reach("guest", address, PORT)}


LESSON = Lesson(
    name="lab-group",
    number=22,
    is_lab=True,
    build=build,
    steps=(
        Step(
            id="mend",
            judge=judge,
            before="blocked",
            commands=(admit("cache", PORT, "sg:app"),),
            others=(
                (admit("cache", PORT, "{ip:app}/32"),),
                ("aws ec2 modify-instance-attribute --instance-id {i:app} --groups {sg:app} {sg:web}",),
            ),
            wrong=(
                Wrong("too-wide", (admit("cache", PORT, ANYWHERE),), (withdraw("cache", PORT, ANYWHERE),)),
                Wrong("open-to", (admit("cache", PORT, "10.0.0.0/24"),), (withdraw("cache", PORT, "10.0.0.0/24"),)),
                Wrong(
                    "too-many-ports",
                    (admit("cache", "0-65535", "sg:app"),),
                    (withdraw("cache", "0-65535", "sg:app"),),
                ),
            ),
        ),
    ),
)
