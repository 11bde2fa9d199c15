"""Column types of Snowflake, Postgres and of contracts, by the values that they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

INFINITE = Decimal("Infinity")

_WITH_SIZE = re.compile(r"([^(]+)(?:\(([\d,\s]+)\))?([^(]*)")
_BITS = {"smallint": 16, "int2": 16, "int4": 32, "int8": 64, "bigint": 64, "long": 64}
_TEXT = {"varchar", "text", "string", "char", "character", "character varying", "nvarchar", "bpchar", "enum"}
_FAMILIES = {
    "float": ("float", "float4", "float8", "double", "double precision", "real"),
    "binary": ("binary", "varbinary", "bytea", "bytes", "fixed"),
    "boolean": ("boolean", "bool"),
    "date": ("date",),
    "time": ("time", "time without time zone"),
    "timestamp": ("timestamp", "datetime", "timestamp_ntz", "timestampntz", "timestamp without time zone"),
    "timestamp with time zone": ("timestamptz", "timestamp_tz", "timestamp_ltz", "timestamp with time zone"),
    "document": ("variant", "object", "array", "json", "jsonb"),
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names}


@dataclass(frozen=True)
class SqlType:
    """`family` is what queries can do with it. Numbers have a largest value and a scale, texts and bytes a length,
    times a number of digits of the second."""

    family: str
    largest: Decimal = INFINITE
    scale: float = 0
    length: float = float("inf")


def parse_type(text: str, *, snowflake: bool = False) -> SqlType:
    """A type by its name; one that we do not know is a family of its own."""
    match = _WITH_SIZE.fullmatch(" ".join(text.lower().split()))
    if match is None:
        return SqlType(text.lower())
    name = " ".join(f"{match[1]} {match[3]}".split())
    sizes = [int(each) for each in (match[2] or "").split(",") if each.strip()]
    if name in ("number", "decimal", "numeric", "dec"):
        if not sizes:
            return _decimal(38, 0) if snowflake else SqlType("number", INFINITE, float("inf"))
        return _decimal(sizes[0], sizes[1] if len(sizes) > 1 else 0)
    if name in ("int", "integer", *_BITS):
        return _decimal(38, 0) if snowflake else SqlType("number", Decimal(2 ** (_BITS.get(name, 32) - 1) - 1))
    if name in _TEXT:
        single = name in ("char", "character", "bpchar") and not sizes
        longest = 16_777_216 if snowflake else float("inf")
        return SqlType("text", length=1 if single else sizes[0] if sizes else longest)
    family = _FAMILY.get(name, name)
    if family in ("time", "timestamp", "timestamp with time zone"):
        return SqlType(family, scale=sizes[0] if sizes else 9 if snowflake else 6)
    if family == "binary":
        return SqlType(family, length=sizes[0] if sizes else float("inf"))
    return SqlType(family, length=4 if name in ("real", "float4") else 8) if family == "float" else SqlType(family)


def _decimal(precision: int, scale: int) -> SqlType:
    return SqlType("number", Decimal(10**precision - 1).scaleb(-scale), scale)


def holds(new: SqlType, old: SqlType) -> bool:
    """Whether `new` holds each value of `old` as it is."""
    if new.family == "document":
        return True
    if (old.family, new.family) in {("date", "timestamp"), ("number", "float")}:
        return old.family == "date" or old.largest < Decimal(2**53) and old.scale == 0
    return (
        new.family == old.family and new.largest >= old.largest and new.scale >= old.scale and new.length >= old.length
    )


def beyond(old: SqlType, new: SqlType) -> Any:
    """A value of `old` that `new` of the same family does not hold, if it does not hold them all; else any of `old`."""
    match old.family:
        case "number" if old.family == new.family and new.largest < old.largest:
            return int(new.largest) + 1
        case "number" if old.family == new.family and new.scale < old.scale:
            return Decimal(1).scaleb(-int(min(old.scale, new.scale + 1)))
        case "text" if old.family == new.family and new.length < old.length:
            return "a" * (int(new.length) + 1)
        case "timestamp" | "time" | "timestamp with time zone":
            return _moment(old.family, int(min(old.scale, new.scale + 1)) if old.family == new.family else 0)
        case other:
            return _ANY.get(other, "a")


_ANY: dict[str, Any] = {"number": 1, "float": 0.5, "boolean": True, "date": "2026-01-01", "document": {}, "text": "a"}


def _moment(family: str, digits: int) -> str:
    fraction = f".{'0' * (digits - 1)}1" if digits else ""
    time = f"12:00:00{fraction}"
    return time if family == "time" else f"2026-01-01 {time}{'+00:00' if family.endswith('zone') else ''}"
