"""Who reaches what in a VPC; and what a change would open or close, before it is made."""

import shlex
from collections.abc import Callable

from atoll.aws import inside
from atoll.aws.bind import Bound
from atoll.aws.errors import AwsError
from atoll.console.ask import Answered, Ask, name_of
from atoll.console.mending import call_of
from atoll.console.site import menu, page
from atoll.model.world import Tx, World
from atoll.network.reach.diff import changes
from atoll.network.reach.ends import public_networks
from atoll.network.reach.matrix import Matrix, TooMuch, matrix, spelt
from atoll.picture.read import NoVpc, vpc_called

AT = "/tools/reach"
ROWS_MAX = 2_000

menu("tools", AT, "reach.title", order=30)


@page(AT)
async def show(ask: Ask) -> Answered:
    """Compute the matrix, and with a command what it would change."""
    vpcs = await ask.aws_all("ec2", "DescribeVpcs", "Vpcs")
    world = ask.service.world
    try:
        vpc = vpc_called(world.seen_by(ask.caller), ask.query.get("vpc") or None).id
    except NoVpc as error:
        vpc = error.candidates[0] if error.candidates else ""
    command = ask.query.get("command")
    ask.show(shlex.join(["atoll", "reach", "--vpc", vpc, *(["--with", command] if command else [])]))
    rows, changed = [], []
    try:
        before = matrix(world, vpc_ids={vpc}, outside=public_networks(world))
        rows = _rows(before)
        if command:
            changed = [c.says for c in changes(before, _after(ask, vpc, command, world))]
    except TooMuch as error:
        ask.error = AwsError("TooMuch", str(error))
    except AwsError as error:
        ask.error = error
    return ask.view(
        "tools/reach.html",
        choices=[(v["VpcId"], f"{name_of(v) or v['VpcId']}  {v['CidrBlock']}") for v in vpcs],
        vpc=vpc,
        command=command,
        rows=[tuple(map(ask.t.phrase, row)) for row in rows[:ROWS_MAX]],
        changed=changed,
    )


def _rows(found: Matrix) -> list[tuple[str, str, str]]:
    ends = found.ends
    return [(ends[a].name, ends[b].name, spelt(ports)) for (a, b), ports in found.paths.items()]


def _doing(bound: Bound) -> Callable[[Tx], None]:
    def do(tx: Tx) -> None:
        bound.operation.run(tx, **bound.arguments)

    return do


def _after(ask: Ask, vpc: str, command: str, world: World) -> Matrix:
    """Return the matrix as it would be.  Raises AwsError: as the call itself would be refused."""
    call = call_of(command)
    if call is None:
        raise AwsError("InvalidCommand", ask.t("why.not_a_call", command=command))
    bound = inside.bound_of(*call)
    after = ask.service.backend.would_be(_doing(bound), ask.caller)
    named = {*public_networks(world.seen_by(None)), *public_networks(after.seen_by(None))}
    return matrix(after, vpc_ids={vpc}, outside=named)
