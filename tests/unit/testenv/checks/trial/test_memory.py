"""A stream whose state nothing bounds is told by its checkpoint, as Spark 3.5 writes it."""

from __future__ import annotations

import json

from testenv.checks.trial.memory import unbounded

ROOT = "checkpoints/card_events/"


def checkpoint(*watermarks: int, schema: bytes = b"") -> dict[str, bytes]:
    """The files of a checkpoint with these batches; stateful where there is a schema of the state."""
    files = {
        f"{ROOT}offsets/{number}": f'v1\n{json.dumps({"batchWatermarkMs": ms})}\n{{"logOffset":0}}'.encode()
        for number, ms in enumerate(watermarks)
    }
    return files | ({f"{ROOT}state/0/0/_metadata/schema": schema} if schema else {})


def found(files: dict[str, bytes]) -> tuple[str, ...]:
    return unbounded(files, files.__getitem__)


def test_state_without_a_watermark_after_the_last_batch_is_unbounded() -> None:
    assert found(checkpoint(0, schema=b"v2\nid")) == (ROOT,)
    assert found(checkpoint(*[0] * 12, schema=b"v2\nid")) == (ROOT,)


def test_state_with_a_watermark_is_bounded_also_where_batches_are_numbered_beyond_nine() -> None:
    assert found(checkpoint(0, 1767222000000, schema=b"v2\nid")) == ()
    assert found(checkpoint(*[0] * 10, 1767222000000, schema=b"v2\nid")) == ()


def test_what_remembers_nothing_or_has_a_time_out_of_its_own_is_not_judged() -> None:
    assert found(checkpoint(0)) == ()
    assert found(checkpoint(0, schema=b'v2\n{"name":"timeoutTimestamp"}')) == ()


def test_each_checkpoint_is_told_by_itself() -> None:
    other = {path.replace("card_events", "login_events"): body for path, body in checkpoint(0, 5, schema=b"v2").items()}
    assert found(checkpoint(0, schema=b"v2") | other) == (ROOT,)
