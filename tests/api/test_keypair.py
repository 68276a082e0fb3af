"""Key pairs: made, imported, described, deleted."""

import base64
import hashlib
import re

import pytest
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.api.machines import refused
from tests.api.paper import tagging

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()


def as_open_ssh(key):
    return key.public_key().public_bytes(pem.Encoding.OpenSSH, pem.PublicFormat.OpenSSH)


def as_der(key):
    return key.public_key().public_bytes(pem.Encoding.DER, pem.PublicFormat.SubjectPublicKeyInfo)


def as_pem(key):
    return key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)


def as_ssh2(key):
    body = as_open_ssh(key).split()[1].decode()
    lines = "\n".join(body[i : i + 70] for i in range(0, len(body), 70))
    return (
        "---- BEGIN SSH2 PUBLIC KEY ----\nSubject: me\nComment: \"a key, \\\nover two lines\"\n"
        f"{lines}\n---- END SSH2 PUBLIC KEY ----\n"
    ).encode()  # fmt: skip


def colons(digest):
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def shown(ec2, name, **more):
    return ec2.describe_key_pairs(KeyNames=[name], **more)["KeyPairs"][0]


def test_a_new_rsa_key_comes_in_pem_with_the_sha1_of_its_private_half(ec2):
    made = ec2.create_key_pair(KeyName="k", TagSpecifications=tagging("key-pair", team="web"))

    assert made["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    private = pem.load_pem_private_key(made["KeyMaterial"].encode(), None)
    assert private.key_size == 2048
    der = private.private_bytes(pem.Encoding.DER, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    assert made["KeyFingerprint"] == colons(hashlib.sha1(der).hexdigest())
    assert made["KeyPairId"].startswith("key-0")
    pair = shown(ec2, "k", IncludePublicKey=True)
    assert pair["PublicKey"] == as_open_ssh(private).decode() + " k\n"
    assert (pair["KeyType"], pair["Tags"]) == ("rsa", [{"Key": "team", "Value": "web"}])
    assert pair["CreateTime"]


def test_a_new_ed25519_key_comes_as_open_ssh_writes_it(ec2):
    made = ec2.create_key_pair(KeyName="k", KeyType="ed25519")

    assert made["KeyMaterial"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    private = pem.load_ssh_private_key(made["KeyMaterial"].encode(), None)
    blob = base64.b64decode(as_open_ssh(private).split()[1])
    assert made["KeyFingerprint"] == base64.b64encode(hashlib.sha256(blob).digest()).decode()
    assert shown(ec2, "k")["KeyType"] == "ed25519"


def test_the_private_half_is_kept_nowhere(paper, ec2):
    material = ec2.create_key_pair(KeyName="k")["KeyMaterial"]

    secret = material.splitlines()[3]
    assert not any(secret in repr(resource) for resource in paper.world)


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
@pytest.mark.parametrize(
    "write",
    [as_open_ssh, lambda k: as_open_ssh(k) + b" me@home\n", as_ssh2, as_pem, as_der,
     lambda k: base64.b64encode(as_der(k))],
    ids=["OpenSSH", "OpenSSH with a comment", "SSH2", "PEM", "DER", "DER in base64"],
)  # fmt: skip
def test_a_key_can_be_imported_in_every_form(ec2, key, write):
    made = ec2.import_key_pair(KeyName="k", PublicKeyMaterial=write(key))

    assert shown(ec2, "k", IncludePublicKey=True)["PublicKey"] == as_open_ssh(key).decode() + " k\n"
    if key is RSA:
        assert made["KeyFingerprint"] == colons(hashlib.md5(as_der(key)).hexdigest())
    else:
        assert re.fullmatch("[A-Za-z0-9+/]{43}=", made["KeyFingerprint"])


BAD_KEYS = {
    "nothing": b"",
    "a word": b"hello",
    "a curve that EC2 lacks": as_open_ssh(ec.generate_private_key(ec.SECP256R1())),
    "an RSA key of 3072 bits": as_open_ssh(rsa.generate_private_key(public_exponent=65537, key_size=3072)),
    "half a key": as_open_ssh(RSA)[:100],
    "a private key": ED25519.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.OpenSSH, pem.NoEncryption()),
    "bytes": bytes(range(256)),
    "far too much": b"A" * 100_000,
}


@pytest.mark.parametrize("material", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_what_is_no_key_is_refused(ec2, material):
    with refused("InvalidKey.Format", "Key is not in valid OpenSSH public key format"):
        ec2.import_key_pair(KeyName="k", PublicKeyMaterial=material)

    assert ec2.describe_key_pairs()["KeyPairs"] == []


def test_a_name_is_taken_once_in_an_account_and_region(ec2, stranger, abroad):
    for client in (ec2, stranger, abroad):
        client.create_key_pair(KeyName="k", KeyType="ed25519")

    with refused("InvalidKeyPair.Duplicate", "The keypair 'k' already exists."):
        ec2.create_key_pair(KeyName="k")
    with refused("InvalidKeyPair.Duplicate", "The keypair 'k' already exists."):
        ec2.import_key_pair(KeyName="k", PublicKeyMaterial=as_open_ssh(RSA))


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"KeyName": "k" * 256}, "InvalidParameterValue", "up to 255 ASCII characters"),
        ({"KeyName": "ключ"}, "InvalidParameterValue", "up to 255 ASCII characters"),
        ({"KeyName": " "}, "MissingParameter", "KeyName"),
        (
            {"KeyName": "k", "KeyFormat": "ppk"},
            "UnsupportedOperation",
            "The key format ppk is not supported by Atoll.",
        ),
        ({"KeyName": "k", "KeyType": "dsa"}, "InvalidParameterValue", "dsa"),
        ({"KeyName": "k", "TagSpecifications": tagging("instance", a="b")}, "InvalidParameterValue", "'instance'"),
    ],
    ids=["a long name", "letters beyond ASCII", "blanks", "PuTTY's format", "an old type", "a foreign tag"],
)
def test_a_key_is_refused_for(ec2, parameters, code, message):
    with refused(code, message):
        ec2.create_key_pair(**parameters)


