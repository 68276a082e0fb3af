"""Open a security group: the six steps of the page, with a group that only ElastiCache uses (rows 12 to 26)."""

from atoll.learn.commands import admit, withdraw
from atoll.learn.ground import ANYWHERE, Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import ANSWER, CLIENT, VERSION, Not, View
from atoll.learn.width import groups_are_narrow
from atoll.model.group import SecurityGroup
from atoll.model.interface import Interface

PORT = 11211


async def build(ground: Ground) -> None:
    """Make a Memcached cluster in the default group, and two instances."""
    vpc = await ground.vpc("shop", internet=True)
    public = await ground.subnet("public", vpc, "10.0.0.0/24", public=True)
    private = await ground.subnet("private", vpc, "10.0.1.0/24")
    await ground.subnet_group("shop", private)
    for name in ("app", "worker"):
        await ground.instance(name, public, await ground.group(name, vpc))
    await ground.memcached("pages", "shop", None)
    ground.outside(CLIENT)


def own_group(view: View) -> Facts:
    """Check that the cluster carries groups that nothing else does."""
    groups = view.groups_of(view.cluster("pages"))
    for group in groups:
        if group.name == "default":
            raise Not("default-group", name="pages")
        if _is_on_an_instance(view, group):
            raise Not("shared-group", group=group.name)
    return {"group": ", ".join(group.name for group in groups)}


def anywhere(view: View) -> Facts:
    """Check that every instance of the VPC is let in, and that the internet is not."""
    own_group(view)
    address = view.node("pages")
    for name in ("app", "worker"):
        view.must_answer(name, address, PORT, VERSION, ANSWER, name="pages")
    return {"client": CLIENT, "because": view.must_not_reach(CLIENT, address, PORT)}


def narrow(view: View) -> Facts:
    """Check that only the application is let in."""
    own_group(view)
    groups_are_narrow(view.groups_of(view.cluster("pages")))
    address = view.node("pages")
    said = view.must_answer("app", address, PORT, VERSION, ANSWER, name="pages")
    return {"said": said, "because": view.must_not_reach("worker", address, PORT)}


def _is_on_an_instance(view: View, group: SecurityGroup) -> bool:
    return any(group.id in i.group_ids and i.instance_id for i in view.world.all(Interface, vpc_id=group.vpc_id))


LESSON = Lesson(
    name="security-group",
    number=2,
    build=build,
    steps=(
        Step(
            id="own-group",
            judge=own_group,
            before="default-group",
            commands=(
                "aws ec2 create-security-group --group-name cache --description 'only for ElastiCache'"
                " --vpc-id {vpc:shop}",
                "aws elasticache modify-cache-cluster --cache-cluster-id pages --security-group-ids {sg:cache}",
            ),
            wrong=(
                Wrong(
                    code="shared-group",
                    commands=(
                        "aws elasticache modify-cache-cluster --cache-cluster-id pages --security-group-ids {sg:app}",
                    ),
                ),
            ),
        ),
        Step(
            id="anywhere",
            judge=anywhere,
            before="blocked",
            commands=(admit("cache", PORT, ANYWHERE),),
            others=((admit("cache", PORT, "10.0.0.0/16"),),),
            wrong=(
                Wrong(
                    code="blocked",
                    commands=(admit("cache", 11212, ANYWHERE),),
                    undo=(withdraw("cache", 11212, ANYWHERE),),
                ),
            ),
        ),
        Step(
            id="narrow",
            judge=narrow,
            before="too-wide",
            commands=(withdraw("cache", PORT, ANYWHERE), admit("cache", PORT, "sg:app")),
            wrong=(
                Wrong(
                    code="open-to",
                    commands=(withdraw("cache", PORT, ANYWHERE), admit("cache", PORT, "10.0.0.0/16")),
                    undo=(withdraw("cache", PORT, "10.0.0.0/16"), admit("cache", PORT, ANYWHERE)),
                ),
            ),
        ),
    ),
)
