"""What a masking strategy is: a column in, a column of the same type out, and what it promises."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from testenv.core.errors import Failed
from testenv.datasets.mask.canonical import canonical_column, is_textual
from testenv.datasets.mask.keyed import Domain
from testenv.datasets.mask.output import filled, valid_rows

RISK = 1e-6
"""Chance of any collision at all that a unique column may run."""

FALLBACK = "?" * 24
"""What a text becomes that is not of the form its semantic type has: 96 bits."""

FALLBACK_SPACE = 16.0**24


@dataclass(frozen=True)
class Guarantees:
    """What a strategy promises, in the words of docs/masking.md."""

    unique: str
    format: str
    reversible: str
    collision: str
    deterministic: str = "yes"


@dataclass(frozen=True)
class Column:
    """What a strategy sees of a column: its values, its token domain, and the key of each row's entity if it asked."""

    values: pa.Array
    domain: Domain
    unique: bool = False
    entities: pa.Array | None = None
    entity: str = ""


class Strategy(ABC):
    """A way to mask a column. Nulls stay null and empty texts stay empty; the Arrow type stays.

    `types` are ODCS's logical types that it takes. `space` is the number of its tokens: infinite for a bijection.
    """

    name: ClassVar[str]
    types: ClassVar[frozenset[str]] = frozenset({"string"})
    guarantees: ClassVar[Guarantees]
    by_entity: ClassVar[bool] = False

    @property
    def space(self) -> float:
        return math.inf

    def collision(self, rows: int) -> float:
        """Bound on the chance that any two of `rows` different values get one token: n² / 2·space."""
        return rows * rows / (2 * self.space)

    def widest(self, physical_type: str) -> str:
        """Why the output does not fit a column of `physical_type`; empty if it does."""
        return ""

    @abstractmethod
    def mask(self, column: Column) -> pa.Array:
        """The masked values. Raises `Failed`, which quotes no value."""


class TextStrategy(Strategy):
    """A strategy of texts and bytes: canonical forms in, texts out, both `large_binary`."""

    def mask(self, column: Column) -> pa.Array:
        kind = column.values.type
        if not is_textual(kind):
            raise Failed(f"{column.domain.semantic_type}: {self.name} masks text, got {kind}. Mend the contract's type")
        texts = canonical_column(column.values)
        return as_type(self.texts(texts, column), kind)

    @abstractmethod
    def texts(self, texts: pa.Array, column: Column) -> pa.Array:
        """The masked texts of canonical ones."""


def as_type(masked: pa.Array, kind: pa.DataType) -> pa.Array:
    """Texts that are `large_binary`, in the type that the column had."""
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return masked.cast(kind)
    # What the strategies write is UTF-8: checking it again would cost as much as hashing.
    large = masked.cast(pa.large_string(), safe=False)
    return large if pa.types.is_large_string(kind) else large.cast(kind)


def otherwise(fits: NDArray[np.bool_], masked: pa.Array, texts: pa.Array, domain: Domain) -> pa.Array:
    """`masked` where the text has the form it should have, else a token of letters; nulls and empty texts stay."""
    if (fits | ~valid_rows(texts)).all():
        return masked
    return pc.if_else(pa.array(fits), masked, filled(FALLBACK, domain.digests(texts), texts))


def checked(strategy: type[Strategy], params: Mapping[str, Any]) -> Strategy:
    """The strategy with its parameters. Raises `ValueError` saying which parameter is wrong."""
    known = {name: field.type for name, field in getattr(strategy, "__dataclass_fields__", {}).items()}
    for name in params:
        if name not in known:
            raise ValueError(f"{strategy.name} has no parameter {name!r}; it has {sorted(known) or 'none'}")
    return strategy(**params)


def too_long(length: int, physical_type: str) -> str:
    """Why a text of `length` does not fit a column of `physical_type`, such as `varchar(10)`; empty if it does."""
    match = re.search(r"char[a-z ]*\((\d+)\)", physical_type.lower())
    if match and int(match[1]) < length:
        return f"its tokens have {length} characters and do not fit {physical_type}"
    return ""
