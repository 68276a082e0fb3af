"""Write a survey as a Terraform configuration: a resource for each thing, which names the others by reference."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from atoll.recipe import hcl, terraform
from atoll.recipe.hcl import Block, Comment, Expression, Item
from atoll.recipe.shell import Variable
from atoll.recipe.step import LeftOut, Step, replaced
from atoll.recipe.survey import Survey
from atoll.recipe.terraform import ROWS
from atoll.recipe.terraform_names import identifier
from atoll.recipe.terraform_rows import Change, Many, Row

# Calls that Terraform says as arguments of what they are about, or as resources of another shape.
ANYWHERE = "0.0.0.0/0"
ASSOCIATION = "ReplaceNetworkAclAssociation"
OTHERWISE: Mapping[str, Change] = {
    "AcceptVpcPeeringConnection": Change(
        "aws_vpc_peering_connection", "", {"VpcPeeringConnectionId": lambda _: [("auto_accept", True)]}
    ),
}
# Arguments that say of the provider what a plan would otherwise want to change.
ALWAYS: Mapping[str, tuple[Item, ...]] = {
    "aws_elasticache_cluster": (("apply_immediately", True),),
    "aws_elasticache_replication_group": (("apply_immediately", True),),
}
# What takes any free address waits for what has been given one, or it might take that.
GIVEN = ("aws_instance", "aws_network_interface", "aws_nat_gateway")
TAKERS = ("aws_elasticache_cluster", "aws_elasticache_replication_group", "aws_elasticache_serverless_cache",
    "aws_lb", "aws_vpc_endpoint")  # fmt: skip
HEAD = (
    Block("terraform", (), (Block("required_providers", (), (("aws", {"source": "hashicorp/aws"}),)),)),
)  # fmt: skip


@dataclass(slots=True)
class _Configuration:
    """What is written so far: blocks by their address, in order."""

    blocks: dict[str, Block] = field(default_factory=dict)
    known: dict[str, Expression] = field(default_factory=dict)  # id -> reference
    addresses: dict[str, str] = field(default_factory=dict)  # id -> address of its block
    named: dict[tuple[str, str], Expression] = field(default_factory=dict)  # member and value -> reference
    imports: list[Block] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def configuration(survey: Survey, *, account: str, region: str, imports: bool = False) -> str:
    """Return the text of one file; `imports` adds blocks that take over what is there instead of making it."""
    made = _Configuration()
    for step in survey.steps:
        _add(made, step)
    _open_out(made, survey)
    provider = Block("provider", ("aws",), (("region", region),))
    notes = [*made.notes, *_told(survey.left_out)]
    variables = [
        Block("variable", (name.lower(),), (("type", Expression("string")), ("sensitive", True)))
        for name in dict.fromkeys(made.secrets)
    ]
    items: list[Item] = [Comment(f"What account {account} had in {region}."), *HEAD, provider, *variables]
    items += [Comment(note) for note in notes]
    items += [*made.blocks.values(), *(made.imports if imports else [])]
    return hcl.document(items)


def _open_out(made: _Configuration, survey: Survey) -> None:
    """Say the rule that AWS gives to a new group: the provider takes it away from groups that do not say it."""
    closed = {step.changes for step in survey.steps if step.operation == "RevokeSecurityGroupEgress"}
    everything = {"IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}]}
    for step in survey.steps:
        if step.operation == "CreateSecurityGroup" and (group := step.made[0]).id not in closed:
            call = {"GroupId": made.known[group.id], **everything}
            name = identifier(group.name)
            for block in terraform.resources("ec2", "AuthorizeSecurityGroupEgress", call, name=name):
                _put(made, block)


def _told(left_out: Iterable[LeftOut]) -> list[str]:
    return [f"Not here: {one.id}: {one.why}." for one in left_out]


def _add(made: _Configuration, step: Step) -> None:
    if step.finds:
        _find(made, step)
        return
    parameters = _with_references(made, step)
    row = OTHERWISE.get(step.operation) or ROWS.get((step.service, step.operation))
    if step.operation == ASSOCIATION:
        subnet = made.known[step.changes or ""]
        body = (("network_acl_id", parameters["NetworkAclId"]), ("subnet_id", subnet))
        address = made.addresses[step.changes or ""].rpartition(".")[2]
        _put(made, Block("resource", ("aws_network_acl_association", address), body))
    elif isinstance(row, Change):
        _change(made, step, row, parameters)
    elif isinstance(row, Row | Many):
        _resource(made, step, parameters)
    elif not step.operation.startswith("RevokeSecurityGroupEgress") or step.changes not in made.addresses:
        made.notes.append(f"Not here: Terraform has no resource for {step.operation} of {step.changes or 'it'}.")


def _find(made: _Configuration, step: Step) -> None:
    """Find what nobody made: an attribute of what it belongs to, or a data source."""
    (one,) = step.made
    if one.of is not None and one.of in made.known:
        owner = made.known[one.of].text.removesuffix(".id")
        made.known[one.id] = Expression(f"{owner}.{one.terraform}")
        return
    if step.source is None:
        return
    kind, arguments = step.source
    name = identifier(one.name)
    body = [(argument, _reference(made, "", value)) for argument, value in arguments]
    if kind == "aws_internet_gateway":
        values = [made.known.get(v, v) for f in step.parameters["Filters"] for v in f["Values"]]
        body = [Block("filter", (), (("name", "attachment.vpc-id"), ("values", values)))]  # type: ignore[list-item]
    made.blocks[f"data.{kind}.{name}"] = Block("data", (kind, name), tuple(body))
    made.known[one.id] = Expression(f"data.{kind}.{name}.id")


def _with_references(made: _Configuration, step: Step) -> dict[str, Any]:
    found = {}
    own = {member for member, _ in step.named} if step.named else set()
    for member, value in step.parameters.items():
        found[member] = value if member in own else _reference(made, member, value)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Variable):
                made.secrets.append(item.name)
    return found


def _reference(made: _Configuration, member: str, value: Any) -> Any:
    return replaced(value, lambda text: made.known.get(text) or made.named.get((member, text), text))


def _resource(made: _Configuration, step: Step, parameters: dict[str, Any]) -> None:
    name = identifier(step.made[0].name if step.made else next((value for _, value in step.named), "this"))
    for block in terraform.resources(step.service, step.operation, parameters, name=name):
        more = (*ALWAYS.get(block.labels[0], ()), *_after(made, block.labels[0]))
        placed = _put(made, Block(block.name, block.labels, (*block.body, *more)))
        address = ".".join(placed.labels)
        for one in step.made:
            made.addresses[one.id] = address
            made.known[one.id] = Expression(f"{address}.{one.terraform}")
        for member, value in step.named:
            made.addresses[value] = address
            made.named[member, value] = Expression(f"{address}.{step.attribute}")
        taken = step.imports or (step.made[0].id if step.made else None)
        if taken:
            made.imports.append(Block("import", (), (("to", Expression(address)), ("id", taken))))


def _after(made: _Configuration, kind: str) -> tuple[Item, ...]:
    given = [Expression(a) for a in made.blocks if a.startswith(tuple(f"{one}." for one in GIVEN))]
    return (("depends_on", given),) if given and kind in TAKERS else ()


def _put(made: _Configuration, block: Block) -> Block:
    """Keep a block, under a name that no other of its type has."""
    kind, base = block.labels
    name, number = base, 1
    while f"{kind}.{name}" in made.blocks:
        number += 1
        name = f"{base}_{number}"
    placed = Block(block.name, (kind, name), block.body)
    made.blocks[f"{kind}.{name}"] = placed
    return placed


def _change(made: _Configuration, step: Step, row: Change, parameters: dict[str, Any]) -> None:
    """Say a change as arguments of the resource that it changes."""
    address = made.addresses.get(step.changes or "")
    if address is None or not address.startswith(row.type):
        made.notes.append(f"Not here: {step.operation} of {step.changes}.")
        return
    block = made.blocks[address]
    tags = [item for item in block.body if isinstance(item, tuple) and item[0] == "tags"]
    rest = [item for item in block.body if item not in tags]
    at = next((n for n, item in enumerate(rest) if not isinstance(item, tuple)), len(rest))
    new = list(row.items(parameters))
    body = (*rest[:at], *(i for i in new if isinstance(i, tuple)), *rest[at:],
        *(i for i in new if not isinstance(i, tuple)), *tags)  # fmt: skip
    made.blocks[address] = Block(block.name, block.labels, body)
