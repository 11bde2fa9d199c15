"""Comparing two moments of a trial: by fingerprint first, then row by row, as the contracts say. For checks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from testenv.checks.diff import Difference, Rules, diff, rules_of
from testenv.checks.release import Release, Trial
from testenv.checks.trial.record import Moment, Output, State
from testenv.core.contract import Contract, Contracts, Store
from testenv.core.errors import Failed, NotFound


@dataclass(frozen=True)
class Compared:
    """An output whose fingerprints differ. `difference` is None where it was not there at one moment, or has no rows.

    `before` or `after` is None where it was not there.
    """

    before: Output | None
    after: Output | None
    contract: Contract | None
    difference: Difference | None

    @property
    def output(self) -> Output:
        """The later one, where there are both."""
        found = self.after or self.before
        assert found is not None
        return found


@dataclass(frozen=True)
class Comparison:
    """Two moments of a release's trial. `compared` are outputs that are not alike to the byte; `ran` names all."""

    trial: Trial
    contracts: Contracts
    before: State
    after: State

    @property
    def ran(self) -> list[str]:
        """What was compared, in words."""
        names = {each.id for state in (self.before, self.after) for each in state.outputs}
        return [f"{name}: {self.before.moment} and {self.after.moment}" for name in sorted(names)]

    def differing(self, but: Collection[str] = ()) -> Iterator[Compared]:
        """Outputs that differ, folders of files before tables: what is written first comes first. None that one of the
        pipelines `but` wrote.
        """
        names = {each.id: each.store for state in (self.before, self.after) for each in state.outputs}
        for id_ in sorted(names, key=lambda each: (names[each] is not Store.S3, each)):
            before, after = self.before.output(id_), self.after.output(id_)
            if before and after and before.fingerprint == after.fingerprint:
                continue
            found = after or before
            assert found is not None
            if {writer for each in (before, after) if each for writer in each.writers} & set(but):
                continue
            contract = self.contract_of(found)
            yield Compared(before, after, contract, self._difference(before, after, contract))

    def contract_of(self, output: Output) -> Contract | None:
        """The contract of a table; of a folder, that of the table whose name one of its parts is."""
        if contract := self.contracts.get(f"{output.store}.{output.name}"):
            return contract
        if output.store is not Store.S3:
            return None
        parts = {part.upper() for part in output.name.strip("/").split("/")}
        tables = (each for each in self.contracts.values() if each.store is Store.SNOWFLAKE)
        return next((each for each in tables if each.name.rpartition(".")[2] in parts), None)

    def _difference(self, before: Output | None, after: Output | None, contract: Contract | None) -> Difference | None:
        if before is None or after is None or before.store is Store.KAFKA:
            return None
        try:
            tables = [
                self.trial.table(moment, output.store, output.name)
                for moment, output in ((self.before.moment, before), (self.after.moment, after))
            ]
        except NotFound:  # files of a form that has no rows
            return None
        names = [set(table.types) for table in tables]
        rules = rules_of(contract) if contract else Rules()
        return diff(tables[0], tables[1], _spelled(rules, names[0] | names[1], names[0] & names[1]))


def compare(release: Release, before: Moment, after: Moment) -> Comparison | None:
    """Two moments of a release's trial; None where it had no runs for one of them.

    Raises `Failed` where the trial ended before it came to both. Contracts are head's, and base's where head has none.
    """
    assert release.trial is not None
    record = release.trial.record
    one, other = record.state(before), record.state(after)
    if one and other:
        return Comparison(release.trial, {**release.base.contracts, **release.head.contracts}, one, other)
    if record.error:
        missing = before if one is None else after
        raise Failed(f"the trial did not come to the moment {missing}: {record.error}")
    return None


def _spelled(rules: Rules, names: set[str], common: set[str]) -> Rules:
    """Rules of a contract in the spelling that the columns have. A key that is not whole in both is none."""
    by_name = {name.upper(): name for name in names}
    key = tuple(by_name.get(each.upper(), each) for each in rules.key)
    return Rules(
        key=key if set(key) <= common else (),
        ignored=frozenset(by_name[each.upper()] for each in rules.ignored if each.upper() in by_name),
        tolerances={by_name[n.upper()]: each for n, each in rules.tolerances.items() if n.upper() in by_name},
    )
