"""Key pairs: list, create, import, delete."""

from atoll.console.ask import Answered, Ask
from atoll.console.parts import Act, Button, Field, form, listing
from atoll.console.site import act, home, menu, page
from atoll.console.tables import Row, column

UP = ("/ec2/key-pairs", "ec2.key_pairs")
COLUMNS = (
    column("name", "common.name", "KeyName"),
    column("id", "common.id", "KeyPairId", "code"),
    column("type", "ec2.type", "KeyType"),
    column("fingerprint", "ec2.fingerprint", "KeyFingerprint", "code"),
    column("created", "common.created", "CreateTime", "time"),
)
menu("ec2", UP[0], UP[1], order=30)
home("key", "/ec2/key-pairs?q={id}")


@page("/ec2/key-pairs")
async def key_pairs(ask: Ask) -> Answered:
    """List them."""
    found = (await ask.aws("ec2", "DescribeKeyPairs"))["KeyPairs"]
    buttons = [
        Button(path="/ec2/key-pairs/import", text="ec2.import_key"),
        Button(path="/ec2/key-pairs/create", text="common.create", primary=True),
    ]
    return listing(ask, "ec2.key_pairs", found, COLUMNS, kinds=("KeyPair",), buttons=buttons, acts=_acts)


def _acts(key: Row) -> list[Act]:
    fields = {"id": key["KeyName"]}
    return [
        Act(path="/ec2/key-pairs/delete", text="common.delete", fields=fields, sure="common.sure_delete", danger=True)
    ]


@page("/ec2/key-pairs/create")
async def new(ask: Ask) -> Answered:
    """Ask for its name and type."""
    types = [("ed25519", "ED25519", ""), ("rsa", "RSA", "")]
    fields = [
        Field(name="key", text="common.name", required=True),
        Field(name="type", text="ec2.type", shows="one", choices=types, value="ed25519"),
    ]
    return form(ask, "ec2.create_key", "/ec2/key-pairs/create", fields, up=UP, about="ec2.create_key_about")


@act("/ec2/key-pairs/create", back="/ec2/key-pairs/create")
async def create(ask: Ask) -> Answered:
    """Create it, and show its private part: nobody can see it again."""
    made = await ask.aws("ec2", "CreateKeyPair", **ask.form.given(KeyName="key", KeyType="type"))
    return ask.view("ec2/key.html", name=made["KeyName"], material=made["KeyMaterial"])


@page("/ec2/key-pairs/import")
async def new_import(ask: Ask) -> Answered:
    """Ask for a public key."""
    fields = [
        Field(name="key", text="common.name", required=True),
        Field(name="material", text="ec2.public_key", shows="area", required=True, placeholder="ssh-ed25519 AAAA…"),
    ]
    return form(ask, "ec2.import_key", "/ec2/key-pairs/import", fields, up=UP, submit="ec2.import_key")


@act("/ec2/key-pairs/import", back="/ec2/key-pairs/import")
async def import_(ask: Ask) -> Answered:
    """Import it."""
    name, material = ask.form.get("key"), ask.form.get("material").encode()
    await ask.aws("ec2", "ImportKeyPair", KeyName=name, PublicKeyMaterial=material)
    return ask.go(UP[0], "vpc.done_created", id=name)


@act("/ec2/key-pairs/delete", back="/ec2/key-pairs")
async def delete(ask: Ask) -> Answered:
    """Delete it."""
    name = ask.form.get("id")
    await ask.aws("ec2", "DeleteKeyPair", KeyName=name)
    return ask.go(UP[0], "vpc.done_deleted", id=name)
