"""Secrets that this process has had in its hands, kept out of what it says: vendors quote what they were given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SHORTEST = 12
"""Characters of the shortest text that is treated as a secret: `admin` is none."""

_NO_SECRETS = {"user"}
_seen: set[str] = set()


def remember(credentials: Mapping[str, str]) -> None:
    """Keep the secrets among `credentials` out of every message from now on."""
    for name, value in credentials.items():
        if name not in _NO_SECRETS and len(value) >= SHORTEST:
            # A key is shown in lines of 64 characters, as PEM has it.
            _seen.update({value, *(value[at : at + 64] for at in range(0, len(value) - SHORTEST, 64))})


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
