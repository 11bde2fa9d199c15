"""What production's topics have: fields of the registered Avro schemas, paths of JSON records, names of headers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from testenv.backends.errors import kafka_errors
from testenv.core.contract import Contracts, Store
from testenv.core.drift import Observed
from testenv.core.naming import TOPICS_OF_ENVIRONMENTS
from testenv.datasets.avro import TOPIC as SCHEMAS
from testenv.datasets.avro import Registry, fetch_registry
from testenv.datasets.observe import one_type, walk
from testenv.datasets.tapes import clients
from testenv.datasets.tapes.reading import read
from testenv.production import Production

Types = dict[str, set[str]]


@kafka_errors()
def kafka(production: Production, contracts: Contracts) -> dict[str, Observed]:
    """Every topic, by contract id. All that is committed is read, for keys and headers declare nothing."""
    registry = fetch_registry(production.kafka)
    topics = clients.admin(production.kafka).topics()
    found = {}
    for topic, partitions in topics.items():
        if topic == SCHEMAS or topic.startswith(("__", TOPICS_OF_ENVIRONMENTS)):
            continue
        id_ = f"{Store.KAFKA}.{topic}"
        if id_ not in contracts:
            found[id_] = Observed({})
            continue
        is_avro = contracts[id_].options.get("format") == "avro"
        types: Types = defaultdict(set)
        if is_avro:
            _declared(registry, topic, types)
        _seen(production, topic, partitions, types, with_values=not is_avro)
        by_example = {"key", "headers"} | (set() if is_avro else {"value"})
        found[id_] = Observed({path: one_type(each) for path, each in types.items()}, frozenset(by_example))
    return found


def _declared(registry: Registry, topic: str, types: Types) -> None:
    """Fields of all versions of the topic's subject: records of an older one may still be there."""
    for (subject, _), schema in sorted(registry.by_version.items()):
        if subject == f"{topic}-value":
            for path, type_ in avro_fields(json.loads(schema.text), "value", {}):
                types[path].add(type_)


def avro_fields(
    schema: Any, path: str, named: dict[str, Any], within: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str]]:
    """Path and primitive type of each leaf; a union with null is what it is otherwise.

    `named` are the types met before; a record that holds itself is a leaf of its own name `within` itself.
    """
    match schema:
        case [*branches]:
            for branch in branches:
                if branch != "null":
                    yield from avro_fields(branch, path, named, within)
        case {"type": "record", "name": name, "fields": fields}:
            named[name] = schema
            for field in fields:
                yield from avro_fields(field["type"], f"{path}.{field['name']}", named, within | {name})
        case {"type": "array", "items": items}:
            yield from avro_fields(items, f"{path}[]", named, within)
        case {"type": "map", "values": values}:
            yield from avro_fields(values, f"{path}.*", named, within)
        case {"type": "enum" | "fixed" as type_, "name": name}:
            named[name] = schema
            yield path, type_
        case {"type": inner}:
            yield from avro_fields(inner, path, named, within)
        case str() if schema in named and schema not in within:
            yield from avro_fields(named[schema], path, named, within)
        case _:
            yield path, str(schema)


def _seen(production: Production, topic: str, partitions: int, types: Types, *, with_values: bool) -> None:
    with clients.consumer(production.kafka) as consumer:
        for number in range(partitions):
            for _, _, _, key, value, headers in read(consumer, topic, number, clients.ends(consumer, topic, number)):
                if key is not None:
                    types["key"].add(_text_type(key))
                for name, content in headers:
                    types[f"headers.{name}"].add("null" if content is None else _text_type(content))
                if with_values and value is not None and (document := _parsed(value)) is not None:
                    walk(document, "value", types)


def _text_type(content: bytes) -> str:
    try:
        content.decode()
    except UnicodeDecodeError:
        return "bytes"
    return "string"


def _parsed(value: bytes) -> Any:
    """None for what is no JSON: it has no path, and the pipelines put it into quarantine."""
    try:
        return json.loads(value)
    except ValueError:
        return None
