"""Masks what a snapshot holds, each store in its own form, and writes the files of every tier. Nothing else is written.

A tier's folder: `postgres/TABLE.parquet`, `snowflake/SCHEMA.TABLE.parquet`, `landing/…` as partners deliver it,
`kafka/TOPIC.jsonl` as topics are seeded from; the largest tier has the tapes too, `tapes/TOPIC/`.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from testenv.core.contract import Contract, Store
from testenv.core.dataset import Topic
from testenv.datasets.avro import TOPIC as SCHEMAS
from testenv.datasets.evidence.canaries import Canaries
from testenv.datasets.evidence.evidence import Pair
from testenv.datasets.feeds import lines_of, rows_of, to_csv
from testenv.datasets.mask.keyed import Key
from testenv.datasets.mask.masker import Masker
from testenv.datasets.mask.parquet import read_parquet, write_parquet
from testenv.datasets.mask.rules import ENTITY, Policy
from testenv.datasets.refresh.selection import Selection
from testenv.datasets.refresh.snapshot import Snapshot
from testenv.datasets.tapes.capture import record_tape
from testenv.datasets.tapes.clients import consumer, ends
from testenv.datasets.tapes.form import CREATE_TIME, Tape, to_batch, to_rows
from testenv.datasets.tapes.paths import Mismatch, typed
from testenv.datasets.tapes.planted import planted_records
from testenv.datasets.tapes.reading import Row, read
from testenv.datasets.tapes.records import RecordMask

if TYPE_CHECKING:
    from testenv.config import KafkaConfig
    from testenv.datasets.refresh.selection import Rows


@dataclass(frozen=True)
class Maskery:
    """What masking a dataset needs: the policy and its key, the rows that tiers take, and canaries to go through."""

    snapshot: Snapshot
    policy: Policy
    key: Key
    selection: Selection
    canaries: Canaries
    source: KafkaConfig
    folder: Path

    @property
    def tiers(self) -> list[str]:
        """Largest first: each later one is of the rows of the first."""
        size = {tier: sum(int(rows.sum()) for rows in held.values()) for tier, held in self.selection.rows.items()}
        return sorted(size, key=lambda tier: -size[tier])

    def store(self, contract: Contract) -> Pair:
        """Mask a dataset into the folders of all tiers; returns it before and after, to be judged."""
        match contract.store:
            case Store.POSTGRES | Store.SNOWFLAKE:
                return self._table(contract)
            case Store.S3:
                return self._feed(contract)
            case Store.KAFKA:
                return self._topic(contract)

    def _masker(self, contract: Contract) -> Masker:
        return Masker(self.policy.datasets[contract.id], self.key)

    def _taken(self, contract: Contract, tier: str) -> Rows:
        return self.selection.rows[tier][contract.id]

    # ---------------------------------------------------------------- tables

    def _table(self, contract: Contract) -> Pair:
        """Parquet. The largest tier is masked batch by batch; the others are parts of its file."""
        name = f"{contract.store}/{contract.name}.parquet"
        masker, (largest, *others) = self._masker(contract), self.tiers
        of_largest = self._taken(contract, largest)

        def masked() -> Iterator[pa.RecordBatch]:
            start = 0
            for batch in self.snapshot.batches(contract):
                end = start + len(batch)
                rows = self._with_entity(masker, contract, batch, start).filter(pa.array(of_largest[start:end]))
                yield masker.batch(rows)
                start = end

        whole = self._file(largest, name)
        write_parquet(whole, masked())
        for tier in others:
            write_parquet(self._file(tier, name), _rows_of(whole, self._taken(contract, tier)[of_largest]))
        planted = self._planted(contract, pq.read_schema(whole))
        masked_canaries = masker.batch(self._with_entity(masker, contract, planted, None))
        return Pair(
            source=lambda: itertools.chain(self.snapshot.batches(contract), [planted]),
            masked=lambda: itertools.chain(read_parquet(whole), [masked_canaries]),
        )

    def _with_entity(
        self, masker: Masker, contract: Contract, batch: pa.RecordBatch, start: int | None
    ) -> pa.RecordBatch:
        """With the entity of each row where only a join tells it; of canaries, whose `start` is None, their own key."""
        if not masker.policy.needs_entity:
            return batch
        if start is None:
            found: list[str | None] = [str(number) for number in range(len(batch))]
        else:
            found = self.selection.entities[contract.id][start : start + len(batch)]
        return batch.append_column(ENTITY, pa.array(found, pa.string()))

    def _planted(self, contract: Contract, schema: pa.Schema) -> pa.RecordBatch:
        """The canaries as rows of a table."""
        rows = self.canaries.rows(contract)
        columns = [pa.array([_cell(row[each.name], each.type) for row in rows]).cast(each.type) for each in schema]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema([each.with_nullable(True) for each in schema]))

    # ---------------------------------------------------------------- files

    def _feed(self, contract: Contract) -> Pair:
        """Each file in its own form, under its own path."""
        by_lines = contract.options["format"] == "json"
        mask = self._lines_mask(contract) if by_lines else self._rows_mask(contract)
        start = 0
        for path in self.snapshot.files[contract.id]:
            masked = mask(self.snapshot.file(path))
            for tier in self.tiers:
                taken = self._taken(contract, tier)[start : start + len(masked.rows)]
                if taken.any() or not len(taken):
                    file = self._file(tier, f"landing/{path}")
                    file.write_bytes(
                        masked.body([row for row, is_taken in zip(masked.rows, taken, strict=True) if is_taken])
                    )
            start += len(masked.rows)
        planted = self._planted_file(contract, by_lines)
        masked_canaries = mask(planted)
        as_batch = _lines_batch if by_lines else _rows_batch
        folder, paths = self.folder / self.tiers[0] / "landing", self.snapshot.files[contract.id]
        return Pair(
            source=lambda: (as_batch(body) for body in (*map(self.snapshot.file, paths), planted)),
            masked=lambda: (
                as_batch(body)
                for body in (
                    *((folder / path).read_bytes() for path in paths if (folder / path).exists()),
                    masked_canaries.body(masked_canaries.rows),
                )
            ),
        )

    def _lines_mask(self, contract: Contract) -> Callable[[bytes], _Masked]:
        """JSON lines as values of records, whose mask keeps what is not masked as it was written."""
        masker = self._masker(contract)
        fields = tuple(field.model_copy(update={"path": f"value.{field.path}"}) for field in contract.fields)
        path = tuple(f"value.{step}" for step in contract.entity_path[:1]) if len(contract.entity_path) == 1 else ()
        mask = RecordMask(
            contract.model_copy(update={"fields": fields, "entity_path": path}),
            lambda at, values, entities: masker.values(at.removeprefix("value."), values, entities),
        )

        def masked(body: bytes) -> _Masked:
            rows: list[Row] = [
                (number, 0, CREATE_TIME, None, line, []) for number, line in enumerate(lines_of(contract, body))
            ]
            lines = mask(to_batch(rows)).column("value").to_pylist() if rows else []
            return _Masked(lines, lambda kept: b"".join(line + b"\n" for line in kept))

        return masked

    def _rows_mask(self, contract: Contract) -> Callable[[bytes], _Masked]:
        masker = self._masker(contract)
        entity = contract.entity_path[0] if len(contract.entity_path) == 1 else ""
        fields = {field.path: field for field in contract.fields}

        def masked(body: bytes) -> _Masked:
            rows = list(rows_of(body))
            names = list(rows[0]) if rows else []
            entities = [row[entity] for row in rows] if entity else None
            columns = []
            for name in names:
                field = fields[name]
                texts = [row[name] for row in rows]
                if field.is_sensitive:
                    there = [(number, _typed(field, text)) for number, text in enumerate(texts) if text]
                    of_them = [entities[number] for number, _ in there] if entities else None
                    values = masker.values(name, [value for _, value in there], of_them)
                    for (number, _), value in zip(there, values, strict=True):
                        texts[number] = str(value)
                columns.append(texts)
            return _Masked(list(zip(*columns, strict=True)), lambda kept: to_csv(names, kept))

        return masked

    def _planted_file(self, contract: Contract, by_lines: bool) -> bytes:
        rows = self.canaries.rows(contract)
        if by_lines:
            return b"".join(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n" for row in rows)
        return to_csv(list(rows[0]), [[str(value) for value in row.values()] for row in rows])

    # ---------------------------------------------------------------- topics

    def _topic(self, contract: Contract) -> Pair:
        """A tape, and from it the records that topics are seeded with."""
        masker, registry = self._masker(contract), self.snapshot.registry
        mask = RecordMask(contract, masker.values, registry, policy=self.policy.digest, key_epoch=self.key.epoch)
        part = self.snapshot.segments[contract.name]
        tape = record_tape(
            self.source,
            contract.name,
            self.folder / self.tiers[0] / "tapes" / contract.name,
            mask,
            snapshot=self.snapshot.taken_at,
            part=part,
        )
        for tier in self.tiers:
            self._file(tier, f"kafka/{contract.name}.jsonl").write_bytes(
                b"".join(_records_of(tape, self._taken(contract, tier)))
            )
        planted = planted_records(contract, self.canaries, registry)
        masked_canaries = mask(planted)
        return Pair(
            source=lambda: itertools.chain(self.snapshot.batches(contract), [planted]),
            masked=lambda: itertools.chain(tape.records(), [masked_canaries]),
            decode=registry.read,
        )

    def schemas(self) -> bytes:
        """The registry's own records, as lines. They describe, and hold nothing of anybody: no contract, no masking."""
        lines = []
        with consumer(self.source) as client:
            for row in read(client, SCHEMAS, 0, ends(client, SCHEMAS, 0)):
                lines.append(_line(0, row))
        return b"".join(lines)

    def topics(self) -> list[Topic]:
        """Partitions and configuration of the topics, as production has them; `records` are counted when loaded."""
        return [
            Topic(name=name, partitions=len(part.spans), config=part.config, records=0)
            for name, part in sorted(self.snapshot.segments.items())
        ]

    def _file(self, tier: str, name: str) -> Path:
        file = self.folder / tier / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file


