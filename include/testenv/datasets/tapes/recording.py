"""The stages of a recording, each of which may be run again: check → record, topic by topic → publish → retire.

What is unmasked is nowhere but in the memory of `record`; its masking key is fetched there, and nowhere kept.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from testenv.backends.aws import client
from testenv.config import Config
from testenv.core import drift
from testenv.core.contract import Contract, Contracts, Store
from testenv.core.dataset import Topic
from testenv.core.errors import Conflict, Drifted, Failed, Invalid
from testenv.datasets.avro import TOPIC as SCHEMAS
from testenv.datasets.avro import fetch_registry
from testenv.datasets.contracts import load_contracts
from testenv.datasets.evidence.canaries import Canaries
from testenv.datasets.evidence.evidence import About, Evidence, Pair, judge
from testenv.datasets.evidence.signing import public_key, sign, signing_key, verify
from testenv.datasets.mask.keys import Keys
from testenv.datasets.mask.lists import written
from testenv.datasets.mask.masker import Masker
from testenv.datasets.mask.policy import compile_policy, load_semantic_types
from testenv.datasets.observe_kafka import kafka
from testenv.datasets.store import DatasetStore
from testenv.datasets.tapes.capture import AsItIs, Segment, Span, read_segment, record_tape, segment
from testenv.datasets.tapes.form import Manifest
from testenv.datasets.tapes.planted import planted_records
from testenv.datasets.tapes.records import RecordMask
from testenv.datasets.tapes.replay import replay_config
from testenv.datasets.tapes.sets import POINTER, TapeSet, TapeStore, outdated, set_prefix, tape_prefix
from testenv.datasets.tapes.stored import seal, sealed
from testenv.production import Production


class Plan(BaseModel):
    """What a run set out to record. Every try of it records the same segments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recorded_at: datetime
    segments: tuple[Segment, ...]

    @property
    def topics(self) -> list[str]:
        return [each.topic for each in self.segments]


def span_of(hours: int | None, records: int | None, at: datetime) -> Span:
    """The newest records of a partition, `records` of them at most, that are not older than `hours` before `at`."""
    return Span(since=None if hours is None else at - timedelta(hours=hours), newest=records)


