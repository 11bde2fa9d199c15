"""Text that goes into Snowflake's statements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testenv.backends.snowflake import _like, identifier, literal
from testenv.core.errors import InvalidName


def test_a_name_is_quoted_part_by_part() -> None:
    assert identifier("TE_SBX_A", "RAW", "LAKE") == '"TE_SBX_A"."RAW"."LAKE"'


@pytest.mark.parametrize("part", ["", "lower", 'A"; DROP DATABASE FINSIGHT --', "A.B", "1A", "A B", "Ä", "A" * 256])
def test_anything_else_is_refused(part: str) -> None:
    with pytest.raises(InvalidName):
        identifier(part)


@given(st.text(max_size=40))
def test_no_text_ends_its_literal(text: str) -> None:
    """Read as Snowflake reads it: a doubled quote and a backslash with what follows are characters of the literal."""
    body, position, read = literal(text)[1:-1], 0, ""
    while position < len(body):
        assert body[position] != "'" or body[position + 1] == "'"
        position += 2 if body[position] in "'\\" else 1
        read += body[position - 1]
    assert read == text


def test_an_underscore_in_a_pattern_stands_for_itself() -> None:
    assert _like("TE_") == r"'TE\\_%'"
