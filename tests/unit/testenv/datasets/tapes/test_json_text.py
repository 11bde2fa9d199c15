"""JSON is cut at its scalars, and what is not replaced stays as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testenv.datasets.tapes.json_text import NotJson, split

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def enter(path: tuple[Any, ...], name: str | None) -> tuple[Any, ...]:
    return (*path, name)


def scalars(text: str) -> list[tuple[tuple[Any, ...], Any]]:
    """Path and value of each scalar that `split` tells of."""
    found: list[tuple[tuple[Any, ...], Any]] = []
    parts = split(text, (), enter, lambda path, parts, at: found.append((path, json.loads(parts[at]))))
    assert "".join(parts) == text
    return found


def flat(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    match value:
        case dict():
            return [each for name, inner in value.items() for each in flat(inner, (*path, name))]
        case list():
            return [each for inner in value for each in flat(inner, (*path, None))]
        case None:
            return []
        case _:
            return [(path, value)]


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_every_scalar_is_found_at_its_path(value: Any, indent: int | None, ascii_only: bool) -> None:
    assert scalars(json.dumps(value, indent=indent, ensure_ascii=ascii_only)) == flat(value)


@given(st.text(alphabet='{}[]",:0123.eE+-ntrufals \\\n', max_size=25))
def test_it_takes_what_pythons_parser_takes_and_no_more(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        with pytest.raises(NotJson):
            scalars(text)
    else:
        scalars(text)


def test_a_key_that_stands_twice_is_found_twice() -> None:
    assert scalars('{"a": 1, "a": 2}') == [(("a",), 1), (("a",), 2)]


def test_what_is_nested_without_end_is_no_json() -> None:
    with pytest.raises(NotJson):
        scalars("[" * 100_000)
