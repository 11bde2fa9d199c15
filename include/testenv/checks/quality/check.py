"""The quality check: what head's code left behind keeps the contracts' quality rules, base's and head's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from testenv.checks.protocol import Finding, Severity, Verdict, Where, Witness
from testenv.checks.quality import sql
from testenv.checks.quality.checkpoint import Answer, Answers, Ask, Asked, run_checkpoint
from testenv.checks.quality.expectations import Expectation
from testenv.checks.quality.loosened import Judged, judged, loosened
from testenv.checks.quality.warehouse import Warehouse
from testenv.checks.release import Release, Trial
from testenv.checks.trial.record import Moment
from testenv.core.contract import Contract, Store
from testenv.core.errors import Failed, NotFound, TestenvError
from testenv.datasets.contracts import SUFFIX

FOLDER = "quality/"
"""Of the environment's artifacts, where the data docs are kept."""

EXAMPLES = 5


@dataclass
class QualityCheck:
    """Contracts of the outputs of affected pipelines, by Great Expectations, at the moment `head`."""

    name: str = "quality"
    ask: Ask = run_checkpoint

    def check(self, release: Release) -> Verdict:
        """The verdict. Raises errors of `testenv.core.errors` where the tables cannot be asked."""
        findings, ran = list(_loosened(release)), []
        contracts = _of_outputs(release)
        emulated: tuple[str, ...] = ()
        if contracts and release.trial:
            run = _Run(release, release.trial, contracts, self.ask)
            findings += run.findings()
            ran += run.ran
            emulated = release.trial.record.emulated
        if findings and not ran:
            ran = [f"contract {finding.where.dataset}" for finding in findings]
        return Verdict.of(self.name, findings, ran, emulated)


def _loosened(release: Release) -> Iterator[Finding]:
    base, head = release.base.contracts, release.head.contracts
    for id_ in sorted(base.keys() & head.keys()):
        yield from loosened(base[id_], head[id_], f"{release.head.contracts_at}/{id_}{SUFFIX}")


def _of_outputs(release: Release) -> dict[str, tuple[Contract | None, Contract | None]]:
    """Dataset → base's contract and head's, of what affected pipelines write into the warehouse."""
    ids = {id_ for pipeline in release.pipelines.values() for id_ in pipeline.outputs}
    state = release.trial.record.state(Moment.HEAD) if release.trial else None
    ids |= {each.dataset for each in (state.outputs if state else ()) if each.dataset and each.writers}
    pairs = {id_: (release.base.contracts.get(id_), release.head.contracts.get(id_)) for id_ in sorted(ids)}
    return {id_: pair for id_, pair in pairs.items() if any(each and each.store is Store.SNOWFLAKE for each in pair)}


