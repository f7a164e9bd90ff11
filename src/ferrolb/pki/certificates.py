"""Certificate authority and server certificate of an API server that we run."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME: Final = timedelta(days=3650)
"""Ten years: a data directory is to outlive any development cluster."""

SERVER_LIFETIME: Final = timedelta(days=365)
"""One year; a start with less than `RENEW_BEFORE` left makes a new one."""

RENEW_BEFORE: Final = timedelta(days=30)
"""A server that starts today must not run into its certificate's end within a month."""

CLOCK_SKEW: Final = timedelta(minutes=5)
"""Certificates start this much in the past, for clients whose clock is behind."""

ALWAYS_NAMES: Final = (
    "127.0.0.1",
    "::1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
)
"""Names and addresses every server certificate covers."""

CA_CERT_FILE: Final = "ca.crt"
CA_KEY_FILE: Final = "ca.key"
SERVER_CERT_FILE: Final = "server.crt"
SERVER_KEY_FILE: Final = "server.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS 8 PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentity:
    """What the server shows to its clients, and what they check it against."""

    authority: KeyPair
    server: KeyPair

    @property
    def ca_pem(self) -> str:
        """The authority's certificate, for a kubeconfig."""
        return self.authority.certificate_pem.decode("ascii")


def make_authority(*, now: datetime) -> KeyPair:
    """Make a self-signed certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ferrolb-devserver-ca")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate=certificate, key=key)


def make_server_pair(authority: KeyPair, names: Iterable[str], *, now: datetime) -> KeyPair:
    """Make a server certificate for host names and addresses, signed by the authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ferrolb-devserver")])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(min(now + SERVER_LIFETIME, authority.certificate.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return KeyPair(certificate=certificate, key=key)


def load_or_make_identity(
    directory: Path | None, names: Iterable[str], *, now: datetime
) -> ServerIdentity:
    """Return the identity kept in a directory, renewed where it no longer fits; None keeps nothing.

    The authority stays as long as it is valid, so that kubeconfig files written earlier go on
    working; the server certificate is made anew when a name is missing or its end is near.
    """
    wanted = list(dict.fromkeys([*ALWAYS_NAMES, *names]))
    authority = _load_pair(directory, CA_CERT_FILE, CA_KEY_FILE)
    if authority is None or _ends_soon(authority, now=now):
        authority = make_authority(now=now)
        _save_pair(authority, directory, CA_CERT_FILE, CA_KEY_FILE)
    server = _load_pair(directory, SERVER_CERT_FILE, SERVER_KEY_FILE)
    if server is None or not _still_serves(server, authority, wanted, now=now):
        server = make_server_pair(authority, wanted, now=now)
        _save_pair(server, directory, SERVER_CERT_FILE, SERVER_KEY_FILE)
    return ServerIdentity(authority=authority, server=server)


def server_context(pair: KeyPair) -> ssl.SSLContext:
    """Make the TLS context of a server; the key touches the disk only while it is loaded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with _private_file(pair.certificate_pem + pair.key_pem) as path:
        context.load_cert_chain(path)
    return context


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner only, through a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _private_file(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ferrolb-") as directory:
        path = Path(directory) / "identity.pem"
        write_private(path, content)
        yield path


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        address = _address(name)
        found.append(x509.DNSName(name) if address is None else x509.IPAddress(address))
    return found


def _load_pair(directory: Path | None, certificate_file: str, key_file: str) -> KeyPair | None:
    """Read a pair; None when it is absent or unreadable, so that it is made anew."""
    if directory is None:
        return None
    try:
        certificate = x509.load_pem_x509_certificate((directory / certificate_file).read_bytes())
        key = serialization.load_pem_private_key((directory / key_file).read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    if certificate.public_key() != key.public_key():
        return None
    return KeyPair(certificate=certificate, key=key)


def _save_pair(pair: KeyPair, directory: Path | None, certificate_file: str, key_file: str) -> None:
    if directory is not None:
        write_private(directory / key_file, pair.key_pem)
        write_private(directory / certificate_file, pair.certificate_pem)


def _ends_soon(pair: KeyPair, *, now: datetime) -> bool:
    return pair.certificate.not_valid_after_utc - now < RENEW_BEFORE


def _still_serves(pair: KeyPair, authority: KeyPair, names: list[str], *, now: datetime) -> bool:
    if _ends_soon(pair, now=now) or pair.certificate.issuer != authority.certificate.subject:
        return False
    identifier = pair.certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    expected = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    if identifier.value.key_identifier != expected.key_identifier:
        return False
    covered = pair.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return set(_general_names(names)) <= set(covered.value)
