"""Key pairs: made, imported, described, deleted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from atoll.aws.errors import Err
from atoll.aws.operation import Shape, operation
from atoll.ec2.errors import BAD_VALUE, MISSING, UNSUPPORTED
from atoll.ec2.filters import Table, select
from atoll.ec2.kinds import find
from atoll.ec2.tags import render_tags, tags_for
from atoll.model.keypair import KeyPair
from atoll.model.world import Tx, World

if TYPE_CHECKING:
    from atoll.ec2.keys.material import PublicKey

NAME_CHARS_MAX = 255  # EC2 API Reference, CreateKeyPair

KEY_NOT_FOUND = Err("InvalidKeyPair.NotFound", "The key pair '{name}' does not exist")
KEY_EXISTS = Err("InvalidKeyPair.Duplicate", "The keypair '{name}' already exists.")
BAD_KEY = Err("InvalidKey.Format", "Key is not in valid OpenSSH public key format")


@operation("ec2", "CreateKeyPair")
def create_key_pair(
    tx: Tx,
    *,
    key_name: str,
    key_type: str = "rsa",
    key_format: str = "pem",
    tag_specifications: Sequence[Shape] = (),
) -> Shape:
    """Make a key pair; its private half is in the answer and nowhere else."""
    from atoll.ec2.keys import material

    tags = tags_for("key-pair", tag_specifications)
    _check_new_name(tx, key_name)
    if key_format != "pem":
        raise UNSUPPORTED(what=f"The key format {key_format}")
    made = material.new_ed25519() if key_type == "ed25519" else material.new_rsa()
    pair = _keep(tx, key_name, made.public, made.fingerprint, tags)
    return {**_render_new(pair), "KeyMaterial": made.material}


@operation("ec2", "ImportKeyPair")
def import_key_pair(
    tx: Tx, *, key_name: str, public_key_material: bytes, tag_specifications: Sequence[Shape] = ()
) -> Shape:
    """Keep a public key that the caller made."""
    from atoll.ec2.keys import material

    tags = tags_for("key-pair", tag_specifications)
    _check_new_name(tx, key_name)
    try:
        public = material.read_public_key(public_key_material)
    except material.NoKey:
        raise BAD_KEY() from None
    return _render_new(_keep(tx, key_name, public, material.fingerprint(public), tags))


@operation("ec2", "DescribeKeyPairs")
def describe_key_pairs(
    world: World,
    *,
    key_names: Sequence[str] = (),
    key_pair_ids: Sequence[str] = (),
    include_public_key: bool = False,
    filters: Sequence[Shape] = (),
) -> Shape:
    """List key pairs."""
    found = [find_named(world, name) for name in key_names] + [find(world, KeyPair, id) for id in key_pair_ids]
    pairs = {p.id: p for p in found} if key_names or key_pair_ids else {p.id: p for p in world.all(KeyPair)}
    chosen = select(world, pairs.values(), filters, FILTERS)
    return {"KeyPairs": [_render(p, with_public_key=include_public_key) for p in chosen]}


@operation("ec2", "DeleteKeyPair")
def delete_key_pair(tx: Tx, *, key_name: str | None = None, key_pair_id: str | None = None) -> Shape:
    """Delete a key pair; one that does not exist counts as deleted.  Instances keep the key of their launch."""
    if not key_name and not key_pair_id:
        raise MISSING(name="KeyName or KeyPairId")
    for pair in tx.all(KeyPair):
        if pair.name == key_name or pair.id == key_pair_id:
            tx.delete(pair)
            return {"Return": True, "KeyPairId": pair.id}
    return {"Return": True}


def find_named(world: World, name: str) -> KeyPair:
    """Return a key pair by its name; raises KEY_NOT_FOUND."""
    for pair in world.all(KeyPair):
        if pair.name == name:
            return pair
    raise KEY_NOT_FOUND(name=name)


def _check_new_name(tx: Tx, name: str) -> None:
    if not name.strip():
        raise MISSING(name="KeyName")
    if len(name) > NAME_CHARS_MAX or not name.isascii() or not name.isprintable():
        raise BAD_VALUE(value=name[:NAME_CHARS_MAX], name="KeyName", why="It must have up to 255 ASCII characters.")
    if any(pair.name == name for pair in tx.world.all(KeyPair)):
        raise KEY_EXISTS(name=name)


def _keep(tx: Tx, name: str, public: "PublicKey", fingerprint: str, tags: dict[str, str]) -> KeyPair:
    from atoll.ec2.keys import material

    line = material.open_ssh(public)
    return tx.make(
        KeyPair,
        tx.new_id("key"),
        name=name,
        kind="ed25519" if line.startswith("ssh-ed25519") else "rsa",
        fingerprint=fingerprint,
        public_key=f"{line} {name}",
        created=tx.now,
        tags=tags,
    )


def _render_new(pair: KeyPair) -> Shape:
    """Return what CreateKeyPair and ImportKeyPair answer alike."""
    return {
        "KeyPairId": pair.id,
        "KeyName": pair.name,
        "KeyFingerprint": pair.fingerprint,
        "Tags": render_tags(pair),
    }


def _render(pair: KeyPair, *, with_public_key: bool) -> Shape:
    """Return AWS's KeyPairInfo."""
    shape = _render_new(pair) | {"KeyType": pair.kind, "CreateTime": pair.created}
    if with_public_key:
        shape["PublicKey"] = f"{pair.public_key}\n"
    return shape


FILTERS: Table = {
    "key-pair-id": lambda _, p: p.id,
    "fingerprint": lambda _, p: p.fingerprint,
    "key-name": lambda _, p: p.name,
}
