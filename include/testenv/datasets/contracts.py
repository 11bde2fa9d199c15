"""Reads the data contracts of `include/catalog/contracts`, files in the Open Data Contract Standard."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from testenv.core.catalog import CATALOG
from testenv.core.contract import Classification, Contract, Contracts, Field, Rule, Store, Tolerance
from testenv.core.errors import InvalidCatalog

if TYPE_CHECKING:
    from open_data_contract_standard.model import (
        CustomProperty,
        DataQuality,
        OpenDataContractStandard,
        SchemaProperty,
        ServiceLevelAgreementProperty,
    )

SUFFIX = ".yaml"

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MUST = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
_KNOWN = {"entity", "entityPath", "compatibility"}


def contracted(store: Store, folder: Path = CATALOG / "contracts") -> list[str]:
    """Names of a store's datasets that have a contract, without reading it: an id is its file's name."""
    return sorted(file.name.removesuffix(SUFFIX).partition(".")[2] for file in folder.glob(f"{store}.*{SUFFIX}"))


def load_contracts(folder: Path = CATALOG / "contracts") -> Contracts:
    """Every contract of `folder`, by id. Raises `InvalidCatalog` naming all that is wrong in all files, at once."""
    contracts: Contracts = {}
    wrong: list[str] = []
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        raise InvalidCatalog(f"{folder} holds no contract ({SUFFIX}). Write one for each dataset: docs/decisions/0005")
    for file in files:
        try:
            contract = parse_contract(file.read_text(encoding="utf-8"))
        except (InvalidCatalog, OSError) as error:
            wrong += [f"{file.name}: {line}" for line in str(error).splitlines()]
            continue
        if contract.id != file.name.removesuffix(SUFFIX):
            wrong.append(f"{file.name}: id: must be the file's name without {SUFFIX}, got {contract.id!r}")
        contracts[contract.id] = contract
    wrong += _dangling(contracts)
    if wrong:
        raise InvalidCatalog("\n".join(wrong))
    return contracts


def parse_contract(text: str) -> Contract:
    """One contract. Raises `InvalidCatalog`, one line for each thing that is wrong, all of them."""
    import yaml
    from open_data_contract_standard.model import OpenDataContractStandard

    try:
        odcs = OpenDataContractStandard.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise InvalidCatalog(f"cannot be read as YAML: {error}".replace("\n", " ")) from error
    except ValidationError as error:
        raise InvalidCatalog("\n".join(_lines(error))) from error
    return _contract(odcs)


def _contract(odcs: OpenDataContractStandard) -> Contract:
    wrong: list[str] = []
    store, _, name = (odcs.id or "").partition(".")
    if store not in set(Store) or not name:
        wrong.append(f"id: must be STORE.NAME with STORE one of {[*map(str, Store)]}, got {odcs.id!r}")
    objects = odcs.schema_ or []
    if len(objects) != 1:
        wrong.append(f"schema: must have one object, got {[each.name for each in objects]}")
    properties = [each for table in objects for each in table.properties or ()]
    fields = [field for each in properties for field in _leaves(each, each.name or "", wrong)]
    wrong += _unusable(fields)
    custom = _custom(odcs.customProperties)
    every, late_by = (_duration(odcs.slaProperties, name, wrong) for name in ("frequency", "latency"))
    entity = custom.get("entity", "none")
    try:
        contract = Contract(
            id=str(odcs.id),
            version=odcs.version or "",
            store=Store(store) if store in set(Store) else Store.POSTGRES,
            name=name,
            owner=odcs.domain or "",
            fields=_keyed(fields),
            entity="" if entity == "none" else entity,
            entity_path=tuple(custom.get("entityPath", ())),
            compatibility=custom.get("compatibility", "NONE"),
            every=every,
            late_by=late_by,
            rules=(
                *(_rule(rule, "") for table in objects for rule in table.quality or ()),
                *(rule for each in properties for rule in _rules(each, each.name or "")),
            ),
            options={key: value for key, value in custom.items() if key not in _KNOWN},
        )
    except ValidationError as error:
        wrong += _lines(error)
    if wrong:
        raise InvalidCatalog("\n".join(wrong))
    return contract


def _leaves(node: SchemaProperty, path: str, wrong: list[str]) -> Iterator[Field]:
    if node.properties:
        for child in node.properties:
            yield from _leaves(child, f"{path}.{child.name or ''}", wrong)
    elif node.items:
        yield from _leaves(node.items, f"{path}[]", wrong)
    else:
        yield _field(node, path, wrong)


def _field(node: SchemaProperty, path: str, wrong: list[str]) -> Field:
    known = node.classification in set(Classification)
    if node.classification is not None and not known:
        wrong.append(
            f"{path}: classification: must be one of {[*map(str, Classification)]}, got {node.classification!r}"
        )
    custom = _custom(node.customProperties)
    return Field(
        path=path,
        type=node.logicalType or "",
        physical_type=node.physicalType or "",
        required=bool(node.required or node.primaryKey),
        unique=bool(node.unique),
        primary_key=bool(node.primaryKey),
        classification=Classification(node.classification) if node.classification and known else None,
        semantic_type=node.semanticType or "",
        references=_reference(node),
        allowed=tuple(value.value for value in node.enum or ()),
        ignored=custom.get("ignoreInComparison") is True,
        tolerance=_tolerance(custom.get("tolerance"), path, wrong),
    )


def _tolerance(said: Any, path: str, wrong: list[str]) -> Tolerance | None:
    if said is None:
        return None
    try:
        return Tolerance.model_validate(said)
    except ValidationError as error:
        wrong += [f"{path}: tolerance: {line}" for line in _lines(error)]
        return None


def _unusable(fields: list[Field]) -> Iterator[str]:
    """What no reader of a contract could make sense of."""
    if not fields:
        yield "schema: properties: must name every column or path, got none"
    seen: set[str] = set()
    for field in fields:
        if not all(field.path.replace("[]", "").split(".")):
            yield f"{field.path}: name: each property needs one, got an empty one"
        if field.path in seen:
            yield f"{field.path}: name: stands there twice"
        if not field.type:
            yield f"{field.path}: logicalType: is missing; say string, integer, number, boolean, date or timestamp"
        seen.add(field.path)


def _keyed(fields: list[Field]) -> tuple[Field, ...]:
    """A key of one field makes that field unique; of several, their combination alone."""
    key = [field.path for field in fields if field.primary_key]
    return tuple(field.model_copy(update={"unique": True}) if key == [field.path] else field for field in fields)


def _reference(node: SchemaProperty) -> str:
    for relationship in node.relationships or ():
        target = relationship.to
        if isinstance(target, str):
            return target.removeprefix(f"{Store.POSTGRES}.")
    return ""


def _rules(node: SchemaProperty, path: str) -> Iterator[Rule]:
    for rule in node.quality or ():
        yield _rule(rule, path)
    for child in node.properties or ():
        yield from _rules(child, f"{path}.{child.name}")
    if node.items:
        yield from _rules(node.items, f"{path}[]")


def _rule(quality: DataQuality, path: str) -> Rule:
    metric = quality.metric or quality.rule or ""
    return Rule(
        name=quality.name or quality.id or " ".join(filter(None, (metric or "query", path))),
        metric=metric,
        query=quality.query or "",
        path=path,
        dimension=quality.dimension or "",
        severity=quality.severity or "",
        unit=quality.unit or "",
        arguments=quality.arguments or {},
        must={key: value for key in _MUST if (value := getattr(quality, key)) is not None},
    )


def _custom(properties: list[CustomProperty] | None) -> dict[str, Any]:
    return {str(each.property): each.value for each in properties or ()}


def _duration(properties: list[ServiceLevelAgreementProperty] | None, name: str, wrong: list[str]) -> timedelta | None:
    for each in properties or ():
        if each.property != name:
            continue
        if each.unit in _UNITS and isinstance(each.value, (int, float)):
            return timedelta(**{_UNITS[each.unit]: each.value})
        wrong.append(
            f"slaProperties: {name}: must be a number and a unit of {[*_UNITS]}, got {each.value!r} {each.unit!r}"
        )
    return None


def _dangling(contracts: Contracts) -> Iterator[str]:
    """What refers to a column of the operational database that no contract has."""
    there = {
        f"{contract.name}.{field.path}"
        for contract in contracts.values()
        if contract.store is Store.POSTGRES
        for field in contract.fields
    }
    for contract in contracts.values():
        for field in contract.fields:
            if field.references and field.references not in there:
                yield f"{contract.id}{SUFFIX}: {field.path}: relationships: {field.references!r} stands in no contract"
        first, *rest = contract.entity_path or ("",)
        if first and first not in {field.path for field in contract.fields}:
            yield f"{contract.id}{SUFFIX}: entityPath: begins with {first!r}, which is none of its fields"
        for step in rest:
            if step not in there:
                yield f"{contract.id}{SUFFIX}: entityPath: {step!r} stands in no contract"


def _lines(error: ValidationError) -> Iterator[str]:
    for each in error.errors():
        yield f"{'.'.join(map(str, each['loc']))}: {each['msg']}, got {each['input']!r}"