def test_keys_are_found_by_name_id_and_filter(ec2):
    a, b = (ec2.create_key_pair(KeyName=n, KeyType="ed25519") for n in "ab")

    def found(**asked):
        return [p["KeyName"] for p in ec2.describe_key_pairs(**asked)["KeyPairs"]]

    assert found() == ["a", "b"]
    assert found(KeyPairIds=[b["KeyPairId"]]) == ["b"]
    assert found(KeyNames=["a", "a"]) == ["a"]
    for name, value in (("key-name", "b"), ("key-pair-id", b["KeyPairId"]), ("fingerprint", b["KeyFingerprint"])):
        assert found(Filters=[{"Name": name, "Values": [value]}]) == ["b"]
    assert "PublicKey" not in shown(ec2, "a")
    assert a["KeyFingerprint"] != b["KeyFingerprint"]


def test_a_key_that_does_not_exist_is_named(ec2):
    with refused("InvalidKeyPair.NotFound", "The key pair 'x' does not exist"):
        ec2.describe_key_pairs(KeyNames=["x"])
    with refused("InvalidKeyPair.NotFound", "key-0123456789abcdef0"):
        ec2.describe_key_pairs(KeyPairIds=["key-0123456789abcdef0"])
    with refused("InvalidKeyPair.Malformed", "x"):
        ec2.describe_key_pairs(KeyPairIds=["x"])
    with refused("InvalidParameterValue", "The filter 'colour' is invalid"):
        ec2.describe_key_pairs(Filters=[{"Name": "colour", "Values": ["red"]}])


def test_deleting_works_by_name_and_by_id_and_twice(ec2):
    made = {name: ec2.create_key_pair(KeyName=name, KeyType="ed25519")["KeyPairId"] for name in "ab"}

    assert ec2.delete_key_pair(KeyName="a")["KeyPairId"] == made["a"]
    assert ec2.delete_key_pair(KeyPairId=made["b"])["Return"] is True
    again = ec2.delete_key_pair(KeyName="a")
    assert again["Return"] is True
    assert "KeyPairId" not in again
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    with refused("MissingParameter", "KeyName"):
        ec2.delete_key_pair()


def test_a_stranger_neither_sees_nor_deletes_a_key(ec2, stranger):
    ec2.create_key_pair(KeyName="k", KeyType="ed25519")

    stranger.delete_key_pair(KeyName="k")

    assert stranger.describe_key_pairs()["KeyPairs"] == []
    assert shown(ec2, "k")


def test_the_waiter_sees_a_key(ec2):
    ec2.create_key_pair(KeyName="k", KeyType="ed25519")

    ec2.get_waiter("key_pair_exists").wait(KeyNames=["k"], WaiterConfig={"Delay": 0, "MaxAttempts": 1})


def test_a_dry_run_keeps_no_key(ec2):
    with refused("DryRunOperation"):
        ec2.create_key_pair(KeyName="k", KeyType="ed25519", DryRun=True)

    assert ec2.describe_key_pairs()["KeyPairs"] == []
