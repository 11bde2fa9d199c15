"""Secrets that this process has had in its hands, kept out of what it says: vendors quote what they were given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from testenv.backends.keys import pem

SHORTEST = 12
"""Characters of the shortest text that is treated as a secret: `admin` is none."""

_NO_SECRETS = {"user"}
_seen: set[str] = set()


def remember(credentials: Mapping[str, str]) -> None:
    """Keep the secrets among `credentials` out of every message from now on."""
    _seen.update(value for name, value in credentials.items() if name not in _NO_SECRETS and len(value) >= SHORTEST)
    if key := credentials.get("private_key"):
        _seen.update(line for line in pem(key).splitlines()[1:-1] if len(line) >= SHORTEST)


def redacted(text: str) -> str:
    """`text` with every known secret in it replaced."""
    for secret in sorted(_held(text), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def shown_cause(error: BaseException) -> BaseException | None:
    """`error`, to be raised from; `None` where its own words, which a traceback would show, hold a secret."""
    return None if any(_held(f"{error} {error.args!r}")) else error


def _held(text: str) -> Iterable[str]:
    return [secret for secret in _seen if secret in text]
