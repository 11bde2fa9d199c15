"""Avro as a schema registry's clients write it: a zero byte, the schema's id in four bytes, the body.

The registry keeps its schemas in the compacted topic `_schemas`; they are read from there, so no registry need run.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from testenv.config import KafkaConfig
from testenv.core.errors import Failed

TOPIC = "_schemas"
MAGIC = 0
HEADER = struct.Struct(">bI")
UNKNOWN_ID = 2**31 - 1
"""No registry comes that far: an id for records that shall have no schema."""


class NotAvro(ValueError):
    """Bytes that are not what they should be. `kind`: `wire` (no such header), `schema` (unknown id), or `body`."""

    def __init__(self, kind: str, schema_id: int = 0) -> None:
        super().__init__(kind)
        self.kind = kind
        self.schema_id = schema_id


@dataclass(frozen=True)
class Schema:
    """A registered schema: its text as registered, and the subjects and versions that it refers to by name."""

    id: int
    text: str
    references: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Registry:
    """Schemas by id, and by subject and version."""

    by_id: dict[int, Schema] = field(default_factory=dict)
    by_version: dict[tuple[str, int], Schema] = field(default_factory=dict)

    @cached_property
    def _parsed(self) -> dict[int, Any]:
        return {}

    def decode(self, data: bytes) -> tuple[int, Any]:
        """Schema id and value. Raises `NotAvro`. Records of unions are pairs of name and value, as `encode` wants them.

        The body must be all of what follows: what stands after it would be passed on unread.
        """
        if len(data) < HEADER.size:
            raise NotAvro("wire")
        magic, schema_id = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise NotAvro("wire")
        if schema_id not in self.by_id:
            raise NotAvro("schema")
        return schema_id, self._body(schema_id, data[HEADER.size :])

    def read(self, data: bytes) -> Any:
        """The value alone, as JSON would have it: records of unions without their names. Raises `NotAvro`."""
        return _plain(self.decode(data)[1])

    def encode(self, schema_id: int, value: Any) -> bytes:
        """The inverse of `decode`. Raises `Failed` for a value that is not of the schema; the value is not told."""
        from fastavro import schemaless_writer
        from fastavro.validation import validate

        out = io.BytesIO(HEADER.pack(MAGIC, schema_id))
        out.seek(0, io.SEEK_END)
        try:
            schemaless_writer(out, self.parsed(schema_id), value)
            if not validate(value, self.parsed(schema_id), raise_errors=False):  # the writer lets large ints pass
                raise ValueError("not of the schema")
        except Exception as error:  # noqa: BLE001 - fastavro raises whatever Python does with a value of another type
            raise Failed(
                f"a masked value does not fit Avro schema {schema_id} ({type(error).__name__}). Look at the strategies "
                "of its fields: they must keep the type, the size of a fixed, the symbols of an enum"
            ) from None
        return out.getvalue()

    def newest(self, subject: str) -> int:
        """Id of a subject's newest version. Raises `Failed` where it has none."""
        versions = {version: schema.id for (name, version), schema in self.by_version.items() if name == subject}
        if not versions:
            raise Failed(f"the registry has no subject {subject}. Register the topic's schema")
        return versions[max(versions)]

    def broken(self, kind: str, schema_id: int) -> bytes:
        """Bytes that say nothing and fail to decode in the way of `kind`."""
        if kind == "wire":
            return b"\x01broken"
        if kind == "schema":
            return HEADER.pack(MAGIC, UNKNOWN_ID)
        for body in (b"", b"\xff" * 16, b"\x00" * 64):
            try:
                self._body(schema_id, body)
            except NotAvro:
                return HEADER.pack(MAGIC, schema_id) + body
        return HEADER.pack(MAGIC, UNKNOWN_ID)

    def parsed(self, schema_id: int) -> Any:
        """fastavro's form of a schema. Raises `Failed` for one that is none, or refers to one that is not there."""
        from fastavro import parse_schema
        from fastavro.schema import SchemaParseException

        if schema_id not in self._parsed:
            names: dict[str, Any] = {}
            try:
                for text in self._with_references(self.by_id[schema_id]):
                    made = parse_schema(json.loads(text), named_schemas=names)
            except (SchemaParseException, ValueError, KeyError) as error:
                raise Failed(
                    f"the registry's schema {schema_id} cannot be read ({type(error).__name__}: {error}). Register it "
                    "anew, with all that it refers to"
                ) from None
            self._parsed[schema_id] = made
        return self._parsed[schema_id]

    def _with_references(self, schema: Schema) -> Iterable[str]:
        for reference in schema.references:
            yield from self._with_references(self.by_version[reference])
        yield schema.text

    def _body(self, schema_id: int, body: bytes) -> Any:
        from fastavro import schemaless_reader

        schema = self.parsed(schema_id)
        source = io.BytesIO(body)
        try:
            value = schemaless_reader(source, schema, None, return_record_name=True)
        except Exception:  # noqa: BLE001 - bytes that are no Avro make fastavro raise almost anything
            raise NotAvro("body", schema_id) from None
        if source.tell() != len(body):
            raise NotAvro("body", schema_id)
        return value


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):  # fastavro's form of a union's record, and of nothing else
        return _plain(value[1])
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def read_registry(records: Iterable[tuple[bytes | None, bytes | None]]) -> Registry:
    """The registry whose topic has these keys and values, in their order. Other than Avro schemas are left out.

    A schema that was deleted softly can still be read by its id, as in the registry; a tombstone takes its version.
    """
    registry = Registry()
    for key, value in records:
        try:
            named = json.loads(key or b"{}")
        except ValueError:
            named = {}
        if not isinstance(named, dict) or named.get("keytype") != "SCHEMA":
            continue
        version = (str(named["subject"]), int(named["version"]))
        if value is None:
            registry.by_version.pop(version, None)
            continue
        said = json.loads(value)
        if said.get("schemaType", "AVRO") != "AVRO":
            continue
        references = tuple((str(each["subject"]), int(each["version"])) for each in said.get("references") or ())
        schema = Schema(int(said["id"]), str(said["schema"]), references)
        registry.by_id[schema.id] = registry.by_version[version] = schema
    return registry


def fetch_registry(source: KafkaConfig, topic: str = TOPIC) -> Registry:
    """The schemas that the cluster's registry keeps; empty if the cluster has none."""
    from testenv.backends.errors import kafka_errors
    from testenv.datasets.tapes import clients
    from testenv.datasets.tapes.reading import read

    with kafka_errors():
        count = clients.admin(source).topics().get(topic, 0)
        with clients.consumer(source) as consumer:
            rows = (
                row
                for number in range(count)
                for row in read(consumer, topic, number, clients.ends(consumer, topic, number))
            )
            return read_registry((key, value) for _, _, _, key, value, _ in rows)