@dataclass(frozen=True)
class _Masked:
    """The rows of a file, masked, and how a file is made of some of them."""

    rows: list[Any]
    body: Callable[[list[Any]], bytes]


def _typed(field: Any, text: str) -> Any:
    """A value as masking wants it; what is none of its type is masked as the text it is."""
    try:
        return typed(field, text)
    except Mismatch:
        return text


def _cell(value: Any, kind: pa.DataType) -> Any:
    """A canary's value as a column of `kind` holds it."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return None if value is None else str(value)
    return value


def _rows_of(file: Path, taken: Rows) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in read_parquet(file):
        yield batch.filter(pa.array(taken[start : start + len(batch)]))
        start += len(batch)


def _lines_batch(body: bytes) -> pa.RecordBatch:
    """Lines as the leaves of evidence are read from: one column without a name."""
    return pa.record_batch([pa.array(body.splitlines(), pa.binary())], names=[""])


def _rows_batch(body: bytes) -> pa.RecordBatch:
    rows = list(rows_of(body))
    names = list(rows[0]) if rows else []
    return pa.record_batch([pa.array([row[name] or None for row in rows], pa.string()) for name in names], names=names)


def _records_of(tape: Tape, taken: Rows) -> Iterator[bytes]:
    """Lines of the records that are taken, counted partition after partition as the snapshot does."""
    place = 0
    for partition in tape.manifest.partitions:
        if not partition.records:
            continue
        for batch in tape.batches(partition.number):
            for row in to_rows(batch):
                if taken[place]:
                    yield _line(partition.number, row)
                place += 1


def _line(partition: int, row: tuple[Any, ...]) -> bytes:
    """A record as `testenv.backends.kafka_records.encode_record` reads it."""
    _, timestamp, _, key, value, headers = row
    line: Mapping[str, Any] = {
        "partition": partition,
        "timestamp_ms": timestamp,
        "key": _text(key),
        "value": _text(value),
        "headers": [[name, _text(content)] for name, content in headers],
    }
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _text(content: bytes | None) -> Any:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
