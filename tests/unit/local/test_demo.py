"""The demo asks for what there can be."""

from __future__ import annotations

from local.demo.__main__ import ENVIRONMENTS
from testenv.core.naming import EnvId


def test_its_environments_have_names_that_may_be_had() -> None:
    assert [str(EnvId(name)) for name in ENVIRONMENTS] == list(ENVIRONMENTS)