@dataclass(frozen=True)
class Recording:
    """What the stages work with: where everything is, and production as its reader."""

    config: Config
    production: Production
    contracts: Contracts

    @classmethod
    def from_environ(cls, config: Config) -> Recording:
        return cls(config, Production.from_environ(config), load_contracts())

    @property
    def store(self) -> TapeStore:
        return TapeStore(self.config)

    @property
    def topics(self) -> list[str]:
        """The topics that have a contract."""
        return sorted(contract.name for contract in self.contracts.values() if contract.store is Store.KAFKA)

    # ---------------------------------------------------------------- check

    def check(self, name: str, topics: Collection[str], span: Span, at: datetime) -> list[str]:
        """Decide the segments, and compare what they hold with the contracts before any is recorded.

        Returns the topics. A topic that no contract has stops every recording. Raises `Drifted` with all there is.
        """
        if unknown := sorted(set(topics) - set(self.topics)):
            raise Invalid(f"topics: no contract has {', '.join(unknown)}. There are {', '.join(self.topics)}")
        plan = self.plan(name) or Plan(
            recorded_at=at,
            segments=tuple(segment(self.production.kafka, topic, span) for topic in sorted(set(topics) or self.topics)),
        )
        asked = {contract.id: contract for contract in map(self._contract, plan.topics)}
        observed = kafka(self.production, asked, {each.topic: each.spans for each in plan.segments})
        others = self.contracts.keys() - asked.keys()
        found = drift.differences(asked, {id_: each for id_, each in observed.items() if id_ not in others})
        if found:
            raise Drifted("production's topics differ from their contracts:\n" + "\n".join(map(str, found)))
        self.store.write(_plan_key(name), plan.model_dump_json(indent=1).encode())
        return plan.topics

    def plan(self, name: str) -> Plan | None:
        """What the run of a set set out to record, if it came that far."""
        body = self.store.read(_plan_key(name))
        return None if body is None else Plan.model_validate_json(body)

    # ---------------------------------------------------------------- record

    def record(self, name: str, topic: str) -> Manifest:
        """Capture a topic's segment, mask it, judge what came out, and seal it. One that is sealed is left as it is.

        Raises `Failed` with the reasons for a tape that is not fit to leave production: it is not sealed.
        """
        prefix = tape_prefix(name, topic)
        if manifest := sealed(self.config, prefix):
            return manifest
        plan, contract, source = self._planned(name), self._contract(topic), self.production.kafka
        part = next(each for each in plan.segments if each.topic == topic)
        policy, registry = compile_policy(self.contracts), fetch_registry(source)
        keys = Keys(client=client("ssm", self.config))
        key = keys.fetch(keys.ensure())
        masker = Masker(policy.datasets[contract.id], key)
        mask = RecordMask(contract, masker.values, registry, policy=policy.digest, key_epoch=key.epoch)
        canaries = Canaries(name, bin_=next(iter(load_semantic_types()["pan"].params["bins"])))
        planted = planted_records(contract, canaries, registry)
        with tempfile.TemporaryDirectory(prefix="testenv-tape-") as home:
            tape = record_tape(source, topic, Path(home) / topic, mask, snapshot=plan.recorded_at, part=part)
            masked = mask(planted)
            pair = Pair(
                source=lambda: itertools.chain(read_segment(source, part), [planted]),
                masked=lambda: itertools.chain(tape.records(), [masked]),
                decode=registry.read,
            )
            about = About(
                snapshot=plan.recorded_at,
                made_at=datetime.now(UTC),
                policy_digest=policy.digest,
                key_epoch=key.epoch,
            )
            evidence = judge(name, {contract.id: pair}, {contract.id: contract}, about, canaries, written())
            self.store.write(_evidence_key(name, topic), sign(evidence, signing_key(self.config)))
            if not evidence.verdict:
                raise Failed(f"the tape of {topic} is not sealed: " + "; ".join(evidence.reasons))
            seal(self.config, tape, prefix)
        return tape.manifest

    def evidence(self, name: str, topic: str) -> Evidence | None:
        """The judgement of a tape, its signature proven; None while there is none."""
        body = self.store.read(_evidence_key(name, topic))
        return None if body is None else verify(body, public_key(self.config))

    # ---------------------------------------------------------------- publish, retire

    def publish(self, name: str) -> TapeSet:
        """Let the set be one, if all that was asked is whole; and the current one, if it has all topics there are.

        Raises `Conflict` for one that is not whole, `Failed` where its tapes are not masked alike.
        """
        plan = self._planned(name)
        tapes = {topic: sealed(self.config, tape_prefix(name, topic)) for topic in plan.topics}
        good = {topic for topic in tapes if (judged := self.evidence(name, topic)) and judged.verdict}
        if missing := sorted(topic for topic, tape in tapes.items() if tape is None or topic not in good):
            raise Conflict(f"{name} is not whole: {', '.join(missing)} are not sealed, or not judged. Record them")
        whole = {topic: tape for topic, tape in tapes.items() if tape}
        masked = {(tape.about.policy, tape.about.key_epoch) for tape in whole.values()}
        if len(masked) > 1:
            raise Failed(f"{name} was recorded while the masking policy or its key changed. Trigger another recording")
        [(policy, epoch)] = masked
        found = TapeSet(
            name=name,
            recorded_at=plan.recorded_at,
            policy=policy,
            key_epoch=epoch,
            topics=tuple(_topic(name, tape) for tape in (self._record_schemas(name, plan), *whole.values())),
        )
        self.store.write(f"{set_prefix(name)}manifest.json", found.model_dump_json(indent=1).encode())
        current = self.store.find(self.store.current() or "")
        if plan.topics == self.topics and (current is None or current.recorded_at <= found.recorded_at):
            self.store.write(POINTER, name.encode())
        return found

    def retire(self, in_use: Collection[str], now: datetime) -> list[str]:
        """Delete the sets that are old and that nobody refers to; returns them.

        `in_use` are those that environments name. A dataset version refers to the sets that its topics are filled from.
        """
        datasets = DatasetStore(self.config)
        topics = [topic for version in datasets.versions() for topic in datasets.get(version).topics]
        referred = {topic.tape.split("/")[1] for topic in topics if topic.tape}
        gone = outdated(self.store.names(), self.store.current(), {*in_use, *referred}, now)
        for name in gone:
            self.store.delete(name)
        return gone

    def _record_schemas(self, name: str, plan: Plan) -> Manifest:
        """Seal the registry's own topic beside the others, which refer to it by id. It tells of no person."""
        prefix = tape_prefix(name, SCHEMAS)
        if manifest := sealed(self.config, prefix):
            return manifest
        with tempfile.TemporaryDirectory(prefix="testenv-tape-") as home:
            tape = record_tape(
                self.production.kafka, SCHEMAS, Path(home) / SCHEMAS, AsItIs(), snapshot=plan.recorded_at
            )
            seal(self.config, tape, prefix)
        return tape.manifest

    def _contract(self, topic: str) -> Contract:
        return self.contracts[f"{Store.KAFKA}.{topic}"]

    def _planned(self, name: str) -> Plan:
        plan = self.plan(name)
        if plan is None:
            raise Conflict(f"{name} was never checked: it has no plan. Clear the task check, and all after it")
        return plan


def _topic(name: str, tape: Manifest) -> Topic:
    return Topic(
        name=tape.topic,
        partitions=len(tape.partitions),
        config=replay_config(tape),
        records=tape.records,
        tape=tape_prefix(name, tape.topic),
    )


def _plan_key(name: str) -> str:
    return f"{set_prefix(name)}plan.json"


def _evidence_key(name: str, topic: str) -> str:
    return f"{set_prefix(name)}evidence/{topic}.json"
