"""The stack's secrets: made once, kept in `HOME/secrets.json` (mode 0600), never the same in two stacks."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.home import locked, write_private


def new_password() -> str:
    """32 characters that need quoting nowhere: not in a URL, a shell, SQL, JAAS or an ini file."""
    return secrets.token_hex(16)


def new_fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def new_private_key() -> str:
    """A fresh RSA key as Snowflake wants it: base64 of the unencrypted PKCS#8 DER, one line."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return base64.b64encode(der).decode()


def public_key_of(private_key: str) -> str:
    """The public half of a key from `new_private_key`: base64 DER, as `RSA_PUBLIC_KEY` takes it."""
    key = serialization.load_der_private_key(base64.b64decode(private_key), password=None)
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


class SecretStore:
    """Secrets by name; one that is asked for the first time is made and written down, for all who share the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values = self._read()

    def password(self, name: str) -> str:
        return self._get(name, new_password)

    def fernet_key(self, name: str) -> str:
        return self._get(name, new_fernet_key)

    def private_key(self, name: str) -> str:
        """A key pair's private half, see `new_private_key`."""
        return self._get(name, new_private_key)

    def access_key_id(self, name: str) -> str:
        """The id of an AWS access key: it has the shape of one, and is as secret as a user name."""
        return self._get(name, lambda: "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode())

    def secret_access_key(self, name: str) -> str:
        """An AWS secret access key: 40 characters."""
        return self._get(name, lambda: secrets.token_hex(20))

    def values(self) -> tuple[str, ...]:
        """Every secret there is, for a test that looks for leaks."""
        return tuple(self._values.values())

    def _get(self, name: str, make: Callable[[], str]) -> str:
        if name not in self._values:
            with locked(self._path):
                values = self._read()
                if name not in values:
                    values[name] = make()
                    write_private(self._path, json.dumps(values, indent=1, sort_keys=True))
                self._values = values
        return self._values[name]

    def _read(self) -> dict[str, str]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}
