"""A request is read whole, or refused with the key, what was got and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from testenv.core.errors import Invalid, InvalidName, UnknownKey
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
