"""The certificate authority of one installation: instances trust it, and it vouches for nothing but endpoints here.

For caches there is one below it in each region, as Amazon's certificates of servers come from authorities of regions.

Its key is made once and stays in the state directory, readable by its owner only.  No machine outside trusts it.
`cryptography` (30 ms) is loaded when it is first needed.
"""

import fcntl
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.host.errors import HostError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, GeneralName, Name

NAME = "Atoll: this machine's own cloud"
AUTHORITY_LIFE = timedelta(days=3650)
COMMON_NAME_MAX = 64  # X.520
SERVER_LIFE = timedelta(days=397)  # what clients accept; made anew at each start of the daemon
RENEWED = timedelta(days=30)  # so long before its end a certificate is replaced
EARLIER = timedelta(days=1)  # a guest's clock may be behind
_SECONDS = 30.0  # it takes a tenth of one on a quiet machine
_FOUND = "import sys, pathlib, atoll.host.authority as it; it.Authority(pathlib.Path(sys.argv[1])).certificate()"
_making = threading.Lock()


class Authority:
    """Makes certificates of servers."""

    def __init__(self, state_dir: Path) -> None:
        """Keep its key and its certificate below `state_dir`."""
        self._directory = state_dir.absolute() / "authority"

    def certificate(self) -> Path:
        """Return the file of the certificate that clients must trust; made at the first call.  Raises HostError."""
        path = self._directory / "ca.pem"
        with _making:
            if not path.exists():
                try:
                    self._found()
                except OSError as error:
                    raise HostError(str(error), "make the certificate authority") from error
        return path

    def found_apart(self) -> None:
        """Do what the first call of `certificate` would, in a process of its own: most daemons never need more.

        `cryptography` would stay in this one, with 12 MB.  Where no process can be had, it is made later.
        """
        if not (self._directory / "ca.pem").exists():
            command = (sys.executable, "-P", "-c", _FOUND, str(self._directory.parent))
            with _making, suppress(OSError, subprocess.SubprocessError):
                subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_SECONDS)

    def server(self, names: Sequence[str]) -> ssl.SSLContext:
        """Return what a server of these names needs to speak TLS.  Raises HostError."""
        import tempfile

        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        certificate = self.certificate()
        try:
            issuer = x509.load_pem_x509_certificate(certificate.read_bytes())
            key = ec.generate_private_key(ec.SECP256R1())
            builder = _of_server(_builder(names[0][:COMMON_NAME_MAX], issuer.subject, key, SERVER_LIFE), names)
            made = _signed(builder, key, self._key(self._directory), signs=False)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with tempfile.NamedTemporaryFile(dir=self._directory) as file:  # Python loads keys from files only
                file.write(_key_text(key) + made.public_bytes(serialization.Encoding.PEM))
                file.flush()
                context.load_cert_chain(file.name)
        except (OSError, ValueError) as error:  # a disk that is full, a name that no certificate can bear
            raise HostError(str(error), f"make a certificate for {names[0]}") from error
        return context

    def issue(self, names: Sequence[str], region: str) -> bytes:
        """Return a certificate for a server with these names, by a region's authority, and its key: PEM, key first.

        Raises HostError.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        try:
            issuer, issuer_key = self._region(region)
        except OSError as error:
            raise HostError(str(error), f"make the certificate authority of {region}") from error
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _of_server(_builder(names[0][:COMMON_NAME_MAX], issuer.subject, key, SERVER_LIFE), names)
        made = _signed(builder, key, issuer_key, signs=False)
        assert isinstance(issuer, x509.Certificate), "it was loaded"
        chain = (made, issuer)
        return _key_text(key) + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)

    def is_good(self, text: bytes, names: Sequence[str]) -> bool:
        """Tell whether what `issue` made is for these names, and will not end soon."""
        from cryptography import x509

        found = x509.load_pem_x509_certificates(text)[0]
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        ends = found.not_valid_after_utc
        return said.get_values_for_type(x509.DNSName) == list(names) and ends - datetime.now(UTC) > RENEWED

    def _region(self, region: str) -> "tuple[Certificate, EllipticCurvePrivateKey]":
        """Return a region's authority and its key; made at the first call."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        root = x509.load_pem_x509_certificate(self.certificate().read_bytes())
        if root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0:
            return root, self._key(self._directory)  # an earlier version's, which can have nobody below it
        directory = self._directory / region
        with _making:
            if not (directory / "ca.pem").exists():
                key, root_key = ec.generate_private_key(ec.SECP256R1()), self._key(self._directory)
                builder = _builder(f"Atoll {region}", root.subject, key, AUTHORITY_LIFE)
                builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                made = _signed(builder, key, root_key, signs=True)
                directory.mkdir(mode=0o755, exist_ok=True)
                _write(directory / "ca.key", _key_text(key), 0o600)
                _write(directory / "ca.pem", made.public_bytes(serialization.Encoding.PEM), 0o644)
        return x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes()), self._key(directory)

    def _key(self, directory: Path) -> "EllipticCurvePrivateKey":
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "as it was made"
        return key

    def _found(self) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        builder = _builder(NAME, name, key, AUTHORITY_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        made = _signed(builder, key, key, signs=True)
        self._directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        with _alone(self._directory):
            if not (self._directory / "ca.pem").exists():
                _write(self._directory / "ca.key", _key_text(key), 0o600)
                _write(self._directory / "ca.pem", made.public_bytes(serialization.Encoding.PEM), 0o644)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold a directory while two files of it that belong together are written: an earlier daemon's child may live."""
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _builder(name: str, issuer: "Name", key: "EllipticCurvePrivateKey", life: timedelta) -> "CertificateBuilder":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + life)
    )


def _of_server(builder: "CertificateBuilder", names: Sequence[str]) -> "CertificateBuilder":
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    return (
        builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )


def _general(name: str) -> "GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _signed(
    builder: "CertificateBuilder",
    key: "EllipticCurvePrivateKey",
    issuer_key: "EllipticCurvePrivateKey",
    *,
    signs: bool,
) -> "Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    usage = x509.KeyUsage(
        digital_signature=not signs, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs, crl_sign=signs, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    of_issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        builder.add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(of_issuer, critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def _key_text(key: "EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, text: bytes, mode: int) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(text)
    unfinished.replace(path)
