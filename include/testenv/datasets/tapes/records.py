"""Masks records by their contract: keys, values and headers, as text, JSON or Avro.

What cannot be read as its format says might hold anything. It never passes: in its place comes a synthetic broken part
that fails a reader in the same way, and the manifest counts it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from testenv.core.contract import Contract, Field
from testenv.core.errors import Drifted, Invalid
from testenv.datasets.avro import NotAvro, Registry
from testenv.datasets.tapes.form import About, header_array, header_lists, schema
from testenv.datasets.tapes.json_text import NotJson, quote, split
from testenv.datasets.tapes.paths import Gathered, MaskValue, Mismatch, Node, tree, typed

if TYPE_CHECKING:
    import pyarrow as pa

BROKEN_BYTES = b"\xff\xfebroken"
"""In place of what is not UTF-8."""

BROKEN_JSON = b'{"broken": '
"""In place of UTF-8 that is no JSON."""

BROKEN_VALUE = '"broken"'
"""In place of JSON, or of one value in it, of another type than the contract says."""

FORMATS = ("text", "json", "avro")

Pending = Callable[[], bytes | None]
"""Gives a part's bytes once the batch is masked."""


class RecordMask:
    """A mask for `capture.record_tape`.

    `mask_value(path, values, entities)`, such as `Masker.values`, gives masked values for those of a path whose
    classification is sensitive. The contract's option `format` (`json`, `avro`) is of values, `keyFormat` of keys: by
    default text if the key is one leaf, else as the values. Headers are text.
    Raises `Invalid` for a contract that leaves anything open, and while it masks `Drifted` for a field that the
    contract does not know.
    """

    def __init__(
        self,
        contract: Contract,
        mask_value: MaskValue,
        registry: Registry | None = None,
        *,
        policy: str = "",
        key_epoch: str = "",
    ) -> None:
        self._mask_value = mask_value
        self._policy, self._key_epoch = policy, key_epoch
        self._broken: Counter[str] = Counter()
        self._nodes = tree(contract)
        self._by_entity = len(contract.entity_path) == 1
        self._registry = registry or Registry()
        self._avro = _Avro(self._registry)
        value_format = str(contract.options.get("format", "text"))
        key_format = str(contract.options.get("keyFormat", "text" if self._nodes["key"].leaf else value_format))
        self._readers = {
            "key": self._reader(contract.id, "keyFormat", key_format),
            "value": self._reader(contract.id, "format", value_format),
        }

    @property
    def about(self) -> About:
        return About(
            policy=self._policy,
            key_epoch=self._key_epoch,
            schemas={number: self._registry.by_id[number].text for number in sorted(self._avro.used)},
            broken=dict(sorted(self._broken.items())),
        )

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with keys, values and headers masked."""
        import pyarrow as pa

        gathered = Gathered(self._by_entity)
        parts: list[list[Pending | None]] = []
        for name in ("key", "value"):
            data = batch.column(name).to_pylist()
            parts.append([self._part(name, each, number, gathered) for number, each in enumerate(data)])
        headers = [
            [(name, self._header(name, data, number, gathered)) for name, data in each]
            for number, each in enumerate(header_lists(batch.column("headers")))
        ]
        gathered.mask(self._mask_value)
        masked = [pa.array([pending and pending() for pending in part], pa.binary()) for part in parts]
        masked.append(header_array([[(name, pending and pending()) for name, pending in each] for each in headers]))
        return pa.RecordBatch.from_arrays([*batch.columns[:3], *masked], schema=schema())

    def _reader(self, contract: str, option: str, name: str) -> _Reader:
        if name not in FORMATS:
            raise Invalid(f"{contract}: {option}: must be one of {[*FORMATS]}, got {name!r}. Correct the contract")
        readers: dict[str, _Reader] = {"text": _Text(), "json": _Json(self._broken), "avro": self._avro}
        return readers[name]

    def _part(self, name: str, data: bytes | None, number: int, gathered: Gathered) -> Pending | None:
        gathered.record = number
        return None if data is None else self._read(self._readers[name], self._nodes[name], name, data, gathered)

    def _header(self, name: str, data: bytes | None, number: int, gathered: Gathered) -> Pending | None:
        gathered.record = number
        node = self._nodes["headers"].child(name)
        node.require_known()
        return None if data is None else self._read(_Text(), node, "headers", data, gathered)

    def _read(self, reader: _Reader, node: Node, part: str, data: bytes, gathered: Gathered) -> Pending:
        try:
            return reader.read(data, node, gathered)
        except _Broken as broken:
            self._broken[part] += 1
            substitute = broken.substitute
            return lambda: substitute


class _Broken(Exception):
    """A part cannot be read; `substitute` comes in its place."""

    def __init__(self, substitute: bytes) -> None:
        super().__init__("a part of a record cannot be read")
        self.substitute = substitute


class _Reader(Protocol):
    def read(self, data: bytes, node: Node, gathered: Gathered) -> Pending:
        """Adds what must be masked to `gathered`. Raises `_Broken`, and `Drifted` for a field that is not known."""
        ...


def _leaf_of(node: Node) -> Field:
    node.require_known()
    if node.leaf is None:
        raise Mismatch(node.path)
    return node.leaf


class _Text:
    """A part that is one value: UTF-8 text, of a number too."""

    def read(self, data: bytes, node: Node, gathered: Gathered) -> Pending:
        try:
            value = data.decode()
            leaf = _leaf_of(node)
            found = [typed(leaf, value)]
        except UnicodeDecodeError:
            raise _Broken(BROKEN_BYTES) from None
        except Mismatch:
            raise _Broken(b"broken") from None
        gathered.add(node, found[0], lambda masked: found.__setitem__(0, masked))
        if not node.is_masked:
            return lambda: data
        return lambda: None if found[0] is None else str(found[0]).encode()


class _Json:
    """JSON, of which everything that is not masked stays byte by byte."""

    def __init__(self, broken: Counter[str]) -> None:
        self._broken = broken

    def read(self, data: bytes, node: Node, gathered: Gathered) -> Pending:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise _Broken(BROKEN_BYTES) from None
        plain = text.isascii()

        def leaf(at: Node, parts: list[str], index: int) -> None:
            at.require_known()
            self._leaf(at, parts, index, plain, gathered)

        try:
            parts = split(text, node, Node.child, leaf)
        except NotJson:
            raise _Broken(BROKEN_JSON if text.strip() else b"") from None
        except Mismatch:
            raise _Broken(BROKEN_VALUE.encode()) from None
        return lambda: "".join(parts).encode()

    def _leaf(self, node: Node, parts: list[str], index: int, plain: bool, gathered: Gathered) -> None:
        try:
            value, is_text = _parsed(parts[index])
            leaf = _leaf_of(node)
            found = typed(leaf, value)
        except (Mismatch, ArithmeticError, UnicodeError):
            parts[index] = BROKEN_VALUE
            self._broken[node.path] += 1
            return
        if node.is_masked or node.is_entity:
            gathered.add(node, found, lambda masked: parts.__setitem__(index, _written(masked, is_text, plain)))


def _parsed(raw: str) -> tuple[Any, bool]:
    """The value of a JSON scalar, and whether it is a string. Numbers are exact.

    Raises ArithmeticError for a number out of all bounds, UnicodeError for half a character: JSON can write both.
    """
    if raw[0] == '"':
        return (json.loads(raw).encode().decode() if "\\" in raw else raw[1:-1]), True
    if raw in ("true", "false"):
        return raw == "true", False
    return Decimal(raw), False


def _written(value: Any, is_text: bool, plain: bool) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return quote(str(value), plain) if is_text or isinstance(value, str) else str(value)


class _Avro:
    """Avro in the registry's wire format, encoded again with the schema it had."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.used: set[int] = set()

    def read(self, data: bytes, node: Node, gathered: Gathered) -> Pending:
        try:
            number, value = self._registry.decode(data)
        except NotAvro as error:
            raise _Broken(self._registry.broken(error.kind, error.schema_id)) from None
        self.used.add(number)
        root = [value]
        try:
            _walk(root, 0, node, gathered)
        except Mismatch:
            raise _Broken(self._registry.broken("body", number)) from None
        return lambda: self._registry.encode(number, root[0])