@dataclass
class _Run:
    release: Release
    trial: Trial
    contracts: Mapping[str, tuple[Contract | None, Contract | None]]
    ask: Ask
    ran: list[str] = field(default_factory=list)
    warehouse: Warehouse = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.trial, Warehouse):
            raise Failed("the trial gives no login to its warehouse, so Great Expectations cannot ask its tables")
        if self.trial.record.state(Moment.HEAD) is None:
            raise Failed("the trial did not come to the moment head, so there is no table to ask")
        self.warehouse = self.trial
        before = Moment.BASE if self.trial.record.state(Moment.BASE) else Moment.START
        self.before = before.value

    def findings(self) -> list[Finding]:
        """All that the data does not keep, and what could not be asked."""
        found: list[Finding] = []
        rules: dict[str, dict[str, Judged]] = {}
        tables: list[Asked] = []
        for id_, (base, head) in self.contracts.items():
            each, missed = judged(base, head)
            found += [_not_understood(id_, one.rule.name, one.rule.path, one.why) for one in missed]
            name = (head or base or _never()).name
            place = self._place(Moment.HEAD, name)
            if place is None:
                found += self._missing_table(id_, name, head)
                continue
            here = set(self.trial.table(Moment.HEAD, Store.SNOWFLAKE, name).types)
            askable = [one for one in each if here.issuperset(one.expectation.columns)]
            found += [_missing_column(id_, one, here) for one in each if one not in askable]
            rules[id_] = {one.expectation.id: one for one in askable}
            tables.append(Asked(id_, place, [self._at(one.expectation, Moment.HEAD) for one in askable]))
            self.ran.append(f"Great Expectations {id_}: {len(askable)} rules")
        keep = self.release.keep
        login = self.warehouse.connection_parameters()
        answers = self.ask(login, tables, lambda path, body: keep(FOLDER + path, body))
        for id_, known in rules.items():
            found += self._broken(id_, known, answers)
        return found

    def _place(self, moment: str, name: str) -> str | None:
        try:
            return self.warehouse.place(moment, name)
        except NotFound:
            return None

    def _at(self, expectation: Expectation, moment: str) -> Expectation:
        """Tables that a rule's own SQL names are those of the moment, too."""
        if not expectation.rule.query:
            return expectation
        state = self.trial.record.state(moment)
        outputs = [each.name for each in (state.outputs if state else ()) if each.store is Store.SNOWFLAKE]
        places = {name: spelled(place) for name in outputs if (place := self._place(moment, name))}
        arguments = {
            name: sql.replaced(value, places) if name == "unexpected_rows_query" else value
            for name, value in expectation.arguments.items()
        }
        rows, measure = (sql.replaced(each, places) for each in (expectation.rows, expectation.measure))
        return replace(expectation, rows=rows, measure=measure, arguments=arguments)

    def _missing_table(self, id_: str, name: str, head: Contract | None) -> Iterator[Finding]:
        was = self._place(self.before, name) is not None
        if was or head:
            severity = Severity.BREAKING if was else Severity.WARNING
            what = f"{name} is not there after head's code ran" + (", and it was before" if was else "")
            yield Finding(
                rule="table-missing",
                severity=severity,
                what=what,
                where=Where(dataset=id_),
                remedy="See that a pipeline makes the table, or that the contract is of one that there is",
            )

    # ---------------------------------------------------------------- what is broken

    def _broken(self, id_: str, rules: Mapping[str, Judged], answers: Answers) -> Iterator[Finding]:
        contract = self.contracts[id_][1] or self.contracts[id_][0] or _never()
        for expectation_id, each in rules.items():
            answer = answers.get(expectation_id, Answer(False, "Great Expectations gave no answer"))
            if answer.error:
                yield self._not_answered(contract, each, answer.error)
            elif not answer.met:
                yield self._breach(contract, each)

    def _breach(self, contract: Contract, each: Judged) -> Finding:
        expectation, rule = each.expectation, each.expectation.rule
        now, was = self._measured(expectation, Moment.HEAD, contract), None
        severity, told = expectation.severity, ""
        if each.in_base:
            was = self._value(expectation, self.before, contract)
            if was is not None and self._was_broken(expectation, contract, now, was):
                severity = max(severity, Severity.WARNING, key=[*Severity].index)
                told = ": base's code leaves no fewer" if expectation.rows else ": base's code leaves it so too"
        if not each.in_head:
            told += "; head's contract does not have the rule any more, and it is base's that judges"
        elif not each.in_base:
            told += "; the rule is new"
        counted = f"{now} rows" if expectation.rows and rule.unit != "percent" else f"{now}"
        before = f" ({was} before)" if was is not None else ""
        return Finding(
            rule=rule.metric or "query",
            severity=severity,
            what=f"{rule.name}: {counted}{before}, and it {_said(rule.must)}{told}",
            where=Where(dataset=contract.id, column=rule.path, rows=self._examples(expectation, contract)),
            remedy="Mend what writes the rows, or change the rule together with those who read them",
            witness=Witness(
                kind="query", content=self._sql(expectation, contract), proved=True, how=f"Snowflake: {now}"
            ),
        )

    def _was_broken(self, expectation: Expectation, contract: Contract, now: Any, was: Any) -> bool:
        if expectation.rows and isinstance(now, int | float) and isinstance(was, int | float):
            return was >= now
        return bool(self._rows(sql.breach(expectation.measure, expectation.rule.must), self.before, contract))

    def _value(self, expectation: Expectation, moment: str, contract: Contract) -> Any:
        """What the rule measures at a moment; None where it cannot be asked there."""
        try:
            return self._measured(expectation, moment, contract)
        except TestenvError:
            return None

    def _measured(self, expectation: Expectation, moment: str, contract: Contract) -> Any:
        [row] = self._rows(self._at(expectation, moment).measure, moment, contract)
        value = next(iter(row.values()))
        if value is None or isinstance(value, bool | int | str):
            return value
        number = float(value)
        return int(number) if number.is_integer() else number

    def _examples(self, expectation: Expectation, contract: Contract) -> tuple[dict[str, Any], ...]:
        """Keys of some of the rows, always the same ones, and the column in question."""
        if not expectation.rows:
            return ()
        columns = list(dict.fromkeys([*(path.split(".")[0] for path in contract.key), *expectation.columns]))
        shown = ", ".join(f"F.{sql.identifier(each)}::VARCHAR AS {sql.identifier(each)}" for each in columns) or "*"
        rows = self._at(expectation, Moment.HEAD).rows
        order = f" ORDER BY {', '.join(map(str, range(1, len(columns) + 1)))}" if columns else ""
        try:
            found = self._rows(f"SELECT {shown} FROM ({rows}) AS F{order} LIMIT {EXAMPLES}", Moment.HEAD, contract)
        except TestenvError:  # a column of the key is not there: the count alone is told
            return ()
        return tuple(dict(zip(columns, map(_shown, row.values()), strict=False)) for row in found)

    def _not_answered(self, contract: Contract, each: Judged, error: str) -> Finding:
        """A rule that base's table answers and head's does not is broken; one that neither does is only told."""
        asked_before = each.in_base and self._value(each.expectation, self.before, contract) is not None
        rule = each.expectation.rule
        return Finding(
            rule="rule-not-answered",
            severity=Severity.BREAKING if each.in_head and (asked_before or not each.in_base) else Severity.WARNING,
            what=f"{rule.name}: could not be asked: {' '.join(error.split())[:300]}",
            where=Where(dataset=contract.id, column=rule.path),
            remedy="Mend the rule's SQL, or give it the columns that it names",
            unsure=True,
        )

    def _rows(self, statement: str, moment: str, contract: Contract) -> list[dict[str, Any]]:
        place = spelled(self.warehouse.place(moment, contract.name))
        return self.trial.query(statement.format(batch=place))

    def _sql(self, expectation: Expectation, contract: Contract) -> str:
        """The rule's question of the dataset itself."""
        return (expectation.rows or expectation.measure).replace(sql.WHOLE, sql.BATCH).format(batch=contract.name)


def spelled(place: str) -> str:
    """`SCHEMA.TABLE` quoted, as statements name it."""
    return ".".join(f'"{part}"' for part in place.split("."))


def _said(must: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in must.items())


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)[:100]


def _not_understood(dataset: str, name: str, column: str, why: str) -> Finding:
    return Finding(
        rule="rule-not-understood",
        severity=Severity.WARNING,
        what=f"a quality rule was not asked: {why}",
        where=Where(dataset=dataset, column=column),
        remedy=f"Write the rule {name!r} with a metric that is understood, or as SQL (docs/checks.md)",
        unsure=True,
    )


def _missing_column(dataset: str, each: Judged, here: set[str]) -> Finding:
    """Whether a column may go, the schema check says; a contract that still has it promises it."""
    gone = [column for column in each.expectation.columns if column not in here]
    return Finding(
        rule="column-missing",
        severity=Severity.BREAKING if each.in_head else Severity.WARNING,
        what=f"{each.expectation.rule.name}: the table has no column {', '.join(gone)} after head's code ran",
        where=Where(dataset=dataset, column=gone[0]),
        remedy="Write the column, or take it out of the contract together with those who read it",
    )


def _never() -> Contract:
    raise AssertionError("a dataset is only looked at if a side has its contract")
