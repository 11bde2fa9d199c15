"""What a recording is asked for, as a span."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from testenv.core.errors import Invalid
from testenv.datasets.tapes.capture import Segment, Span
from testenv.datasets.tapes.recording import Plan, span_of

AT = datetime(2026, 1, 2, 3, tzinfo=UTC)


def test_hours_are_counted_back_from_the_run() -> None:
    assert span_of(3, 100, AT) == Span(since=datetime(2026, 1, 2, tzinfo=UTC), newest=100)
    assert span_of(None, None, AT) == Span()


def test_less_than_one_record_is_refused() -> None:
    with pytest.raises(Invalid, match="1 record or more"):
        span_of(None, 0, AT)


def test_a_plan_is_read_as_it_was_written() -> None:
    plan = Plan(recorded_at=AT, segments=(Segment("a", {"retention.ms": "-1"}, ((0, 3), (7, 7))),))
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
