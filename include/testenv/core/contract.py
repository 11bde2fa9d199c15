"""A data contract as the engine sees it: what each value of a dataset is, how sensitive it is, where its rows belong.

docs/decisions/0005 has the vocabulary; `testenv.datasets.contracts` reads the files.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeFloat


class Store(StrEnum):
    """Where a dataset stands."""

    POSTGRES = "postgres"
    S3 = "s3"
    KAFKA = "kafka"
    SNOWFLAKE = "snowflake"


class Classification(StrEnum):
    """What a value may tell of a person."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PSEUDONYM = "pseudonym"
    IDENTIFIER = "identifier"
    QUASI_IDENTIFIER = "quasi-identifier"
    FREE_TEXT = "free-text"

    @property
    def is_sensitive(self) -> bool:
        """Whether a value must be masked before it leaves the production boundary."""
        return self not in (Classification.PUBLIC, Classification.INTERNAL)


class Compatibility(StrEnum):
    """Which changes of a schema its readers and writers survive: the seven modes of Confluent's registry."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tolerance(_Frozen):
    """How far two values may be apart and still be the same: numbers by either bound, times by seconds."""

    absolute: NonNegativeFloat = 0.0
    relative: NonNegativeFloat = 0.0
    seconds: NonNegativeFloat = 0.0


class Field(_Frozen):
    """A leaf: a column, a JSON path (`lines[].amount`) or an Avro field (`value.merchant.id`).

    `classification` is None where the contract does not say: such a field blocks a refresh. `references` is
    `TABLE.COLUMN` of the operational database. `type` is ODCS's logical type. `ignored` and `tolerance` are about two
    versions of the dataset that are compared: whether the column counts, and how far its values may be apart.
    """

    path: str
    type: str
    physical_type: str = ""
    required: bool = False
    unique: bool = False
    primary_key: bool = False
    classification: Classification | None = None
    semantic_type: str = ""
    references: str = ""
    allowed: tuple[Any, ...] = ()
    ignored: bool = False
    tolerance: Tolerance | None = None

    @property
    def is_sensitive(self) -> bool:
        """Whether its classification says so."""
        return self.classification is not None and self.classification.is_sensitive

    @property
    def column(self) -> str:
        """The outermost name of the path."""
        return self.path.replace("[]", "").split(".", 1)[0]


class Rule(_Frozen):
    """A quality rule: ODCS's metric or SQL, the field it is about (empty: the whole dataset), and what must hold.

    `unit` is `rows` or `percent`; empty is rows. `severity` is ODCS's free word; empty is the worst.
    """

    name: str
    metric: str = ""
    query: str = ""
    path: str = ""
    dimension: str = ""
    severity: str = ""
    unit: str = ""
    arguments: dict[str, Any] = {}
    must: dict[str, Any] = {}


class Contract(_Frozen):
    """What a dataset promises.

    `entity_path` leads from a row to the key of its `entity`: columns, the later ones `TABLE.COLUMN`. Reference data
    belongs to none, and its path is empty. `options` are the contract's other custom properties.
    """

    id: str
    version: str
    store: Store
    name: str
    owner: str
    fields: tuple[Field, ...]
    entity: str = ""
    entity_path: tuple[str, ...] = ()
    compatibility: Compatibility = Compatibility.NONE
    every: timedelta | None = None
    late_by: timedelta | None = None
    rules: tuple[Rule, ...] = ()
    options: dict[str, Any] = {}

    @property
    def key(self) -> tuple[str, ...]:
        """Paths of the primary key."""
        return tuple(field.path for field in self.fields if field.primary_key)

    def field(self, path: str) -> Field:
        """The leaf at `path`. Raises `KeyError`."""
        for field in self.fields:
            if field.path == path:
                return field
        raise KeyError(path)


Contracts = dict[str, Contract]
"""By id, such as `postgres.customers`."""
