"""Where the checks find what a trial has recorded."""

from __future__ import annotations

from typing import Any, cast

import pytest

from testenv.checks.diff import Fingerprint
from testenv.checks.trial.reading import RecordedTrial
from testenv.checks.trial.record import Output, Record, State
from testenv.core.contract import Store
from testenv.core.errors import NotFound

CARDS = Output(store=Store.SNOWFLAKE, name="RAW.CARDS", fingerprint=Fingerprint("m", 1, 1), kept="start")


def recorded(*outputs: Output) -> RecordedTrial:
    record = Record(env_id="ci-a", dataset="d", intervals={}, runs=(), states=(State(moment="head", outputs=outputs),))
    nothing = cast(Any, None)
    return RecordedTrial(record, nothing, nothing, nothing, "te.ci-a.", {})


def test_a_table_is_named_as_it_is_spelled_in_the_copy_that_holds_its_rows() -> None:
    assert recorded(CARDS).place("head", "RAW.CARDS") == "TESTENV_START_RAW.CARDS"
    later = CARDS.model_copy(update={"kept": "head"})
    assert recorded(later).place("head", "RAW.CARDS") == "TESTENV_HEAD.3_RAW_CARDS"


def test_what_was_not_there_has_no_place() -> None:
    with pytest.raises(NotFound, match=r"RAW\.OTHERS was not there at head"):
        recorded(CARDS).place("head", "RAW.OTHERS")
