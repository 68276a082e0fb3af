"""A cache that speaks only TLS, and an application that does not yet."""

from atoll.learn.ground import Ground
from atoll.learn.lesson import Facts, Lesson, Step, Wrong
from atoll.learn.view import PING, PONG, Not, View

PORT = 6379
CHANGE = "aws elasticache modify-replication-group --replication-group-id sessions --apply-immediately"
PREFERRED = f"{CHANGE} --transit-encryption-enabled --transit-encryption-mode preferred"
REQUIRED = f"{CHANGE} --transit-encryption-enabled --transit-encryption-mode required"


async def build(ground: Ground) -> None:
    """Make a cache whose encryption in transit is required."""
    vpc = await ground.vpc("shop")
    deep = await ground.subnet("data", vpc, "10.0.1.0/24")
    app, cache = await ground.group("app", vpc), await ground.group("cache", vpc)
    await ground.allow(cache, PORT, app)
    await ground.subnet_group("shop", deep)
    await ground.instance("app", deep, app)
    await ground.valkey("sessions", "shop", cache, TransitEncryptionEnabled=True)


def judge(view: View) -> Facts:
    """Check that the application is answered in plain text, and that TLS is still there for everybody else."""
    group = view.replication("sessions")
    if not group.tls:
        raise Not("tls-gone", name="sessions")
    if group.tls_mode != "preferred" and not view.is_real:
        raise Not("tls-required", name="sessions")
    address = view.node("sessions")
    view.must_answer("app", address, PORT, PING, PONG, tls=True, name="sessions", code="no-tls")
    said = view.must_answer("app", address, PORT, PING, PONG, name="sessions", code="tls-required")
    return {"said": said}


LESSON = Lesson(
    name="lab-tls",
    number=30,
    is_lab=True,
    build=build,
    steps=(
        Step(
            id="mend",
            judge=judge,
            before="tls-required",
            commands=(PREFERRED,),
            wrong=(
                Wrong("tls-gone", (PREFERRED, f"{CHANGE} --no-transit-encryption-enabled"), (PREFERRED, REQUIRED)),
            ),
        ),
    ),
)
