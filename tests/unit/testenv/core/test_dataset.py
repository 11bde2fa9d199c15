"""What differs between two dataset versions is told, and nothing else."""

from __future__ import annotations

from testenv.core.dataset import Change, Dataset, Topic, changes

BEFORE = Dataset(
    version="seed-00000001",
    files={"landing/a.json": "a" * 64, "landing/b.json": "b" * 64},
    postgres={"customers": 10, "cards": 4},
    snowflake={"RAW.CUSTOMERS": 10},
    topics=(Topic(name="card_events", partitions=3, config={"retention.ms": "-1"}, records=18),),
    models="0123456789abcdef",
)


def test_a_version_differs_from_itself_in_nothing() -> None:
    assert list(changes(BEFORE, BEFORE)) == []


def test_its_name_alone_is_no_difference() -> None:
    assert list(changes(BEFORE, BEFORE.model_copy(update={"version": "seed-00000002"}))) == []


def test_each_difference_is_named_with_both_sides() -> None:
    after = BEFORE.model_copy(
        update={
            "files": {"landing/a.json": "c" * 64, "landing/b.json": "b" * 64},
            "postgres": {"customers": 11, "loans": 2},
            "topics": (Topic(name="card_events", partitions=3, config={"retention.ms": "9"}, records=18),),
            "models": "",
        }
    )
    assert list(changes(BEFORE, after)) == [
        Change("postgres", "cards", "4 rows", None),
        Change("postgres", "customers", "10 rows", "11 rows"),
        Change("postgres", "loans", None, "2 rows"),
        Change("files", "landing/a.json", "a" * 12, "c" * 12),
        Change(
            "topics",
            "card_events",
            "18 records in 3 partitions (retention.ms=-1)",
            "18 records in 3 partitions (retention.ms=9)",
        ),
        Change("models", "dbt", "0123456789abcdef", None),
    ]
