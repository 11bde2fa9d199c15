"""What is to end is found and ended; what is not ours is left alone; what is old is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.integration.testenv.engine.support import NOON, Artifacts, clock, destroyed, memory, provisioned, request

from testenv.backends.memory import MemoryMarks
from testenv.core.errors import Conflict, Drifted, Failed
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId, Names
from testenv.core.reap import Why
from testenv.core.resources import Resource, System
from testenv.engine import Engine
from testenv.reaper import Outdated, Reaper


def left(env_id: str = "sbx-gone") -> Resource:
    """A database that no living environment owns."""
    return Resource(System.POSTGRES, "database", Names(EnvId(env_id)).postgres_source)


def marks(reaper: Reaper) -> dict[Resource, str]:
    assert isinstance(reaper.marks, MemoryMarks)
    return reaper.marks.said


def reasons(reaper: Reaper) -> dict[str, str]:
    return {str(finding.env_id): finding.why.value for finding in reaper.findings()}


def snapshot(engine: Engine) -> tuple[Any, ...]:
    """Everything that reaping could change."""
    lives = engine.ledger.environments()
    told = [(life, engine.ledger.events(life.env_id), engine.ledger.steps(life.env_id)) for life in lives]
    return told, engine.observe(None)


# ---------------------------------------------------------------- what the ledger knows


def test_a_ready_environment_is_held_by_its_end_alone(engine: Engine, reaper: Reaper) -> None:
    env_id = provisioned(engine, ttl_hours=5)
    clock(engine).advance(hours=4, minutes=59)
    assert reaper.findings() == []
    clock(engine).advance(minutes=1)
    assert reasons(reaper) == {str(env_id): "expired"}
    reaper.reap(env_id)
    assert engine.ledger.environment(env_id).state is State.DESTROYED
    assert engine.observe(None) == frozenset()


def test_a_quarantined_environment_ends_a_day_after_it_failed(engine: Engine, reaper: Reaper) -> None:
    env_id = request(engine, on_failure="keep")
    engine.admit(env_id)
    engine.ensure(env_id, set(System))
    engine.abandon(env_id, "broken")
    clock(engine).advance(hours=23)
    assert reaper.findings() == []
    clock(engine).advance(hours=1)
    reaper.reap(env_id)
    assert engine.ledger.environment(env_id).state is State.DESTROYED


@pytest.mark.parametrize("until", ["admitted", "made", "drained"])
def test_who_works_on_an_environment_and_dies_is_found_and_its_work_ended(
    engine: Engine, reaper: Reaper, until: str
) -> None:
    env_id = request(engine)
    engine.admit(env_id)
    if until != "admitted":
        engine.ensure(env_id, {System.POSTGRES, System.KAFKA})
    if until == "drained":
        engine.drain(env_id)
    clock(engine).advance(seconds=1799)
    assert reaper.findings() == [], "the lease lasts half an hour"
    clock(engine).advance(seconds=1)
    assert reasons(reaper) == {str(env_id): "stuck"}
    reaper.reap(env_id)
    assert engine.ledger.environment(env_id).state is State.DESTROYED
    assert engine.observe(None) == frozenset()


@pytest.mark.parametrize("sign", ["a step", "a failed step", "verify", "drain", "destroy", "verify_gone"])
def test_each_sign_of_life_renews_the_lease(engine: Engine, reaper: Reaper, sign: str) -> None:
    env_id = request(engine)
    engine.admit(env_id)
    if sign == "verify":
        engine.ensure(env_id, set(System))
    if sign in ("destroy", "verify_gone"):
        engine.ensure(env_id, set(System))
        engine.drain(env_id)
    clock(engine).advance(minutes=29)
    match sign:
        case "a step":
            engine.ensure(env_id, {System.SECRETS})
        case "a failed step":
            memory(engine, System.S3).faults[Names(env_id).iam_role] = Failed("broken")
            with pytest.raises(Failed):
                engine.ensure(env_id, {System.S3})
        case "verify":
            engine.verify(env_id)
        case "drain":
            engine.drain(env_id)
        case "destroy":
            engine.destroy(env_id, {System.KAFKA})
        case "verify_gone":
            with pytest.raises(Drifted):
                engine.verify_gone(env_id)
    clock(engine).advance(minutes=29)
    assert reaper.findings() == []


def test_a_worker_that_comes_back_after_it_was_reaped_is_refused_and_resurrects_nothing(
    engine: Engine, reaper: Reaper
) -> None:
    env_id = request(engine)
    engine.admit(env_id)
    memory(engine, System.KAFKA).on_change = lambda: reap_meanwhile(engine, reaper, env_id)
    with pytest.raises(Conflict, match=f"{env_id} is destroyed: it was ended, or taken over after a lease of 1800 s"):
        engine.ensure(env_id, {System.KAFKA})
    for comes_back in (
        lambda: engine.ensure(env_id, set(System)),
        lambda: engine.verify(env_id),
        lambda: engine.ready(env_id),
        lambda: engine.admit(env_id),
        lambda: engine.drain(env_id),
        lambda: engine.extend(env_id, 1),
    ):
        with pytest.raises(Conflict, match=f"{env_id} is destroyed"):
            comes_back()
    assert engine.abandon(env_id, "too late") is State.DESTROYED
    assert {resource.system for resource in engine.observe(None)} == {System.KAFKA}, "the step that was under way"
    reaper.reap(env_id)
    assert engine.observe(None) == frozenset()


def reap_meanwhile(engine: Engine, reaper: Reaper, env_id: EnvId) -> None:
    """What happens while a worker is stopped in the middle of a step."""
    memory(engine, System.KAFKA).on_change = None
    clock(engine).advance(hours=1)
    reaper.reap(env_id)
    assert engine.ledger.environment(env_id).state is State.DESTROYED


def test_a_dead_request_is_ended_even_if_no_one_else_asks(engine: Engine, reaper: Reaper) -> None:
    env_id = request(engine)
    clock(engine).advance(minutes=5)
    assert reasons(reaper) == {str(env_id): "lapsed"}
    reaper.reap(env_id)
    assert engine.ledger.environment(env_id).state is State.REFUSED


def test_what_was_extended_or_renewed_since_it_was_found_is_left_alone(engine: Engine, reaper: Reaper) -> None:
    expired, stuck = provisioned(engine, ttl_hours=1), request(engine)
    engine.admit(stuck)
    clock(engine).advance(hours=1)
    assert set(reasons(reaper)) == {str(expired), str(stuck)}
    engine.extend(expired, 1)
    engine.ensure(stuck, {System.S3})
    for env_id in (expired, stuck):
        with pytest.raises(Conflict, match="nothing of .* is to end"):
            reaper.reap(env_id)
        with pytest.raises(Conflict, match="left alone"):  # and under the lock, if it came even later
            engine.ledger.seize(env_id, engine.clock())
    assert engine.ledger.environment(expired).state is State.READY
    assert engine.ledger.environment(stuck).state is State.PROVISIONING


def test_a_ready_environment_that_lacks_parts_is_told_and_kept(engine: Engine, reaper: Reaper) -> None:
    env_id = provisioned(engine)
    role = Resource(System.S3, "role", Names(env_id).iam_role)
    memory(engine, System.S3).destroy(role)
    [finding] = reaper.findings()
    assert (finding.why, finding.resources, finding.ends) == (Why.DRIFTED, (role,), False)
    reaper.mark([finding])
    reaper.mark([finding])
    environment = engine.ledger.environment(env_id)
    assert environment.state is State.READY
    assert environment.reason == f"parts of it are missing: {role}"
    memory(engine, System.S3).resources.add(role)
    reaper.mark(reaper.findings())
    assert engine.ledger.environment(env_id).reason is None
    words = [words for _, _, words in engine.ledger.events(env_id)]
    assert words[-2:] == [f"parts of it are missing: {role}", "it is whole again"]


def test_a_ready_environment_of_which_nothing_is_left_is_ended(engine: Engine, reaper: Reaper) -> None:
    env_id = provisioned(engine)
    for system in System:
        memory(engine, system).resources.clear()
    assert reasons(reaper) == {str(env_id): "lost"}
    reaper.reap(env_id)
    assert engine.ledger.environment(env_id).state is State.DESTROYED


def test_what_became_ready_while_the_systems_were_asked_is_not_lost(
    engine: Engine, reaper: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def observe(_env_id: EnvId | None) -> frozenset[Resource]:
        provisioned(engine, name="meanwhile")
        return frozenset()

    monkeypatch.setattr(Engine, "observe", lambda _self, env_id: observe(env_id))
    monkeypatch.setattr(Engine, "verify", lambda _self, env_id: {})
    assert reaper.findings() == []


# ---------------------------------------------------------------- what only the systems know


def test_what_no_living_environment_owns_is_an_orphan_and_destroyed(engine: Engine, reaper: Reaper) -> None:
    living = provisioned(engine)
    memory(engine, System.POSTGRES).resources.add(left())
    marks(reaper)[left()] = "sbx-gone"
    [finding] = reaper.findings()
    assert (str(finding.env_id), finding.why, finding.resources) == ("sbx-gone", Why.ORPHAN, (left(),))
    assert finding.proof == "by name and mark"
    reaper.reap(EnvId("sbx-gone"))
    assert left() not in engine.observe(None)
    assert engine.drift(living) == ()


@pytest.mark.parametrize("mark", ["", "sbx-other", "made by hand"])
def test_what_has_our_name_and_not_our_mark_is_told_and_never_touched(
    engine: Engine, reaper: Reaper, mark: str
) -> None:
    memory(engine, System.POSTGRES).resources.add(left())
    marks(reaper)[left()] = mark
    [finding] = reaper.findings()
    assert (finding.why, finding.ends) == (Why.FOREIGN, False)
    assert (mark or "nothing") in finding.proof
    with pytest.raises(Conflict, match="nothing of sbx-gone is to end"):
        reaper.reap(EnvId("sbx-gone"))
    assert engine.observe(None) == {left()}


def test_of_one_name_what_is_ours_goes_and_what_is_not_stays(engine: Engine, reaper: Reaper) -> None:
    topic = Resource(System.KAFKA, "topic", "te.sbx-gone.card_events")
    memory(engine, System.POSTGRES).resources.add(left())
    memory(engine, System.KAFKA).resources.add(topic)
    marks(reaper)[left()] = "someone's"
    assert [finding.why for finding in reaper.findings()] == [Why.ORPHAN, Why.FOREIGN]
    reaper.reap(EnvId("sbx-gone"))
    assert engine.observe(None) == {left()}


def test_what_died_before_it_was_marked_is_ours_if_the_ledger_made_it(engine: Engine, reaper: Reaper) -> None:
    env_id = provisioned(engine, name="gone")
    destroyed(engine, env_id)
    memory(engine, System.POSTGRES).resources.add(left())
    marks(reaper)[left()] = ""
    [finding] = reaper.findings()
    assert (finding.why, finding.proof) == (Why.ORPHAN, "by name, and the ledger made it")


def test_what_was_left_is_left_to_who_asks_for_the_name_anew(engine: Engine, reaper: Reaper) -> None:
    memory(engine, System.POSTGRES).resources.add(left())
    [finding] = reaper.findings()
    request(engine, name="gone")
    assert reaper.findings() == []
    with pytest.raises(Conflict, match="was asked for anew"):
        reaper._destroy_orphan(finding)
    assert engine.observe(None) == {left()}


# ---------------------------------------------------------------- dry


def test_looking_changes_nothing(engine: Engine, reaper: Reaper) -> None:
    """One of everything that can be found."""
    engine.admit(request(engine, name="stuck"))
    request(engine, name="lapsed")
    provisioned(engine, name="expired", ttl_hours=1)
    drifted, lost = provisioned(engine, name="drifted"), provisioned(engine, name="lost")
    memory(engine, System.S3).destroy(Resource(System.S3, "role", Names(drifted).iam_role))
    for system in System:
        of_lost = memory(engine, system).observe(lost)
        memory(engine, system).resources -= of_lost
    memory(engine, System.POSTGRES).resources |= {left(), left("sbx-foreign")}
    marks(reaper)[left("sbx-foreign")] = ""
    clock(engine).advance(hours=2)
    before = snapshot(engine)
    assert reasons(reaper) == {
        "sbx-stuck": "stuck",
        "sbx-lapsed": "lapsed",
        "sbx-expired": "expired",
        "sbx-drifted": "drifted",
        "sbx-lost": "lost",
        "sbx-gone": "orphan",
        "sbx-foreign": "not ours",
    }
    assert all(finding.proof and finding.words for finding in reaper.findings())
    assert snapshot(engine) == before


# ---------------------------------------------------------------- retention


def test_what_is_older_than_thirty_days_is_forgotten_and_nothing_else(engine: Engine, reaper: Reaper) -> None:
    old, living = provisioned(engine, name="old"), provisioned(engine, name="living", kind="integration")
    destroyed(engine, old)
    artifacts = reaper.artifacts
    assert isinstance(artifacts, Artifacts)
    artifacts.written = {old: [NOON], living: [NOON, NOON + timedelta(days=2)]}
    clock(engine).advance(days=1)
    young = provisioned(engine, name="young")
    destroyed(engine, young)
    clock(engine).advance(days=29)
    assert reaper.retain() == Outdated(NOON, {}, (), ()), "thirty days are kept whole"
    clock(engine).advance(seconds=1)
    before = snapshot(engine)
    told = reaper.outdated()
    assert snapshot(engine) == before and len(artifacts.written[living]) == 2, "to look changes nothing"
    assert told == reaper.retain()
    assert (told.lives, told.artifacts) == ((old,), {old: 1, living: 1})
    assert artifacts.written == {old: [], living: [NOON + timedelta(days=2)]}
    assert {life.env_id for life in engine.ledger.environments()} == {living, young}
    assert engine.ledger.steps(living) and engine.ledger.events(young)


def test_exported_code_of_builds_that_died_goes_and_no_other_folder(engine: Engine, reaper: Reaper) -> None:
    building, ready = request(engine, name="building"), provisioned(engine, name="ready")
    engine.admit(building)
    for name in (str(building), str(ready), "sbx-unknown", "not-an-id", "finsight"):
        (reaper.code / name / "include").mkdir(parents=True)
    assert [folder.name for folder in reaper.outdated().code] == ["sbx-ready", "sbx-unknown"]
    reaper.retain()
    assert sorted(folder.name for folder in reaper.code.iterdir()) == ["finsight", "not-an-id", "sbx-building"]
