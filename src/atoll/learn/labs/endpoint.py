"""An endpoint that nobody has accepted."""

from atoll.learn.commands import admit, named, withdraw
from atoll.learn.ground import ANYWHERE, Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.lessons.privatelink import ACCEPT, PORT, reach
from atoll.learn.lessons.privatelink import build as same_world
from atoll.learn.view import View
from atoll.learn.width import groups_are_narrow

SERVICE = "--service-id {vpce-svc:caches}"


async def build(ground: Ground) -> None:
    """Make the world of the lesson, with an endpoint that waits."""
    await same_world(ground)
    service = await ground.endpoint_service("caches", "caches")
    await ground.endpoint("door", "consumer", "apps", "door", service)


def judge(view: View) -> Facts:
    """Check as the lesson does, and that the endpoint's group did not open to everybody."""
    groups_are_narrow([view.group("door"), view.group("cache")])
    return reach(view)


LESSON = Lesson(
    name="lab-endpoint",
    number=28,
    is_lab=True,
    build=build,
    steps=(
        Step(
            id="mend",
            judge=judge,
            before="not-accepted",
            commands=(ACCEPT,),
            others=(
                (
                    f"aws ec2 modify-vpc-endpoint-service-configuration {SERVICE} --no-acceptance-required",
                    "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {vpce:door}",
                    "aws ec2 create-vpc-endpoint --vpc-id {vpc:consumer} --vpc-endpoint-type Interface"
                    " --service-name {service:caches} --subnet-ids {subnet:apps} --security-group-ids {sg:door}"
                    f" --no-private-dns-enabled {named('vpc-endpoint', 'door')}",
                ),
            ),
            wrong=(
                Wrong("too-wide", (admit("door", PORT, ANYWHERE),), (withdraw("door", PORT, ANYWHERE),)),
                Wrong(
                    "not-accepted",
                    (f"aws ec2 modify-vpc-endpoint-service-configuration {SERVICE} --no-acceptance-required",),
                    (f"aws ec2 modify-vpc-endpoint-service-configuration {SERVICE} --acceptance-required",),
                ),
            ),
        ),
    ),
)
