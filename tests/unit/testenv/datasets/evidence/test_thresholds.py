"""Bounds go from the general to the particular, and agree with what masking writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from testenv.datasets.evidence.thresholds import Override, Thresholds, load_thresholds
from testenv.datasets.mask.policy import load_semantic_types

PHONES = {"semantic_type": "phone", "shape": 0.8, "because": "few numbers are free"}
ONE_PHONE = {"contract": "postgres.people", "path": "phone", "shape": 0.5, "because": "most people share one"}


def thresholds(*overrides: Mapping[str, Any]) -> Thresholds:
    return load_thresholds().model_copy(update={"overrides": tuple(map(Override.model_validate, overrides))})


def test_a_column_s_own_bounds_go_before_its_semantic_type_s() -> None:
    for held in (thresholds(PHONES, ONE_PHONE), thresholds(ONE_PHONE, PHONES)):
        assert held.of("postgres.people", "phone", "phone").shape == 0.5
        assert held.of("postgres.firms", "phone", "phone").shape == 0.8
        assert held.of("postgres.firms", "name") == held.fidelity


@pytest.mark.parametrize("names", [{}, {"contract": "a"}, {"contract": "a", "path": "b", "semantic_type": "c"}])
def test_an_override_names_a_column_or_a_semantic_type(names: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="name a contract and a path, or a semantic_type"):
        Override(**names, because="nobody knows what of")


def test_detectors_know_every_bin_that_masking_writes() -> None:
    written = set(load_semantic_types()["pan"].params["bins"].values())
    assert written <= set(load_thresholds().reserved.pan_prefixes)
