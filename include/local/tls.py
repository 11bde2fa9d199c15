"""A certificate authority of the stack's own, and the certificate of `localhost` that it signs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.home import locked, write_private

LIFETIME = dt.timedelta(days=365)
RENEW_BEFORE = dt.timedelta(days=30)
HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Certificates:
    """Paths: the server's certificate and key, and a bundle of the system's authorities and ours for clients."""

    certificate: Path
    key: Path
    bundle: Path


def ensure(folder: Path, now: dt.datetime) -> Certificates:
    """The certificates in FOLDER, made if missing or near their end. The authority's own key is not kept."""
    paths = Certificates(folder / "localhost.pem", folder / "localhost.key", folder / "ca-bundle.pem")
    with locked(paths.bundle):
        if not _is_good(paths, now):
            _make(paths, now)
    return paths


def _make(paths: Certificates, now: dt.datetime) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _authority(ca_key, now)
    key = ec.generate_private_key(ec.SECP256R1())
    paths.bundle.write_text(_system_authorities() + _pem(ca))
    write_private(paths.key, _private_pem(key))
    paths.certificate.write_text(_pem(_server(key, ca, ca_key, now)))


def _is_good(paths: Certificates, now: dt.datetime) -> bool:
    if not (paths.certificate.exists() and paths.key.exists() and paths.bundle.exists()):
        return False
    certificate = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
    return certificate.not_valid_after_utc - now > RENEW_BEFORE


def _system_authorities() -> str:
    """The machine's own bundle, which may hold a company's authorities; certifi's where the machine has none."""
    own = ssl.get_default_verify_paths().openssl_cafile
    for candidate in (own, "/etc/ssl/certs/ca-certificates.crt", certifi.where()):
        if Path(candidate).is_file():
            return Path(candidate).read_text().rstrip("\n") + "\n"
    return ""


def _authority(key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "testenv embedded stack")])
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _builder(name, name, key.public_key(), now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    return builder.sign(key, hashes.SHA256())


def _server(
    key: ec.EllipticCurvePrivateKey, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, now: dt.datetime
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    hosts = [x509.DNSName(host) if host.isalpha() else x509.IPAddress(ipaddress.ip_address(host)) for host in HOSTS]
    builder = _builder(name, ca.subject, key.public_key(), now)
    builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
    )
    return builder.sign(ca_key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
