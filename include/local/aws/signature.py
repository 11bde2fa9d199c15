"""Signature Version 4 of a request, as AWS computes it from what arrived.

moto computes it with botocore, which leaves out headers that other SDKs sign (the Java SDK of Spark signs `user-
agent`), and takes an empty JSON body for a form and hashes the headers in its stead.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

_UNRESERVED = "-_.~"


@dataclass(frozen=True)
class Authorization:
    """The parts of an `Authorization: AWS4-HMAC-SHA256 …` header."""

    key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @classmethod
    def parse(cls, header: str) -> Authorization:
        """Raises ValueError if the header is not of that form."""
        scheme, _, rest = header.partition(" ")
        parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        scope = parts.get("Credential", "").split("/")
        if scheme != "AWS4-HMAC-SHA256" or len(scope) != 5 or "Signature" not in parts:
            raise ValueError("the Authorization header is not a Signature Version 4 one")
        return cls(*scope[:4], tuple(parts.get("SignedHeaders", "").split(";")), parts["Signature"])


@dataclass(frozen=True)
class Request:
    """What arrived. `path` and `query` are as sent, still percent-encoded; `headers` finds names in any case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def is_valid(request: Request, given: Authorization, secret: str) -> bool:
    """True if the holder of `secret` signed `request`. The body is covered by the hash that S3 clients state in a
    header.
    """
    return hmac.compare_digest(given.signature, sign(request, given, secret))


def sign(request: Request, given: Authorization, secret: str) -> str:
    """The signature that `request` should carry, in hexadecimal."""
    scope = f"{given.date}/{given.region}/{given.service}/aws4_request"
    canonical = hashlib.sha256(_canonical(request, given).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", request.headers.get("X-Amz-Date", ""), scope, canonical])
    key = f"AWS4{secret}".encode()
    for part in (given.date, given.region, given.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()


def _canonical(request: Request, given: Authorization) -> str:
    once = unquote(request.path) if given.service == "s3" else request.path  # all but S3 encode the encoded path again
    pairs = [part.partition("=")[::2] for part in request.query.split("&") if part]
    query = "&".join(
        "=".join(pair)
        for pair in sorted(tuple(quote(unquote(text), safe=_UNRESERVED) for text in pair) for pair in pairs)
    )
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in given.signed_headers)
    payload = request.headers.get("X-Amz-Content-SHA256") or hashlib.sha256(request.body).hexdigest()
    path = quote(once, safe=f"/{_UNRESERVED}")
    return "\n".join([request.method, path, query, headers, ";".join(given.signed_headers), payload])
