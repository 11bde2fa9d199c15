"""What production's topics have: fields of the registered Avro schemas, paths of JSON records, names of headers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
Spans = Sequence[tuple[int, int]]


@kafka_errors()
def kafka(
    production: Production, contracts: Contracts, spans: Mapping[str, Spans] | None = None
) -> dict[str, Observed]:
    """Every topic, by contract id. All that is committed is read, for keys and headers declare nothing.

    `spans` are the parts of topics to read, if not all there is: first offset and the one after the last, by partition.
    """
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
        count = _seen(production, topic, (spans or {}).get(topic) or partitions, types, with_values=not is_avro)
        by_example = {"key", "headers"} | (set() if is_avro else {"value"})
        found[id_] = Observed(
            {path: one_type(each) for path, each in types.items()}, frozenset(by_example), has_examples=count > 0
        )
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


def _seen(production: Production, topic: str, part: Spans | int, types: Types, *, with_values: bool) -> int:
    """Add what records have to `types`; returns how many were seen. `part` is spans, or how many whole partitions."""
    count = 0
    with clients.consumer(production.kafka) as consumer:
        spans = [clients.ends(consumer, topic, number) for number in range(part)] if isinstance(part, int) else part
        for number, span in enumerate(spans):
            for _, _, _, key, value, headers in read(consumer, topic, number, span):
                count += 1
                if key is not None:
                    types["key"].add(_text_type(key))
                for name, content in headers:
                    types[f"headers.{name}"].add("null" if content is None else _text_type(content))
                if with_values and value is not None and (document := _parsed(value)) is not None:
                    walk(document, "value", types)
    return count


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
