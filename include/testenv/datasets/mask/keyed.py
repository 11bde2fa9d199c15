"""A masking key, and what is derived from it for one domain of tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from testenv.datasets.mask.canonical import canonical_column, text_buffers
from testenv.datasets.mask.sha256 import Digests, Hmac, digest

LENGTH = 32
"""Bytes of a key: what HMAC-SHA256 makes full use of."""


@dataclass(frozen=True)
class Key:
    """The key of an epoch. Its secret shows in no `repr`, and no pickle takes it to where it would be written down."""

    epoch: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != LENGTH:
            raise ValueError(f"a masking key has {LENGTH} bytes, got {len(self.secret)}. Make a new epoch")

    def __reduce__(self) -> str:
        raise TypeError(
            f"the masking key of epoch {self.epoch} is not pickled: fetch it where it is used (mask/keys.py)"
        )


class Domain:
    """What makes equal values equal tokens: the key and the semantic type, nothing else."""

    def __init__(self, key: Key, semantic_type: str) -> None:
        self.semantic_type = semantic_type
        self._key = key
        self._hmac = Hmac(key.secret, semantic_type.encode() + b"\0")

    def digests(self, texts: pa.Array) -> Digests:
        """First 128 bits of the token of each canonical form (`large_binary`); of the empty one where it is null."""
        return self._hmac.digests(*text_buffers(texts))

    def digests_of(self, values: pa.Array) -> Digests:
        """The same of values of any type."""
        return self.digests(canonical_column(values))

    def subkey(self, purpose: str) -> bytes:
        """16 bytes for `purpose`: no token's message has a 0x01 before its first 0x00."""
        return digest(self._key.secret, purpose.encode() + b"\x01" + self.semantic_type.encode())[:16]

    def of_entity(self, entity: str) -> Domain:
        """The domain that the shifts of `entity` are drawn from."""
        return Domain(self._key, f"entity:{entity}")
