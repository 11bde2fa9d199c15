"""Replaying a tape into an environment's topic: what is asked is checked wholly, then the topic is made anew."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from testenv.backends.errors import kafka_errors
from testenv.config import Config
from testenv.core.dataset import Dataset
from testenv.core.errors import Busy, Conflict, Invalid, NotFound
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId, Names, golden_prefix, shown
from testenv.datasets.store import WHOLE
from testenv.datasets.tapes.sets import TapeStore
from testenv.datasets.tapes.stored import fetch, sealed
from testenv.datasets.tapes.variants import Kind, make
from testenv.engine import Engine
from testenv.moves import Mover

if TYPE_CHECKING:
    from testenv.datasets.tapes.form import Partition, Tape

MODES = ("rebased", "exact")
Groups = Mapping[str, Mapping[int, int]]
"""Consumer group, without the environment's prefix → partition → the offset at which it goes on."""


class Request(BaseModel):
    """What is asked. `tapes` is a set's name or `current`; empty: the environment's set, or its dataset's own tapes.

    `variant` is one of `Kind`, made by `seed` of `share` of the records; empty: the tape as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str
    tapes: str = ""
    mode: str = Field(default=MODES[0], pattern=f"^({'|'.join(MODES)})$")
    variant: Kind | None = None
    seed: int = 0
    share: float = Field(default=0.1, gt=0, le=1)
    groups: dict[Annotated[str, Field(min_length=1, max_length=200)], dict[int, int]] = {}

    @property
    def exact(self) -> bool:
        return self.mode == "exact"


def parse_request(conf: Mapping[str, Any]) -> Request:
    """Raises `Invalid` naming every field that is wrong, with what was got."""
    try:
        return Request.model_validate({name: value for name, value in conf.items() if value not in (None, "")})
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}, got {each['input']!r}" for each in error.errors())
        raise Invalid(f"replay: {'; '.join(wrong)}") from None


@dataclass(frozen=True)
class Replayed:
    """What was done, proven by reading it back. `changed`: partition → how many offsets the variant has changed."""

    topic: str
    source: str
    mode: str
    records: int
    variant: str = ""
    changed: Mapping[int, int] = field(default_factory=dict)
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"{self.records} records of {self.source} in {self.topic}, {self.mode}, read back and equal"]
        parts += [f"{self.variant}: {sum(self.changed.values())} offsets changed"] if self.variant else []
        parts += [f"offsets committed for {', '.join(self.groups)}"] if self.groups else []
        return "; ".join(parts)


@dataclass(frozen=True)
class Replayer:
    """Uses of an engine that fill topics of environments that are ready."""

    engine: Engine
    config: Config

    def replay(self, env_id: EnvId, asked: Request) -> Replayed:
        """Make the topic anew from the tape, read it back, and commit the groups' offsets; the ledger notes it.

        May be done again after any failure. Nothing is touched when anything that is asked is wrong: raises `NotFound`
        for a topic or a tape that is not there, `Conflict` for an environment that is not ready, `Busy` while something
        runs in it, `Invalid` and its kin; then what `tapes.replay` and `tapes.oracle` raise.
        """
        from testenv.datasets.tapes.oracle import verify
        from testenv.datasets.tapes.replay import replay

        self._require_idle(env_id)
        name, prefix = self._topic(env_id, asked.topic), self._tape(env_id, asked)
        with tempfile.TemporaryDirectory(prefix="testenv-replay-") as home:
            tape, changed = self._varied(fetch(self.config, prefix, Path(home) / "tape"), asked, Path(home))
            _require_within(asked.groups, tape, asked.exact)
            self._delete(name)
            records = replay(self.config.kafka, name, tape, asked.exact)
            verify(self.config.kafka, name, tape, asked.exact)
        groups = self._commit(env_id, name, asked.groups)
        done = Replayed(name, prefix, asked.mode, records, str(asked.variant or ""), changed, groups)
        self.engine.ledger.note(env_id, f"replay: {done}", self.engine.clock())
        return done

    def _require_idle(self, env_id: EnvId) -> None:
        state = self.engine.ledger.environment(env_id).state
        if state is not State.READY:
            raise Conflict(f"{env_id} is {state}: a tape can be replayed into it when it is ready")
        if work := Mover(self.engine).at_work(env_id):
            raise Busy(
                f"{env_id} is at work ({'; '.join(work[:5])}), and a topic that is made anew would pull its "
                "records away. Wait until it has ended"
            )

    def _topic(self, env_id: EnvId, topic: str) -> str:
        there = sorted(each.name for each in self._dataset(env_id).topics)
        if topic not in there:
            raise NotFound(f"{env_id} has no topic {shown(topic)}; it has {', '.join(there) or 'none'}")
        return Names(env_id).topic(topic)

    def _dataset(self, env_id: EnvId) -> Dataset:
        return self.engine.site(self.engine.ledger.environment(env_id).spec).dataset

    def _tape(self, env_id: EnvId, asked: Request) -> str:
        """The prefix of the tape. A dataset version keeps one of each topic with its whole tier."""
        spec = self.engine.ledger.environment(env_id).spec
        if name := asked.tapes or spec.tapes:
            store = TapeStore(self.config)
            held = {topic.name: topic.tape for topic in store.get(store.resolve(name)).topics}
            if asked.topic not in held:
                raise NotFound(f"the tape set {name} has no {shown(asked.topic)}; it has {', '.join(sorted(held))}")
            return held[asked.topic]
        version = spec.dataset.rpartition("-")[0]
        prefix = f"{golden_prefix(f'{version}-{WHOLE}')}tapes/{asked.topic}/"
        if sealed(self.config, prefix) is None:
            raise NotFound(
                f"the dataset {spec.dataset} has no tape of {asked.topic}: it is not of a refresh from production. "
                "Name a tape set; bin/testenv tapes list shows those there are"
            )
        return prefix

    @staticmethod
    def _varied(tape: Tape, asked: Request, home: Path) -> tuple[Tape, dict[int, int]]:
        if asked.variant is None:
            return tape, {}
        found = make(asked.variant, tape, home / "variant", seed=asked.seed, share=asked.share)
        return found.tape, {number: len(offsets) for number, offsets in found.changed.items()}

    @kafka_errors()
    def _delete(self, name: str) -> None:
        from testenv.datasets.tapes.clients import admin

        admin(self.config.kafka).delete_topics([name])

    def _commit(self, env_id: EnvId, topic: str, groups: Groups) -> tuple[str, ...]:
        from testenv.datasets.tapes.replay import commit_group

        commit = partial(commit_group, self.config.kafka)
        for group, offsets in sorted(groups.items()):
            commit(Names(env_id).topic_prefix + group, topic, offsets)
        return tuple(Names(env_id).topic_prefix + group for group in sorted(groups))


def _require_within(groups: Groups, tape: Tape, exact: bool) -> None:
    """Raises `Invalid` for an offset that the topic will not have; its end is the offset after the last."""
    spans = {part.number: _span(part, exact) for part in tape.manifest.partitions}
    for group, offsets in sorted(groups.items()):
        for partition, offset in sorted(offsets.items()):
            if partition not in spans:
                raise Invalid(f"groups: {group}: the tape has partitions {[*spans]}, got {partition}")
            first, end = spans[partition]
            if not first <= offset <= end:
                raise Invalid(f"groups: {group}: partition {partition} has offsets {first} to {end}, got {offset}")


def _span(partition: Partition, exact: bool) -> tuple[int, int]:
    return (partition.start, partition.end) if exact else (0, partition.records)
