"""The strategies whose tokens come straight from the HMAC, and those of numbers and dates."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from testenv.core.errors import Failed
from testenv.datasets.mask import lists
from testenv.datasets.mask.canonical import canonical_column, is_textual
from testenv.datasets.mask.output import filled, picked, valid_rows
from testenv.datasets.mask.permute import MAX_BITS, permute_numbers
from testenv.datasets.mask.strategy import (
    FALLBACK_SPACE,
    Column,
    Guarantees,
    Strategy,
    TextStrategy,
    as_type,
    otherwise,
    too_long,
)

_ISO = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
)

LOWEST = 1_000_000
"""Hand-made seed data has its keys below."""


@dataclass(frozen=True)
class Keep(Strategy):
    """The value itself."""

    name = "keep"
    types = frozenset({"string", "integer", "number", "boolean", "date", "timestamp", "time"})
    guarantees = Guarantees(unique="as it was", format="yes", reversible="nothing is hidden", collision="0")

    def mask(self, column: Column) -> pa.Array:
        return column.values


class _Template(TextStrategy):
    @property
    @abstractmethod
    def template(self) -> str:
        """What a token looks like: `output.filled` says what stands for a digit of it."""

    def texts(self, texts: pa.Array, column: Column) -> pa.Array:
        return filled(self.template, column.domain.digests(texts), texts)


def _check_width(width: object) -> None:
    if not isinstance(width, int) or not 8 <= width <= 32:
        raise ValueError(f"width: must be from 8 to 32 letters, got {width!r}")


@dataclass(frozen=True)
class Token(_Template):
    """Letters from a to p, four bits each: no run of digits that a scan could take for a card number."""

    name = "token"
    guarantees = Guarantees("while n²/2·16^width < 1e-6", "no", "no", "n²/2·16^width")
    width: int = 20

    def __post_init__(self) -> None:
        _check_width(self.width)

    @property
    def template(self) -> str:
        return "?" * self.width

    @property
    def space(self) -> float:
        return 16.0**self.width

    def widest(self, physical_type: str) -> str:
        return too_long(self.width, physical_type)


@dataclass(frozen=True)
class Email(_Template):
    """Letters at example.com, which RFC 2606 keeps from being anybody's."""

    name = "email"
    guarantees = Guarantees("while n²/2·16^width < 1e-6", "yes", "no", "n²/2·16^width")
    width: int = 18

    def __post_init__(self) -> None:
        _check_width(self.width)

    @property
    def template(self) -> str:
        return "?" * self.width + "@example.com"

    @property
    def space(self) -> float:
        return 16.0**self.width

    def widest(self, physical_type: str) -> str:
        return too_long(len(self.template), physical_type)


@dataclass(frozen=True)
class Uuid(_Template):
    """A UUID of version 4."""

    name = "uuid"
    guarantees = Guarantees("while n²/2·2^122 < 1e-6", "yes", "no", "n²/2·2^122")

    @property
    def template(self) -> str:
        return "########-####-4###-%###-############"

    @property
    def space(self) -> float:
        return 2.0**122


class _Pick(TextStrategy):
    guarantees = Guarantees("no", "yes", "no", "certain beyond the list's length")

    @property
    @abstractmethod
    def choices(self) -> pa.Array:
        """The values to pick from."""

    @property
    def space(self) -> float:
        return float(len(self.choices))

    def texts(self, texts: pa.Array, column: Column) -> pa.Array:
        places = column.domain.digests(texts)[:, 0] % np.uint64(len(self.choices))
        return picked(self.choices, places.astype(np.int64), texts)


@dataclass(frozen=True)
class PersonName(_Pick):
    """A given name and a family name that nobody has."""

    name = "person_name"

    @property
    def choices(self) -> pa.Array:
        return lists.person_names()


@dataclass(frozen=True)
class Phone(_Pick):
    """A number that regulators keep free for fiction, in international form."""

    name = "phone"

    @property
    def choices(self) -> pa.Array:
        return lists.phones()


@dataclass(frozen=True)
class Street(_Pick):
    """A street that is nowhere, with a house number."""

    name = "street"

    @property
    def choices(self) -> pa.Array:
        return lists.streets()


