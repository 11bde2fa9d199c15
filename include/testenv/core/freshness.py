"""Whether a dataset is as fresh as its contracts promise. Pure: the clock and the snapshot's time are arguments.

A contract's data comes every `every` and may be late by `late_by`: so what a snapshot shows of it is stale once the
snapshot is older than both together. A contract that promises neither is never stale. A dataset without a snapshot, as
the hand-made seed is, shows no time of production: it is stale by every promise.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from testenv.core.contract import Contract, Contracts
from testenv.core.errors import Invalid


@dataclass(frozen=True)
class Stale:
    """A promise that is not kept. `age` is None where there is no snapshot to be of an age."""

    contract: str
    age: timedelta | None
    allowed: timedelta

    def __str__(self) -> str:
        age = "of no time" if self.age is None else f"{shown(self.age)} old"
        return f"{self.contract} → {age}, allowed {shown(self.allowed)}"


def allowed_age(contract: Contract) -> timedelta | None:
    """How old a snapshot may be for this contract; None where it promises nothing."""
    if contract.every is None and contract.late_by is None:
        return None
    return (contract.every or timedelta()) + (contract.late_by or timedelta())


def chosen(contracts: Contracts, ids: Collection[str]) -> Contracts:
    """Those of `ids`, or all where none is named. Raises `Invalid` naming what is no contract."""
    if unknown := sorted(set(ids) - set(contracts)):
        raise Invalid(
            f"contracts: there is no {', '.join(map(ascii, unknown))}. A contract's id is STORE.NAME, such as "
            f"{min(contracts, default='postgres.customers')}; include/catalog/contracts has them"
        )
    return {id_: contracts[id_] for id_ in ids} if ids else contracts


def stale(
    contracts: Contracts, snapshot: datetime | None, now: datetime, grace: timedelta = timedelta()
) -> tuple[Stale, ...]:
    """The promises of `contracts` that a `snapshot` does not keep at `now`, the strictest first.

    `grace` is allowed beyond each: that of a day makes a nightly dataset serve for contracts of the hour.
    """
    age = None if snapshot is None else now - snapshot
    found = [
        Stale(contract.id, age, allowed + grace)
        for contract in contracts.values()
        if (allowed := allowed_age(contract)) is not None and (age is None or age > allowed + grace)
    ]
    return tuple(sorted(found, key=lambda one: (one.allowed, one.contract)))


def shown(time: timedelta) -> str:
    """A span in the two largest units: `2 d 3 h`, `1 h 5 min`, `40 s`."""
    seconds = int(time.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
