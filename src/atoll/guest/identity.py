"""Signatures of instance identity documents, by a key that a region has for itself.

AWS publishes a certificate per region; here the certificate is inside the PKCS #7 message, which
`openssl smime -verify -noverify` checks.  Source: EC2 User Guide, "Instance identity documents".
"""

import base64
from datetime import UTC, datetime

_VALID = datetime(2020, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)
_LINE = 64  # characters, as AWS prints them


def new_key(region: str) -> str:
    """Make an RSA key and its certificate, in PEM.  Costs some 100 ms: not in the event loop."""
    from cryptography import x509  # 30 ms of imports that few instances ask for
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Atoll"),
        x509.NameAttribute(NameOID.COMMON_NAME, f"Instance identity documents of {region}"),
    ])  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_VALID[0])
        .not_valid_after(_VALID[1])
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode()


def signature(key: str, document: str) -> str:
    """Return the RSA signature (PKCS #1 v1.5, SHA-256) of a document, in base64."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    private = serialization.load_pem_private_key(key.encode(), password=None)
    assert isinstance(private, rsa.RSAPrivateKey), "new_key made it"
    return _lines(private.sign(document.encode(), padding.PKCS1v15(), hashes.SHA256()))


def pkcs7(key: str, document: str) -> str:
    """Return a document inside a signed PKCS #7 message, in base64 without its PEM header."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

    private = serialization.load_pem_private_key(key.encode(), password=None)
    assert isinstance(private, rsa.RSAPrivateKey), "new_key made it"
    certificate = x509.load_pem_x509_certificate(key[key.index("-----BEGIN CERTIFICATE") :].encode())
    builder = PKCS7SignatureBuilder().set_data(document.encode()).add_signer(certificate, private, hashes.SHA256())
    options = [PKCS7Options.Binary, PKCS7Options.NoAttributes]
    return _lines(builder.sign(serialization.Encoding.DER, options))


def _lines(raw: bytes) -> str:
    text = base64.b64encode(raw).decode()
    return "\n".join(text[i : i + _LINE] for i in range(0, len(text), _LINE))
