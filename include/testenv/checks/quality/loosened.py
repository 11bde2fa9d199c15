"""What a release may be judged by: base's rules and head's, so that it loosens no rule that it is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from testenv.checks.protocol import Finding, Severity, Where
from testenv.checks.quality.expectations import (
    VALID,
    Expectation,
    NotUnderstood,
    asked,
    expectations,
    severity_of,
)
from testenv.checks.schema.rules import rule_changes
from testenv.core.contract import Contract, Rule

_LESS = ("rule-removed", "rule-loosened", "rule-changed")


@dataclass(frozen=True)
class Judged:
    """An expectation and the sides whose contract has it."""

    expectation: Expectation
    in_base: bool
    in_head: bool


def judged(base: Contract | None, head: Contract | None) -> tuple[list[Judged], list[NotUnderstood]]:
    """The rules of both versions of a contract, once each; and those that nothing can be made of.

    Where head's column takes more values than base's, the values are head's: whether that may be, the schema check says
    by the contract's mode. Of a rule that only became more or less severe, the worse counts.
    """
    known: dict[str, Judged] = {}
    missed: dict[str, NotUnderstood] = {}
    for contract in (base, head):
        found, not_understood = expectations(contract) if contract else ([], [])
        missed |= {asked(each.rule): each for each in not_understood}
        for each in found:
            if contract is base and head and _is_extended(each.rule, head):
                continue
            earlier = known.get(each.id)
            kept = min((one for one in (earlier and earlier.expectation, each) if one), key=_rank)
            known[each.id] = Judged(kept, contract is base or earlier is not None, contract is head)
    return list(known.values()), list(missed.values())


def _rank(expectation: Expectation) -> int:
    return [*Severity].index(expectation.severity)


def _is_extended(rule: Rule, head: Contract) -> bool:
    """Whether a list of valid values is base's, and head's column has it with more."""
    valid = rule.arguments.get(VALID)
    allowed = next((each.allowed for each in head.fields if each.path == rule.path), ())
    return isinstance(valid, list) and set(map(repr, valid)) < set(map(repr, allowed))


def loosened(base: Contract, head: Contract, file: str) -> Iterator[Finding]:
    """Rules written in base's contract that head's has no more, or that ask for less. Fields are the schema check's."""
    paths = {each.path for each in head.fields}
    kept = [rule for rule in base.rules if not rule.path or _stands(rule.path, paths)]
    kept = [rule for rule in kept if not _is_extended(rule, head)]
    for change in rule_changes(kept, head.rules):
        if change.rule in _LESS:
            yield Finding(
                rule=change.rule,
                severity=Severity.BREAKING,
                what=f"{change.column}: {change.what}" if change.column else change.what,
                where=Where(dataset=base.id, file=file, column=change.column),
                remedy=change.remedy,
                witness=change.witness,
                unsure=change.unsure,
            )
    now = {asked(rule): rule for rule in head.rules}
    for rule in kept:
        other = now.get(asked(rule))
        if other and [*Severity].index(severity_of(other)) > [*Severity].index(severity_of(rule)):
            yield Finding(
                rule="severity-lowered",
                severity=Severity.BREAKING,
                what=f"a breach of {rule.name!r} was {severity_of(rule)} and is {severity_of(other)}",
                where=Where(dataset=base.id, file=file, column=rule.path),
                remedy="Keep the severity",
            )


def _stands(path: str, paths: set[str]) -> bool:
    return any(each == path or each.startswith((f"{path}.", f"{path}[]")) for each in paths)
