"""Write an AWS call as Terraform: the resource of the hashicorp/aws provider that the call makes.

    text("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"})         resource "aws_vpc" "main" { cidr_block = ... }

Which argument a parameter is, is in the tables of `terraform_ec2.py` and its neighbours.  A parameter that no
argument stands for is told in a comment, and so is a call for which Terraform has no resource: most of these are done
once and describe nothing that lasts.  Source: the documentation of hashicorp/aws, 5.100.
"""

from atoll.recipe import hcl
from atoll.recipe.hcl import Block, Comment
from atoll.recipe.secrets import hidden
from atoll.recipe.terraform_ec2 import EC2
from atoll.recipe.terraform_ec2_instance import INSTANCES
from atoll.recipe.terraform_elasticache import ELASTICACHE, ELBV2, OTHERS
from atoll.recipe.terraform_names import identifier
from atoll.recipe.terraform_rows import Change, Many, Parameters, Row, Table

ROWS: Table = {**EC2, **INSTANCES, **ELASTICACHE, **ELBV2, **OTHERS}
READS = ("Describe", "Get", "List", "Filter")
ENDS = ("Delete", "Terminate", "Release", "Detach", "Disassociate", "Deregister", "Revoke")


def resources(service: str, operation: str, parameters: Parameters, *, name: str | None = None) -> list[Block]:
    """Return the resources that a call makes; none if Terraform has no resource for it."""
    row = ROWS.get((service, operation))
    match row:
        case Row():
            return [_resource(row, parameters, name or _name(row, parameters))]
        case Many():
            parts = row.parts(parameters)
            several = len(parts) > 1
            return [
                _resource(row.row, part, (name or _name(row.row, part)) + (f"_{n}" if several else ""))
                for n, part in enumerate(parts, 1)
            ]
        case _:
            return []


def text(
    service: str, operation: str, parameters: Parameters, *, name: str | None = None, secrets: bool = True
) -> str:
    """Return HCL for people, or a comment that says plainly why there is none.

    `secrets=False` puts `var.password` and the like in place of secrets.
    """
    shown = parameters if secrets else hidden(parameters)
    if found := resources(service, operation, shown, name=name):
        return hcl.document(found)
    row = ROWS.get((service, operation))
    if isinstance(row, Change):
        subject = str(shown.get(row.subject, "")) or "it"
        said = Comment(f"{operation} changes an argument of the resource that describes {subject}:")
        body = (Comment("..."), *row.items(shown))
        return hcl.document([said, Block("resource", (row.type, name or identifier(subject)), body)])
    return hcl.document([Comment(_none(operation))])


def _none(operation: str) -> str:
    if operation.startswith(READS):
        return f"{operation} only reads: it describes no resource."
    if operation.startswith(ENDS):
        return f"{operation}: take the block that describes it out of the configuration, and `terraform apply`."
    return f"Terraform has no resource for {operation}: use the AWS CLI."


def _resource(row: Row, parameters: Parameters, name: str) -> Block:
    return Block("resource", (row.type, name), tuple(row.items(parameters)))


def _name(row: Row, parameters: Parameters) -> str:
    """Choose a name: the one that people gave it, else one that says what it is."""
    tagged = next((tag for tag in row.tags(parameters) if tag == "Name"), None)
    given = row.tags(parameters)[tagged] if tagged else parameters.get(row.named) if row.named else None
    return identifier(str(given)) if given else "this"
