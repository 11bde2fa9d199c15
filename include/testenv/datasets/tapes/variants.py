"""Variants of a tape: what goes wrong on the way to a topic, made by rule, so that one can say what must come of it.

| variant | what becomes of the chosen records | what a job must make of it |
|---|---|---|
| late | they come after the rest of their batch, with the timestamps they had | the same, but for offsets |
| out-of-order | each changes places with another, less than `WINDOW` away | the same, but for offsets |
| duplicated | each comes once more, right after itself | the same, deduplicated by what the records say |
| poison | the value is replaced by what nobody can read | the same without them; they are in the quarantine |

Batches of `form.ROWS` records are changed one after another, by the tape and a seed alone: the same bytes every time.
Offsets are the tape's, gaps included; those of a duplicated tape move on by one with every copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testenv.core.errors import Invalid
from testenv.datasets.tapes.form import Tape, write_manifest, write_partition

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Ints = np.ndarray[Any, np.dtype[np.int64]]
    Marks = np.ndarray[Any, np.dtype[np.bool_]]

WINDOW = 8
"""Records that change places are less than this apart, unless the tape is shorter."""

POISON = (b"\xff\xfepoison", b'{"poison": ', b"", b"\x00\xff\xff\xff\xffpoison")
"""Not UTF-8; JSON that ends too early; nothing at all; Avro of a schema that is not registered."""


class Kind(StrEnum):
    """What is done to a tape."""

    LATE = "late"
    OUT_OF_ORDER = "out-of-order"
    DUPLICATED = "duplicated"
    POISON = "poison"


@dataclass(frozen=True)
class Variant:
    """A tape that was changed.

    `changed`: partition → offsets in it, ascending: where late records stand now, where another record stands than did,
    where copies stand, where poison stands. A record that was last of its batch cannot come later.
    """

    tape: Tape
    changed: dict[int, tuple[int, ...]]


def make(kind: Kind, tape: Tape, folder: Path, *, seed: int, share: float = 0.1) -> Variant:
    """Write the variant of `tape` into `folder`, which must be empty or missing; its manifest comes last.

    Of the records `share` are chosen, by a hash of `seed`, partition and offset; at least one, if there is one.
    Raises `Invalid` for a share that is not above 0 and at most 1, and for a folder that holds something.
    """
    if not 0 < share <= 1:
        raise Invalid(f"share: must be above 0 and at most 1, got {share}")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Invalid(f"{folder} is not empty. A tape has a folder of its own: empty it, or give another")
    chosen = _chosen(tape, seed, share)
    changed: dict[int, tuple[int, ...]] = {}
    partitions = []
    for partition in tape.manifest.partitions:
        number, found = partition.number, list[int]()
        copies = len(chosen[number]) if kind is Kind.DUPLICATED else 0
        batches = _varied(kind, tape.batches(number), chosen[number], found)
        partitions.append(write_partition(folder, number, (partition.start, partition.end + copies), batches))
        changed[number] = tuple(found)
    manifest = tape.manifest.model_copy(update={"partitions": tuple(partitions)})
    write_manifest(folder, manifest)
    return Variant(Tape(manifest, folder), changed)


def _chosen(tape: Tape, seed: int, share: float) -> dict[int, Ints]:
    """Partition → the offsets that are chosen, ascending. If none would be, the one that comes nearest to it."""
    import numpy as np

    offsets = {
        each.number: np.concatenate(
            [np.empty(0, np.int64), *(batch.column("offset").to_numpy() for batch in tape.batches(each.number))]
        )
        for each in tape.manifest.partitions
    }
    places = {number: _places(seed, number, each) for number, each in offsets.items()}
    least = min((int(each.min()) for each in places.values() if len(each)), default=0)
    limit = np.uint64(max(min(int(share * 2**64), 2**64 - 1), least))
    return {number: each[places[number] <= limit] for number, each in offsets.items()}


def _places(seed: int, partition: int, offsets: Ints) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """A number below 2⁶⁴ for each record, spread evenly: splitmix64 of its place, begun at the seed and partition."""
    import numpy as np

    begin = (seed * 0x9E3779B97F4A7C15 + partition * 0xD1B54A32D192ED03) % 2**64
    with np.errstate(over="ignore"):  # arithmetic is modulo 2⁶⁴
        mixed = np.uint64(begin) + (offsets.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return mixed ^ (mixed >> np.uint64(31))


def _varied(
    kind: Kind, batches: Iterator[pa.RecordBatch], chosen: Ints, changed: list[int]
) -> Iterator[pa.RecordBatch]:
    """The batches of a partition, changed; offsets that are changed are added to `changed`."""
    import numpy as np
    import pyarrow as pa

    copies = 0
    for batch in batches:
        offsets: Ints = batch.column("offset").to_numpy()
        marks = np.isin(offsets, chosen)
        order, at = _order(kind, marks)
        made = offsets
        if kind is Kind.DUPLICATED:
            made = offsets[order] + copies + np.cumsum(at)
            copies += int(at.sum())
        out = batch.take(pa.array(order)).set_column(0, batch.schema.field("offset"), pa.array(made))
        if kind is Kind.POISON:
            place = out.schema.get_field_index("value")
            out = out.set_column(place, out.schema.field(place), _poisoned(out.column("value"), made, marks))
        changed += made[at].tolist()
        yield out


def _order(kind: Kind, marks: Marks) -> tuple[Ints, Marks]:
    """In which order the records of a batch come, of which `marks` are chosen; and at which places it is changed."""
    import numpy as np

    order = np.arange(len(marks))
    match kind:
        case Kind.LATE:
            late = np.concatenate([order[~marks], order[marks]])
            return late, marks[late] & (late != order)
        case Kind.OUT_OF_ORDER:
            for one in np.flatnonzero(marks).tolist():
                other = one + 1 + one % (WINDOW - 1)
                other = other if other < len(order) else one - 1
                if other >= 0 and order[one] == one and order[other] == other:  # neither has moved yet
                    order[one], order[other] = other, one
            return order, order != np.arange(len(marks))
        case Kind.DUPLICATED:
            twice = np.repeat(order, 1 + marks)
            return twice, np.concatenate([[False], twice[1:] == twice[:-1]])[: len(twice)]
        case Kind.POISON:
            return order, marks


def _poisoned(values: pa.Array, offsets: Ints, marks: Marks) -> pa.Array:
    import pyarrow as pa

    kept = values.to_pylist()
    for at in marks.nonzero()[0].tolist():
        kept[at] = POISON[int(offsets[at]) % len(POISON)]
    return pa.array(kept, pa.binary())