def _walk(container: Any, at: Any, node: Node, gathered: Gathered) -> None:
    value = container[at]
    match value:
        case None:
            return
        case (str(), dict() as fields):  # a record of a union, with its name
            _walk_fields(fields, node, gathered)
        case dict():
            _walk_fields(value, node, gathered)
        case list():
            below = _below(node, None)
            for index in range(len(value)):
                _walk(value, index, below, gathered)
        case _:
            leaf = _leaf_of(node)
            found = typed(leaf, value)
            if node.is_masked or node.is_entity:
                gathered.add(node, found, lambda masked: container.__setitem__(at, _as(value, masked)))


def _walk_fields(fields: dict[str, Any], node: Node, gathered: Gathered) -> None:
    for name in fields:
        _walk(fields, name, _below(node, name), gathered)


def _below(node: Node, name: str | None) -> Node:
    """An Avro schema says what is an object: where the contract says otherwise, every record has it."""
    try:
        return node.child(name)
    except Mismatch:
        raise Drifted(
            f"{node.contract}: {node.path} is one value in the contract, in the Avro schema it has parts. Correct the "
            "contract, then begin again"
        ) from None


def _as(before: Any, masked: Any) -> Any:
    """A masked value in the type that the Avro schema has."""
    if masked is None or isinstance(masked, type(before)):
        return masked
    kind = type(before)
    return kind(masked) if kind in (str, int, float, UUID) else masked
