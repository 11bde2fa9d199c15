"""A compiled masking policy: for every leaf of every dataset, what is done to it. Holds no key, and no value."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from testenv.core.errors import Invalid
from testenv.datasets.mask.registry import make
from testenv.datasets.mask.strategy import Strategy

ENTITY = "__entity__"
"""Column of a batch that holds each row's entity key, where the dataset has it not itself. Not passed on."""


@dataclass(frozen=True)
class Rule:
    """What is done to the leaf at `path`. `strategy` is a name and its parameters."""

    path: str
    strategy: str
    semantic_type: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    unique: bool = False

    @property
    def keeps(self) -> bool:
        return self.strategy == "keep"

    @functools.cached_property
    def made(self) -> Strategy:
        return make(self.strategy, self.params)


@dataclass(frozen=True)
class DatasetPolicy:
    """The rules of one dataset. `entity_column` is the path of the entity's key; empty where only a join finds it."""

    contract: str
    rules: tuple[Rule, ...]
    entity: str = ""
    entity_column: str = ""

    @functools.cached_property
    def by_path(self) -> Mapping[str, Rule]:
        return {rule.path: rule for rule in self.rules}

    @property
    def needs_entity(self) -> bool:
        """Whether a batch must carry the column `ENTITY`."""
        return not self.entity_column and any(rule.made.by_entity for rule in self.rules)


@dataclass(frozen=True)
class Policy:
    """The rules of every dataset, by its contract's id."""

    datasets: Mapping[str, DatasetPolicy]

    def __getitem__(self, contract: str) -> DatasetPolicy:
        if contract not in self.datasets:
            raise Invalid(f"the masking policy has no dataset {contract!r}. It has {', '.join(sorted(self.datasets))}")
        return self.datasets[contract]

    def to_json(self) -> str:
        """The policy as JSON: the same text for the same policy."""
        return json.dumps(
            {id_: asdict(each) for id_, each in self.datasets.items()}, sort_keys=True, ensure_ascii=False, indent=1
        )

    @classmethod
    def from_json(cls, text: str) -> Policy:
        return cls(
            {
                id_: DatasetPolicy(**(each | {"rules": tuple(Rule(**rule) for rule in each["rules"])}))
                for id_, each in json.loads(text).items()
            }
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the policy, 64 hexadecimal digits."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()
