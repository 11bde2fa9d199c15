"""A tape goes into a topic of an environment and is read back; what is asked wrongly touches nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.integration.testenv.engine.support import Orchestrator, handed_over, request

from testenv.backends.kafka_admin import KafkaAdmin
from testenv.config import Config
from testenv.core.dataset import Topic
from testenv.core.errors import Busy, Conflict, Invalid, NotFound, UnknownDataset
from testenv.core.naming import EnvId, Names
from testenv.datasets.tapes.form import Manifest, Tape, to_batch, write_manifest, write_partition
from testenv.datasets.tapes.sets import TapeSet, TapeStore, set_name, tape_prefix
from testenv.datasets.tapes.stored import seal
from testenv.engine import Engine
from testenv.replays import Replayer, parse_request

SNAPSHOT = datetime(2020, 1, 1, tzinfo=UTC)
OFFSETS = {0: [3, 4, 5, 7, 9], 1: [0, 1]}
RECORDS = 7


def tape_of(folder: Path, topic: str) -> Tape:
    """Two partitions; the first begins at 3, and offsets 6 and 8 are transactions' markers."""
    folder.mkdir()
    partitions = tuple(
        write_partition(
            folder,
            number,
            (offsets[0], offsets[-1] + 1),
            [to_batch([(at, 1_700_000_000_000 + at, 1, b"k", b'{"n": %d}' % at, [("h", b"x")]) for at in offsets])],
        )
        for number, offsets in OFFSETS.items()
    )
    manifest = Manifest(topic=topic, config={}, snapshot=SNAPSHOT, partitions=partitions)
    write_manifest(folder, manifest)
    return Tape(manifest, folder)


@pytest.fixture(scope="module")
def tapes(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A set of one topic."""
    store, name = TapeStore(config), set_name(secrets.token_hex(4), SNAPSHOT)
    prefix = tape_prefix(name, "card_events")
    seal(config, tape_of(tmp_path_factory.mktemp("tapes") / "tape", "card_events"), prefix)
    topic = Topic(name="card_events", partitions=len(OFFSETS), records=RECORDS, tape=prefix)
    held = TapeSet(name=name, recorded_at=SNAPSHOT, policy="", key_epoch="", topics=(topic,))
    store.write(f"tapes/{name}/manifest.json", held.model_dump_json().encode())
    yield name
    store.delete(name)


@dataclass
class World:
    """An environment that is ready, and who replays into it."""

    engine: Engine
    config: Config
    env_id: EnvId
    tapes: str

    def __post_init__(self) -> None:
        self.admin = KafkaAdmin(self.config.kafka, self.config.kafka.user, self.config.kafka.password)

    @property
    def topic(self) -> str:
        return Names(self.env_id).topic("card_events")

    @property
    def ends(self) -> dict[int, tuple[int, int]]:
        return dict(self.admin.offsets({self.topic: 2})[self.topic])

    def replay(self, **asked: Any) -> Any:
        conf = {"topic": "card_events", "tapes": self.tapes, **asked}
        return Replayer(self.engine, self.config).replay(self.env_id, parse_request(conf))


@pytest.fixture
def world(engine: Engine, config: Config, tapes: str) -> Iterator[World]:
    made = World(engine, config, handed_over(engine, name=f"t{secrets.token_hex(4)}"), tapes)
    yield made
    made.admin.delete_topics([made.topic])


def test_an_exact_replay_is_read_back_noted_and_lets_groups_go_on(world: World) -> None:
    from confluent_kafka import ConsumerGroupTopicPartitions

    done = world.replay(mode="exact", groups={"reader": {"0": 7, "1": 2}})
    assert (done.records, done.topic, world.ends) == (RECORDS, world.topic, {0: (3, 10), 1: (0, 2)})
    group = f"{Names(world.env_id).topic_prefix}reader"
    [found] = world.admin.each("list_consumer_group_offsets", [ConsumerGroupTopicPartitions(group)]).values()
    assert {each.partition: each.offset for each in found.topic_partitions} == {0: 7, 1: 2}
    world.admin.each("delete_consumer_groups", [group])
    *_, (_, _, noted) = world.engine.ledger.events(world.env_id)
    assert "7 records" in noted and "exact" in noted and group in noted


@pytest.mark.parametrize("variant", ["late", "out-of-order", "duplicated", "poison"])
def test_a_topic_that_holds_something_is_made_anew_for_a_variant(world: World, variant: str) -> None:
    world.replay(mode="exact")
    done = world.replay(variant=variant, seed=5, share=0.5)
    copies = sum(done.changed.values()) if variant == "duplicated" else 0
    assert done.records == sum(high for _, high in world.ends.values()) == RECORDS + copies
    exact = world.replay(mode="exact", variant=variant, seed=5, share=0.5)
    assert exact.changed == done.changed
    assert variant in str(done)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"topic": "nothing"}, NotFound, "has no topic 'nothing'; it has card_events"),
        ({"tapes": "t20200101-00000000"}, UnknownDataset, "is no tape set"),
        ({"tapes": ""}, NotFound, "has no tape of card_events"),
        ({"groups": {"reader": {"4": 0}}}, Invalid, r"the tape has partitions \[0, 1\], got 4"),
        ({"groups": {"reader": {"0": 6}}}, Invalid, "has offsets 0 to 5, got 6"),
        ({"mode": "exact", "groups": {"reader": {"0": 2}}}, Invalid, "has offsets 3 to 10, got 2"),
        ({"mode": "twice"}, Invalid, "mode: .*got 'twice'"),
        ({"variant": "upside-down"}, Invalid, "variant: .*got 'upside-down'"),
        ({"share": 0}, Invalid, "share: .*got 0"),
        ({"speed": 2}, Invalid, "speed: .*got 2"),
    ],
)
def test_what_is_asked_wrongly_touches_nothing(
    world: World, asked: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        world.replay(**asked)
    assert world.topic not in world.admin.topics()


def test_an_environment_that_is_not_ready_or_at_work_is_left_alone(world: World) -> None:
    world.engine.start_run(world.env_id, "card_events_to_snowflake", "2026-01-02")
    with pytest.raises(Busy, match="at work"):
        world.replay()
    assert isinstance(world.engine.orchestrator, Orchestrator)
    world.engine.orchestrator.running.clear()
    world.env_id = request(world.engine)
    with pytest.raises(Conflict, match="when it is ready"):
        world.replay()
