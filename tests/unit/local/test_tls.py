"""The stack's own authority and its certificate."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from pathlib import Path

import pytest

from local import tls

NOW = dt.datetime.now(dt.UTC)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_client_with_the_bundle_trusts_the_server(tmp_path: Path, host: str) -> None:
    certificates = tls.ensure(tmp_path, NOW)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificates.certificate, certificates.key)
    client_context = ssl.create_default_context(cafile=certificates.bundle)
    left, right = socket.socketpair()
    server = threading.Thread(target=lambda: server_context.wrap_socket(left, server_side=True).close())
    server.start()
    with client_context.wrap_socket(right, server_hostname=host) as client:
        assert client.getpeercert()
    server.join()


def test_the_bundle_holds_the_systems_authorities_too(tmp_path: Path) -> None:
    assert tls.ensure(tmp_path, NOW).bundle.read_text().count("BEGIN CERTIFICATE") > 10


def test_certificates_are_kept_until_near_their_end(tmp_path: Path) -> None:
    first = tls.ensure(tmp_path, NOW).certificate.read_bytes()
    assert tls.ensure(tmp_path, NOW + dt.timedelta(days=300)).certificate.read_bytes() == first
    assert tls.ensure(tmp_path, NOW + dt.timedelta(days=340)).certificate.read_bytes() != first


def test_the_key_is_for_its_owner_only(tmp_path: Path) -> None:
    assert tls.ensure(tmp_path, NOW).key.stat().st_mode & 0o777 == 0o600
