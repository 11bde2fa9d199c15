"""All topics of production are recorded, masked, judged and sealed as one set; else the set before stays current."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.conftest import REPO, RunningStack
from tests.integration.testenv.conftest import World
from tests.integration.testenv.datasets.tapes.conftest import Production as Cluster

from estate.production.settings import Settings
from estate.production.stores import kafka
from estate.production.world import World as People
from estate.production.world import build
from testenv.backends.aws import client
from testenv.backends.protocol import Site
from testenv.backends.waiting import wait_until
from testenv.config import Config
from testenv.core.errors import Conflict, Drifted, UnknownDataset
from testenv.core.resources import System
from testenv.datasets.tapes.capture import ALL
from testenv.datasets.tapes.form import to_rows
from testenv.datasets.tapes.oracle import verify
from testenv.datasets.tapes.recording import Recording, span_of
from testenv.datasets.tapes.sets import TapeSet, set_name, set_prefix, tape_prefix
from testenv.datasets.tapes.stored import fetch, sealed

AT = datetime.now(UTC)


@pytest.fixture(scope="module")
def people(stack: RunningStack, config: Config) -> Iterator[People]:
    """Who stands in production's topics. What the tests add to these is gone afterwards."""
    made, settings = build(seed=1, scale=0.02), Settings.read(stack.home / "production.env")
    kafka.fill(made, settings)
    yield made
    kafka.fill(made, settings)


@pytest.fixture(scope="module")
def recording(people: People, config: Config) -> Iterator[Recording]:
    made = Recording.from_environ(config)
    before = {*made.store.names()}
    pointer = made.store.current()
    yield made
    for name in {*made.store.names()} - before:
        made.store.delete(name)
    if pointer:
        made.store.write("tapes/current", pointer.encode())
    else:
        client("s3", config).delete_object(Bucket=config.bucket, Key="tapes/current")


def record(recording: Recording, run: str, *topics: str, at: datetime = AT) -> TapeSet:
    name = set_name(run, at)
    for topic in recording.check(name, topics, ALL, at):
        recording.record(name, topic)
    return recording.publish(name)


@pytest.fixture(scope="module")
def tapes(recording: Recording) -> TapeSet:
    """One recording of everything."""
    return record(recording, "a test of everything")


def content(config: Config, name: str) -> bytes:
    """All bytes of a set: of its objects as they are, and of what its Parquet files hold."""
    s3, found = client("s3", config), []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=config.bucket, Prefix=set_prefix(name))
    for key in [each["Key"] for page in pages for each in page["Contents"]]:
        body = s3.get_object(Bucket=config.bucket, Key=key)["Body"].read()
        found.append(body)
        if key.endswith(".parquet"):
            for batch in pq.ParquetFile(io.BytesIO(body)).iter_batches():
                found += [part or b"" for row in to_rows(batch) for part in (row[3], row[4], *(v for _, v in row[5]))]
    return b"\n".join(found)


def identifiers(people: People) -> list[bytes]:
    columns = {"customers": ("email", "phone"), "accounts": ("iban",), "cards": ("pan",)}
    return [str(row[at]).encode() for table, of in columns.items() for row in people.tables[table] for at in of]


class TestRecord:
    def test_the_set_has_every_topic_whole_and_the_registry_s_schemas(
        self, recording: Recording, people: People, tapes: TapeSet
    ) -> None:
        held = {topic: len(records) for topic, records in people.topics.items()}
        assert len(recording.topics) == 8
        assert {topic.name: topic.records for topic in tapes.topics} == held
        assert recording.store.current() == tapes.name
        assert [each.name for each in recording.store.sets()][0] == tapes.name

    def test_nothing_that_identifies_a_person_of_production_is_in_any_byte_of_it(
        self, config: Config, people: People, tapes: TapeSet
    ) -> None:
        searched = identifiers(people)
        in_production = str(people.topics).encode()
        assert sum(each in in_production for each in searched) > 50, "there was something to find"
        there = content(config, tapes.name)
        assert [each for each in searched if each in there] == []

    def test_each_tape_has_a_signed_judgement(self, recording: Recording, tapes: TapeSet) -> None:
        judged = [recording.evidence(tapes.name, topic) for topic in recording.topics]
        assert all(each and each.verdict and each.canaries.found == each.canaries.planted > 0 for each in judged)
        assert {each.about.key_epoch for each in judged if each} == {tapes.key_epoch}

    def test_again_it_is_the_same_set(self, recording: Recording, tapes: TapeSet) -> None:
        assert record(recording, "a test of everything") == tapes

    def test_the_newest_records_alone(self, recording: Recording, people: People, tapes: TapeSet) -> None:
        name = set_name("a test of the newest", AT)
        recording.check(name, ["login_events"], span_of(None, 2, AT), AT)
        for partition in recording.record(name, "login_events").partitions:
            assert partition.records == min(2, partition.end)

    def test_some_topics_make_a_set_and_not_the_current_one(
        self, config: Config, recording: Recording, tapes: TapeSet, tmp_path: Path
    ) -> None:
        found = record(recording, "a test of one", "loan_events", at=AT + timedelta(seconds=1))
        assert [topic.name for topic in found.topics] == ["_schemas", "loan_events"]
        assert recording.store.current() == tapes.name


