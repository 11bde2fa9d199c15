"""Reads `settings.toml`, the one settings file of the embedded stack."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("settings.toml")

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """The sections of `settings.toml`, each a mapping; `postgres`, `kafka`, … are handed to the program as they are."""

    ports: Mapping[str, int]
    versions: Values
    deadlines: Mapping[str, float]
    names: Mapping[str, str]
    postgres: Values
    pgbouncer: Values
    kafka: Values
    airflow: Values
    scheduler: Values
    webserver: Values

    @classmethod
    def load(cls, path: Path = PATH) -> Settings:
        with path.open("rb") as file:
            return cls(**tomllib.load(file))
