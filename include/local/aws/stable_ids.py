"""Names that are the same in an account that begins anew. moto draws ids and keys at random; clients keep them in their
environment (`HOME/stack.env`). So access keys, application ids and the default subnets, which are made at every start,
are derived from the root secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from local.aws.settings import AccessKey

# How a key id of account 123456789012 begins: "AKIA", the account number in base32, its parity.
_KEY_ID_START = "AKIARZPUZDIK"


def derive(secret: str, *names: str) -> bytes:
    """32 bytes that only the holder of `secret` can tell, the same for the same names."""
    return hmac.digest(secret.encode(), "\0".join(names).encode(), hashlib.sha256)


def application_id(secret: str, name: str, nth: int) -> str:
    """The id of the `nth` EMR Serverless application called `name`: 16 letters and digits."""
    return base64.b32encode(derive(secret, "application", name, str(nth))).decode().lower()[:16]


def user_key(secret: str, user: str, nth: int = 0) -> AccessKey:
    """The `nth` access key of an IAM user."""
    names = ("access-key", user, str(nth))
    tail = base64.b32encode(derive(secret, *names, "id")).decode()
    return AccessKey(_KEY_ID_START + tail[:8], base64.b64encode(derive(secret, *names, "secret")).decode()[:40])