@dataclass(frozen=True)
class City(_Pick):
    """A city that is nowhere."""

    name = "city"

    @property
    def choices(self) -> pa.Array:
        return lists.cities()


@dataclass(frozen=True)
class PostalCode(_Pick):
    """A postal code that is nowhere."""

    name = "postal_code"

    @property
    def choices(self) -> pa.Array:
        return lists.postal_codes()


@dataclass(frozen=True)
class Ip(TextStrategy):
    """An address of 198.18.0.0/15 for one of IPv4, of 3fff::/20 for one of IPv6 (what has a colon)."""

    name = "ip"
    guarantees = Guarantees("no (2^17 addresses of IPv4)", "yes", "no", "n²/2·2^17")

    @property
    def space(self) -> float:
        return 2.0**17

    def texts(self, texts: pa.Array, column: Column) -> pa.Array:
        digests = column.domain.digests(texts)
        v4 = picked(lists.addresses_v4(), (digests[:, 0] >> np.uint64(47)).astype(np.int64), texts)
        colon = pc.match_substring(texts, ":")
        if not pc.any(colon).as_py():
            return v4
        return pc.if_else(colon, filled("3fff:!##:!###:!###:!###:!###:!###:!###", digests, texts), v4)


@dataclass(frozen=True)
class FreeText(TextStrategy):
    """Another text of about that length (at most 8, 32, 128, 512, 2,048 bytes). Nothing of the source is left."""

    name = "free_text"
    guarantees = Guarantees("no", "length class", "no", "certain: 16 texts of each length class")

    @property
    def space(self) -> float:
        return float(len(lists.texts()))

    def texts(self, texts: pa.Array, column: Column) -> pa.Array:
        lengths = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
        classes = np.searchsorted(lists.LENGTH_CLASSES, lengths).clip(max=len(lists.LENGTH_CLASSES) - 1)
        variants = column.domain.digests(texts)[:, 0] % np.uint64(lists.TEXT_VARIANTS)
        return picked(lists.texts(), classes * lists.TEXT_VARIANTS + variants.astype(np.int64), texts)


@dataclass(frozen=True)
class Number(Strategy):
    """A keyed permutation of [0, 2^bits), moved up by 1,000,000; below zero likewise. Digits as text stay text."""

    name = "number"
    types = frozenset({"integer", "number", "string"})
    guarantees = Guarantees("yes: a bijection", "yes", "with the key", "0 (texts that are no number: n²/2·2^96)")
    bits: int = 40

    def __post_init__(self) -> None:
        if not isinstance(self.bits, int) or self.bits % 2 or not 8 <= self.bits <= MAX_BITS:
            raise ValueError(f"bits: must be even and from 8 to {MAX_BITS}, got {self.bits!r}")

    @property
    def space(self) -> float:
        return FALLBACK_SPACE

    def widest(self, physical_type: str) -> str:
        name = physical_type.lower().split("(")[0].strip()
        room = {"smallint": 15, "int2": 15, "integer": 31, "int": 31, "int4": 31, "serial": 31}.get(name, 63)
        if 2**self.bits + LOWEST > 2**room:
            return (
                f"numbers of {self.bits} bits do not fit {physical_type}: set bits to {max(room - 1 & ~1, 8)} or fewer"
            )
        return ""

    def mask(self, column: Column) -> pa.Array:
        values, kind = column.values, column.values.type
        if is_textual(kind):
            return self._texts(column)
        try:
            whole = values.cast(pa.int64())
        except pa.ArrowInvalid:
            raise Failed(f"{column.domain.semantic_type}: number masks whole numbers, got {kind} with others") from None
        numbers = whole.fill_null(0).to_numpy(zero_copy_only=False)
        size = np.abs(numbers)
        outside = int(((size >> self.bits) != 0).sum())
        if outside:
            raise Failed(
                f"{column.domain.semantic_type}: {outside} values are not below 2^{self.bits}. "
                "Raise bits of its strategy in include/catalog/masking.yaml"
            )
        masked = self._permuted(size, column) * np.where(numbers < 0, -1, 1)
        return pa.array(masked, mask=~valid_rows(values)).cast(kind)

    def _permuted(self, sizes: NDArray[np.int64], column: Column) -> NDArray[np.int64]:
        places = permute_numbers(sizes.astype(np.uint64), self.bits, column.domain.subkey("permutation"))
        return places.astype(np.int64) + LOWEST

    def _texts(self, column: Column) -> pa.Array:
        texts = canonical_column(column.values)
        digits = texts.cast(pa.large_string(), safe=False)
        fits = pc.fill_null(pc.match_substring_regex(texts, r"^(0|[1-9][0-9]{0,17})$"), False)
        sizes = pc.if_else(fits, digits, "0").cast(pa.int64()).to_numpy(zero_copy_only=False)
        fitting = fits.to_numpy(zero_copy_only=False) & ((sizes >> self.bits) == 0)
        numbers = pa.array(self._permuted(np.where(fitting, sizes, 0), column), mask=~valid_rows(texts))
        masked = numbers.cast(pa.large_string()).cast(pa.large_binary())
        return as_type(otherwise(fitting, masked, texts, column.domain), column.values.type)


