"""Compiles the contracts to a masking policy before a row is read. Closed world: what no rule names is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from testenv.core.catalog import CATALOG, read, validated
from testenv.core.contract import Contract, Contracts, Field, Store
from testenv.core.errors import InvalidCatalog
from testenv.datasets.mask.registry import make
from testenv.datasets.mask.rules import DatasetPolicy, Policy, Rule
from testenv.datasets.mask.strategy import RISK, Strategy

ROWS = 50_000_000
"""Rows that a dataset is taken to have where nobody has counted."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: str
    params: dict[str, Any] = {}


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    semantic_types: dict[str, _Entry]


@dataclass(frozen=True)
class SemanticType:
    """How the values of a semantic type are masked, wherever they stand."""

    strategy: Strategy
    params: Mapping[str, Any]


SemanticTypes = Mapping[str, SemanticType]


def load_semantic_types(file: Path = CATALOG / "masking.yaml") -> SemanticTypes:
    """What include/catalog/masking.yaml says. Raises `InvalidCatalog` naming all that is wrong, a line each."""
    content = validated(_File, read(file), file)
    types: dict[str, SemanticType] = {}
    wrong = []
    for name, entry in content.semantic_types.items():
        try:
            types[name] = SemanticType(make(entry.strategy, entry.params), entry.params)
        except (ValueError, TypeError) as error:
            wrong.append(f"{file.name}: semantic_types.{name}: {error}")
    if wrong:
        raise InvalidCatalog("\n".join(wrong))
    return types


def compile_policy(
    contracts: Contracts, types: SemanticTypes | None = None, rows: Mapping[str, int] | None = None
) -> Policy:
    """The rules of every leaf of every contract.

    `rows` is how many rows a dataset has, by the contract's id: a unique column's chance of a collision comes of it.
    Raises `InvalidCatalog` listing every refusal, one a line.
    """
    types = load_semantic_types() if types is None else types
    counts = rows or {}
    refused: list[str] = []
    datasets: dict[str, DatasetPolicy] = {}
    for id_, contract in sorted(contracts.items()):
        rules = []
        for each in contract.fields:
            found = [*_refusals(contract, each, types, counts.get(id_, ROWS))]
            refused += [f"{id_}: {each.path}: {reason}" for reason in found]
            if not found:
                rules.append(_rule(each, types))
        entity_column = contract.entity_path[0] if len(contract.entity_path) == 1 else ""
        datasets[id_] = DatasetPolicy(id_, tuple(rules), contract.entity, entity_column)
    refused += _broken_joins(contracts)
    if refused:
        raise InvalidCatalog("\n".join(refused))
    return Policy(datasets)


def _rule(each: Field, types: SemanticTypes) -> Rule:
    if each.classification is None or not each.classification.is_sensitive:
        return Rule(each.path, "keep", each.semantic_type, unique=each.unique)
    said = types[each.semantic_type]
    return Rule(each.path, said.strategy.name, each.semantic_type, said.params, each.unique)


def _refusals(contract: Contract, each: Field, types: SemanticTypes, rows: int) -> Iterator[str]:
    if each.classification is None:
        yield "is unclassified. Say in its contract what it may tell of a person (classification)"
        return
    if not each.classification.is_sensitive:
        return
    if not each.semantic_type:
        yield f"is {each.classification} and says not what it is. Give it a semanticType"
        return
    if each.semantic_type not in types:
        yield f"semanticType {each.semantic_type!r} is unknown. Give it a strategy in include/catalog/masking.yaml"
        return
    strategy = types[each.semantic_type].strategy
    if strategy.name == "keep":
        yield f"is {each.classification}, and the strategy keep hides nothing. Choose another, or classify it internal"
        return
    if not _takes(strategy, each):
        yield f"is of type {each.type or 'unknown'}; {strategy.name} masks {', '.join(sorted(strategy.types))}"
    if too_wide := strategy.widest(each.physical_type):
        yield f"{strategy.name}: {too_wide}"
    # A part of a key repeats: the key is unique as a whole, and its parts need not be.
    alone = each.unique and not (each.primary_key and len(contract.key) > 1)
    if alone and (risk := strategy.collision(rows)) >= RISK:
        yield (
            f"is unique, and {strategy.name} gives two of {rows:,} values one token with a chance of up to {risk:.1g} "
            f"(must be below {RISK:g}). Choose a bijection or a wider token"
        )
    if strategy.by_entity and not contract.entity_path:
        yield f"{strategy.name} needs an entity, and the contract has none. Give it entity and entityPath"


def _takes(strategy: Strategy, each: Field) -> bool:
    # JSON and CSV have no dates: the store's own type decides whether text arrives.
    return each.type in strategy.types


def _broken_joins(contracts: Contracts) -> Iterator[str]:
    """Foreign keys that would be masked otherwise than what they refer to."""
    there = {
        f"{contract.name}.{each.path}": each
        for contract in contracts.values()
        if contract.store is Store.POSTGRES
        for each in contract.fields
    }
    for id_, contract in sorted(contracts.items()):
        for each in contract.fields:
            target = there.get(each.references)
            if target is None or each.classification is None or target.classification is None:
                continue
            ours = each.semantic_type if each.classification.is_sensitive else ""
            theirs = target.semantic_type if target.classification.is_sensitive else ""
            if ours != theirs:
                yield (
                    f"{id_}: {each.path}: is masked as {ours or 'nothing'} and refers to {each.references}, which is "
                    f"masked as {theirs or 'nothing'}: they would no longer join. Give both one semanticType"
                )
