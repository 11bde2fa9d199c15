"""Private keys, as the vault keeps them and as clients want them."""

from __future__ import annotations

import base64


def pem(private_key: str) -> str:
    """A private key in PEM, from the base64 of its PKCS#8 DER."""
    body = base64.encodebytes(base64.b64decode(private_key)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"
