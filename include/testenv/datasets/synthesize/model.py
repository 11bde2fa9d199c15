"""A profile: what is known of tables, without a value of any one row, as a JSON file.

Workers of Spark read it, where there is no pydantic: dataclasses alone. Numbers are whole: a decimal stands as its
unscaled number, a date as days and a time as units since 1970, a float as multiples of 1/`scale`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, get_args

from testenv.core.errors import Invalid

FORM = 1
"""Raise it when the same file is to mean something else."""


@dataclass(frozen=True)
class Key:
    """A key: one value for each row number, counted from `first` where it is a number, letters otherwise."""

    by: ClassVar[str] = "key"
    first: int


@dataclass(frozen=True)
class Reference:
    """The key of a row of `to` (`postgres.accounts.account_id`).

    `fan_out` has pairs: a share of the parents, and the share of the children that is theirs, the heaviest parents
    first. `unique` gives a parent no second child.
    """

    by: ClassVar[str] = "reference"
    to: str
    fan_out: tuple[tuple[float, float], ...]
    unique: bool = False


@dataclass(frozen=True)
class Categories:
    """One of `values`, each with its share. `other` is the share of all that stood for too few rows to be named."""

    by: ClassVar[str] = "categories"
    values: tuple[str | int, ...]
    shares: tuple[float, ...]
    other: float = 0.0


@dataclass(frozen=True)
class Quantiles:
    """Numbers between `edges`, which are equally far apart in rank, in multiples of `grain`."""

    by: ClassVar[str] = "quantiles"
    edges: tuple[int, ...]
    grain: int = 1
    scale: int = 1


AT_ONCE = Quantiles((0,))
"""A distance that tells nothing of any rows."""


@dataclass(frozen=True)
class After:
    """Another column's time, and the time since then."""

    by: ClassVar[str] = "after"
    column: str
    distance: Quantiles


@dataclass(frozen=True)
class Semantic:
    """An example of what `kind` names (`email`, `iban`): of the column's values nothing is known."""

    by: ClassVar[str] = "semantic"
    kind: str
    unique: bool = False


@dataclass(frozen=True)
class Text:
    """Letters, of a length between the two, both included."""

    by: ClassVar[str] = "text"
    shortest: int
    longest: int
    unique: bool = False


Draw = Key | Reference | Categories | Quantiles | After | Semantic | Text
_DRAWS: dict[str, type[Any]] = {each.by: each for each in get_args(Draw)}


@dataclass(frozen=True)
class Column:
    """A column: its Arrow type as text, the share of nulls, and how its values are drawn."""

    name: str
    type: str
    draw: Draw
    nulls: float = 0.0


@dataclass(frozen=True)
class Table:
    """A table of `rows` rows."""

    rows: int
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Raises `KeyError`."""
        return next((each for each in self.columns if each.name == name), None) or _absent(name)


@dataclass(frozen=True)
class Profile:
    """Tables by dataset (`postgres.payments`), with all tables that they refer to."""

    tables: Mapping[str, Table] = field(default_factory=dict)

    def scaled(self, factor: float, but: Collection[str] = ()) -> Profile:
        """The same with `factor` times the rows in every table that has any, at least one; `but` some stay."""
        return Profile(
            {
                name: table if name in but else replace(table, rows=max(min(1, table.rows), round(table.rows * factor)))
                for name, table in self.tables.items()
            }
        )

    def to_json(self) -> str:
        tables = {
            name: {"rows": table.rows, "columns": [_column_to_json(column) for column in table.columns]}
            for name, table in sorted(self.tables.items())
        }
        return json.dumps({"form": FORM, "tables": tables}, indent=1, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Profile:
        """Raises `Invalid`."""
        try:
            content = json.loads(text)
            if content["form"] != FORM:
                raise Invalid(f"a profile must have form {FORM}, got {content['form']}. Make it anew")
            return Profile(
                {
                    name: Table(table["rows"], tuple(_column_from_json(each) for each in table["columns"]))
                    for name, table in content["tables"].items()
                }
            )
        except (ValueError, TypeError, KeyError) as error:
            raise Invalid(f"this is no profile: {type(error).__name__} {error}. Make it anew") from error


def _absent(name: str) -> Column:
    raise KeyError(name)


def _column_to_json(column: Column) -> dict[str, Any]:
    draw = {"by": column.draw.by, **asdict(column.draw)}
    return {"name": column.name, "type": column.type, "nulls": column.nulls, "draw": draw}


def _column_from_json(content: dict[str, Any]) -> Column:
    draw = dict(content["draw"])
    kind = _DRAWS[draw.pop("by")]
    if kind is After:
        draw["distance"] = Quantiles(**{name: _frozen(value) for name, value in draw["distance"].items()})
    made = kind(**{name: _frozen(value) for name, value in draw.items()})
    return Column(content["name"], content["type"], made, content["nulls"])


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
