"""The judgement of a dataset version: what was looked at, what was found, and whether it may be published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from testenv.core.contract import Classification, Contract, Contracts, Field, Store
from testenv.core.errors import Invalid
from testenv.datasets.evidence.canaries import ORIGIN, Canaries, Recall, is_searched, recall
from testenv.datasets.evidence.detectors import Detection, Finding
from testenv.datasets.evidence.fidelity import Figure, Profile, compare
from testenv.datasets.evidence.leaks import BLIND, Hit, Identifiers, LeakScan, Unsearched
from testenv.datasets.evidence.leaves import Batches, Decode, Leaf, is_text, leaves, read
from testenv.datasets.evidence.thresholds import Thresholds, load_thresholds

TAPE = {"offset", "timestamp", "timestamp_type"}
"""Columns of a tape that no contract names."""


@dataclass(frozen=True)
class Pair:
    """A dataset before and after masking."""

    source: Batches
    masked: Batches
    decode: Decode | None = None


class About(BaseModel):
    """What a version is, and how it was made. `key_epoch` is the id of the key, never the key.

    `profile_digest` is the SHA-256 of the profile that synthetic tiers are generated from, empty where there is none.
    """

    model_config = ConfigDict(frozen=True)
    snapshot: datetime
    made_at: datetime
    policy_digest: str
    key_epoch: str
    profile_digest: str = ""


class Table(BaseModel):
    """A dataset that was looked at."""

    model_config = ConfigDict(frozen=True)
    contract: str
    rows_before: int
    rows_after: int


class Evidence(BaseModel):
    """All of it. There is no value of a person in here."""

    model_config = ConfigDict(frozen=True)
    version: str
    about: About
    verdict: bool
    reasons: tuple[str, ...]
    tables: tuple[Table, ...]
    coverage: dict[str, int]
    """Fields by classification; `unclassified` and `undeclared` (in no contract) must be none."""
    searched_values: int
    known_forms: int
    unsearched: Unsearched
    blind_spots: tuple[str, ...]
    hits: tuple[Hit, ...]
    findings: tuple[Finding, ...]
    canaries: Recall
    fidelity: tuple[Figure, ...]
    thresholds: Thresholds

    @property
    def is_private(self) -> bool:
        """Whether nothing but its fidelity speaks against it: it may leave the production boundary, to be looked at."""
        return all(reason.startswith("fidelity: ") for reason in self.reasons)


def judge(
    version: str,
    tables: Mapping[str, Pair],
    contracts: Contracts,
    about: About,
    canaries: Canaries,
    allowed: Iterable[str] = (),
    thresholds: Thresholds | None = None,
) -> Evidence:
    """Look at every value of a version, by contract id, and judge it. To be called inside the production boundary.

    `canaries` were planted in the sources and went through masking with the rest; `allowed` are values that masking may
    write, such as its lists. Source and output are read once each, batch by batch. Memory: 16 bytes for each sensitive
    value and form, 16 for each key that takes part in a relation. Raises `Invalid` if a table has no contract, or a
    contract no table.
    """
    thresholds = thresholds or load_thresholds()
    _check_complete(tables, contracts)
    identifiers, before = Identifiers([*allowed, *thresholds.allowed]), Profile(contracts)
    for contract_id, field, value in canaries.sensitive(contracts):
        identifiers.add_text(value, f"{ORIGIN}{contract_id}: {field.path}", field.semantic_type)
    public = _public(tables, contracts)
    missing = {(contract_id, field.path) for contract_id, field, _ in canaries.sensitive(contracts)}
    rows_before = {
        name: _learn(contracts[name], pair, identifiers, before, canaries, missing, public)
        for name, pair in sorted(tables.items())
    }
    known = identifiers.known()
    after, scan, detection = Profile(contracts), LeakScan(known), Detection(thresholds.reserved)
    undeclared: set[str] = set()
    rows_after = {
        name: _examine(contracts[name], pair, scan, detection, after, undeclared)
        for name, pair in sorted(tables.items())
    }
    hits = scan.hits()
    from_canaries = sum(hit.count for hit in hits if any(each.startswith(ORIGIN) for each in hit.origins))
    draft = Evidence(
        version=version,
        about=about,
        verdict=False,
        reasons=(),
        tables=tuple(
            Table(contract=name, rows_before=rows_before[name], rows_after=rows_after[name]) for name in rows_after
        ),
        coverage=_coverage(contracts, undeclared),
        searched_values=scan.values,
        known_forms=known.size,
        unsearched=known.unsearched,
        blind_spots=(*BLIND, *_unsearched_fields(contracts)),
        hits=tuple(hits),
        findings=tuple(detection.findings()),
        canaries=recall(known, canaries, contracts, from_canaries),
        fidelity=tuple(compare(before, after, contracts, thresholds)),
        thresholds=thresholds,
    )
    unplanted = [f"canaries: none stands in the source of {name}: {path}. Plant them" for name, path in sorted(missing)]
    reasons = (*_reasons(draft, undeclared), *unplanted)
    return draft.model_copy(update={"reasons": reasons, "verdict": not reasons})


def field_of(contract: Contract, path: str) -> Field | None:
    """What the contract says of a leaf: its own field, or the one it stands in (JSON in a column of texts)."""
    fields = {field.path: field for field in contract.fields}
    while path:
        if path in fields:
            return fields[path]
        path = path[:-2] if path.endswith(("[]", "{}")) else path.rpartition(".")[0]
    return None


def _check_complete(tables: Mapping[str, Pair], contracts: Contracts) -> None:
    strangers, missing = sorted(set(tables) - set(contracts)), sorted(set(contracts) - set(tables))
    if strangers or missing:
        raise Invalid(
            "evidence: every contract is judged, and nothing else. "
            + (f"Without a contract: {', '.join(strangers)}. " if strangers else "")
            + (f"Without data: {', '.join(missing)}. " if missing else "")
            + "Give both, or leave both out"
        )


def _learn(
    contract: Contract,
    pair: Pair,
    identifiers: Identifiers,
    profile: Profile,
    canaries: Canaries,
    missing: set[tuple[str, str]],
    public: pa.Array,
) -> int:
    """Take in a source; what is found of canaries is `missing` no longer."""
    rows = 0
    for batch in read(pair.source):
        for leaf in leaves(batch, pair.decode):
            field = field_of(contract, leaf.path)
            if (
                field
                and field.classification
                and field.classification.is_sensitive
                and is_searched(field)
                and is_text(leaf.values.type)
            ):
                values = leaf.values
                if field.classification is Classification.QUASI_IDENTIFIER:
                    values = values.filter(pc.invert(pc.is_in(values.cast(public.type), value_set=public)))
                identifiers.add(
                    values,
                    f"{contract.id}: {leaf.path}",
                    field.semantic_type,
                    field.classification is Classification.FREE_TEXT,
                )
                if (contract.id, leaf.path) in missing and canaries.stand_in(leaf.values, field):
                    missing.discard((contract.id, leaf.path))
            if not _is_frame(contract, leaf):
                profile.add(contract, leaf.path, leaf.values)
        rows += batch.num_rows
    return rows


def _public(tables: Mapping[str, Pair], contracts: Contracts) -> pa.Array:
    """What stands in public columns of reference data, such as the cities of branches: no trace of who lives there."""
    found = [
        pc.unique(leaf.values).cast(pa.large_binary())
        for name, pair in tables.items()
        if not contracts[name].entity
        for batch in read(pair.source)
        for leaf in leaves(batch, pair.decode)
        if is_text(leaf.values.type)
        and (field := field_of(contracts[name], leaf.path))
        and field.classification is Classification.PUBLIC
    ]
    return pa.concat_arrays(found).unique() if found else pa.array([], pa.large_binary())


def _examine(
    contract: Contract, pair: Pair, scan: LeakScan, detection: Detection, profile: Profile, undeclared: set[str]
) -> int:
    rows = 0
    for batch in read(pair.masked):
        for leaf in leaves(batch, pair.decode):
            if _is_frame(contract, leaf):
                continue
            field = field_of(contract, leaf.path)
            if field is None and not _holds(contract, leaf.path):
                undeclared.add(f"{contract.id}: {leaf.path}")
            scan.look(contract.id, leaf, rows)
            detection.look(contract, field, leaf, rows)
            profile.add(contract, leaf.path, leaf.values)
        rows += batch.num_rows
    return rows


def _is_frame(contract: Contract, leaf: Leaf) -> bool:
    return contract.store is Store.KAFKA and leaf.path in TAPE


def _holds(contract: Contract, path: str) -> bool:
    """Whether the contract has fields below: a body that could not be read, or the nameless column of JSON lines."""
    return not path or any(field.path.startswith((f"{path}.", f"{path}[]")) for field in contract.fields)


def _coverage(contracts: Contracts, undeclared: set[str]) -> dict[str, int]:
    counts = Counter(
        str(field.classification or "unclassified") for contract in contracts.values() for field in contract.fields
    )
    names = [*map(str, Classification), "unclassified"]
    return {**{name: counts[name] for name in names}, "undeclared": len(undeclared)}


def _unsearched_fields(contracts: Contracts) -> list[str]:
    """Sensitive fields of types that are not searched for, by semantic type."""
    found = {
        f"{field.semantic_type} ({field.type})"
        for contract in contracts.values()
        for field in contract.fields
        if field.is_sensitive and not is_searched(field)
    }
    return [f"values of {', '.join(sorted(found))}: no text, so not searched for"] if found else []


def _reasons(evidence: Evidence, undeclared: set[str]) -> list[str]:
    """Every "no"."""
    found = []
    if evidence.coverage["unclassified"]:
        found.append(f"coverage: {evidence.coverage['unclassified']} fields have no classification")
    found += [
        f"coverage: {each} stands in no contract. Declare it, with a classification" for each in sorted(undeclared)
    ]
    found += [
        f"leak: {hit.contract}: {hit.path} holds {hit.count} values of {', '.join(hit.origins)} ({hit.form})"
        for hit in evidence.hits
        if not hit.is_coincidence
    ]
    found += [f"detector: {finding.remedy}" for finding in evidence.findings if not finding.is_chance]
    if evidence.canaries.found < evidence.canaries.planted:
        found.append(
            f"canaries: the scan found {evidence.canaries.found} of {evidence.canaries.planted} planted values, so it "
            f"cannot be trusted; missed in {', '.join(evidence.canaries.missed[:3])}"
        )
    elif not evidence.canaries.planted:
        found.append("canaries: none were planted, so nothing is known of what the scan would find")
    for figure in evidence.fidelity:
        where = f"{figure.contract}: {figure.path}" + (f" -> {figure.to}" if figure.to else "")
        found += [f"fidelity: {where}: {reason}" for reason in figure.reasons]
    return found
