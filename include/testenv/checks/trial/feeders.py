"""Pipelines that run before a trial starts, though the change leaves them alone: they load what rows refer to.

The seed's new rows lie in its operational database alone. Where cards are loaded for those days and accounts are not, a
consumer that tests the reference fails with everybody's code. A dataset from production has no such rows: what its
operational database held when the days ended, its warehouse holds too.
"""

from __future__ import annotations

from collections.abc import Collection

from testenv.checks.trial.intervals import Changes, all_dates, window_of
from testenv.core.contract import Contracts, Store
from testenv.core.dataset import Dataset
from testenv.core.pipelines import Archetype, Pipeline, Pipelines


def feeders(
    affected: Collection[str], pipelines: Pipelines, contracts: Contracts, dataset: Dataset, changes: Changes
) -> dict[str, tuple[str, ...]]:
    """Pipeline → logical dates, oldest first: for each table that is referred to, those who load it in fewest runs."""
    if dataset.snapshot is not None:
        return {}
    window, found = window_of(dataset), dict[str, tuple[str, ...]]()
    for table in sorted(_referred_to([pipelines[id_] for id_ in affected if id_ in pipelines], contracts)):
        if not list(changes.minutes(table.partition(".")[2], window.start, window.end)):
            continue
        loading = [
            (all_dates(each, dataset, changes), each.id)
            for each in pipelines.values()
            if each.archetype is Archetype.POSTGRES and table in each.inputs and each.id not in affected
        ]
        if loading:
            dates, id_ = min(loading, key=lambda one: (len(one[0]), one[1]))
            found[id_] = dates
    return found


def _referred_to(affected: Collection[Pipeline], contracts: Contracts) -> set[str]:
    """Operational tables that what is loaded refers to, at last by way of others, and that nobody affected loads."""
    loaded = {each for one in affected for each in one.inputs}
    waiting = [each for one in affected for each in one.outputs]
    found: set[str] = set()
    while waiting:
        contract = contracts.get(waiting.pop())
        for field in contract.fields if contract else ():
            table = f"{Store.POSTGRES}.{field.references.partition('.')[0]}"
            if field.references and table not in found | loaded:
                found.add(table)
                waiting.append(table)
    return found
