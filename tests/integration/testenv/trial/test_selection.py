"""What a change leaves out is not another for it: every pipeline of the estate runs, with the code of both sides."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from tests.integration.testenv.checks.impact.test_soundness import mutated, subjects
from tests.integration.testenv.trial.conftest import Try
from tests.unit.testenv.checks.impact.repository import affected, text

from testenv.checks.difference import DifferenceCheck
from testenv.checks.trial.plan import Plan, Record, steps_of
from testenv.checks.trial.plan import subjects as pipelines_of
from testenv.checks.trial.record import Moment
from testenv.core.pipelines import load_pipelines
from testenv.datasets.contracts import load_contracts

DBT = "finsight_dbt"
NARROW, MUTATIONS = 40, 3
"""A change affects fewer pipelines than these, so that others are left out; and how many changes are made at once."""


def drawn(seed: int) -> dict[str, str]:
    """Path and new content of changes to files that few pipelines share; the same for a seed."""
    chance = random.Random(seed)
    found: dict[str, str] = {}
    paths = subjects()
    while len(found) < MUTATIONS:
        path = chance.choice(paths)
        content = mutated(path, chance)
        if 1 < len(affected({path: content}).names) < NARROW:
            found[path] = content
    return found


def both_sides_once(plan: Plan) -> Plan:
    """The last interval of each, with base's code and with head's; nothing again, nothing disturbed."""
    known = load_pipelines(load_contracts())
    last = {id_: dates[-1:] for id_, dates in plan.intervals.items()}
    steps, _ = steps_of(pipelines_of(last, known, known, last))
    end = next(at for at, step in enumerate(steps) if isinstance(step, Record) and step.moment == Moment.HEAD)
    return plan.model_copy(update={"intervals": last, "steps": steps[: end + 1], "alone": ()})


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 6])
def test_no_pipeline_that_is_left_out_does_anything_else(try_release: Try, seed: int) -> None:
    changes = drawn(seed)
    chosen = affected(changes).names
    edits = {path: (text(path), content) for path, content in changes.items()}
    everything = [*load_pipelines(load_contracts()), DBT]
    release = try_release(edits, *everything, by=both_sides_once, seconds=3000)
    assert release.trial and not release.trial.record.error
    ended: dict[str, dict[str, str]] = {"base": {}, "head": {}}
    for run in release.trial.record.runs:
        ended[run.side][run.pipeline] = run.state
    left_out = set(everything) - chosen
    assert len(left_out) > len(everything) / 2
    ran = {side: {id_: states[id_] for id_ in left_out} for side, states in ended.items()}
    assert ran["base"] == ran["head"], f"{sorted(changes)} affect {sorted(chosen)} alone"
    assert sum(state == "success" for state in ran["base"].values()) > len(everything) / 2
    found = DifferenceCheck().check(release).findings
    written: dict[str, set[str]] = defaultdict(set)  # on either side: who was skipped in head wrote nothing there
    for output in (each for state in release.trial.record.states for each in state.outputs):
        written[f"{output.store}.{output.name}"] |= {*output.writers}
    whose = [(each.what, written[each.where.dataset] | set(each.where.pipeline.split(", "))) for each in found]
    unexpected = [what for what, pipelines in whose if not chosen & pipelines]
    assert not unexpected, f"{sorted(changes)} affect {sorted(chosen)} alone"
    shown = ended["base"] != ended["head"] or {each.rule for each in found} - {"run-failed", "base-failed"}
    assert shown, f"{sorted(changes)} change nothing, so nothing is held"
