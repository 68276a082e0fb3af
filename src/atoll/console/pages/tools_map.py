"""The map of a VPC: what is there, what passes, what is refused, and what mends it."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from markupsafe import Markup

from atoll.admin import map_routes
from atoll.aws.errors import AwsError
from atoll.console import flows
from atoll.console.ask import Answered, Ask, name_of
from atoll.console.site import act, menu, page
from atoll.host.contract import HostError
from atoll.model.world import World
from atoll.picture.draw import draw
from atoll.picture.read import NoVpc, vpc_called
from atoll.picture.scene import Scene
from atoll.picture.shapes import Box, Picture
from atoll.picture.svg import svg

AT = "/tools/map"
EVERY_SECONDS = 3  # what passes is looked at anew

menu("tools", AT, "map.title", order=10)


@page(AT)
async def show(ask: Ask) -> Answered:
    """Draw it."""
    vpcs = await ask.aws_all("ec2", "DescribeVpcs", "Vpcs")
    world = ask.service.world.seen_by(ask.caller)
    wanted = ask.form.get("vpc") or ask.query.get("vpc")
    try:
        vpc_id = vpc_called(world, wanted or None).id
    except NoVpc as error:
        if wanted:
            raise AwsError("InvalidVpcID.NotFound", str(error)) from None
        vpc_id = error.candidates[0] if error.candidates else ""
    blocked = ask.query.get("blocked") == "1"
    scene = await _scene(ask, world, vpc_id) if vpc_id else None
    ask.show(f"atoll map {vpc_id} --live > vpc.svg")
    shown = scene and replace(scene, flows=tuple(f for f in scene.flows if f.blocked) if blocked else scene.flows)
    return ask.view(
        "tools/map.html",
        choices=[(v["VpcId"], f"{name_of(v) or v['VpcId']}  {v['CidrBlock']}") for v in vpcs],
        vpc=vpc_id,
        blocked=blocked,
        paused=ask.query.get("paused") == "1",
        every=EVERY_SECONDS,
        is_paper=ask.service.where()["mode"] == "paper",
        picture=Markup(svg(_told(draw(shown, with_list=False), ask.t.phrase), inline=True)) if shown else "",
        told=await flows.told(ask, shown) if shown else [],
        scene=scene,
    )


def _told(picture: Picture, say: Callable[[str], str]) -> Picture:
    """Return a map with its labels in the reader's language."""

    def told(box: Box) -> Box:
        labels = tuple(replace(label, text=say(label.text)) for label in box.labels)
        return replace(box, title=say(box.title), labels=labels)

    return replace(picture, title=say(picture.title), boxes=tuple(map(told, picture.boxes)))


async def _scene(ask: Ask, world: World, vpc_id: str) -> Scene:
    service = cast("map_routes.Service", ask.service)  # the daemon, which does more than pages ask of it
    try:
        return await map_routes.scene(service, world, vpc_id, live=True)
    except HostError as error:
        raise AwsError("NotAvailable", str(error), 503) from None


@act(f"{AT}/apply", back=AT)
async def apply(ask: Ask) -> Answered:
    """Make the call that mends a refusal."""
    await flows.apply(ask, ask.form.get("command"))
    return ask.go(AT, "map.done_applied", vpc=ask.form.get("vpc"), id=ask.form.get("command"))
