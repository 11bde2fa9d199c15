"""The tasks of `record_tapes`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from testenv_airflow import notes
from testenv_airflow.conf import refuse_unknown_keys
from testenv_airflow.operators.base import TestenvOperator

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.datasets.tapes.recording import Recording
    from testenv.engine import Engine


class _RecordingOperator(TestenvOperator):
    """One stage of a recording. The set that it works on is named by the run: a try goes on where another ended."""

    template_fields: Sequence[str] = ()

    @abstractmethod
    def stage(self, recording: Recording, tapes: str, context: Context) -> Any:
        """The one call about the set `tapes`."""

    def act(self, engine: Engine, context: Context) -> Any:
        from testenv.datasets.tapes.recording import Recording  # Arrow and its friends: not at parse time

        recording = Recording.from_environ(self.hook.config)
        return self.stage(recording, recording.store.of_run(context["dag_run"].run_id, _asked(context)), context)


class CheckTopicsOperator(_RecordingOperator):
    """Decide what to record, and compare it with the contracts before anything is. Returns the topics."""

    def stage(self, recording: Recording, tapes: str, context: Context) -> list[str]:
        from testenv.datasets.tapes.recording import span_of

        refuse_unknown_keys(context)
        asked, at = context["params"], _asked(context)
        return recording.check(tapes, asked["topics"], span_of(asked["hours"], asked["records"], at), at)


class RecordOperator(_RecordingOperator):
    """Capture, mask, judge and seal one topic: the only task that sees a whole record of production.

    :param topic: production's name of it. (templated)
    """

    template_fields: Sequence[str] = ("topic",)

    def __init__(self, *, topic: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.topic = topic

    def stage(self, recording: Recording, tapes: str, context: Context) -> None:
        context["topic"] = self.topic  # names the mapped task in the grid
        tape = recording.record(tapes, self.topic)
        self.log.info("%s: %d records of %d partitions", self.topic, tape.records, len(tape.partitions))
        if tape.about.broken:
            self.log.info("not of their format, and replaced: %s", tape.about.broken)


class PublishTapesOperator(_RecordingOperator):
    """Let the set be one, and the current one if it has all topics. Returns its name."""

    def stage(self, recording: Recording, tapes: str, context: Context) -> str:
        found = recording.publish(tapes)
        is_current = recording.store.current() == tapes
        held = ", ".join(f"{topic.name} {topic.records}" for topic in found.topics)
        state = "the current tape set" if is_current else "a tape set, and not the current one"
        notes.note_run(context, f"**{tapes}** is {state}. Records: {held}.")
        return tapes


class RetireTapesOperator(_RecordingOperator):
    """Delete old sets that nobody refers to."""

    def stage(self, recording: Recording, tapes: str, context: Context) -> None:
        in_use = {life.spec.tapes for life in self.hook.engine.ledger.living()}
        for name in recording.retire(in_use, datetime.now(UTC)):
            self.log.info("deleted %s", name)


def _asked(context: Context) -> datetime:
    """When the run was asked for, or cleared."""
    run = context["dag_run"]
    return run.queued_at or run.execution_date
