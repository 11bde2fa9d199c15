"""Records the state of an environment's outputs, and takes the environment back to its start.

All by the environment's own credentials. What is as it was when it was copied before is not copied again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from testenv.checks.diff import Fingerprint
from testenv.checks.trial.lake import CHECKPOINTS, LAKE, OWN, Lake, Listing, folders
from testenv.checks.trial.memory import unbounded
from testenv.checks.trial.record import Moment, Output, State
from testenv.checks.trial.tables import Tables
from testenv.checks.trial.topics import Topics
from testenv.checks.trial.writers import Writers
from testenv.core.contract import Store

Kept = dict[str, list[tuple[Fingerprint, str]]]
"""Output → what was copied of it, and at which moment."""


@dataclass
class Moments:
    """The environment's outputs. `topics` is None where no pipeline of the trial has to do with Kafka.

    `by_column`: tables of whose columns each has a fingerprint of its own; of others, whole rows have. `batches`: keys
    of folders that are no outputs of their own.
    """

    tables: Tables
    lake: Lake
    topics: Topics | None
    writers: Writers
    by_column: Collection[str] = ()
    batches: Collection[str] = ()
    _kept: Kept = field(default_factory=dict)
    _start: dict[str, Output] = field(default_factory=dict)
    _now: dict[str, Output] = field(default_factory=dict)
    _views: dict[str, str] = field(default_factory=dict)
    _checkpoints: dict[str, str] = field(default_factory=dict)
    _lake: dict[str, str] = field(default_factory=dict)
    _seen: dict[tuple[tuple[str, str], ...], Fingerprint] = field(default_factory=dict)

    def record(self, moment: str, ran: Collection[str], tasks: Mapping[str, tuple[str, ...]]) -> State:
        """The state as it is now, kept as `moment`. `ran`: pipelines since the start; `tasks`: theirs, in order."""
        found = [*self._record_tables(moment), *self._record_lake(moment), *self._record_topics()]
        if moment == Moment.START:
            self._start = {each.id: each for each in found}
            self._views = self.tables.views()
            self._checkpoints = self._checkpoint_files()
            self.lake.keep(moment, self._checkpoints)
        outputs = []
        for each in found:
            same = self._start.get(each.id)
            if same is None or same.fingerprint != each.fingerprint:
                each = self.writers.named(each, ran, tasks)
            outputs.append(each)
        self._now = {each.id: each for each in outputs}
        growing = unbounded(self._checkpoint_files(), self.lake.get) if moment == Moment.HEAD else ()
        return State(moment=moment, outputs=tuple(sorted(outputs, key=lambda each: each.id)), unbounded=growing)

    def reset(self) -> None:
        """Tables, views, files, checkpoints and consumer groups are as they were when `start` was recorded.

        Nothing may have run since the last moment was: what differed then is what is restored.
        """
        known, now = (
            {each.name: each.fingerprint for each in state.values() if each.store is Store.SNOWFLAKE}
            for state in (self._start, self._now)
        )
        self.tables.drop(sorted(now.keys() - known.keys()))
        changed = [name for name, rows in known.items() if now.get(name) != rows]
        self.tables.restore(Moment.START, changed, self._views)
        self.lake.restore(Moment.START, self._lake, self.lake.listing(LAKE))
        self.lake.restore(Moment.START, self._checkpoints, self._checkpoint_files())
        if self.topics:
            self.topics.reset()

    def _record_tables(self, moment: str) -> Iterator[Output]:
        found = self.tables.fingerprints(self.by_column)
        outputs = [self._output(Store.SNOWFLAKE, name, each, moment) for name, each in found.items()]
        self.tables.keep(moment, [each.name for each in outputs if each.kept == moment])
        yield from outputs

    def _record_lake(self, moment: str) -> Iterator[Output]:
        listing = self.lake.listing(LAKE)
        if moment == Moment.START:
            self._lake = listing
            self.lake.keep(moment, listing)
        for folder, data in folders(listing, self.batches).items():
            output = self._output(Store.S3, folder, self._rows_of(folder, data), moment)
            if output.kept == moment and moment != Moment.START:
                self.lake.keep(moment, data)
            yield output

    def _record_topics(self) -> Iterator[Output]:
        for topic, number in (self.topics.written() if self.topics else {}).items():
            yield Output(store=Store.KAFKA, name=topic, fingerprint=Fingerprint("offsets", number, 0))

    def _rows_of(self, folder: str, data: Listing) -> Fingerprint:
        """Of the folder's rows; the same files are not read again."""
        key = tuple(sorted(data.items()))
        if key not in self._seen:
            self._seen[key] = self.lake.fingerprint(folder, data)
        return self._seen[key]

    def _output(self, store: Store, name: str, found: Fingerprint, moment: str) -> Output:
        """The output, with the moment at which these very rows were copied: an earlier one if there is one."""
        output = Output(store=store, name=name, fingerprint=found, dataset=self.writers.dataset(store, name))
        copies = self._kept.setdefault(output.id, [])
        kept = next((copied for rows, copied in copies if rows == found), "")
        if not kept:
            copies.append((found, moment))
        return output.model_copy(update={"kept": kept or moment})

    def _checkpoint_files(self) -> dict[str, str]:
        found = self.lake.listing(CHECKPOINTS)
        return {path: etag for path, etag in found.items() if not path.startswith(OWN)}


def differ(one: State, other: State, allowed: Mapping[str, tuple[str, ...]], writers: Collection[str]) -> list[str]:
    """Outputs of `writers` that the two states do not have alike, but for columns that are `allowed` to differ.

    What nobody is known to have written counts too.
    """
    found = []
    for id_ in sorted({each.id for state in (one, other) for each in state.outputs}):
        was, now = one.output(id_), other.output(id_)
        by = {writer for each in (was, now) if each for writer in each.writers}
        if was and now and _alike(was.fingerprint, now.fingerprint, allowed.get(id_, ())):
            continue
        if by & set(writers) or not by:
            found.append(id_)
    return found


def _alike(one: Fingerprint, other: Fingerprint, allowed: Collection[str]) -> bool:
    if one == other or not allowed:
        return one == other
    columns = [{name: sum_ for name, sum_ in each.columns.items() if name not in allowed} for each in (one, other)]
    return one.rows == other.rows and columns[0] == columns[1]
