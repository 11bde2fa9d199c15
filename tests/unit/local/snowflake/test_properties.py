"""KEY = value lists."""

import pytest

from local.snowflake import properties


def test_values_have_types() -> None:
    text = " WITH a = 'it''s' B=7, c = TRUE d = XSMALL e = ('s3://x/', 's3://y/') f = NULL g = (a, b)"
    assert properties.parse(text) == {
        "A": "it's", "B": 7, "C": True, "D": "XSMALL", "E": ["s3://x/", "s3://y/"], "F": None, "G": ["a", "b"],
    }  # fmt: skip


def test_a_key_over_several_lines() -> None:
    assert properties.parse("RSA_PUBLIC_KEY = 'MII\nBIj'") == {"RSA_PUBLIC_KEY": "MII\nBIj"}


def test_nothing_is_an_empty_list() -> None:
    assert properties.parse(None) == properties.parse("  ") == {}


@pytest.mark.parametrize("text", ["A = 1 garbage", "A", "= 1", "A = 'open", "A = (1", ".b"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(properties.BadProperties, match="unexpected"):
        properties.parse(text)


def test_unknown_keys_are_refused_by_name() -> None:
    with pytest.raises(properties.BadProperties, match="invalid property 'COLOUR'"):
        properties.parse("COMMENT = 'x' COLOUR = 'red'", {"COMMENT"})