@dataclass(frozen=True)
class DateShift(Strategy):
    """The date moved by whole days, the same for all dates of an entity: its intervals stay."""

    name = "date_shift"
    types = frozenset({"date", "timestamp", "string"})
    guarantees = Guarantees("no", "yes", "with the key and the entity", "certain", "yes, by entity")
    by_entity = True
    days: int = 180

    def __post_init__(self) -> None:
        if not isinstance(self.days, int) or not 1 <= self.days <= 180:
            raise ValueError(f"days: must be from 1 to 180, got {self.days!r}")

    @property
    def space(self) -> float:
        return 2.0 * self.days

    def mask(self, column: Column) -> pa.Array:
        if column.entities is None:
            raise Failed(f"{column.domain.semantic_type}: date_shift needs the key of each row's entity, and got none")
        drawn = column.domain.of_entity(column.entity).digests_of(column.entities)[:, 0] % np.uint64(2 * self.days)
        shift = drawn.astype(np.int64) - self.days
        shift += shift >= 0  # from -days to days, without 0
        return self._moved(column.values, shift, column)

    def _moved(self, values: pa.Array, shift: NDArray[np.int64], column: Column) -> pa.Array:
        kind = values.type
        if pa.types.is_date32(kind):
            return pc.add(values.cast(pa.int32()), pa.array(shift.astype(np.int32))).cast(kind)
        if pa.types.is_date64(kind) or pa.types.is_timestamp(kind):
            return pc.add(values, pa.array(shift * 86400, pa.duration("s")))
        if is_textual(kind):
            return self._texts(values, shift, column)
        raise Failed(f"{column.domain.semantic_type}: date_shift masks dates and times, got {kind}")

    def _texts(self, values: pa.Array, shift: NDArray[np.int64], column: Column) -> pa.Array:
        """ISO 8601: the date moves and what follows it stays; what does not begin with a date becomes a token."""
        texts = canonical_column(values)
        fits = pc.fill_null(pc.match_substring_regex(texts, _ISO), False)
        dated = pc.if_else(fits, texts, b"2000-01-01").cast(pa.large_string())
        heads = pc.utf8_slice_codeunits(dated, 0, 10)
        days = pc.strptime(heads, "%Y-%m-%d", "s")
        real = pc.and_(fits, pc.equal(pc.strftime(days, "%Y-%m-%d"), heads))  # 30 February is read as 1 March
        moved = pc.add(days, pa.array(shift * 86400, pa.duration("s"))).cast(pa.date32()).cast(pa.large_string())
        tails = pc.utf8_slice_codeunits(dated, 10, 64)
        masked = pc.binary_join_element_wise(moved, tails, pa.scalar("", pa.large_string())).cast(pa.large_binary())
        fitting = pc.fill_null(real, False).to_numpy(zero_copy_only=False)
        return as_type(
            otherwise(fitting, pc.if_else(texts.is_valid(), masked, texts), texts, column.domain), values.type
        )
