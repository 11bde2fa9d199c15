"""The schema registry: Avro schemas in the compacted topic `_schemas`, as Confluent's registry keeps them.

The schemas stand in `schema/avro/ID-SUBJECT-vVERSION.avsc`. A message is written as the byte 0, the schema's id in four
bytes, big end first, and the Avro body: <https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/>.
"""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SCHEMAS_TOPIC = "_schemas"
FOLDER = Path(__file__).parent / "schema" / "avro"

_NAME = re.compile(r"(?P<id>\d+)-(?P<subject>[\w.-]+)-v(?P<version>\d+)\.avsc")
_HEADER = struct.Struct(">bI")


@dataclass(frozen=True)
class Registered:
    """A version of a subject: `TOPIC-value` by the registry's convention. `schema` is JSON text."""

    id: int
    subject: str
    version: int
    schema: str


def registered(folder: Path = FOLDER) -> list[Registered]:
    """All schemas of `folder`, by id. Raises `ValueError` for a file that is not named as it should be."""
    found = []
    for file in folder.glob("*.avsc"):
        if not (match := _NAME.fullmatch(file.name)):
            raise ValueError(f"{file.name} is no ID-SUBJECT-vVERSION.avsc; rename it")
        schema = json.dumps(json.loads(file.read_text(encoding="utf-8")), separators=(",", ":"))
        found.append(Registered(int(match["id"]), match["subject"], int(match["version"]), schema))
    return sorted(found, key=lambda each: each.id)


def write_record(entry: Registered) -> tuple[str, str]:
    """Key and value of the record that registers `entry`."""
    key = {"keytype": "SCHEMA", "subject": entry.subject, "version": entry.version, "magic": 1}
    value = {
        "subject": entry.subject,
        "version": entry.version,
        "id": entry.id,
        "schema": entry.schema,
        "deleted": False,
    }
    return json.dumps(key, separators=(",", ":")), json.dumps(value, separators=(",", ":"))


def read_records(records: Iterable[tuple[str | bytes, str | bytes | None]]) -> dict[int, Registered]:
    """Schemas by id, of the topic's keys and values in their order: what was deleted is not among them."""
    latest: dict[tuple[str, int], Registered] = {}
    for key, value in records:
        name = json.loads(key)
        if name.get("keytype") != "SCHEMA":
            continue  # settings of the registry, and its own markers
        place = (name["subject"], name["version"])
        content = json.loads(value) if value else {"deleted": True}
        if content.get("deleted"):
            latest.pop(place, None)
        else:
            latest[place] = Registered(content["id"], *place, content["schema"])
    return {each.id: each for each in latest.values()}


def encode(entry: Registered, value: Mapping[str, Any]) -> bytes:
    """`value` as a message. Raises what fastavro raises for a value that does not fit the schema."""
    import fastavro

    buffer = io.BytesIO(_HEADER.pack(0, entry.id))
    buffer.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(buffer, _parsed(entry.schema), value, strict=True)
    return buffer.getvalue()


def decode(message: bytes, schemas: Mapping[int, Registered]) -> Any:
    """The value of a message. Raises `ValueError` if it is none, or its schema is not registered."""
    import fastavro

    if len(message) < _HEADER.size or message[0] != 0:
        raise ValueError("no message in the registry's format: it does not begin with the byte 0 and a schema's id")
    _, id_ = _HEADER.unpack_from(message)
    if id_ not in schemas:
        raise ValueError(f"the message was written with schema {id_}, which is not registered; there are {[*schemas]}")
    return fastavro.schemaless_reader(io.BytesIO(message[_HEADER.size :]), _parsed(schemas[id_].schema), None)


@cache
def _parsed(schema: str) -> Any:
    import fastavro

    return fastavro.parse_schema(json.loads(schema))
