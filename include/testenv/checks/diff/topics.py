"""A topic as a table: what of it is committed, record by record, in the columns of a tape and `partition`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from testenv.backends.errors import kafka_errors
from testenv.checks.diff.arrow import ArrowTable

if TYPE_CHECKING:
    import pyarrow as pa

    from testenv.config import KafkaConfig


def topic(config: KafkaConfig, name: str, group: str = "") -> ArrowTable:
    """The records that the topic has now, as the user of `config` reads them; later ones are not of the table.

    Its columns are `partition` and those of `tapes.form.schema`. A reader that joins no group leaves none behind; it
    names `group` all the same, which the user must be allowed to.
    Raises `NotFound`, and what Kafka's errors are translated to; each pass over the rows reads the topic anew.
    """
    import pyarrow as pa

    from testenv.datasets.tapes import clients
    from testenv.datasets.tapes.form import schema
    from testenv.datasets.tapes.reading import batches

    with kafka_errors(), clients.consumer(config, group) as consumer:
        count = clients.partitions_of(clients.admin(config), name)
        spans = [clients.ends(consumer, name, number) for number in range(count)]
    columns = pa.schema([pa.field("partition", pa.int64(), nullable=False), *schema()])

    def read(wanted: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        with kafka_errors(), clients.consumer(config, group) as consumer:
            for number, span in enumerate(spans):
                for batch in batches(consumer, name, number, span):
                    at = pa.array([number] * len(batch), pa.int64())
                    whole = pa.RecordBatch.from_arrays([at, *batch.columns], schema=columns)
                    yield whole if wanted is None else whole.select([*wanted])

    return ArrowTable(columns, read)
