"""Airflow's secrets backend of an orchestrator whose code is not the one that the environment was made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.amazon.aws.secrets.systems_manager import SystemsManagerParameterStoreBackend


class ParametersWithOwnVariables(SystemsManagerParameterStoreBackend):
    """The environment's parameters, but for `own_variables`: where base's Spark jobs lie, in a trial of both sides."""

    def __init__(self, own_variables: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._own = dict(own_variables)

    def get_variable(self, key: str) -> str | None:
        return self._own[key] if key in self._own else super().get_variable(key)
