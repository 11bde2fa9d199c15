"""Signing evidence: canonical JSON, Ed25519. Whoever verifies brings the public key; the file's own proves nothing."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from testenv.backends.aws import client, translate
from testenv.config import Config
from testenv.core.errors import Denied, Invalid
from testenv.datasets.evidence.evidence import Evidence

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PARAMETER = "/testenv/evidence/signing-key"
"""SSM SecureString: the private key's 32 bytes, in base64."""

PUBLIC = "/testenv/evidence/public-key"
"""SSM String: the public key's 32 bytes, in base64; whoever verifies reads this one."""


def canonical(content: Any) -> bytes:
    """JSON with sorted keys and no blanks: the same content gives the same bytes."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sign(evidence: Evidence, key: Ed25519PrivateKey) -> bytes:
    """The evidence file: `{"evidence": …, "public_key": …, "signature": …}`, canonical."""
    content = evidence.model_dump(mode="json")
    public = key.public_key().public_bytes_raw()
    return canonical(
        {"evidence": content, "public_key": _text(public), "signature": _text(key.sign(canonical(content)))}
    )


def verify(file: Path | bytes, public_key: bytes) -> Evidence:
    """The evidence of a file that was signed with the key belonging to `public_key` (32 bytes).

    Raises `Invalid` if it is no evidence file, `Denied` if anything in it is not as it was signed.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        content = json.loads(file.read_bytes() if isinstance(file, Path) else file)
        signed, signature = canonical(content["evidence"]), base64.b64decode(content["signature"])
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid(f"evidence: not an evidence file: {type(error).__name__}. Take the one of the version") from error
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except InvalidSignature as error:
        raise Denied("evidence: the signature does not hold: the file was changed, or another key signed it") from error
    try:
        return Evidence.model_validate(content["evidence"])
    except ValidationError as error:
        raise Invalid(f"evidence: signed, but of another form: {error.errors()[0]['loc']}") from error


@translate
def signing_key(config: Config) -> Ed25519PrivateKey:
    """The key in SSM, made at the first call; the first of two that make it at once wins."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    ssm = client("ssm", config)
    made = Ed25519PrivateKey.generate()
    try:
        ssm.put_parameter(Name=PARAMETER, Value=_text(made.private_bytes_raw()), Type="SecureString", Overwrite=False)
    except ssm.exceptions.ParameterAlreadyExists:
        held = ssm.get_parameter(Name=PARAMETER, WithDecryption=True)["Parameter"]["Value"]
        made = Ed25519PrivateKey.from_private_bytes(base64.b64decode(held))
    public = _text(made.public_key().public_bytes_raw())
    ssm.put_parameter(Name=PUBLIC, Value=public, Type="String", Overwrite=True)
    return made


@translate
def public_key(config: Config) -> bytes:
    """The public key in SSM. Raises `Denied` if nothing was ever signed."""
    ssm = client("ssm", config)
    try:
        return base64.b64decode(ssm.get_parameter(Name=PUBLIC)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound as error:
        raise Denied(f"evidence: {PUBLIC} is not there: nothing was signed yet") from error


def _text(body: bytes) -> str:
    return base64.b64encode(body).decode()
