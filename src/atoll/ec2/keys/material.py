"""Keys as bytes: making them, reading what callers import, and AWS's fingerprints.

Making a key is the one thing here that does not come from the transaction: a private key must be random in earnest,
and `cryptography` takes no dice but the kernel's.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
    load_ssh_public_key,
)

RSA_BITS = 2048
RSA_BITS_ALLOWED = (1024, 2048, 4096)  # EC2 API Reference, ImportKeyPair
MATERIAL_BYTES_MAX = 64 << 10  # the largest key is under 1 KB; comments may be long

PublicKey = RSAPublicKey | Ed25519PublicKey

_SSH2 = re.compile(rb"-{4} BEGIN SSH2 PUBLIC KEY -{4}\s*\n(.*?)-{4} END SSH2 PUBLIC KEY -{4}", re.DOTALL)
_SSH2_HEADER = re.compile(rb"^[^:\n]+:(?:.*\\\n)*.*\n", re.MULTILINE)  # RFC 4716, section 3.3


class NoKey(ValueError):
    """The material holds no public key that EC2 takes."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key pair that was just made."""

    material: str  # the private key, as the caller gets it once
    fingerprint: str
    public: PublicKey


def new_rsa() -> NewKey:
    """Make an RSA key; takes some 50 ms.  Its fingerprint is the SHA-1 of the private key in PKCS #8."""
    key = generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return NewKey(pem.rstrip("\n"), _colons(hashlib.sha1(der).hexdigest()), key.public_key())


def new_ed25519() -> NewKey:
    """Make an ED25519 key."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return NewKey(pem, fingerprint(key.public_key()), key.public_key())


def fingerprint(key: PublicKey) -> str:
    """Return an imported key's fingerprint: MD5 of the public key in DER, or for ED25519 what `ssh-keygen -l` says.

    Source: EC2 User Guide, "Verify the fingerprint of your key pair".
    """
    if isinstance(key, Ed25519PublicKey):
        blob = base64.b64decode(open_ssh(key).split()[1])
        return base64.b64encode(hashlib.sha256(blob).digest()).decode()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _colons(hashlib.md5(der, usedforsecurity=False).hexdigest())


def open_ssh(key: PublicKey) -> str:
    """Return the public key as OpenSSH writes it, without a comment."""
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def read_public_key(material: bytes) -> PublicKey:
    """Read an OpenSSH line, an SSH2 file (RFC 4716), PEM, or DER in base64 or not.  Raises NoKey."""
    if len(material) > MATERIAL_BYTES_MAX:
        raise NoKey
    for key in _readings(material.strip()):
        if isinstance(key, Ed25519PublicKey):
            return key
        if isinstance(key, RSAPublicKey) and key.key_size in RSA_BITS_ALLOWED:
            return key
    raise NoKey


def _readings(material: bytes) -> Iterator[object]:
    """Yield the keys that the material holds, in each of the forms that can be read."""
    ssh2 = _SSH2.search(material + b"\n")
    body = b"".join(_SSH2_HEADER.sub(b"", ssh2.group(1)).split()) if ssh2 else b""
    for load, text in (
        (load_ssh_public_key, material),
        (load_ssh_public_key, _with_type(body)),
        (load_pem_public_key, material),
        (load_der_public_key, material),
        (load_der_public_key, _from_base64(material)),
    ):
        try:
            yield load(text)
        except (ValueError, UnsupportedAlgorithm):  # not in this form
            continue


def _with_type(blob: bytes) -> bytes:
    """Return an SSH2 body as an OpenSSH line: the key type stands in its first bytes."""
    raw = _from_base64(blob)
    length = int.from_bytes(raw[:4], "big")
    return raw[4 : 4 + min(length, 64)] + b" " + blob


def _from_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        return b""


def _colons(digits: str) -> str:
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))
