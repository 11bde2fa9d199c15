"""Starting a local Snowflake for tests, and talking to it through the plain connector."""

import base64
import datetime
import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import snowflake.connector
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from snowflake.connector import SnowflakeConnection

ROOT = Path(__file__).parents[4]
PYTHON = ROOT / ".venv/local/bin/python"
BUCKET = "stand-in-tests"
AWS = {"aws_access_key_id": "integration", "aws_secret_access_key": "integration-secret", "region_name": "eu-west-1"}


@dataclass(frozen=True)
class KeyPair:
    """An RSA key in the forms that Snowflake's clients and SQL want."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def private_der(self) -> bytes:
        return self._private(serialization.Encoding.DER)

    @property
    def private_base64(self) -> str:
        return base64.b64encode(self.private_der).decode()

    @property
    def private_pem(self) -> str:
        return self._private(serialization.Encoding.PEM).decode()

    @property
    def public(self) -> str:
        der = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(der).decode()

    def _private(self, encoding: serialization.Encoding) -> bytes:
        return self.key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@dataclass
class Server:
    """A running server, and how to connect to it."""

    folder: Path
    port: int
    admin: KeyPair
    ca: Path
    s3_endpoint: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def tls(self) -> ssl.SSLContext:
        """What trusts the server."""
        return ssl.create_default_context(cafile=str(self.ca))

    def start(self) -> None:
        """Start the server on its folder and wait until it answers."""
        command = [PYTHON, "-m", "local.snowflake", "--port", str(self.port), "--data", self.folder / "data",
                   "--certfile", self.folder / "cert.pem", "--keyfile", self.folder / "key.pem",
                   "--settings", self.folder / "settings.json"]  # fmt: skip
        log = (self.folder / "server.log").open("ab")
        environment = {"PYTHONPATH": str(ROOT / "include"), "PATH": os.environ["PATH"]}
        self.process = subprocess.Popen([str(part) for part in command], env=environment, stderr=log, stdout=log)
        log.close()
        wait_for(lambda: httpx.get(f"https://localhost:{self.port}/healthz", verify=self.tls).status_code == 200,
                 self.process, self.folder / "server.log")  # fmt: skip

    def stop(self, *, kill: bool = False) -> None:
        """Stop the server, by the signal that no process can catch if ``kill``."""
        assert self.process
        self.process.kill() if kill else self.process.terminate()
        self.process.wait(20)

    def connect(self, user: str = "ADMIN", key: KeyPair | None = None, **options: Any) -> SnowflakeConnection:
        """A connection by key pair; options are the connector's own."""
        return snowflake.connector.connect(
            account="local",
            host="localhost",
            port=self.port,
            user=user,
            private_key=(key or self.admin).private_der,
            login_timeout=60,
            platform_detection_timeout_seconds=0,
            **options,
        )

    def connect_with(self, **options: Any) -> SnowflakeConnection:
        """A connection with nothing but the address filled in."""
        return snowflake.connector.connect(
            account="local", host="localhost", port=self.port, login_timeout=60,
            platform_detection_timeout_seconds=0, **options,
        )  # fmt: skip


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float = 40) -> None:
    """Poll until ready; fail with the log if the process ends or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if ready():
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail(f"the server did not become ready:\n{log.read_text()}")


def free_port() -> int:
    with closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def write_certificates(folder: Path) -> Path:
    """A CA and its certificate for localhost, in PEM files; the path of the CA's."""
    ca_key, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    ca = _certificate("testenv test CA", ca_key, "testenv test CA", ca_key, authority=True)
    leaf = _certificate("localhost", key, "testenv test CA", ca_key, authority=False)
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "cert.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())  # fmt: skip
    (folder / "key.pem").write_bytes(private)
    return folder / "ca.pem"


def _certificate(
    name: str, key: rsa.RSAPrivateKey, issuer: str, issuer_key: rsa.RSAPrivateKey, *, authority: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


@contextmanager
def running_server(folder: Path, s3_endpoint: str) -> Iterator[Server]:
    """A server on a folder of its own, stopped at the end."""
    server = Server(folder, free_port(), KeyPair(), write_certificates(folder), s3_endpoint)
    settings = {
        "admin_user": "ADMIN", "admin_public_key": server.admin.public, "s3_endpoint": s3_endpoint,
        "aws_access_key_id": AWS["aws_access_key_id"], "aws_secret_access_key": AWS["aws_secret_access_key"],
        "region": AWS["region_name"],
    }  # fmt: skip
    path = folder / "settings.json"
    path.touch(0o600)
    path.write_text(json.dumps(settings))
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Sql:
    """Runs statements on one connection and gives back plain rows."""

    def __init__(self, connection: SnowflakeConnection) -> None:
        self.connection = connection

    def __call__(self, sql: str, params: Any = None) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            return list(cursor.execute(sql, params).fetchall())

    def dicts(self, sql: str) -> list[dict[str, Any]]:
        with self.connection.cursor(snowflake.connector.DictCursor) as cursor:
            return list(cursor.execute(sql).fetchall())

    def value(self, sql: str) -> Any:
        return self(sql)[0][0]

    def types(self, sql: str) -> list[str]:
        """The type names of a query's columns."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return [snowflake.connector.constants.FIELD_ID_TO_NAME[column.type_code] for column in cursor.description]


@dataclass(frozen=True)
class User:
    """A user with one role, both of this test's own, logged in."""

    name: str
    role: str
    key: KeyPair
    sql: Sql


@contextmanager
def refused(errno: int, words: str = "") -> Iterator[None]:
    """Expects the statement to fail with this Snowflake error number, its message containing these words."""
    with pytest.raises(snowflake.connector.errors.Error) as caught:
        yield
    assert caught.value.errno == errno, caught.value
    assert words in str(caught.value.msg)
