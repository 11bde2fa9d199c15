"""Identifiers, literals and patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.snowflake import names


@pytest.mark.parametrize(
    ("written", "stored"),
    [("t", ["T"]), ("a.B.c$1", ["A", "B", "C$1"]), ('"a"."B c".d', ["a", "B c", "D"]), ('"q""q"', ['q"q'])],
)
def test_unquoted_names_are_upper_cased_and_quoted_ones_kept(written: str, stored: list[str]) -> None:
    assert names.split(written) == stored


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_quote_and_split_are_inverse(parts: list[str]) -> None:
    assert names.split(names.quote(*parts)) == parts


@pytest.mark.parametrize(
    ("text", "value"),
    [("'it''s'", "it's"), (r"'a\nb\\'", "a\nb\\"), ("$$it's$$", "it's"), (r"'\''", "'"), ("''", "")],
)
def test_string_literals(text: str, value: str) -> None:
    assert names.unquote_string(text) == value


@pytest.mark.parametrize(
    ("value", "literal"), [(None, "NULL"), (True, "TRUE"), (3, "3"), ("it's", "'it''s'"), ("'; DROP", "'''; DROP'")]
)
def test_literals_cannot_be_broken_out_of(value: object, literal: str) -> None:
    assert names.literal(value) == literal


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [("te%", "TE_CI", True), ("te_ci", "TEXCI", True), (r"te\_ci", "TEXCI", False), (r"te\_ci", "TE_CI", True),
     ("te.ci", "TEXCI", False), ("", "X", False)],
)  # fmt: skip
def test_like_of_show(pattern: str, name: str, matches: bool) -> None:
    assert names.like_matches(pattern, name) is matches
