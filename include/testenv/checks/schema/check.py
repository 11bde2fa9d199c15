"""The schema check: no change between base and head breaks what a dataset's compatibility mode protects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from testenv.checks.protocol import Finding, Verdict
from testenv.checks.release import Release
from testenv.checks.schema.change import Breaks, Change, Demands, demands, finding, unseen
from testenv.checks.schema.contracts import STRUCTURE, contract_changes, removed
from testenv.checks.schema.dbt import contracted, is_enforced, model_changes
from testenv.checks.schema.files import Subject, subjects
from testenv.checks.schema.streams import subject_changes
from testenv.checks.schema.tables import table_changes
from testenv.core.contract import Compatibility, Contract, Store
from testenv.core.errors import InvalidCatalog
from testenv.datasets.contracts import SUFFIX, parse_contract

DEFAULT = Compatibility.BACKWARD
"""The mode of what no contract speaks of: the registry's own default."""

MADE_BY_SCHEMA = "value."
"""Where a topic's contract says again what its schema says."""


@dataclass
class SchemaCheck:
    """Contracts, schemas of topics, dbt models, and, where both sides have run in environments, real tables."""

    name: str = "schema"

    def check(self, release: Release) -> Verdict:
        """The verdict. Raises errors of `testenv.core.errors` where base or head cannot be read."""
        run = _Run(release)
        run.contracts()
        run.streams()
        run.models()
        run.tables()
        environments = [each.environment for each in (release.base, release.head) if each.environment]
        emulated = {stand_in for each in environments for stand_in in each.emulated}
        return Verdict.of(self.name, run.findings, run.ran, emulated)


@dataclass
class _Run:
    release: Release
    findings: list[Finding] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.was, self.now = subjects(self.release.base.files), subjects(self.release.head.files)

    def _add(self, changes: Iterator[Change], demanded: Demands, dataset: str, file: str = "") -> None:
        self.findings += [finding(change, demanded, dataset, file) for change in changes]

    def _demands(self, dataset: str, default_store: Store) -> Demands:
        """What base's mode forbids and what head's does: a change cannot loosen the rule that it is judged by."""
        contracts = [
            side.contracts[dataset] for side in (self.release.base, self.release.head) if dataset in side.contracts
        ]
        found = [demands(each.compatibility, each.store) for each in contracts]
        wanted = found[0] if found else demands(DEFAULT, default_store)
        for other in found[1:]:
            wanted |= other
        return wanted

    def contracts(self) -> None:
        """Base's contracts against head's."""
        base, head = self.release.base, self.release.head
        for id_, contract in sorted(base.contracts.items()):
            demanded = self._demands(id_, contract.store)
            file = f"{head.contracts_at}/{id_}{SUFFIX}"
            self.ran.append(f"contract {id_}")
            if id_ not in head.contracts:
                self._add(iter([removed(contract)]), demanded, id_, file)
            elif contract != head.contracts[id_]:
                changes = list(contract_changes(contract, head.contracts[id_]))
                if demanded.transitive:
                    changes += self._against_earlier(contract, head.contracts[id_], changes, file)
                self._add(self._own(contract, changes), demanded, id_, file)

    def _against_earlier(self, base: Contract, head: Contract, seen: list[Change], file: str) -> list[Change]:
        """What head breaks of versions before base; one that cannot be read any more is passed over."""
        found: list[Change] = []
        for version in reversed(self.release.history.versions(file)):
            try:
                earlier = parse_contract(version.text)
            except InvalidCatalog:
                continue
            if earlier != base:
                self.ran.append(f"contract {base.id} of {version.ref[:12]}")
                found += unseen(contract_changes(earlier, head), [*seen, *found])
        return found

    def _own(self, contract: Contract, changes: list[Change]) -> Iterator[Change]:
        """Without what the topic's own schema decides, with its rules and a proof."""
        decided = any(subject.topic == contract.name for subject in self.was.values() if subject.name in self.now)
        for change in changes:
            by_schema = decided and contract.store is Store.KAFKA and change.column.startswith(MADE_BY_SCHEMA)
            if not (by_schema and set(change.breaks) <= STRUCTURE and change.breaks):
                yield change

    def streams(self) -> None:
        """Base's Avro and JSON Schemas against head's, and against the registry's."""
        for name in sorted(self.was.keys() | self.now.keys()):
            base, head = self.was.get(name), self.now.get(name)
            subject = head or base
            assert subject is not None
            dataset = f"{Store.KAFKA}.{subject.topic}"
            demanded = self._demands(dataset, Store.KAFKA)
            self.ran.append(f"{subject.kind} {name}")
            if head is None:
                self._add(iter([_gone(subject)]), demanded, dataset, subject.last.place)
                continue
            for compared in subject_changes(base, head, demanded, self.release):
                self._add(iter(compared.changes), demanded, dataset, compared.file)
                self.ran += compared.ran

    def models(self) -> None:
        """Models of base whose contract is enforced against head's."""
        head = contracted(self.release.head.manifest)
        if self.release.head.manifest is None:
            return
        for id_, model in contracted(self.release.base.manifest).items():
            if not is_enforced(model):
                continue
            demanded = self._demands(
                f"{Store.SNOWFLAKE}.{model.get('schema')}.{model['name']}".upper(), Store.SNOWFLAKE
            )
            self.ran.append(f"dbt {id_}")
            self._add(model_changes(model, head.get(id_)), demanded, id_, str(model.get("original_file_path", "")))

    def tables(self) -> None:
        """Real tables of base's environment against head's, of the contracts that both sides have."""
        base, head = self.release.base, self.release.head
        if base.environment is None or head.environment is None:
            return
        for id_ in sorted(base.contracts.keys() & head.contracts.keys()):
            was, now = base.environment.columns(id_), head.environment.columns(id_)
            if was is None or now is None:
                continue
            contract = base.contracts[id_]
            self.ran.append(f"table {id_}")
            changes = table_changes(was, now, contract.name, snowflake=contract.store is Store.SNOWFLAKE)
            self._add(changes, self._demands(id_, contract.store), id_)


def _gone(subject: Subject) -> Change:
    what = f"the schema of {subject.name} is gone: its records can no longer be written or read"
    return Change("schema-removed", (Breaks.DATA, Breaks.READERS), "", what, "Keep the schema while the topic is there")
