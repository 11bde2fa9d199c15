"""One difference between base and head, and what it breaks; the dataset's mode says whether that matters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from testenv.checks.protocol import Finding, Severity, Where, Witness
from testenv.core.contract import Compatibility, Store


class Breaks(StrEnum):
    """What a change harms.

    `data`: what was written under base is not head's, as a BACKWARD mode forbids. `readers`: who was made for base
    fails on head's, as a FORWARD mode forbids. `values`: they meet values that base did not have, as it forbids too.
    `promise`: head promises its readers less. `people`: it lowers the guard of personal data, which no mode allows.
    `perhaps`: it may harm, which is for a person to judge.
    """

    DATA = "data"
    READERS = "readers"
    VALUES = "values"
    PROMISE = "promise"
    PEOPLE = "people"
    PERHAPS = "perhaps"


@dataclass(frozen=True)
class Change:
    """`breaks` is empty for what harms nobody; `unsure`: it was not shown to be harmless."""

    rule: str
    breaks: tuple[Breaks, ...]
    column: str
    what: str
    remedy: str
    witness: Witness | None = None
    unsure: bool = False


@dataclass(frozen=True)
class Demands:
    """What a dataset's mode forbids to break, and whether all earlier versions count or the last alone."""

    breaks: frozenset[Breaks]
    transitive: bool = False

    def __or__(self, other: Demands) -> Demands:
        return Demands(self.breaks | other.breaks, self.transitive or other.transitive)

    def __contains__(self, change: Change) -> bool:
        return bool(self.breaks & set(change.breaks))


def demands(mode: Compatibility, store: Store = Store.KAFKA) -> Demands:
    """What a mode forbids.

    A topic's readers choose the schema that they read with, so its modes are the registry's own. A table has no reader
    schema: the day after the release everybody's queries meet head's, whatever the mode, unless it is NONE.
    """
    name, _, transitive = mode.partition("_")
    broken = {Breaks.PEOPLE}
    if mode is not Compatibility.NONE:
        broken.add(Breaks.PROMISE)
        if name in ("FORWARD", "FULL") or store is not Store.KAFKA:
            broken.add(Breaks.READERS)
    if name in ("FORWARD", "FULL"):
        broken.add(Breaks.VALUES)
    if name in ("BACKWARD", "FULL"):
        broken.add(Breaks.DATA)
    return Demands(frozenset(broken), bool(transitive))


def finding(change: Change, demanded: Demands, dataset: str, file: str = "") -> Finding:
    """Breaking, if the dataset's mode forbids what the change breaks."""
    severity = Severity.NOTE
    if change in demanded:
        severity = Severity.BREAKING
    elif Breaks.PERHAPS in change.breaks:
        severity = Severity.WARNING
    return Finding(
        rule=change.rule,
        severity=severity,
        what=f"{change.column}: {change.what}" if change.column else change.what,
        where=Where(dataset=dataset, file=file, column=change.column),
        remedy=change.remedy,
        witness=change.witness,
        unsure=change.unsure,
    )


def unseen(changes: Iterable[Change], seen: Iterable[Change]) -> list[Change]:
    """Those of `changes` that say something of a column that none of `seen` says."""
    known = {(change.rule, change.column) for change in seen}
    return [change for change in changes if (change.rule, change.column) not in known]
