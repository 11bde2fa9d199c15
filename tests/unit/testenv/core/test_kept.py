"""What an owner may mark as kept."""

from __future__ import annotations

import pytest

from testenv.core.errors import Invalid
from testenv.core.kept import Keeping, Kept
from testenv.core.resources import System


@pytest.mark.parametrize("thing", ["snowflake:RAW.PAYMENTS", "postgres:payments", "kafka:a.b-c", "s3:landing/a/b.csv"])
def test_a_thing_is_read_as_it_is_written(thing: str) -> None:
    assert str(Kept.parse(thing)) == thing


def test_snowflake_s_names_are_folded_as_it_folds_them() -> None:
    assert Kept.parse("snowflake:raw.payments") == Kept(System.SNOWFLAKE, "RAW.PAYMENTS")


@pytest.mark.parametrize(
    "thing",
    ["", "payments", "postgres:", "postgres:a;b", "postgres:a.b", "snowflake:PAYMENTS", "snowflake:A.B.C", "s3:lake/a"]
    + ["s3:landing/", "kafka:a b", "spark:job", 'snowflake:RAW."x"'],
)
def test_what_cannot_be_kept_is_refused_with_what_can(thing: str) -> None:
    with pytest.raises(Invalid, match="cannot be kept.*snowflake:RAW.PAYMENTS, postgres:payments, kafka:card_events"):
        Kept.parse(thing)


def test_a_folder_keeps_what_is_below_it_and_an_object_itself_alone() -> None:
    keeping = Keeping(frozenset(map(Kept.parse, ("s3:landing/a/", "s3:landing/b"))))
    kept = [path for path in ("landing/a/x", "landing/ab", "landing/b", "landing/b/c") if keeping.has(System.S3, path)]
    assert kept == ["landing/a/x", "landing/b"]


def test_what_is_kept_is_no_longer_compared_with_the_dataset() -> None:
    keeping = Keeping(frozenset({Kept.parse("postgres:payments")}))
    assert keeping.others(System.POSTGRES, {"payments": 3, "cards": 2}) == {"cards": 2}
    assert keeping.others(System.SNOWFLAKE, {"payments": 3}) == {"payments": 3}
