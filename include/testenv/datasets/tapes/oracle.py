"""Proves that a topic holds what its tape holds: reads it back and compares record by record."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from testenv.backends.errors import kafka_errors
from testenv.config import KafkaConfig
from testenv.core.errors import Drifted
from testenv.datasets.tapes import clients
from testenv.datasets.tapes.form import Partition, Tape, to_rows
from testenv.datasets.tapes.reading import Row, read
from testenv.datasets.tapes.replay import OFFSET_HEADER

_COMPARED = {"offset": 0, "timestamp": 1, "key": 3, "value": 4, "headers": 5}


@kafka_errors()
def verify(config: KafkaConfig, topic: str, tape: Tape, exact: bool) -> int:
    """Compare partition, offset, timestamp, key, value and headers of all that is committed; returns how many.

    Raises `Drifted` with the first offset that differs, and what differs there; values are not told.
    """
    admin = clients.admin(config)
    count, wanted = clients.partitions_of(admin, topic), len(tape.manifest.partitions)
    if count != wanted:
        raise Drifted(f"{topic} has {count} partitions, its tape {wanted}. Delete the topic, then replay")
    ends = admin.offsets({topic: count})[topic]
    with clients.consumer(config) as consumer:
        for partition in tape.manifest.partitions:
            number = partition.number
            found = read(consumer, topic, number, ends[number])
            _compare(f"{topic}[{number}]", found, _expected(tape, partition, exact))
            end = partition.end if exact else partition.records
            if ends[number][1] != end:
                raise Drifted(f"{topic}[{number}] ends at offset {ends[number][1]}, it must end at {end}. {_REMEDY}")
    return tape.manifest.records


_REMEDY = "Delete the topic, then replay"


def _expected(tape: Tape, partition: Partition, exact: bool) -> Iterator[Row]:
    rows = (row for batch in tape.batches(partition.number) for row in to_rows(batch))
    if exact:
        yield from rows
        return
    for rank, (offset, *rest, headers) in enumerate(rows):
        yield (rank, *rest, [*headers, (OFFSET_HEADER, b"%d" % offset)])


def _compare(where: str, found: Iterator[Row], expected: Iterator[Row]) -> None:
    for one, other in zip_longest(found, expected):
        if one is None or other is None:
            offset = (one or other or (0,))[0]
            kind = "is missing" if one is None else "is more than the tape has"
            raise Drifted(f"{where}: the record at offset {offset} {kind}. {_REMEDY}")
        differs = [name for name, at in _COMPARED.items() if one[at] != other[at]]
        if differs:
            raise Drifted(f"{where}: the record at offset {other[0]} differs in {', '.join(differs)}. {_REMEDY}")