class TestFailure:
    def test_a_worker_that_is_killed_loses_nothing_that_is_sealed(
        self, stack: RunningStack, config: Config, recording: Recording
    ) -> None:
        name = set_name("a test that is killed", AT)
        first, second = recording.check(name, ["kyc_events", "login_events"], ALL, AT)
        code = (
            "import sys; from testenv.config import Config; from testenv.datasets.tapes.recording import Recording\n"
            "recording = Recording.from_environ(Config.from_environ())\n"
            "for topic in sys.argv[2:]: recording.record(sys.argv[1], topic)\n"
        )
        environ = {**os.environ, **stack.env, "PYTHONPATH": str(REPO / "include")}
        worker = subprocess.Popen([sys.executable, "-c", code, name, first, second], env=environ)
        try:
            wait_until(lambda: sealed(config, tape_prefix(name, first)) is not None, f"{first} is sealed", seconds=60)
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        assert recording.store.of_run("a test that is killed", AT + timedelta(days=2)) == name
        with pytest.raises(Conflict, match=f"is not whole: {second} are not sealed"):
            recording.publish(name)
        before = _written(config, name, first)
        assert {topic.name for topic in record(recording, "a test that is killed").topics} >= {first, second}
        assert _written(config, name, first) == before

    def test_a_contract_that_changes_while_it_is_recorded_leaves_the_current_set(
        self, recording: Recording, tapes: TapeSet
    ) -> None:
        name = set_name("a test of a contract", AT)
        first, second, *_ = recording.check(name, [], ALL, AT + timedelta(hours=1))
        recording.record(name, first)
        contract = recording.contracts[f"kafka.{second}"]
        fewer = tuple(field for field in contract.fields if not field.path.startswith("headers."))
        narrower = {**recording.contracts, contract.id: contract.model_copy(update={"fields": fewer})}
        with pytest.raises(Drifted, match="headers"):
            replace(recording, contracts=narrower).record(name, second)
        with pytest.raises(Conflict, match="is not whole"):
            recording.publish(name)
        assert recording.store.find(name) is None
        assert recording.store.current() == tapes.name

    def test_a_topic_that_drifts_stops_all_before_any_is_recorded(
        self, recording: Recording, production: Cluster, tapes: TapeSet
    ) -> None:
        second = recording.topics[1]
        production.produce(second, [{"value": None, "key": b"1", "headers": [("author", b"somebody")]}])
        name = set_name("a test of drift", AT)
        with pytest.raises(Drifted, match=rf"kafka\.{second}: headers\.author: is new \(string\)"):
            recording.check(name, [], ALL, AT + timedelta(hours=1))
        with pytest.raises(Conflict, match="was never checked"):
            recording.record(name, recording.topics[0])
        assert name not in recording.store.names()
        assert recording.store.current() == tapes.name


def _written(config: Config, name: str, topic: str) -> dict[str, Any]:
    found = client("s3", config).list_objects_v2(Bucket=config.bucket, Prefix=tape_prefix(name, topic))["Contents"]
    return {each["Key"]: each["LastModified"] for each in found}


class TestFill:
    def test_an_environment_s_topics_are_filled_from_it(
        self, world: World, config: Config, new_site: Callable[[], Site], tapes: TapeSet, tmp_path: Path
    ) -> None:
        plain = new_site()
        spec = plain.spec.model_copy(update={"tapes": world.store.resolve_tapes(tapes.name)})
        site = Site(spec, world.store.get(spec.dataset, spec.tapes), plain.vault)
        world.ensure(site, System.KAFKA)
        world.ensure(site, System.KAFKA)
        counts = world.backends[System.KAFKA].probe(site)
        assert counts == {f"kafka.{topic.name}": topic.records for topic in tapes.topics}
        [topic] = [each for each in tapes.topics if each.name == "payment_events"]
        tape = fetch(config, topic.tape, tmp_path)
        assert verify(config.kafka, site.names.topic(topic.name), tape, exact=False) == topic.records

    def test_a_set_that_is_not_there_is_refused_by_name(self, world: World, tapes: TapeSet) -> None:
        with pytest.raises(UnknownDataset, match=tapes.name):
            world.store.resolve_tapes("t20200101-00000000")
        assert world.store.resolve_tapes(None) == ""


def test_old_sets_that_nobody_refers_to_are_deleted(recording: Recording, tapes: TapeSet) -> None:
    old, used = "t20200101-aaaaaaaa", "t20200101-bbbbbbbb"
    for name in (old, used):
        for path in ("plan.json", "manifest.json", "evidence/card_events.json"):
            recording.store.write(set_prefix(name) + path, b"{}")
    assert recording.retire({used}, AT) == [old]
    assert old not in recording.store.names()
    assert {used, tapes.name} <= {*recording.store.names()}
