"""Masks batches by a policy: each leaf's strategy in its token domain, through structs, lists and JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from testenv.core.errors import Failed, TestenvError
from testenv.datasets.mask import records
from testenv.datasets.mask.canonical import is_textual
from testenv.datasets.mask.keyed import Domain, Key
from testenv.datasets.mask.rules import ENTITY, DatasetPolicy, Rule
from testenv.datasets.mask.strategy import Column

Rows = NDArray[np.int64]


def mask_batches(batches: Iterable[pa.RecordBatch], policy: DatasetPolicy, key: Key) -> Iterator[pa.RecordBatch]:
    """Each batch, masked; the schema stays. A column `__entity__` is used and not passed on.

    Raises `Failed` before the first batch is given out if a path of the schema stands in no rule.
    """
    masker = Masker(policy, key)
    for batch in batches:
        yield masker.batch(batch)


class Masker:
    """One dataset's policy under one key. Made once and used for many batches; holds no value between them."""

    def __init__(self, policy: DatasetPolicy, key: Key) -> None:
        self.policy = policy
        self._key = key
        self._rules = policy.by_path
        self._domains: dict[str, Domain] = {}
        self._parents = {path[:at] for path in self._rules for at in range(len(path)) if path[at] in ".["}
        self._masked_columns = {rule.path.replace("[]", "").split(".", 1)[0] for rule in policy.rules if not rule.keeps}
        self._known: pa.Schema | None = None

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch, masked. Raises `Failed`, which quotes no value."""
        if self._known is None or not self._known.equals(batch.schema):
            self._check(batch.schema)
            self._known = batch.schema
        entities = self._entities(batch)
        rows = np.arange(len(batch), dtype=np.int64)
        schema = pa.schema([each for each in batch.schema if each.name != ENTITY], batch.schema.metadata)
        columns = [
            self._array(batch.column(name), name, rows, entities)
            if name in self._masked_columns or name in self._parents
            else batch.column(name)
            for name in schema.names
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def values(self, path: str, values: list[Any], entities: list[Any] | None = None) -> list[Any]:
        """Decoded values of the leaf at `path`, masked; types stay. `entities` are the keys of their entities."""
        rule = self._rule(path)
        return records.mask_values(values, lambda array, places: self._leaf(array, rule, _taken(entities, places)))

    def records(self, decoded: list[Any], path: str = "", entities: list[Any] | None = None) -> list[Any]:
        """Decoded JSON or Avro values that stand at `path`, masked; what was given is not changed."""
        return records.mask_records(
            decoded,
            path,
            lambda at, array, places: self._leaf(array, self._rule(at), _taken(entities, places)),
            lambda at: self._rule(at).keeps,
        )

    def _rule(self, path: str) -> Rule:
        if path not in self._rules:
            raise Failed(
                f"{self.policy.contract}: {path}: stands in no contract, so nothing says how to mask it. "
                f"Add it to contracts/{self.policy.contract}.yaml"
            )
        return self._rules[path]

    def _check(self, schema: pa.Schema) -> None:
        """Every leaf of the schema has a rule. Raises `Failed` naming all that have none."""
        unknown = [
            path
            for each in schema
            if each.name != ENTITY
            for path, kind in _leaves(each.name, each.type)
            if path not in self._rules and not (path in self._parents and is_textual(kind))
        ]
        if unknown:
            raise Failed(
                f"{self.policy.contract}: {', '.join(unknown)}: stands in no contract, so nothing says how to mask it. "
                f"Add it to contracts/{self.policy.contract}.yaml"
            )
        if self.policy.needs_entity and ENTITY not in schema.names:
            raise Failed(
                f"{self.policy.contract}: dates are shifted by {self.policy.entity}, whose key is a join away. "
                f"Add it to each batch as the column {ENTITY}"
            )

    def _entities(self, batch: pa.RecordBatch) -> pa.Array | None:
        if ENTITY in batch.schema.names:
            return batch.column(ENTITY)
        name, *inner = self.policy.entity_column.split(".")
        if name not in batch.schema.names:
            return None
        found = batch.column(name)
        for depth, each in enumerate(inner):
            if is_textual(found.type):
                return pa.array([_within(text, inner[depth:]) for text in found.to_pylist()], pa.string())
            if not pa.types.is_struct(found.type):
                return None
            found = found.flatten()[found.type.get_field_index(each)]
        return found

    def _array(self, array: pa.Array, path: str, rows: Rows, entities: pa.Array | None) -> pa.Array:
        kind = array.type
        if rule := self._rules.get(path):
            return self._leaf(array, rule, _of_rows(entities, rows) if rule.made.by_entity else None)
        if pa.types.is_struct(kind):
            children = [
                self._array(child, f"{path}.{each.name}", rows, entities)
                for child, each in zip(array.flatten(), kind, strict=True)
            ]
            return pa.StructArray.from_arrays(children, fields=list(kind), mask=_nulls(array))
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            offsets = array.offsets.to_numpy()
            items = array.values[offsets[0] : offsets[-1]]
            repeated = np.repeat(rows, np.diff(offsets))
            masked = self._array(items, f"{path}[]", repeated, entities)
            start = pa.array(offsets - offsets[0], array.offsets.type)
            return type(array).from_arrays(start, masked, type=kind, mask=_nulls(array))
        return self._json(array, path, rows, entities)

    def _json(self, array: pa.Array, path: str, rows: Rows, entities: pa.Array | None) -> pa.Array:
        """Text that holds JSON, whose paths the contract names."""
        written = array.to_pylist()
        try:
            decoded = [None if text is None else json.loads(text) for text in written]
        except ValueError:
            raise Failed(
                f"{self.policy.contract}: {path}: holds text that is no JSON, which cannot be masked by its paths. "
                "Mend the rows, or make it a leaf of the contract"
            ) from None
        keys = None if entities is None else entities.take(pa.array(rows)).to_pylist()
        masked = self.records(decoded, path, keys)
        texts = [
            None if text is None else json.dumps(each, ensure_ascii=False)
            for text, each in zip(written, masked, strict=True)
        ]
        if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
            return pa.array([None if text is None else text.encode() for text in texts], array.type)
        return pa.array(texts, array.type)

    def _leaf(self, array: pa.Array, rule: Rule, entities: pa.Array | None) -> pa.Array:
        if rule.keeps or pa.types.is_null(array.type) or not len(array):
            return array
        if pa.types.is_dictionary(array.type) and rule.made.by_entity:
            return self._leaf(array.dictionary_decode(), rule, entities).dictionary_encode().cast(array.type)
        if pa.types.is_dictionary(array.type):
            return pa.DictionaryArray.from_arrays(array.indices, self._leaf(array.dictionary, rule, None))
        domain = self._domain(rule.semantic_type)
        column = Column(array, domain, rule.unique, entities, self.policy.entity)
        try:
            return rule.made.mask(column)
        except TestenvError as error:
            raise type(error)(f"{self.policy.contract}: {rule.path}: {error}") from None
        except (pa.ArrowException, ValueError, TypeError, OverflowError, ArithmeticError) as error:
            # Arrow quotes the value that it could not take.
            raise Failed(
                f"{self.policy.contract}: {rule.path}: {rule.strategy} cannot mask {array.type} "
                f"({type(error).__name__}). Compare the contract's type with the data"
            ) from None

    def _domain(self, semantic_type: str) -> Domain:
        if semantic_type not in self._domains:
            self._domains[semantic_type] = Domain(self._key, semantic_type)
        return self._domains[semantic_type]


def _leaves(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    if pa.types.is_struct(kind):
        for each in kind:
            yield from _leaves(f"{path}.{each.name}", each.type)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _leaves(f"{path}[]", kind.value_type)
    else:
        yield path, kind


def _of_rows(entities: pa.Array | None, rows: Rows) -> pa.Array | None:
    """The entity of each row that a value stands in."""
    return None if entities is None else entities.take(pa.array(rows))


def _nulls(array: pa.Array) -> pa.Array | None:
    return array.is_null() if array.null_count else None


def _taken(entities: list[Any] | None, places: list[int]) -> pa.Array | None:
    return None if entities is None else pa.array([entities[place] for place in places])


def _within(text: str | bytes | None, path: list[str]) -> str | None:
    """The key that stands at `path` of a JSON document; none where the text is no JSON, which its own mask refuses."""
    try:
        value = None if text is None else json.loads(text)
    except ValueError:
        return None
    for each in path:
        value = value.get(each) if isinstance(value, dict) else None
    return None if value is None else str(value)
