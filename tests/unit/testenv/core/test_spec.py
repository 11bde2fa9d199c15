"""A request is read whole, or refused with the key, what was got and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testenv.core.errors import Invalid, InvalidName, TestenvError, UnknownKey
from testenv.core.kinds import load_kinds
from testenv.core.naming import EnvId
from testenv.core.spec import EnvironmentSpec, OnFailure, Request, parse_request, specify

KINDS = load_kinds()


def specified(**conf: Any) -> EnvironmentSpec:
    return specify(parse_request(conf), KINDS, ref="working-tree", dataset="seed-1a2b3c4d", fallback_name="k3f9q2xa")


def test_every_key_has_a_default_that_works() -> None:
    spec = specified()
    assert spec.env_id == EnvId("sbx-k3f9q2xa")
    assert spec.on_failure is OnFailure.DESTROY
    assert spec.warehouse == KINDS["sandbox"].warehouse


def test_unknown_keys_are_refused_and_the_allowed_ones_named() -> None:
    with pytest.raises(UnknownKey) as refusal:
        parse_request({"kind": "ci", "nmae": "x", "Owner": "y"})
    assert "'Owner', 'nmae'" in str(refusal.value)
    assert all(key in str(refusal.value) for key in Request.model_fields)


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"kind": "prod"}, "kind: Input should be 'ci', 'sandbox' or 'integration', got 'prod'"),
        ({"ttl_hours": 0}, "ttl_hours"),
        ({"ttl_hours": "soon"}, "ttl_hours"),
        ({"on_failure": "ignore"}, "on_failure"),
        ({"name": 7}, "name"),
        ({"name": "x" * 300}, "name"),
        ({"ref": None}, "ref"),
        ({"owner": "x" * 65}, "owner"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(conf: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        parse_request(conf)


@pytest.mark.parametrize("name", ["Payments", "a_b", "a--b", "a;drop", "../x", "pay-src", "а"])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        specified(name=name)


def test_a_life_longer_than_the_kinds_is_refused_with_the_bound() -> None:
    with pytest.raises(Invalid, match="lives 2 hours at most, got 3"):
        specified(kind="ci", ttl_hours=3)


@pytest.mark.parametrize("owner", ["a'; --", "<script>", "\u202eevil", "a\nb"])
def test_a_hostile_owner_is_refused(owner: str) -> None:
    with pytest.raises(Invalid, match="owner"):
        specified(owner=owner)


HOSTILE = [
    "a'; DROP DATABASE finsight; --",
    'a"',
    "../../etc/passwd",
    "a\0b",
    "a\nb",
    "a\r",
    "\u202etxt",
    "раyments",  # a Cyrillic р and а
    "ｐay",
    "pay\u200b",
    "x" * 300,
    "$(id)",
    "{{ var.value.x }}",
    "%s",
    " a",
    7,
    True,
    1.5,
    ["a"],
    {"a": {"b": 1}},
]
"""Quotes, statements, paths, controls, look-alikes, templates, lengths, types."""

texts = st.text(max_size=300) | st.from_regex(r"[a-z0-9-]{0,30}", fullmatch=True)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
@pytest.mark.parametrize("key", ["name", "kind", "on_failure", "ttl_hours"])
def test_a_hostile_value_is_refused_by_a_message_that_names_it_and_can_be_shown(key: str, hostile: Any) -> None:
    if key == "ttl_hours" and isinstance(hostile, int):
        hostile = -hostile
    with pytest.raises(Invalid) as refusal:
        specified(**{key: hostile})
    said = str(refusal.value)
    assert said.startswith(f"{key}: ") or isinstance(refusal.value, InvalidName)
    assert len(said) < 400 and said.isprintable()


def test_hostile_keys_are_told_short() -> None:
    with pytest.raises(UnknownKey) as refusal:
        parse_request({f"\u202e{number}" + "x" * 10_000: 1 for number in range(1000)})
    assert len(str(refusal.value)) < 1000 and str(refusal.value).isprintable()


@given(st.dictionaries(st.sampled_from(sorted(Request.model_fields)) | texts, anything, max_size=4))
def test_whatever_is_asked_is_a_specification_or_one_of_our_errors(conf: dict[str, Any]) -> None:
    """And a specification's names are within the grammar whatever was asked."""
    try:
        spec = specified(**conf)
    except TestenvError as refusal:
        assert isinstance(refusal, Invalid)
    else:
        assert EnvId(spec.env_id.value) == spec.env_id
        assert spec.kind in KINDS and spec.owner.isprintable()
